"""Draws sentences from the lexicon and decides which of them are never trained on. Pure."""

import hashlib
import random
import re
from collections.abc import Iterator

from lexicon import LEXICONS, Lexicon

_SLOT = re.compile(r"\{(\w+)\}")
_HELD_OUT_OF_256 = 16


def sentence(language: str, rng: random.Random) -> str:
    """One sentence with a capital first letter and a full stop."""
    lexicon = LEXICONS[language]
    text = _fill(rng.choice(lexicon.templates), lexicon, rng)
    return text[0].upper() + text[1:] + "."


def is_held_out(text: str) -> bool:
    """Whether the sentence is kept for evaluation: decided by its text, so all sides agree."""
    return hashlib.sha256(text.encode()).digest()[0] < _HELD_OUT_OF_256


def sentences(language: str, rng: random.Random, *, held_out: bool) -> Iterator[str]:
    """Endless distinct sentences of one side of the split."""
    seen: set[str] = set()
    while True:
        text = sentence(language, rng)
        if is_held_out(text) == held_out and text not in seen:
            seen.add(text)
            yield text


def vocabulary(language: str) -> frozenset[str]:
    """Every word a sentence of the language may contain, in lower case and without punctuation."""
    lexicon = LEXICONS[language]
    alternatives = [option for options in lexicon.classes.values() for option in options]
    text = " ".join([*lexicon.templates, *alternatives])
    return frozenset(_SLOT.sub(" ", text).lower().split())


def _fill(template: str, lexicon: Lexicon, rng: random.Random) -> str:
    def draw(slot: re.Match[str]) -> str:
        return _fill(rng.choice(lexicon.classes[slot[1]]), lexicon, rng)

    return _SLOT.sub(draw, template)
