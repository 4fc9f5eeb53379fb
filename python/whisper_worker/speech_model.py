"""What the loop asks of a model, real or fake: encode, detect_language, decode.

Imports no torch: an encoded window is an opaque object that only its model understands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from whisper_worker.protocol import Ready, Task
from whisper_worker.vad import SpeechDetector, Window


@dataclass(frozen=True)
class DecodeRow:
    """One window to decode once. Rows of one call may differ in everything."""

    encoded: object
    window: Window
    language: str
    task: Task
    prompt_tokens: tuple[int, ...]
    temperature: float
    rung: int
    word_timestamps: bool


@dataclass(frozen=True)
class TimedWord:
    """A word with its space and punctuation. Its maker says from when the seconds count."""

    text: str
    tokens: tuple[int, ...]
    start: float
    end: float
    probability: float


@dataclass(frozen=True)
class Decoded:
    """What one decoding of one window gave. Times of words count from the window's start."""

    text: str
    tokens: tuple[int, ...]
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: tuple[TimedWord, ...] | None


class SpeechModel(Protocol):
    @property
    def languages(self) -> tuple[str, ...]:
        """The ISO codes it knows."""
        ...

    @property
    def batch_windows(self) -> int:
        """How many windows it wants at once."""
        ...

    @property
    def detect_speech(self) -> SpeechDetector: ...

    def describe(self) -> Ready: ...

    def prompt_tokens(self, prompt: str) -> tuple[int, ...]: ...

    def encode(self, windows: Sequence[npt.NDArray[np.float32]]) -> list[object]:
        """Windows of at most 30 s of 16 kHz samples."""
        ...

    def detect_language(self, encoded: Sequence[object]) -> list[dict[str, float]]:
        """For each window the probability of every language; they sum to one."""
        ...

    def decode(self, rows: Sequence[DecodeRow]) -> list[Decoded]: ...
