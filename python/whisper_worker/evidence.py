"""Witnesses against words: where speech was detected, how probable they are, how fast.

Times are the alignment's, seconds from the window's start. They are sloppy at pauses: a whole
pause is given to one of its neighbours, so a long word is no evidence, and one that touches speech
counts as spoken. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from whisper_worker.audio import to_seconds
from whisper_worker.speech_model import TimedWord
from whisper_worker.vad import Window

# Of a doubted run of words, on average. In speech as much as OpenAI asks of a window: exp(-1).
MIN_PROBABILITY = 0.37
MIN_PROBABILITY_IN_SILENCE = 0.5
# Danes say about 15 characters a second, in a hurry 22. A credit out of nothing has 80 and more.
MAX_CHARACTERS_PER_SECOND = 30.0
# PROTOCOL.md: "a second of silence or more".
MIN_SILENCE_SECONDS = 1.0
# The detector is late at soft beginnings, early at soft ends.
_SPEECH_MARGIN_SECONDS = 0.1
# What an alignment may be wrong by, where there is no pause.
_ALIGNMENT_MARGIN_SECONDS = 0.5


def is_unlikely_speech(words: Sequence[TimedWord], run: range, window: Window) -> bool:
    """These words lie mostly outside speech, are improbable, or are more than anybody says."""
    doubted = words[run.start : run.stop]
    silent = sum(not _touches_speech(word, window) for word in doubted)
    if silent > len(doubted) / 2 or are_improbable(doubted, MIN_PROBABILITY):
        return True
    start = doubted[0].start - _ALIGNMENT_MARGIN_SECONDS
    end = doubted[-1].end + _ALIGNMENT_MARGIN_SECONDS
    return is_too_fast("".join(word.text for word in doubted), start, end, window)


def are_improbable(words: Sequence[TimedWord], least: float) -> bool:
    return sum(word.probability for word in words) < least * len(words)


def is_too_fast(text: str, start: float, end: float, window: Window) -> bool:
    """Nobody can say this in the speech that was detected between start and end."""
    most = MAX_CHARACTERS_PER_SECOND * _speech_seconds(start, end, window)
    return len(text.strip()) > most


def is_far_from_speech(word: TimedWord, window: Window) -> bool:
    """The word touches no speech, and its middle is a second or more away from any."""
    middle = (word.start + word.end) / 2
    return all(
        (word.end < since or word.start > to)
        and not since - MIN_SILENCE_SECONDS < middle < to + MIN_SILENCE_SECONDS
        for since, to in _speech_spans(window)
    )


def _touches_speech(word: TimedWord, window: Window) -> bool:
    spans = _speech_spans(window, _SPEECH_MARGIN_SECONDS)
    return any(word.start <= to and word.end >= since for since, to in spans)


def _speech_spans(window: Window, margin: float = 0.0) -> Iterator[tuple[float, float]]:
    """Where somebody speaks, in seconds from the window's start."""
    for region in window.speech:
        start, end = to_seconds(region.start - window.start), to_seconds(region.end - window.start)
        yield start - margin, end + margin


def _speech_seconds(start: float, end: float, window: Window) -> float:
    spans = _speech_spans(window, _SPEECH_MARGIN_SECONDS)
    return sum(max(0.0, min(end, to) - max(start, since)) for since, to in spans)
