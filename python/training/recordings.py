"""Recordings of held-out speech whose words and times are known: what is evaluated and what
test/audio is made of."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synthesis import SAMPLE_RATE, Utterance
from windows import Audio, Placed, lay


@dataclass(frozen=True)
class Recording:
    """Sound with all that is known of it; times in seconds from its beginning."""

    audio: Audio
    language: str
    sentences: tuple[Placed, ...]

    @property
    def text(self) -> str:
        """The sentences joined with spaces."""
        return " ".join(item.utterance.text for item in self.sentences)

    @property
    def words(self) -> list[tuple[str, float, float]]:
        """(word as in `text`, start, end) of every word."""
        return [
            (word, item.start + start, item.start + end)
            for item in self.sentences
            for word, start, end in zip(
                item.utterance.text.split(),
                item.utterance.starts,
                item.utterance.ends,
                strict=True,
            )
        ]


def record(
    utterances: Sequence[Utterance], pauses_seconds: tuple[float, float], rng: random.Random
) -> Recording:
    """The utterances in a row with pauses drawn from the given range, also before the first, over
    a hiss 50 dB below full scale."""
    placed: list[Placed] = []
    end = 0.0
    for utterance in utterances:
        # Whole samples, so that the times are exact.
        start = round((end + rng.uniform(*pauses_seconds)) * SAMPLE_RATE) / SAMPLE_RATE
        placed.append(Placed(utterance, start))
        end = placed[-1].end
    audio = 0.8 * lay(placed, end + 0.4)
    hiss = np.random.default_rng(rng.getrandbits(32)).standard_normal(len(audio))
    return Recording(
        np.clip(audio + 10 ** (-50 / 20) * 0.3 * hiss, -1, 1).astype(np.float32),
        utterances[0].language,
        tuple(placed),
    )


def fill(
    utterances: Sequence[Utterance],
    seconds: float,
    pauses_seconds: tuple[float, float],
    rng: random.Random,
) -> Recording:
    """As many of the utterances as surely fit into the given time."""
    chosen: list[Utterance] = []
    total = 0.4
    for utterance in utterances:
        total += utterance.duration_seconds + pauses_seconds[1]
        if total > seconds:
            break
        chosen.append(utterance)
    return record(chosen, pauses_seconds, rng)
