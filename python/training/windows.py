"""Puts utterances, pauses, noise and silence together into windows of sound with known words.

Pure numpy: what a window sounds like and what is said in it. What the decoder should write for it
is labels.py's business.
"""

import functools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from synthesis import SAMPLE_RATE, Utterance

Audio = npt.NDArray[np.float32]  # (samples,) at 16 kHz
Bank = Mapping[str, Sequence[Utterance]]

_LANGUAGE_SHARES = {"da": 0.84, "en": 0.08, "de": 0.08}
_NO_SPEECH_SHARE = 0.06
_PAUSE_FROM_SECONDS = 0.12


@dataclass(frozen=True)
class Placed:
    """An utterance and the second at which it begins in its window."""

    utterance: Utterance
    start: float

    @property
    def end(self) -> float:
        return self.start + self.utterance.duration_seconds


@dataclass(frozen=True)
class Window:
    """A stretch of sound, zeros after its last noise, and what is said in it."""

    audio: Audio
    language: str
    sentences: tuple[Placed, ...]


def draw_window(bank: Bank, seconds: float, short_share: float, rng: random.Random) -> Window:
    """A random training window: now and then without speech, else one to many utterances; a share
    of `short_share` has three at most."""
    if rng.random() < _NO_SPEECH_SHARE:
        return Window(draw_no_speech(seconds, rng), "da", ())
    languages, shares = zip(*_LANGUAGE_SHARES.items(), strict=True)
    language = rng.choices(languages, shares)[0]
    placed = _place(_draw_speakers(bank[language], rng), seconds, short_share, rng)
    return Window(_record(placed, seconds, rng), language, tuple(placed))


def lay(placed: Sequence[Placed], seconds: float) -> Audio:
    """The utterances at their places, nothing between them."""
    audio = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    for item in placed:
        begin = round(item.start * SAMPLE_RATE)
        room = audio[begin : begin + len(item.utterance.audio)]
        room += item.utterance.audio[: len(room)].astype(np.float32) / 32768
    return audio


def draw_no_speech(seconds: float, rng: random.Random) -> Audio:
    """Silence, hiss, hum or a tone, for a part of the window or for all of it; then zeros."""
    audio = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    length = len(audio) if rng.random() < 0.4 else rng.randint(SAMPLE_RATE // 4, len(audio))
    kind = rng.choice(("zeros", "white", "white", "pink", "hum", "tone"))
    level = 10 ** rng.uniform(-4.5, -1)
    if kind in ("white", "pink"):
        audio[:length] = level * _noise(kind, length, rng)
    elif kind in ("hum", "tone"):
        frequency_hz = rng.choice((50, 60, 100)) if kind == "hum" else rng.uniform(200, 3000)
        phase = 2 * np.pi * frequency_hz * np.arange(length) / SAMPLE_RATE
        hiss = 10 ** rng.uniform(-4, -1) * _noise("white", length, rng)
        audio[:length] = level * (np.sin(phase) + hiss)
    return np.clip(audio, -1, 1)


def _draw_speakers(utterances: Sequence[Utterance], rng: random.Random) -> Sequence[Utterance]:
    """Half of the recordings have one speaker, the others change speaker with every sentence."""
    if rng.random() < 0.5:
        return utterances
    variant = rng.choice(utterances).variant
    pool = rng.choices(utterances, k=120)
    return [utterance for utterance in pool if utterance.variant == variant] or utterances


def _place(
    utterances: Sequence[Utterance], seconds: float, short_share: float, rng: random.Random
) -> list[Placed]:
    kind = rng.random()
    limit_count = 1000
    if kind < short_share:
        limit_count = 1 if kind < short_share * 5 / 9 else rng.randint(2, 3)
    limit_seconds = seconds - 0.05 if kind < 0.8 else rng.uniform(2.5, seconds - 0.05)
    start = rng.uniform(0, 0.6) if rng.random() < 0.75 else rng.uniform(0, min(3, seconds / 3))
    placed: list[Placed] = []
    misfits = 0
    while misfits < 4 and len(placed) < limit_count:
        item = Placed(rng.choice(utterances), start)
        if item.end > limit_seconds:
            misfits += 1
            continue
        placed.append(item)
        start = item.end + _draw_pause(rng)
    if placed:
        return placed
    shortest = min(rng.choices(utterances, k=30), key=lambda spoken: spoken.duration_seconds)
    return [Placed(shortest, 0.0)]


def _draw_pause(rng: random.Random) -> float:
    kind = rng.random()
    if kind < 0.6:
        return rng.uniform(_PAUSE_FROM_SECONDS, 0.6)
    return rng.uniform(0.4, 2.0) if kind < 0.92 else rng.uniform(1.5, 3.5)


def _record(placed: Sequence[Placed], seconds: float, rng: random.Random) -> Audio:
    """Speech with background noise up to a little after its end, at a random loudness."""
    audio = lay(placed, seconds)
    if rng.random() < 0.7:
        length = min(len(audio), round((placed[-1].end + rng.uniform(0.05, 2.0)) * SAMPLE_RATE))
        level = 0.08 * 10 ** (-rng.uniform(12, 55) / 20)
        audio[:length] += level * _noise(rng.choice(("white", "white", "pink")), length, rng)
    audio *= 10 ** rng.uniform(-1.3, 0)
    return np.clip(audio, -1, 1, out=audio)


def _noise(kind: Literal["white", "pink"], length: int, rng: random.Random) -> Audio:
    """Noise of unit variance, cut out of a minute of it: drawing is slow, cutting is not."""
    pool = _noise_pool(kind)
    begin = rng.randrange(len(pool) - length)
    return pool[begin : begin + length]


@functools.cache
def _noise_pool(kind: Literal["white", "pink"]) -> Audio:
    """A minute of noise; pink has 3 dB less power per octave, down to 20 Hz."""
    length = 60 * SAMPLE_RATE
    white = np.random.default_rng(0).standard_normal(length, dtype=np.float32)
    if kind == "white":
        return white
    frequencies_hz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    pink = np.fft.irfft(np.fft.rfft(white) / np.sqrt(np.maximum(frequencies_hz, 20)), length)
    return (pink / pink.std()).astype(np.float32)
