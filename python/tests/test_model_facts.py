"""What a model's files say of it, without torch."""

import json
import shutil

import pytest
from conftest import TINY_DA

from whisper_worker.checkpoint import Checkpoint
from whisper_worker.model_facts import facts_of, read_weights, token_ids


@pytest.fixture
def model(tmp_path):
    """A copy of the bundled model, to be spoiled."""
    return shutil.copytree(TINY_DA, tmp_path / "model")


def test_the_bundled_model_is_known_from_its_files(tiny_da):
    facts = facts_of("models/tiny-da", TINY_DA)

    assert facts.problems == []
    assert facts.repairs == list(tiny_da.describe().repairs)
    assert facts.parameters == sum(facts.dtypes.values())
    assert facts.generation["is_multilingual"] is True


def test_tokens_are_those_that_transformers_reads(tiny_da):
    assert token_ids(Checkpoint("", TINY_DA, None)) == tiny_da._tokenizer.get_vocab()


def test_tokens_of_older_models_are_in_three_files(tmp_path):
    files = {
        "vocab.json": {"a": 0},
        "added_tokens.json": {"<|da|>": 1},
        "tokenizer_config.json": {"added_tokens_decoder": {"2": {"content": "<|0.00|>"}}},
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))

    assert token_ids(Checkpoint("", tmp_path, None)) == {"a": 0, "<|da|>": 1, "<|0.00|>": 2}


def test_what_would_be_repaired_is_told_beforehand(model):
    (model / "generation_config.json").unlink()

    facts = facts_of("x", model)

    assert facts.problems == []
    assert facts.repairs[0] == "generation_config.json: missing, rebuilt from the tokenizer"


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda weights: weights[:-1], "bytes long, its header describes"),
        (lambda weights: weights + b"x", "bytes long, its header describes"),
        (lambda _weights: b"\xff" * 100, "it has no safetensors header"),
        (lambda _weights: b"", "it has no safetensors header"),
        (lambda _weights: b"\x02" + bytes(7) + b"{]", "cannot be read"),
        (lambda _weights: b"\x0a" + bytes(7) + b'{"a": {}} ', "not as it should be"),
    ],
)
def test_weights_that_are_cut_off_or_something_else_are_a_problem(model, spoil, problem):
    weights = model / "model.safetensors"
    weights.write_bytes(spoil(weights.read_bytes()))

    assert any(problem in said for said in facts_of("x", model).problems)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("config.json", '{"model_type": "bert"}', "is a bert model"),
        ("config.json", "{", "cannot be read"),
        ("config.json", '{"model_type": "whisper"}', "a settings file is not as it should be"),
        ("tokenizer.json", '{"model": {"vocab": {"a": 1}}}', "not a Whisper's"),
    ],
)
def test_settings_that_are_no_whisper_s_are_a_problem(model, name, content, problem):
    (model / name).write_text(content)

    assert any(problem in said for said in facts_of("x", model).problems)


@pytest.mark.parametrize(
    ("card", "licence", "base"),
    [
        ("---\nlicense: openrail\nbase_model: a/b\n---\n", "openrail", "a/b"),
        ('---\nlicense: "apache-2.0"\nbase_model:\n- a/b\n- c\n---\n', "apache-2.0", "a/b"),
        ("---\nlicense: other\nlicense_name: own-1.0\n---\n", "own-1.0", None),
        ("---\nlicense: other\n---\n", "other", None),
        ("---\nlanguage: da\n---\nlicense: not here\n", None, None),
        ("license: mit\n", None, None),
    ],
)
def test_the_licence_is_what_the_head_of_the_card_names(tmp_path, card, licence, base):
    (tmp_path / "README.md").write_text(card)

    facts = facts_of("x", tmp_path)

    assert (facts.licence, facts.base) == (licence, base)


def test_parameters_are_counted_by_type(model):
    weights = read_weights(model / "model.safetensors")

    assert set(weights.dtypes) == {"F16"}
    assert weights.parameters > 1_000_000
