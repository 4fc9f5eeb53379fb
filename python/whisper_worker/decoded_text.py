"""From the tokens of a window to what is reported of it: text, figures, timed words. Pure.

Shared by the slots and by the reference, so that they can differ only in how tokens are found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from whisper_worker.audio import to_seconds
from whisper_worker.guards import compression_ratio
from whisper_worker.speech_model import Decoded, TimedWord
from whisper_worker.tokens import TokenBytes, split_into_characters, split_into_words
from whisper_worker.vad import Window

# Fast speech is 9 tokens a second. What says more is in a loop, and would run to the end of the
# decoder's memory.
_TOKENS_PER_SECOND = 12
_EXTRA_TOKENS = 16
_POSITIONS_KEPT_FREE = 4
_SAMPLES_PER_FRAME = 320


def token_limit(window: Window, prefix_length: int, positions: int) -> int:
    """The most tokens that a window may say, by how long anybody speaks in it."""
    speech_samples = sum(region.end - region.start for region in window.speech)
    by_speech = _EXTRA_TOKENS + int(_TOKENS_PER_SECOND * to_seconds(speech_samples))
    return most_tokens(prefix_length, positions, by_speech)


def most_tokens(prefix_length: int, positions: int, wanted: int) -> int:
    """As many as wanted, if the decoder's positions allow it."""
    return min(positions - _POSITIONS_KEPT_FREE - prefix_length, wanted)


def audio_frames(window: Window) -> int:
    """Encoder frames of 20 ms that hold audio, not the silence that fills the window up to 30 s."""
    return -(-(window.end - window.start) // _SAMPLES_PER_FRAME)


@dataclass(frozen=True)
class SaidTokens:
    """What one attempt said, and how sure it was of each token. Without end-of-text."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    # Of end-of-text; None when the text was ended for it, at its limit or in a loop.
    end_logprob: float | None
    no_speech_prob: float
    temperature: float = 0.0
    has_looped: bool = False

    @property
    def avg_logprob(self) -> float:
        """OpenAI's definition: the end counts in the sum, and always in the length."""
        end = 0.0 if self.end_logprob is None else self.end_logprob
        return (math.fsum(self.logprobs) + end) / (len(self.tokens) + 1)


def assemble(
    said: SaidTokens,
    token_bytes: TokenBytes,
    end_of_text: int,
    words: tuple[TimedWord, ...] | None = None,
    attempts: int = 1,
) -> Decoded:
    """The text of the tokens, with the figures that judge it."""
    text_tokens = [token for token in said.tokens if token < end_of_text]
    pieces = split_into_characters(text_tokens, token_bytes)
    text = "".join(piece.text for piece in pieces)
    return Decoded(
        text=text,
        tokens=said.tokens,
        avg_logprob=said.avg_logprob,
        compression_ratio=compression_ratio(text),
        no_speech_prob=said.no_speech_prob,
        words=words,
        temperature=said.temperature,
        attempts=attempts,
        has_looped=said.has_looped,
        logprobs=said.logprobs,
    )


def time_words(
    tokens: Sequence[int],
    logprobs: Sequence[float],
    starts: Sequence[float],
    language: str,
    token_bytes: TokenBytes,
) -> tuple[TimedWord, ...]:
    """Text tokens and their starts in seconds (one more: the end) → words.

    A word lasts until the next one's first token; it is as sure as its tokens on average.
    """
    words: list[TimedWord] = []
    first = 0
    for piece in split_into_words(tokens, token_bytes, language):
        end = first + len(piece.tokens)
        own = tuple(logprobs[first:end])
        probability = math.fsum(map(math.exp, own)) / len(own)
        word = TimedWord(piece.text, piece.tokens, starts[first], starts[end], probability, own)
        words.append(word)
        first = end
    return tuple(words)
