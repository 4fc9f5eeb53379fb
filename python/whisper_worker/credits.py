"""Finds in a text what subtitlers write where nobody speaks: "Danske tekster af …".

A model that learned from subtitles says it in silence. Whether somebody really said it ("tak fordi
du så med" ends many a video) is not to be seen in the text: guards.py asks for evidence. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from whisper_worker.credit_phrases import BY_FIRST_WORD, Phrase

Span: TypeAlias = tuple[int, int]

_MAX_NAME_WORDS = 7  # "Jesper Buhl Scandinavian Text Service 2018" are six
_GROWING = -1
_TAIL_CHARACTERS = 240  # what a streamer may have to hold: two credits, one after the other
_MARKS = "\"'.,;:!?()[]{}<>-–—…“”„’»«♪♫*#"
_CLOSING_MARKS = "\"'”’)]}»♪"
_LETTERS = re.compile(r"[^\W\d_]+")
_FIRST_LETTERS = frozenset(_LETTERS.findall(" ".join(BY_FIRST_WORD)))
_FIRST_PREFIXES = frozenset(
    word[:length] for word in BY_FIRST_WORD for length in range(len(word) + 1)
)


class _Word(NamedTuple):
    plain: str  # small letters, no marks
    has_colon: bool
    is_capital: bool
    ends_sentence: bool
    start: int
    end: int


def find_credits(text: str) -> list[Span]:
    """The known phrases that are the text's first or last sentences, as spans of characters.

    Inside a sentence nothing is found: "vi laver danske tekster af høj kvalitet".
    """
    words = _words(text)
    first = 0
    leading: list[Span] = []
    while end := _leading_end(words, first):
        leading.append((words[first].start, words[end - 1].end))
        first = end
    trailing: list[Span] = []
    last = len(words)
    while (start := _trailing_start(words, first, last)) is not None:
        trailing.append((words[start].start, words[last - 1].end))
        last = start
    return leading + trailing[::-1]


def _leading_end(words: list[_Word], first: int) -> int | None:
    """Where the longest phrase that begins here ends, when a sentence ends there."""
    ends = {end for phrase in _phrases_at(words, first) for end in _ends(phrase, words, first)}
    ends.discard(_GROWING)
    return max(
        (end for end in ends if end == len(words) or words[end - 1].ends_sentence), default=None
    )


def _trailing_start(words: list[_Word], first: int, last: int) -> int | None:
    """Where the longest phrase begins that ends with the words up to `last`."""
    is_end = last == len(words) or words[last - 1].ends_sentence
    for start in range(first, last):
        for phrase in _phrases_at(words, start):
            if (is_end or not phrase.has_name) and last in _ends(phrase, words[:last], start):
                return start
    return None


def may_become_credit(text: str) -> bool:
    """Whether the end of a text that still grows is, or may become, a known phrase."""
    return credit_start(text) < len(text)


def credit_start(text: str) -> int:
    """From which character on a text that still grows is, or may become, a known phrase.

    Everything before it can be shown at once. Without such a phrase: the text's length.
    """
    offset = 0
    if len(text) > _TAIL_CHARACTERS:
        offset = text.find(" ", len(text) - _TAIL_CHARACTERS) + 1
    tail = text[offset:]
    is_open = not text[-1:].isspace()
    if not _has_a_first_word(tail, is_open):
        return len(text)
    words = _words(tail)
    for start in range(len(words)):
        if _may_grow(words, start, is_open):
            return offset + words[start].start
    return len(text)


def _has_a_first_word(tail: str, is_open: bool) -> bool:
    """A quick look, for this is asked at every step of every text."""
    tail = tail.casefold()
    if not _FIRST_LETTERS.isdisjoint(_LETTERS.findall(tail)):
        return True
    return is_open and tail[tail.rfind(" ") + 1 :].strip(_MARKS) in _FIRST_PREFIXES


def _may_grow(words: list[_Word], start: int, is_open: bool) -> bool:
    if start == len(words) - 1 and is_open and words[start].plain in _FIRST_PREFIXES:
        return True
    for phrase in _phrases_at(words, start):
        for end in _ends(phrase, words, start, is_open):
            if end in (_GROWING, len(words)) or _may_grow(words, end, is_open):
                return True
    return False


def _phrases_at(words: list[_Word], start: int) -> Iterator[Phrase]:
    """The phrases that may begin at this word: those whose first word it is, at a sentence's."""
    if start == len(words) or words[start].plain not in BY_FIRST_WORD:
        return
    begins = start == 0 or words[start - 1].ends_sentence or words[start].is_capital
    # A model that writes neither capitals nor full stops does not say where sentences begin.
    is_bare = not any(word.is_capital or word.ends_sentence for word in words[:start])
    for phrase in BY_FIRST_WORD[words[start].plain]:
        if begins or (is_bare and not phrase.has_name):
            yield phrase


def _ends(phrase: Phrase, words: list[_Word], start: int, is_open: bool = False) -> list[int]:
    """Where the phrase that begins at `start` may end. _GROWING: where the words end, it has not
    ended yet."""
    at = start
    for slot in phrase.slots:
        if at == len(words):
            return [_GROWING]
        if at > start and words[at - 1].ends_sentence:
            return []
        if not slot.accepts(words[at].plain, words[at].has_colon):
            is_last = at == len(words) - 1
            return [_GROWING] if is_last and is_open and slot.may_accept(words[at].plain) else []
        at += 1
    return _name_ends(words, at, is_open) if phrase.has_name else [at]


def _name_ends(words: list[_Word], at: int, is_open: bool) -> list[int]:
    """A name ends with its sentence or with the words."""
    if at == len(words) or (is_open and at == len(words) - 1 and not words[at].plain):
        return [_GROWING]
    if words[at - 1].ends_sentence:
        return []
    # Where there are capitals, a name has one: "tekster af høj kvalitet" is no credit.
    first = words[at].plain[:1]
    if not (words[at].is_capital or first.isdigit()) and any(w.is_capital for w in words[:at]):
        return []
    for end in range(at + 1, min(len(words), at + _MAX_NAME_WORDS) + 1):
        if words[end - 1].ends_sentence or end == len(words):
            return [end]
    return []


def _words(text: str) -> list[_Word]:
    return [_word(match[0], match.start()) for match in re.finditer(r"\S+", text)]


def _word(raw: str, start: int) -> _Word:
    bare = raw.strip(_MARKS)
    unquoted = raw.rstrip(_CLOSING_MARKS)
    is_initial = len(bare) < 2 and unquoted.endswith(".")  # "J. Buhl"
    return _Word(
        plain=bare.casefold().replace("’", "'"),
        has_colon=unquoted.endswith(":"),
        is_capital=bare[:1].isupper(),
        ends_sentence=unquoted.endswith((".", "!", "?", "…")) and not is_initial,
        start=start,
        end=start + len(raw),
    )
