"""When each word of a window was said, from what the alignment heads listened to while decoding.

The queries were recorded step by step and the keys are still in the slot: no second pass.
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from whisper_worker.alignment import FRAME_SECONDS, token_start_frames
from whisper_worker.attention_matrix import attention_matrix
from whisper_worker.decoded_text import SaidTokens, audio_frames, time_words
from whisper_worker.on_its_way import OnItsWay
from whisper_worker.slots import Slots
from whisper_worker.speech_model import DecodeRow, TimedWord
from whisper_worker.tokens import TokenBytes
from whisper_worker.vocabulary import Vocabulary


@dataclass(frozen=True)
class Listened:
    """A finished text that is still in its slot."""

    row: DecodeRow
    slot: int
    prefix: tuple[int, ...]
    said: SaidTokens
    queries: torch.Tensor  # (alignment heads, positions, head width)


@dataclass(frozen=True)
class Heard:
    """Attention of a text, (text tokens + 1, audio frames)."""

    text: Listened
    attention: OnItsWay


class SlotAligner:
    def __init__(self, slots: Slots, vocabulary: Vocabulary, token_bytes: TokenBytes) -> None:
        self._slots = slots
        self._vocabulary = vocabulary
        self._token_bytes = token_bytes

    def listen(self, text: Listened) -> Heard:
        """What is needed of the slot is on its way when this returns: the slot may be taken."""
        return Heard(text, OnItsWay(self._attention(text)))

    def time_words(self, texts: Sequence[Heard]) -> list[tuple[TimedWord, ...]]:
        """Texts that end together are warped together. Times count from the window's start."""
        matrices = [heard.attention.wait().numpy() for heard in texts]
        return [
            self._words(heard.text, (frames * FRAME_SECONDS).tolist())
            for heard, frames in zip(texts, token_start_frames(matrices), strict=True)
        ]

    def _words(self, text: Listened, starts: Sequence[float]) -> tuple[TimedWord, ...]:
        end_of_text = self._vocabulary.end_of_text
        said = [
            (token, logprob)
            for token, logprob in zip(text.said.tokens, text.said.logprobs, strict=True)
            if token < end_of_text
        ]
        tokens, logprobs = [token for token, _ in said], [logprob for _, logprob in said]
        return time_words(tokens, logprobs, starts, text.row.language, self._token_bytes)

    def _attention(self, text: Listened) -> torch.Tensor:
        """(text tokens + 1, audio frames): what was listened to to predict each, and the end."""
        frames = audio_frames(text.row.window)
        weights = self._slots.attention(text.slot, text.queries, frames)
        # As in openai/whisper timing.py: standardised over the tokens from <|startoftranscript|>.
        start = text.prefix.index(self._vocabulary.start_of_transcript)
        matrix = attention_matrix(weights[:, start:])
        tokens = text.said.tokens
        first = len(text.prefix) - 1 - start  # the row that predicts the first token
        is_text = [token < self._vocabulary.end_of_text for token in tokens]
        rows = [first + index for index, wanted in enumerate(is_text) if wanted]
        return matrix[[*rows, first + len(tokens)]]
