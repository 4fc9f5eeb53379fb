"""A model that needs no weights and no torch: it says one word for every half second of speech.

Deterministic, so that tests can count: " ord0" is spoken from 0.0 to 0.5 s of the recording,
" ord7" from 3.5 to 4.0 s. Silence gets no words. The language is always Danish.

A prompt may contain orders, for tests of what real models do only on bad days:
`[[sleep 0.2]]` decodes every window for 0.2 s, `[[crash]]` ends the process with status 9,
`[[fail]]` raises. `[[log]]` writes the number of every window that is decoded to stderr.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from whisper_worker.audio import to_seconds
from whisper_worker.energy_vad import EnergyListener
from whisper_worker.prompting import tell
from whisper_worker.protocol import ModelIdentity, Ready
from whisper_worker.speech_listener import SpeechListener
from whisper_worker.speech_model import Decoded, DecodeRow, EncoderPass, Ended, Spoken, TimedWord
from whisper_worker.vad import Window

WORD_SECONDS = 0.5
_PROMPT_ROOM = 223  # as much as a real Whisper reads
_WORD_LOGPROB = -0.1
_ORDER = re.compile(r"\[\[(sleep|crash|fail|log) ?([\d.]*)\]\]")


class FakeModel:
    languages = ("da", "en", "de")
    slots = 4
    windows_per_encode = 4

    def __init__(self) -> None:
        self._taken: set[object] = set()
        self._started: dict[object, DecodeRow] = {}

    def listen(self) -> SpeechListener:
        return EnergyListener()

    def describe(self) -> Ready:
        return Ready(
            model=ModelIdentity(id="fake", revision=None, directory=""),
            device="cpu",
            device_name=platform.machine(),
            compute_type="float32",
            languages=self.languages,
            is_multilingual=True,
            can_translate=True,
            has_word_timestamps=True,
            vad="energy",
            slots=self.slots,
            repairs=(),
            reasons={"device": "the fake model needs none"},
            versions={"python": platform.python_version()},
        )

    def prompt_tokens(self, prompt: str, keywords: Sequence[str] = ()) -> tuple[int, ...]:
        """A character is a token."""
        return tell(prompt, keywords, lambda text: tuple(map(ord, text)), _PROMPT_ROOM)

    def spell(self, token: int) -> bytes:
        return f" ord{token}".encode()

    def begin_encoding(self, windows: Sequence[npt.NDArray[np.float32]]) -> EncoderPass:
        return _WholePass(lambda: self.encode(windows))

    def encode(self, windows: Sequence[npt.NDArray[np.float32]]) -> list[object]:
        if len(self._taken) + len(windows) > self.slots:
            raise ValueError("more windows than free slots")
        encoded = [object() for _ in windows]
        self._taken.update(encoded)
        return encoded

    def detect_language(self, encoded: Sequence[object]) -> list[Mapping[str, float]]:
        return [{"da": 0.9, "en": 0.06, "de": 0.04} for _ in encoded]

    def start(self, rows: Sequence[DecodeRow]) -> None:
        for row in rows:
            _obey("".join(map(chr, row.prompt_tokens)), row.window)
        self._started |= {row.encoded: row for row in rows}

    def step(self) -> list[Spoken | Ended]:
        """Whole windows at once: what was started has ended after one step."""
        events: list[Spoken | Ended] = []
        for encoded, row in list(self._started.items()):
            decoded = self._decode_row(row)
            if row.streams:
                events += [Spoken(encoded, word.text) for word in _words(row.window)]
            events.append(Ended(encoded, decoded))
            self.release(encoded)
        return events

    def release(self, encoded: object) -> None:
        self._taken.discard(encoded)
        self._started.pop(encoded, None)

    def _decode_row(self, row: DecodeRow) -> Decoded:
        words = _words(row.window)
        return Decoded(
            text="".join(word.text for word in words),
            tokens=tuple(token for word in words for token in word.tokens),
            logprobs=(_WORD_LOGPROB,) * len(words),
            avg_logprob=_WORD_LOGPROB,
            compression_ratio=1.0,  # counting compresses well, but is no loop
            no_speech_prob=0.01,
            words=words if row.word_timestamps else None,
        )


class _WholePass:
    """In one piece."""

    def __init__(self, encode: Callable[[], list[object]]) -> None:
        self._encode = encode

    def advance(self) -> list[object]:
        return self._encode()

    def close(self) -> None:
        pass


def _words(window: Window) -> tuple[TimedWord, ...]:
    """A word for every half second whose middle is speech; times count from the window's start."""
    origin = to_seconds(window.start)
    words: list[TimedWord] = []
    for region in window.speech:
        first = round(to_seconds(region.start) / WORD_SECONDS)
        end = round(to_seconds(region.end) / WORD_SECONDS)
        for number in range(first, end):
            start = number * WORD_SECONDS - origin
            times = (start, start + WORD_SECONDS)
            words.append(TimedWord(f" ord{number}", (number,), *times, 0.9, (_WORD_LOGPROB,)))
    return tuple(words)


def _obey(prompt: str, window: Window) -> None:
    for order, argument in _ORDER.findall(prompt):
        if order == "sleep":
            time.sleep(float(argument))
        elif order == "log":
            print(f"window {window.index}", file=sys.stderr)
        elif order == "crash":
            os._exit(9)
        else:
            raise RuntimeError("the prompt told the fake model to fail")
