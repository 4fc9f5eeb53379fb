"""What fine-tunes lose, and how it is found again."""

import pytest

from whisper_worker.alignment_heads import known_heads
from whisper_worker.failures import FatalFailure
from whisper_worker.repair import Shape, settle
from whisper_worker.vocabulary import decoder_prefix

LARGE_V3 = Shape(vocabulary_size=51866, decoder_layers=32, decoder_heads=20)
TURBO = Shape(vocabulary_size=51866, decoder_layers=4, decoder_heads=20)
ENGLISH = Shape(vocabulary_size=51864, decoder_layers=12, decoder_heads=12)

# The ids of large-v3's tokenizer; two languages stand for a hundred.
TOKENS = {
    "Ġ": 220,
    "<|endoftext|>": 50257,
    "<|startoftranscript|>": 50258,
    "<|en|>": 50259,
    "<|da|>": 50285,
    "<|translate|>": 50359,
    "<|transcribe|>": 50360,
    "<|startoflm|>": 50361,
    "<|startofprev|>": 50362,
    "<|nospeech|>": 50363,
    "<|notimestamps|>": 50364,
}
COMPLETE = {
    "decoder_start_token_id": 50258,
    "no_timestamps_token_id": 50364,
    "prev_sot_token_id": 50362,
    "is_multilingual": True,
    "lang_to_id": {"<|en|>": 50259, "<|da|>": 50285},
    "task_to_id": {"translate": 50359, "transcribe": 50360},
    "alignment_heads": [[7, 0], [10, 17]],
    "begin_suppress_tokens": [220, 50257],
    "suppress_tokens": [1, 2],
}


def repairs(settings, shape=LARGE_V3):
    return settle(settings, TOKENS, shape).repairs


def test_a_complete_checkpoint_is_left_alone():
    facts = settle(COMPLETE, TOKENS, LARGE_V3)

    assert facts.repairs == ()
    assert facts.alignment_heads == ((7, 0), (10, 17))
    assert facts.begin_suppressed == (220, 50257)
    assert facts.vocabulary.languages == {"en": 50259, "da": 50285}


SUPPRESSIONS = {"suppress_tokens", "begin_suppress_tokens"}


@pytest.mark.parametrize("name", sorted(set(COMPLETE) - SUPPRESSIONS))
def test_every_setting_that_is_missing_is_found_again_and_named(name):
    settings = {key: value for key, value in COMPLETE.items() if key != name}

    facts = settle(settings, TOKENS, LARGE_V3)

    assert [repair.split(":")[0] for repair in facts.repairs] == [name]
    assert facts.vocabulary == settle(COMPLETE, TOKENS, LARGE_V3).vocabulary
    assert facts.begin_suppressed == (220, 50257)


def test_settings_that_forbid_no_first_token_are_taken_at_their_word():
    settings = {**COMPLETE, "begin_suppress_tokens": None}

    assert settle(settings, TOKENS, LARGE_V3).begin_suppressed == ()
    assert repairs(settings) == ()


def test_missing_alignment_heads_are_those_of_the_parent():
    settings = {**COMPLETE, "alignment_heads": None}

    assert "alignment_heads: taken from whisper-large-v3" in repairs(settings)
    assert settle(settings, TOKENS, LARGE_V3).alignment_heads[0] == (7, 0)
    assert len(settle(settings, TOKENS, LARGE_V3).alignment_heads) == 10


def test_heads_of_a_larger_model_are_replaced():
    assert repairs(COMPLETE, TURBO) == (
        "alignment_heads: of another model, replaced from whisper-large-v3-turbo",
    )


def test_an_unknown_shape_gets_all_heads_of_its_upper_half():
    known = known_heads(decoder_layers=4, heads_per_layer=2, vocabulary_size=1993)

    assert known.heads == ((2, 0), (2, 1), (3, 0), (3, 1))


def test_ids_of_another_vocabulary_are_corrected_from_the_tokenizer():
    facts = settle({**COMPLETE, "no_timestamps_token_id": 50363}, TOKENS, LARGE_V3)

    assert facts.repairs == ("no_timestamps_token_id: corrected from the tokenizer",)
    assert facts.vocabulary.no_timestamps == 50364


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("forced_decoder_ids", [[1, None], [2, 50360]]),
        ("num_beams", 5),
        ("do_sample", True),
        ("return_timestamps", True),
    ],
)
def test_settings_that_would_overrule_a_request_are_switched_off_and_named(name, value):
    (repair,) = repairs({**COMPLETE, name: value})

    assert repair.startswith(name)


def test_no_generation_config_at_all_is_one_repair_not_ten():
    facts = settle({}, TOKENS, LARGE_V3)

    assert facts.repairs[0].startswith("generation_config.json: missing")
    assert facts.vocabulary == settle(COMPLETE, TOKENS, LARGE_V3).vocabulary
    assert len(facts.repairs) == 3


def test_specials_and_timestamps_are_never_said_and_the_end_always_may_be():
    facts = settle({**COMPLETE, "suppress_tokens": [1, 50257, 99999, -1]}, TOKENS, LARGE_V3)

    assert set(facts.suppressed) == {1, *range(50258, 51866)}


def test_a_small_vocabulary_may_begin_with_a_space():
    tokens = {name: id_ - 50000 for name, id_ in TOKENS.items() if id_ > 50000} | {"Ġ": 7}

    facts = settle({}, tokens, Shape(vocabulary_size=1866, decoder_layers=4, decoder_heads=4))

    assert facts.begin_suppressed == (257,)


def test_an_older_tokenizer_calls_silence_nocaptions():
    tokens = {**TOKENS, "<|nocaptions|>": 50363}
    del tokens["<|nospeech|>"]

    assert settle(COMPLETE, tokens, LARGE_V3).vocabulary.no_speech == 50363


def test_an_english_only_model_has_no_language_and_no_task():
    vocabulary = settle({}, {**TOKENS, "<|notimestamps|>": 50363}, ENGLISH).vocabulary

    assert vocabulary.language_codes == ("en",)
    assert decoder_prefix(vocabulary, "en", "transcribe", ()) == (50258, 50363)


def test_a_tokenizer_that_is_not_a_whisper_s_is_refused():
    with pytest.raises(FatalFailure, match="startoftranscript") as caught:
        settle({}, {"<|endoftext|>": 1}, LARGE_V3)
    assert caught.value.code == "model_unsupported"


def test_a_tokenizer_that_is_larger_than_the_model_is_refused():
    with pytest.raises(FatalFailure, match="does not fit"):
        settle({}, TOKENS, Shape(vocabulary_size=50000, decoder_layers=4, decoder_heads=4))


def test_the_prefix_says_prompt_language_and_task():
    vocabulary = settle(COMPLETE, TOKENS, LARGE_V3).vocabulary

    assert decoder_prefix(vocabulary, "da", "transcribe", ()) == (50258, 50285, 50360, 50364)
    assert decoder_prefix(vocabulary, "en", "translate", (5, 6)) == (
        50362, 5, 6, 50258, 50259, 50359, 50364,
    )  # fmt: skip
