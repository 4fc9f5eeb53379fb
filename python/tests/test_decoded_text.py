"""From tokens to text, figures and words."""

import math

import pytest

from whisper_worker.decoded_text import (
    SaidTokens,
    assemble,
    audio_frames,
    most_tokens,
    time_words,
    token_limit,
)
from whisper_worker.guards import compression_ratio
from whisper_worker.tokens import TokenBytes
from whisper_worker.vad import Region, Window

RATE = 16_000
END = 100
WORDS = TokenBytes({0: "ĠTog", 1: "et", 2: "Ġkommer", 3: ".", 101: "<|1.00|>"})


def window(seconds, *speech):
    regions = tuple(Region(int(a * RATE), int(b * RATE)) for a, b in speech)
    return Window(0, 0, int(seconds * RATE), regions)


def said(*tokens, logprob=-0.5, end_logprob=-0.3, **figures):
    return SaidTokens(tokens, (logprob,) * len(tokens), end_logprob, 0.01, **figures)


@pytest.mark.parametrize(
    ("seconds", "speech", "tokens"),
    [
        (10, [(0, 10)], 16 + 120),
        (10, [(1, 2), (5, 5.5)], 16 + 18),  # pauses say nothing
        (1, [], 16),
    ],
)
def test_a_window_may_say_as_much_as_its_speech_is_long(seconds, speech, tokens):
    assert token_limit(window(seconds, *speech), 4, 448) == tokens


def test_a_long_prompt_leaves_less_room_and_never_more_than_the_decoder_has():
    full = window(29.5, (0, 29.5))

    assert token_limit(full, 228, 448) == 448 - 4 - 228
    assert token_limit(full, 4, 448) == 16 + 354
    assert most_tokens(4, 448, 10_000) == 440


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (320, 1), (321, 2), (480_000, 1500)])
def test_a_frame_that_holds_any_audio_counts(samples, frames):
    assert audio_frames(Window(0, 1000, 1000 + samples, ())) == frames


def test_the_end_counts_in_the_average_as_openai_counts_it():
    assert said(0, 1, 2, logprob=-1.0, end_logprob=-3.0).avg_logprob == -1.5
    assert said(end_logprob=-0.2).avg_logprob == -0.2


def test_an_end_that_was_not_said_counts_in_the_length_only():
    assert said(0, 1, 2, logprob=-1.0, end_logprob=None).avg_logprob == -0.75


def test_the_text_is_that_of_the_text_tokens_and_all_tokens_are_reported():
    decoded = assemble(said(0, 1, 101, 2, 3, temperature=0.4, has_looped=True), WORDS, END)

    assert decoded.text == " Toget kommer."
    assert decoded.tokens == (0, 1, 101, 2, 3)
    assert decoded.logprobs == (-0.5,) * 5
    assert decoded.compression_ratio == compression_ratio(" Toget kommer.")
    assert (decoded.temperature, decoded.has_looped, decoded.no_speech_prob) == (0.4, True, 0.01)
    assert decoded.words is None


def test_a_text_of_no_tokens_has_figures_too():
    decoded = assemble(said(), WORDS, END)

    assert (decoded.text, decoded.tokens) == ("", ())
    assert math.isfinite(decoded.compression_ratio)


def test_a_word_lasts_until_the_next_and_is_as_sure_as_its_tokens_on_average():
    logprobs = [math.log(p) for p in (0.5, 0.7, 0.9, 0.1)]

    words = time_words([0, 1, 2, 3], logprobs, [0.1, 0.3, 0.8, 1.5, 1.6], "da", WORDS)

    assert [(word.text, word.tokens) for word in words] == [
        (" Toget", (0, 1)),
        (" kommer.", (2, 3)),
    ]
    assert [(word.start, word.end) for word in words] == [(0.1, 0.8), (0.8, 1.6)]
    assert [word.probability for word in words] == pytest.approx([0.6, 0.5])
    assert [word.logprobs for word in words] == [tuple(logprobs[:2]), tuple(logprobs[2:])]


def test_no_tokens_are_no_words():
    assert time_words([], [], [0.0], "da", WORDS) == ()
