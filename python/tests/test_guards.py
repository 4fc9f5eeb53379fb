"""The numbers that tell speech from hallucination."""

import zlib

import pytest

from whisper_worker.guards import (
    compression_ratio,
    is_silence,
    needs_fallback,
    temperature_ladder,
)
from whisper_worker.speech_model import Decoded


def decoded(text=" Toget kører klokken otte.", avg_logprob=-0.2, no_speech_prob=0.01):
    ratio = compression_ratio(text)
    return Decoded(text, (1, 2, 3), avg_logprob, ratio, no_speech_prob, None)


def test_temperature_zero_means_a_ladder_and_any_other_is_an_order():
    assert temperature_ladder(0.0) == (0.0, 0.4, 0.8)
    assert temperature_ladder(0.3) == (0.3,)


def test_the_compression_ratio_is_of_utf_8_bytes():
    assert compression_ratio("æøå") == 6 / len(zlib.compress("æøå".encode()))
    assert compression_ratio("") == 0


def test_a_loop_compresses_well_and_speech_does_not():
    assert compression_ratio(" tak" * 50) > 2.4
    assert compression_ratio(" Toget kører klokken otte fra spor fem.") < 1.2


@pytest.mark.parametrize(
    ("attempt", "fails"),
    [
        (decoded(), False),
        (decoded(avg_logprob=-1.2), True),
        (decoded(text=" tak" * 50), True),
        (decoded(avg_logprob=-1.2, no_speech_prob=0.9), False),
    ],
)
def test_loops_and_unsure_texts_are_tried_again_unless_nobody_spoke(attempt, fails):
    assert needs_fallback(attempt) is fails


def test_only_an_unsure_text_where_nobody_spoke_is_silence():
    assert is_silence(decoded(avg_logprob=-1.2, no_speech_prob=0.9))
    assert not is_silence(decoded(avg_logprob=-0.3, no_speech_prob=0.9))
    assert not is_silence(decoded(avg_logprob=-1.2, no_speech_prob=0.3))
