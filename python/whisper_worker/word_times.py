"""From the alignment's word times to times a listener would agree with. Pure.

The alignment knows only the order of words: every word ends where the next begins, so a pause is
given to one of its neighbours. The speech detector knows where the pauses are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from whisper_worker.audio import to_seconds
from whisper_worker.speech_model import TimedWord
from whisper_worker.vad import Region, Window

# The detector is late at soft beginnings and early at soft ends.
_SPEECH_MARGIN_SECONDS = 0.06
# OpenAI's timing.py: a word may last twice the median, and the median counts as 0.7 s at most.
# A Danish compound may well last longer; slow speech is about 0.15 s a letter.
_MAX_MEDIAN_SECONDS = 0.7
_MAX_MEDIANS = 2.0
_SECONDS_PER_CHARACTER = 0.15

Span = tuple[float, float]


def place_words(words: Sequence[TimedWord], window: Window) -> tuple[TimedWord, ...]:
    """Times from the window's start → times in the recording, inside speech, in order."""
    origin = to_seconds(window.start)
    spans = _speech_spans(window.speech, (origin, to_seconds(window.end)))
    placed = [_into_speech(origin + word.start, origin + word.end, spans) for word in words]
    placed = _shorten(words, placed)
    return tuple(
        replace(word, start=round(start, 3), end=round(end, 3))
        for word, (start, end) in zip(words, _in_order(placed), strict=True)
    )


def _speech_spans(speech: Sequence[Region], limits: Span) -> list[Span]:
    return [
        (
            max(limits[0], to_seconds(region.start) - _SPEECH_MARGIN_SECONDS),
            min(limits[1], to_seconds(region.end) + _SPEECH_MARGIN_SECONDS),
        )
        for region in speech
    ]


def _into_speech(start: float, end: float, spans: Sequence[Span]) -> Span:
    """The part of a word that lies in speech; of several regions, the one that holds most of it."""

    def overlap(span: Span) -> float:
        return min(end, span[1]) - max(start, span[0])

    best = max(spans, key=overlap)  # when all are negative: the nearest one
    clamped_start = min(max(start, best[0]), best[1])
    return clamped_start, min(max(end, clamped_start), best[1])


def _shorten(words: Sequence[TimedWord], spans: list[Span]) -> list[Span]:
    """Cut absurdly long words at their end: a pause that was not detected comes after them."""
    lengths = [end - start for start, end in spans if end > start]
    if not lengths:
        return spans
    usual = _MAX_MEDIANS * min(_MAX_MEDIAN_SECONDS, median(lengths))
    return [
        (start, min(end, start + max(usual, _SECONDS_PER_CHARACTER * len(word.text))))
        for word, (start, end) in zip(words, spans, strict=True)
    ]


def _in_order(spans: Sequence[Span]) -> list[Span]:
    """Starts never before the previous word's end, ends never before starts."""
    ordered: list[Span] = []
    earliest = 0.0
    for start, end in spans:
        start = max(start, earliest)
        earliest = max(start, end)
        ordered.append((start, earliest))
    return ordered
