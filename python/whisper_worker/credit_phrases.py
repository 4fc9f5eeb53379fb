"""The phrases that subtitlers leave behind, and how they are written down. Data; knows no text.

Collected from what is publicly reported of Whisper on silence: SubtitleEdit's filter, issues and
filters of many projects. "Tak.", "Thank you." and "Vi ses." are reported most of all, and are not
here: people say them too often.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

# One a line. `a|b`: either; `*`: somebody's name, to the end of the sentence; `#`: a year. A colon
# has to be there.
_PHRASES = """
danske|norske tekster|undertekster af|av *
danske|norske tekster|undertekster: *
danske tekster af nicolai|nikolaj winther
danske tekster af jesper buhl
danske tekster af jesper buhl scandinavian text service #
scandinavian text service
scandinavian text service #
broadcast text international
broadcast text international #
dansk videotekst
dansk video tekst
dansk|norsk|svensk tekst|text: *
www.btsubtitles.com
undertekster|undertekst|undertekstet|tekster|tekstet|tekstning|oversat|oversættelse af *
undertekster|undertekst|tekster|tekstet|tekstning|oversættelse: *
oversat og tekstet af *
tak fordi du|i|de så|ser|kiggede|kigger|lyttede|lytter|fulgte|følger med
tak fordi du|i har set|kigget|lyttet|fulgt med
tak for at du|i så|ser|kiggede|kigger|lyttede|lytter|fulgte|følger med
tak for at du|i så på
tak for at du|i har set|kigget|lyttet|fulgt med
tak for at se|kigge|lytte|følge med
husk at like og abonnere
undertekster|undertekst|teksting|tekstet|oversatt|oversettelse|tekster av *
teksting|oversettelse|undertekster: *
takk for at du|dere så på|med
takk for at du|dere ser på
takk for at du|dere fulgte|følger med
takk for ating med
undertexter|undertext|textning|textat|översatt|översättning|text av *
undertexter från *
textning|översättning|undertexter: *
svensktextning.nu
textning.nu
www.vsi-stockholm.se
tack för att du|ni tittade|tittar|lyssnade
tack för att du|ni har tittat|lyssnat
suomennos|tekstitys: *
subtitles|subtitle|subtitled|captions|captioned|translated|transcribed by *
subtitles|captions|translation by: *
subtitles by the amara.org community
transcription by castingwords
transcription|subtitles by castingwords|eso
thanks for watching
thank you for watching
thank you so|very much for watching
thanks for watching this|the video
thank you for watching this|the video
please like and subscribe
please subscribe
please subscribe to my|our|the channel
like and subscribe
don't forget to like and subscribe
don't forget to subscribe
"""
_NAME = "*"
_YEAR = "#"
_YEARS = re.compile(r"(19|20)\d\d")


@dataclass(frozen=True)
class Slot:
    """One word of a phrase."""

    words: frozenset[str]
    has_colon: bool

    def accepts(self, word: str, has_colon: bool) -> bool:
        """Takes a word in small letters and without marks."""
        if self.has_colon and not has_colon:
            return False
        is_year = _YEAR in self.words and _YEARS.fullmatch(word) is not None
        return is_year or word in self.words

    def may_accept(self, beginning: str) -> bool:
        """Whether more letters could make it the right word."""
        is_year = _YEAR in self.words and beginning.isdigit()
        return is_year or any(word.startswith(beginning) for word in self.words)


@dataclass(frozen=True)
class Phrase:
    slots: tuple[Slot, ...]
    has_name: bool  # after the slots


def _parse(line: str) -> Phrase:
    words = line.split()
    has_name = words[-1] == _NAME
    slots = [
        Slot(frozenset(word.removesuffix(":").split("|")), word.endswith(":"))
        for word in (words[:-1] if has_name else words)
    ]
    return Phrase(tuple(slots), has_name)


def _by_first_word() -> dict[str, list[Phrase]]:
    found: defaultdict[str, list[Phrase]] = defaultdict(list)
    for phrase in map(_parse, _PHRASES.strip().splitlines()):
        for word in phrase.slots[0].words:
            found[word].append(phrase)
    return dict(found)


BY_FIRST_WORD = _by_first_word()
