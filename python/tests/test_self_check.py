"""The reduced precision is held against the exact one, and the operator reads what came out."""

import json

import numpy as np
import pytest
import torch
from conftest import TINY_DA
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer

from whisper_worker.linears import pack_linears
from whisper_worker.mel import LogMel
from whisper_worker.repair import Shape, settle
from whisper_worker.self_check import (
    Choices,
    compare,
    pack_and_check,
    synthetic_windows,
)
from whisper_worker.vocabulary import decoder_prefix

CPU = torch.device("cpu")


@pytest.fixture
def network():
    return WhisperForConditionalGeneration.from_pretrained(
        TINY_DA, dtype=torch.float32, local_files_only=True
    ).eval()


@pytest.fixture(scope="module")
def facts():
    settings = json.loads((TINY_DA / "generation_config.json").read_text(encoding="utf-8"))
    vocabulary = WhisperTokenizer.from_pretrained(TINY_DA, local_files_only=True).get_vocab()
    config = json.loads((TINY_DA / "config.json").read_text(encoding="utf-8"))
    layers, heads = config["decoder_layers"], config["decoder_attention_heads"]
    return settle(settings, vocabulary, Shape(config["vocab_size"], layers, heads))


@pytest.fixture(scope="module")
def features():
    mel = LogMel(WhisperFeatureExtractor(feature_size=128).mel_filters, CPU)
    return mel(synthetic_windows(2))


def check(network, facts, features, pack):
    prefix = decoder_prefix(facts.vocabulary, "da", "transcribe", ())
    return pack_and_check(network, facts, features, prefix, pack)


def test_a_network_that_was_not_changed_says_the_same(network, facts, features, capsys):
    verdict = check(network, facts, features, lambda: "nothing done")

    assert verdict.is_same
    assert verdict.reason.startswith("nothing done; the same ")
    assert "tokens as in float32 on 2 of 2 synthetic windows" in verdict.reason
    assert capsys.readouterr().err == ""


def test_a_network_that_was_damaged_is_found_out_and_the_log_says_so(
    network, facts, features, capsys
):
    def damage():
        network.model.decoder.layers[0].fc1.weight.data.zero_()
        network.model.decoder.layers[1].encoder_attn.v_proj.weight.data.zero_()
        return "damaged"

    verdict = check(network, facts, features, damage)

    assert not verdict.is_same
    assert "other tokens than in float32" in verdict.reason
    assert "other tokens than in float32" in capsys.readouterr().err


def test_int8_is_checked_and_moves_probabilities_a_little_at_most(network, facts, features):
    verdict = check(network, facts, features, lambda: pack_linears(network, "int8", CPU))

    assert verdict.reason.startswith("59 layers in int8")
    moved = float(verdict.reason.split("by at most ")[1])
    assert 0 < moved < 2


def test_the_first_other_choice_is_named_with_its_window_and_place():
    exact = [Choices((5, 6, 7), (-0.1, -0.2, -0.3)), Choices((8, 9), (-0.1, -0.1))]
    packed = [Choices((5, 6, 7), (-0.1, -0.2, -0.3)), Choices((8, 4), (-0.1, -0.6))]

    verdict = compare(exact, packed, "bfloat16")

    assert verdict.reason == (
        "other tokens than in bfloat16 on 1 of 2 synthetic windows, "
        "first at token 2 of 2 of window 2, log-probabilities moved by at most 0.50"
    )


def test_a_probability_that_is_no_number_is_never_called_the_same():
    exact = [Choices((5,), (-0.1,))]
    packed = [Choices((5,), (float("nan"),))]

    assert not compare(exact, packed, "float32").is_same


def test_the_synthetic_windows_are_sound_and_always_the_same():
    first, second = synthetic_windows(2)

    assert np.array_equal(first, synthetic_windows(1)[0])
    assert not np.array_equal(first, second)
    assert (first.dtype, first.shape) == (np.float32, (80_000,))
    assert 0.25 < np.abs(first).max() <= 0.31
