"""Token ids to text and words, exactly. Pure: it is given each token's bytes, not a tokenizer.

A byte-level token may be half a character ("å" is two bytes), so text is pieced together from
bytes: the pieces joined are the text, whatever the tokens are.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# OpenAI's merge_punctuations (timing.py), without the marks that it counts as both.
_OPENING = "\"'“¿([{-"
_CLOSING = ".。,，!！?？:：”)]}、"
# tokenizer.py: written without spaces, so a word is a character.
LANGUAGES_WITHOUT_SPACES = frozenset({"zh", "ja", "th", "lo", "my", "yue"})


@dataclass(frozen=True)
class TextPiece:
    """Text that belongs together and the tokens it came from."""

    text: str
    tokens: tuple[int, ...]


def byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte, reversed: character → byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    stand_ins = {byte: chr(byte) for byte in printable}
    stand_ins |= {byte: chr(256 + index) for index, byte in enumerate(others)}
    return {character: byte for byte, character in stand_ins.items()}


class TokenBytes:
    """The bytes of every token of a vocabulary of byte-level tokens."""

    def __init__(self, vocabulary: Mapping[int, str]) -> None:
        self._vocabulary = vocabulary
        self._alphabet = byte_alphabet()

    def __getitem__(self, token: int) -> bytes:
        name = self._vocabulary.get(token, "")
        try:
            return bytes(self._alphabet[character] for character in name)
        except KeyError:
            return name.encode()  # an added token is written as it is


def split_into_characters(tokens: Sequence[int], token_bytes: TokenBytes) -> list[TextPiece]:
    """The smallest pieces of whole tokens that hold whole characters.

    Bytes that never become a character are written as U+FFFD, as in every decoder of UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pieces: list[TextPiece] = []
    open_tokens: list[int] = []
    for index, token in enumerate(tokens):
        open_tokens.append(token)
        text = decoder.decode(token_bytes[token], final=index == len(tokens) - 1)
        if text:
            pieces.append(TextPiece(text, tuple(open_tokens)))
            open_tokens = []
    if open_tokens:
        pieces.append(TextPiece("", tuple(open_tokens)))
    return pieces


def split_into_words(
    tokens: Sequence[int], token_bytes: TokenBytes, language: str
) -> list[TextPiece]:
    """Words with their space in front and their punctuation; characters where there are no spaces.

    Unlike OpenAI's split_to_word_tokens, only a space begins a word: "3,5", "tv-avis" stay whole.
    """
    pieces = split_into_characters(tokens, token_bytes)
    has_spaces = language not in LANGUAGES_WITHOUT_SPACES
    words: list[TextPiece] = []
    for piece in pieces:
        if words and (_belongs_to_previous(words[-1], piece, has_spaces) or not piece.text):
            words[-1] = _join(words[-1], piece)
        else:
            words.append(piece)
    return words


def _belongs_to_previous(word: TextPiece, piece: TextPiece, has_spaces: bool) -> bool:
    if has_spaces and not piece.text[0].isspace():
        return True
    # A mark that stands alone goes with the word it opens or closes.
    return _is_all(word.text, _OPENING) or _is_all(piece.text, _CLOSING) or not word.text.strip()


def _is_all(text: str, marks: str) -> bool:
    stripped = text.strip()
    return bool(stripped) and all(character in marks for character in stripped)


def _join(first: TextPiece, second: TextPiece) -> TextPiece:
    return TextPiece(first.text + second.text, first.tokens + second.tokens)
