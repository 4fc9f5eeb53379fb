"""Tokens to text and words, whatever the tokens cut through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_worker.tokens import (
    TokenBytes,
    byte_alphabet,
    split_into_characters,
    split_into_words,
)

STAND_INS = {byte: character for character, byte in byte_alphabet().items()}


class Vocabulary:
    """Token ids for any pieces of bytes."""

    def __init__(self):
        self.names = {}

    def ids(self, *pieces):
        first = len(self.names)
        for piece in pieces:
            data = piece if isinstance(piece, bytes) else piece.encode()
            self.names[len(self.names)] = "".join(STAND_INS[byte] for byte in data)
        return list(range(first, len(self.names)))

    @property
    def bytes(self):
        return TokenBytes(self.names)


def words_of(*pieces, language="da"):
    vocabulary = Vocabulary()
    ids = vocabulary.ids(*pieces)
    return [word.text for word in split_into_words(ids, vocabulary.bytes, language)]


def test_the_alphabet_names_every_byte_once():
    assert sorted(byte_alphabet().values()) == list(range(256))


def test_half_a_letter_waits_for_its_other_half():
    vocabulary = Vocabulary()
    ids = vocabulary.ids("bl", b"\xc3", b"\xa5", "b")

    pieces = split_into_characters(ids, vocabulary.bytes)

    assert [(piece.text, piece.tokens) for piece in pieces] == [
        ("bl", (0,)),
        ("å", (1, 2)),
        ("b", (3,)),
    ]


def test_half_a_letter_at_the_end_is_shown_as_such_and_keeps_its_token():
    vocabulary = Vocabulary()

    pieces = split_into_characters(vocabulary.ids("bl", b"\xc3"), vocabulary.bytes)

    assert [(piece.text, piece.tokens) for piece in pieces] == [("bl", (0,)), ("�", (1,))]


@given(st.lists(st.binary(min_size=1, max_size=4), max_size=20), st.sampled_from(["da", "zh"]))
def test_nothing_is_lost_and_nothing_invented_whatever_the_bytes(pieces, language):
    vocabulary = Vocabulary()
    ids = vocabulary.ids(*pieces)

    words = split_into_words(ids, vocabulary.bytes, language)

    text = b"".join(pieces).decode("utf-8", "replace")
    assert "".join(word.text for word in words) == text
    assert [token for word in words for token in word.tokens] == ids
    assert all(word.tokens for word in words)


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([" To", "get", " kører", "."], [" Toget", " kører."]),
        ([" 3", ",", "5", " km"], [" 3,5", " km"]),
        ([" tv", "-", "avis"], [" tv-avis"]),
        (["Hej", ",", " du"], ["Hej,", " du"]),
        ([" han", " sagde", ' "', "hej", '"', "."], [" han", " sagde", ' "hej".']),
        ([" ja", " ", "."], [" ja", " ."]),
        ([" -", " hej"], [" - hej"]),
        ([" hej", " !"], [" hej !"]),
        ([" ", "hej"], [" hej"]),
        ([], []),
    ],
)
def test_words_carry_their_space_and_their_punctuation(pieces, words):
    assert words_of(*pieces) == words


def test_languages_without_spaces_are_timed_character_by_character():
    assert words_of("我", "们", "。", "好", language="zh") == ["我", "们。", "好"]


def test_an_added_token_is_written_as_it_is():
    assert TokenBytes({5: "€ added"})[5] == "€ added".encode()


def test_a_token_that_is_not_in_the_vocabulary_has_no_text():
    assert TokenBytes({})[9] == b""
