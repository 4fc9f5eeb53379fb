"""Words to segments: the lines of a subtitle. Pure.

Hviske writes neither capitals nor full stops, so pauses and lengths have to split as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from whisper_worker.speech_model import TimedWord

MAX_PAUSE_SECONDS = 0.6
MAX_SEGMENT_SECONDS = 12.0
MAX_SEGMENT_CHARACTERS = 84  # two subtitle lines of 42
_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")
_CLOSING_MARKS = "\"'”’)]}»"
_CLAUSE_ENDS = (",", ";", ":", "–", "、", "，")
_CLAUSE_MERIT_SECONDS = 0.3


def split_into_segments(words: Sequence[TimedWord]) -> list[tuple[TimedWord, ...]]:
    """Every word in exactly one segment, in order."""
    segments: list[tuple[TimedWord, ...]] = []
    first = 0
    for index in range(1, len(words) + 1):
        if index == len(words) or _ends_segment(words[index - 1], words[index]):
            segments.extend(_split_long(tuple(words[first:index])))
            first = index
    return segments


def _ends_segment(word: TimedWord, following: TimedWord) -> bool:
    if following.start - word.end > MAX_PAUSE_SECONDS:
        return True
    ends_sentence = word.text.rstrip(_CLOSING_MARKS).endswith(_SENTENCE_ENDS)
    # "kl. otte", "3. maj", "f.eks. det": a sentence does not go on in small letters.
    return ends_sentence and not following.text.lstrip()[:1].islower()


def _split_long(words: tuple[TimedWord, ...]) -> list[tuple[TimedWord, ...]]:
    if len(words) < 2 or not _is_too_long(words):
        return [words]
    cut = max(range(1, len(words)), key=lambda index: _merit(words, index))
    return _split_long(words[:cut]) + _split_long(words[cut:])


def _is_too_long(words: tuple[TimedWord, ...]) -> bool:
    return (
        words[-1].end - words[0].start > MAX_SEGMENT_SECONDS
        or sum(len(word.text) for word in words) > MAX_SEGMENT_CHARACTERS
    )


def _merit(words: tuple[TimedWord, ...], index: int) -> float:
    """How good a cut before words[index] is: pauses and commas, near the middle, in seconds."""
    pause = words[index].start - words[index - 1].end
    clause = _CLAUSE_MERIT_SECONDS if words[index - 1].text.endswith(_CLAUSE_ENDS) else 0.0
    characters = sum(len(word.text) for word in words)
    before = sum(len(word.text) for word in words[:index])
    imbalance = abs(before / max(1, characters) - 0.5)  # 0 in the middle, 0.5 at the ends
    return pause + clause - imbalance
