"""The table of CUDA_NOTES.md is what bench/memory_budget.py says, and that is what is allocated."""

import json
import sys

import pytest
import torch
from conftest import REPOSITORY, TINY_DA, load
from transformers import WhisperConfig, WhisperForConditionalGeneration

sys.path.insert(0, str(REPOSITORY))

from bench import memory_budget
from bench.decode_roofline import SHAPES
from bench.roofline import Network


def test_the_table_of_the_notes_is_the_one_that_is_reckoned():
    notes = memory_budget.NOTES.read_text("utf-8")

    assert memory_budget.put_between(notes, memory_budget.describe("large-v3")) == notes


def test_notes_without_a_place_for_the_table_are_not_written_over():
    with pytest.raises(ValueError, match="unpack"):
        memory_budget.put_between("no markers here", "a table")


@pytest.mark.parametrize("name", ["large-v3", "turbo", "tiny-da"])
def test_the_weights_are_counted_as_transformers_makes_them(name):
    if name == "tiny-da":
        network, config = Network.read(TINY_DA), WhisperConfig.from_pretrained(TINY_DA)
    else:
        network = SHAPES[name]
        config = WhisperConfig(
            vocab_size=network.vocabulary,
            num_mel_bins=network.mel_bins,
            d_model=network.width,
            encoder_layers=network.encoder_layers,
            decoder_layers=network.decoder_layers,
            encoder_ffn_dim=network.ffn,
            decoder_ffn_dim=network.ffn,
            encoder_attention_heads=20,
            decoder_attention_heads=20,
        )

    with torch.device("meta"):
        made = WhisperForConditionalGeneration(config)

    assert memory_budget.parameters(network) == sum(p.numel() for p in made.parameters())


def test_a_slot_is_as_large_as_the_engine_makes_it(monkeypatch):
    """The bundled model in single precision, so everything is twice as large."""
    model = load(TINY_DA, compute_type="float32", slots=3)
    network = Network.read(TINY_DA)
    slots, heads = model._slots, len(model.facts.alignment_heads)
    config = json.loads((TINY_DA / "config.json").read_text())
    width = config["d_model"] // config["decoder_attention_heads"]
    monkeypatch.setattr(memory_budget, "_HEAD_WIDTH", width)

    told = memory_budget.budget(network, 3, heads)

    assert 3 * slots._cache.bytes_per_slot == 2 * (told.self_keys + told.cross_keys)
    queries = slots._queries._queries
    assert queries.numel() * queries.element_size() == 2 * told.queries
