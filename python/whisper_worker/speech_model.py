"""What the loop asks of a model, real or fake: windows enter slots and are decoded side by side.

Imports no torch: an encoded window is an opaque object that only its model understands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from whisper_worker.protocol import Ready, Task
from whisper_worker.speech_listener import SpeechListener
from whisper_worker.vad import Window


@dataclass(frozen=True)
class DecodeRow:
    """How to decode one encoded window. Rows that are decoded together may differ in everything."""

    encoded: object
    window: Window
    language: str
    task: Task
    prompt_tokens: tuple[int, ...]
    # Temperatures to try in turn until a text passes the checks. One alone is always taken.
    ladder: tuple[float, ...]
    word_timestamps: bool
    # Let the model write <|0.00|> tokens, under Whisper's rules for them.
    timestamp_tokens: bool = False
    # Say what is decoded while it is decoded (see `Spoken`).
    streams: bool = False
    # End a text that goes in circles, instead of at its token limit.
    stops_loops: bool = True


@dataclass(frozen=True)
class TimedWord:
    """A word with its space and punctuation. Its maker says from when the seconds count."""

    text: str
    tokens: tuple[int, ...]
    start: float
    end: float
    probability: float
    logprobs: tuple[float, ...] = ()  # of its tokens


@dataclass(frozen=True)
class Decoded:
    """What the decoding of one window gave. Times of words count from the window's start."""

    text: str
    tokens: tuple[int, ...]
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: tuple[TimedWord, ...] | None
    temperature: float = 0.0
    attempts: int = 1  # temperatures that were tried
    has_looped: bool = False  # it was ended because it went in circles
    logprobs: tuple[float, ...] = ()  # of its tokens, without the end


@dataclass(frozen=True)
class Spoken:
    """More text of a window that is still being decoded. It will be part of what is decoded."""

    encoded: object
    text: str


@dataclass(frozen=True)
class Ended:
    """A window is decoded and has left its slot."""

    encoded: object
    decoded: Decoded


class EncoderPass(Protocol):
    """Some windows on their way into slots. Other passes and steps may go between its pieces."""

    def advance(self) -> list[object] | None:
        """One piece, not longer than others can wait. After the last, the windows in their slots.

        Raises ValueError when there are more windows than free slots. When it raises, no slot is
        taken and the pass is over.
        """
        ...

    def close(self) -> None:
        """Give it up: it leaves nothing behind."""
        ...


class SpeechModel(Protocol):
    @property
    def languages(self) -> tuple[str, ...]:
        """The ISO codes it knows."""
        ...

    @property
    def slots(self) -> int:
        """How many windows it decodes side by side."""
        ...

    @property
    def windows_per_encode(self) -> int:
        """How many windows it wants to encode at once: more make the steps between wait longer."""
        ...

    def listen(self) -> SpeechListener:
        """An ear for one recording."""
        ...

    def describe(self) -> Ready: ...

    def prompt_tokens(self, prompt: str, keywords: Sequence[str] = ()) -> tuple[int, ...]:
        """What every window of a request is told (see prompting.py)."""
        ...

    def spell(self, token: int) -> bytes:
        """A token's bytes: text, or a part of a character."""
        ...

    def begin_encoding(self, windows: Sequence[npt.NDArray[np.float32]]) -> EncoderPass:
        """Windows of at most 30 s of 16 kHz samples each will be encoded and take a free slot.

        Nothing is computed yet.
        """
        ...

    def detect_language(self, encoded: Sequence[object]) -> list[Mapping[str, float]]:
        """For each window the probability of every language; they sum to one."""
        ...

    def start(self, rows: Sequence[DecodeRow]) -> None:
        """Begin to decode windows that have been encoded. When it raises, none has begun."""
        ...

    def step(self) -> list[Spoken | Ended]:
        """One more token for every window that has been started. A window that ended has left."""
        ...

    def release(self, encoded: object) -> None:
        """Give a window up: its slot is free at once. One that has left already is fine."""
        ...
