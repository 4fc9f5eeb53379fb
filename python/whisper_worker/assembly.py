"""One decoded window to the segments that are sent. Pure.

Nothing is lost or invented here: the segments' texts joined are the window's text, the words'
joined are the segment's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TypeAlias

from whisper_worker.audio import SAMPLE_RATE, to_seconds
from whisper_worker.protocol import Segment, TokenLogprob, Word
from whisper_worker.segments import split_into_segments
from whisper_worker.speech_model import Decoded, TimedWord
from whisper_worker.vad import Window
from whisper_worker.word_times import place_words

_SEEK_FRAME_SAMPLES = SAMPLE_RATE // 100  # Whisper counts in mel frames of 10 ms

Spell: TypeAlias = Callable[[int], bytes]


def build_segments(
    window: Window, decoded: Decoded, spell: Spell | None = None
) -> tuple[Segment, ...]:
    """With word times, lines of a subtitle; without, the window as one segment.

    How sure each token was is told to those who can spell it.
    """
    if not decoded.text.strip():
        return ()
    if not decoded.words:
        return (_whole_window(window, decoded, spell),)
    lines = split_into_segments(place_words(decoded.words, window))
    return tuple(_segment(window, decoded, line, spell) for line in lines)


def _whole_window(window: Window, decoded: Decoded, spell: Spell | None) -> Segment:
    speech = window.speech
    return Segment(
        seek=window.start // _SEEK_FRAME_SAMPLES,
        start=round(to_seconds(speech[0].start), 3),
        end=round(to_seconds(speech[-1].end), 3),
        text=decoded.text,
        tokens=decoded.tokens,
        temperature=decoded.temperature,
        avg_logprob=round(decoded.avg_logprob, 4),
        compression_ratio=round(decoded.compression_ratio, 4),
        no_speech_prob=round(decoded.no_speech_prob, 6),
        words=None,
        logprobs=_token_logprobs(decoded.tokens, decoded.logprobs, spell),
    )


def _segment(
    window: Window, decoded: Decoded, line: Sequence[TimedWord], spell: Spell | None
) -> Segment:
    """A line of the window: its own words, text, tokens and times; the window's statistics."""
    tokens = tuple(chain.from_iterable(word.tokens for word in line))
    logprobs = tuple(chain.from_iterable(word.logprobs for word in line))
    return Segment(
        seek=window.start // _SEEK_FRAME_SAMPLES,
        start=line[0].start,
        end=line[-1].end,
        text="".join(word.text for word in line),
        tokens=tokens,
        temperature=decoded.temperature,
        avg_logprob=round(decoded.avg_logprob, 4),
        compression_ratio=round(decoded.compression_ratio, 4),
        no_speech_prob=round(decoded.no_speech_prob, 6),
        words=tuple(
            Word(word.text, word.start, word.end, round(word.probability, 4)) for word in line
        ),
        logprobs=_token_logprobs(tokens, logprobs, spell),
    )


def _token_logprobs(
    tokens: Sequence[int], logprobs: Sequence[float], spell: Spell | None
) -> tuple[TokenLogprob, ...] | None:
    if spell is None:
        return None
    return tuple(
        _token_logprob(spell(token), logprob)
        for token, logprob in zip(tokens, logprobs, strict=True)
    )


def _token_logprob(spelt: bytes, logprob: float) -> TokenLogprob:
    # A logarithm of a sum rounds: what is certain may come out a little above 0.
    return TokenLogprob(
        token=spelt.decode(errors="replace"),
        logprob=min(0.0, round(logprob, 6)),
        bytes=tuple(spelt),
    )
