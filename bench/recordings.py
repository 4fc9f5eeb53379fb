"""The audio: real synthesised Danish sentences from test/audio, cut and joined by fixed seeds.

Each item says other sentences in another order at another level, so no cache can help anybody.
"""

from __future__ import annotations

import json
import random
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.places import RECORDINGS, SPOOL

SAMPLE_RATE = 16_000
_SOURCES = ("da", "long")
_AIR_SECONDS = 0.2  # kept around a sentence, where its neighbours leave room
_FORMAT = 2  # of the files in the spool; counts up when they have to be made again

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Sentence:
    text: str
    samples: Samples


@dataclass(frozen=True)
class Recording:
    """A file of 16 kHz mono s16le samples, and what is said in it."""

    name: str
    path: Path
    samples: int
    text: str

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE


def read_sentences() -> list[Sentence]:
    """Every Danish sentence of the test recordings, with the air around it."""
    sentences: list[Sentence] = []
    for source in _SOURCES:
        truth = json.loads((RECORDINGS / f"{source}.json").read_text(encoding="utf-8"))
        sound = _read_wav(RECORDINGS / f"{source}.wav")
        times = [(part["start"], part["end"]) for part in truth["segments"]]
        for index, part in enumerate(truth["segments"]):
            before = times[index - 1][1] if index else 0.0
            after = times[index + 1][0] if index + 1 < len(times) else len(sound) / SAMPLE_RATE
            start = max(part["start"] - _AIR_SECONDS, (before + part["start"]) / 2)
            end = min(part["end"] + _AIR_SECONDS, (after + part["end"]) / 2)
            cut = sound[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
            sentences.append(Sentence(part["text"], cut))
    return sentences


def short_clip(name: str, seed: int) -> Recording:
    """One to three sentences, 3 to 8 s."""
    rng = random.Random(f"clip-{seed}")
    wanted = rng.uniform(3.5, 6.0)
    return _recording(name, rng, wanted, lambda: rng.uniform(0.3, 0.8))


def clip_of(name: str, seed: int, seconds: float) -> Recording:
    """About that long, at most 29 s."""
    rng = random.Random(f"mixed-{seed}")
    return _recording(name, rng, min(seconds, 25.0), lambda: rng.uniform(0.3, 1.0))


def long_file(name: str, seed: int, seconds: float) -> Recording:
    """Speech with the pauses of somebody who dictates; now and then a longer one."""
    rng = random.Random(f"long-{seed}")

    def pause() -> float:
        return rng.uniform(2.0, 4.0) if rng.random() < 0.08 else rng.uniform(0.4, 1.6)

    return _recording(name, rng, seconds, pause)


def _recording(
    name: str, rng: random.Random, seconds: float, pause: Callable[[], float]
) -> Recording:
    """Sentences until `seconds` are full; the file is written once."""
    sentences = read_sentences()
    parts: list[Samples] = [_noise(rng, 0.3)]
    said: list[str] = []
    order: list[Sentence] = []
    length = len(parts[0])
    while length < seconds * SAMPLE_RATE:
        if not order:
            order = rng.sample(sentences, len(sentences))
        sentence = order.pop()
        loudness = rng.uniform(0.6, 1.0)
        sound = (sentence.samples * loudness).astype(np.int16)
        silence = _noise(rng, pause())
        parts += [sound, silence]
        length += len(sound) + len(silence)
        said.append(sentence.text)
    return _write(name, np.concatenate(parts), " ".join(said))


def _noise(rng: random.Random, seconds: float) -> Samples:
    """Silence as a sound card hears it: a dither of 1e-4 of full scale."""
    generator = np.random.default_rng(rng.getrandbits(32))
    return generator.normal(0, 3, int(seconds * SAMPLE_RATE)).astype(np.int16)


def _write(name: str, samples: Samples, text: str) -> Recording:
    SPOOL.mkdir(parents=True, exist_ok=True)
    path = SPOOL / f"{name}-{_FORMAT}.pcm"
    if not path.is_file() or path.stat().st_size != samples.nbytes:
        path.write_bytes(samples.astype("<i2").tobytes())
    return Recording(name, path, len(samples), text)


def _read_wav(path: Path) -> Samples:
    with wave.open(str(path), "rb") as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (SAMPLE_RATE, 1, 2):
            raise ValueError(f"{path} is not 16 kHz mono 16 bit")
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")


def word_error_rate(pairs: Sequence[tuple[str, str]]) -> float:
    """Of (truth, heard) pairs; letter case and punctuation do not count."""
    errors = words = 0
    for truth, heard in pairs:
        wanted, got = _words(truth), _words(heard)
        errors += _distance(wanted, got)
        words += len(wanted)
    return errors / max(1, words)


def _words(text: str) -> list[str]:
    kept = "".join(letter if letter.isalnum() else " " for letter in text.lower())
    return kept.split()


def _distance(wanted: list[str], got: list[str]) -> int:
    """Levenshtein's, on words; anti-diagonals are not needed for a table of some thousand words."""
    row = np.arange(len(got) + 1)
    for index, word in enumerate(wanted, start=1):
        substituted = row[:-1] + np.array([word != other for other in got], dtype=int)
        best = np.minimum(substituted, row[1:] + 1)
        new = np.empty_like(row)
        new[0] = index
        # insertions: new[j] = min over k <= j of best[k] + (j - k)
        steps = np.arange(1, len(row))
        running = np.minimum.accumulate(np.minimum(best, index + steps) - steps)
        new[1:] = running + steps
        row = new
    return int(row[-1])
