"""What is said of a text before its end."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_worker.speech_model import DecodeRow
from whisper_worker.streaming_text import StreamingText
from whisper_worker.tokens import TokenBytes, byte_alphabet, split_into_characters
from whisper_worker.vad import Window

_STAND_INS = {byte: character for character, byte in byte_alphabet().items()}
ROW = DecodeRow(
    encoded=None,
    window=Window(0, 0, 16_000, ()),
    language="da",
    task="transcribe",
    prompt_tokens=(),
    ladder=(0.0,),
    word_timestamps=False,
    streams=True,
)
LADDER = (0.0, 0.4, 0.8)


def token_bytes(*pieces):
    """A vocabulary of these pieces: token 0 is the first."""
    return TokenBytes(
        {
            index: "".join(_STAND_INS[byte] for byte in piece)
            for index, piece in enumerate(p if isinstance(p, bytes) else p.encode() for p in pieces)
        }
    )


def say(*pieces, logprob=-0.1, no_speech_prob=0.0, **changes):
    """What is said at each of these tokens."""
    text = StreamingText(dataclasses.replace(ROW, **changes), token_bytes(*pieces))
    return [text.hear(token, logprob, no_speech_prob) for token in range(len(pieces))], text


def test_a_word_is_said_when_the_next_one_begins():
    said, _ = say(" Tog", "et", " kører", " nu")

    assert said == ["", "", " Toget", " kører"]


def test_a_language_without_spaces_is_said_character_by_character():
    said, _ = say("電", "車", "が", language="ja")

    assert said == ["電", "車", "が"]


def test_half_a_character_is_never_said():
    first, second = "車".encode()[:1], "車".encode()[1:]

    said, _ = say("電", first, second, language="ja")

    assert said == ["電", "", "車"]


def test_nothing_is_said_of_a_text_that_may_be_tried_again_before_it_looks_good():
    words = [f" ord{number}" for number in range(12)]

    said, text = say(*words, ladder=LADDER)

    assert said[:7] == [""] * 7
    assert said[7] == "".join(words[:7])
    assert said[8:] == words[7:11]
    assert text.has_spoken


@pytest.mark.parametrize("figures", [{"logprob": -0.9}, {"no_speech_prob": 0.7}])
def test_a_doubtful_text_waits_for_its_end_when_it_may_be_tried_again(figures):
    said, text = say(*[f" ord{number}" for number in range(40)], ladder=LADDER, **figures)

    assert set(said) == {""}
    assert not text.has_spoken


@pytest.mark.parametrize("figures", [{"logprob": -0.9}, {"no_speech_prob": 0.7}])
def test_a_text_that_will_stand_in_any_case_is_said_at_once(figures):
    said, _ = say(" et", " to", ladder=(0.7,), **figures)

    assert said == ["", " et"]


def test_a_text_that_becomes_sure_late_is_said_from_then_on():
    words = token_bytes(*[f" ord{number}" for number in range(30)])
    text = StreamingText(dataclasses.replace(ROW, ladder=LADDER), words)

    said = [text.hear(token, -2.0 if token < 8 else -0.1, 0.0) for token in range(30)]

    assert said[10] == ""
    assert "".join(said) == "".join(f" ord{number}" for number in range(29))


@settings(derandomize=True, deadline=None)
@given(
    pieces=st.lists(st.one_of(st.text(" æ車🎧.", max_size=3), st.binary(max_size=3)), max_size=30),
    language=st.sampled_from(["da", "ja"]),
)
def test_what_is_said_is_always_the_beginning_of_the_final_text(pieces, language):
    said, _ = say(*pieces, language=language)

    tokens = list(range(len(pieces)))
    whole = "".join(p.text for p in split_into_characters(tokens, token_bytes(*pieces)))
    assert whole.startswith("".join(said))
