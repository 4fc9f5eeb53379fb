"""How models/tiny-da is made, as far as that needs no espeak-ng, and what is shipped."""

import itertools
import random
import sys
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parents[2]
_MODEL = _REPOSITORY / "models" / "tiny-da"
sys.path.append(str(_REPOSITORY / "python" / "training"))

import grammar  # noqa: E402  python/training is a folder of scripts, not a package

torch = pytest.importorskip("torch", reason="the model needs torch")
transformers = pytest.importorskip("transformers", reason="the model needs transformers")

_LANGUAGES = ("da", "en", "de")


@pytest.mark.parametrize("language", _LANGUAGES)
def test_the_same_seed_draws_the_same_sentences(language):
    first, second = random.Random(7), random.Random(7)

    drawn = [grammar.sentence(language, first) for _ in range(50)]

    assert drawn == [grammar.sentence(language, second) for _ in range(50)]


@pytest.mark.parametrize("language", _LANGUAGES)
def test_no_sentence_is_both_trained_on_and_held_out(language):
    held_out, trained = (
        set(itertools.islice(grammar.sentences(language, random.Random(1), held_out=side), 150))
        for side in (True, False)
    )

    assert len(held_out) == len(trained) == 150
    assert not held_out & trained


@pytest.mark.parametrize("language", _LANGUAGES)
def test_a_sentence_is_written_with_words_of_the_vocabulary_a_capital_and_a_full_stop(language):
    rng, vocabulary = random.Random(2), grammar.vocabulary(language)

    for text in (grammar.sentence(language, rng) for _ in range(500)):
        assert text[0].isupper()
        assert text.endswith(".")
        assert set(text.removesuffix(".").lower().split()) <= vocabulary


@pytest.fixture(scope="module")
def processor():
    return transformers.WhisperProcessor.from_pretrained(_MODEL)


@pytest.fixture(scope="module")
def model():
    return transformers.WhisperForConditionalGeneration.from_pretrained(_MODEL, dtype=torch.float32)


def test_the_tokens_stand_in_the_order_that_whisper_code_computes_with(processor):
    token_id = processor.tokenizer.convert_tokens_to_ids
    order = [
        *("<|endoftext|>", "<|startoftranscript|>", "<|en|>"),
        *("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"),
        *("<|nospeech|>", "<|notimestamps|>", "<|0.00|>", "<|30.00|>"),
    ]

    ids = [token_id(token) for token in order]

    assert ids == sorted(ids)
    assert ids[3] - ids[2] == 100  # languages
    assert [b - a for a, b in itertools.pairwise(ids[3:-1])] == [1] * 6
    assert ids[-1] - ids[-2] == 1500
    assert ids[-1] == len(processor.tokenizer) - 1
    assert processor.tokenizer.all_special_ids[-1] == token_id("<|notimestamps|>")


def test_any_text_survives_the_tokenizer(processor):
    text = " Rødgrød med fløde — 3½ €, часть 🎧"

    tokens = processor.tokenizer.encode(text, add_special_tokens=False)

    assert processor.tokenizer.decode(tokens) == text


def test_the_shipped_directory_is_a_complete_whisper_model(model, processor):
    config = model.generation_config
    extractor = processor.feature_extractor

    assert model.config.num_mel_bins == extractor.feature_size == 128
    assert (_MODEL / "preprocessor_config.json").exists()
    assert len(config.lang_to_id) == 100
    assert config.is_multilingual
    assert set(config.task_to_id) == {"transcribe", "translate"}
    assert config.no_timestamps_token_id == config.prev_sot_token_id + 2
    assert config.alignment_heads == [[3, 0], [3, 1]]
    assert sum(file.stat().st_size for file in _MODEL.iterdir()) < 12e6


def test_the_shipped_model_writes_nothing_for_silence(model, processor):
    features = processor(
        audio=[0.0] * 16_000, sampling_rate=16_000, return_tensors="pt"
    ).input_features

    tokens = model.generate(features, language="da", task="transcribe")

    assert processor.batch_decode(tokens, skip_special_tokens=True) == [""]
