"""What a speech detector is: it hears a recording piece by piece, and answers in probabilities.

How a recording was cut into pieces never changes an answer, so a recording may be heard while it
is still being written. Knows no detector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from whisper_worker.audio import Pcm

FRAME_SAMPLES = 512  # Silero's 32 ms
# What is heard at once where the whole recording is there: 30 s, in whole frames.
_PIECE_SAMPLES = 937 * FRAME_SAMPLES

Probability: TypeAlias = npt.NDArray[np.float32]  # of speech, one per frame: (frames,)


@runtime_checkable
class SpeechListener(Protocol):
    """One recording's ear. Together the answers are one probability for each frame, in order."""

    def hear(self, samples: Pcm) -> Probability:
        """The next samples, of any number → the frames that are certain now, perhaps none."""
        ...

    def finish(self) -> Probability:
        """No more samples will come → the remaining frames, the last one filled with zeros."""
        ...


StartListening: TypeAlias = Callable[[], SpeechListener]


def hear_all(pcm: Pcm, listener: SpeechListener) -> Iterator[Probability]:
    """Blocks of probabilities over a whole recording, each computed when it is asked for."""
    for first in range(0, len(pcm), _PIECE_SAMPLES):
        yield listener.hear(pcm[first : first + _PIECE_SAMPLES])
    yield listener.finish()


class SampleBlocks:
    """Pieces of any length to blocks of one length; what is too short for one waits for more."""

    def __init__(self, block_samples: int) -> None:
        self._block_samples = block_samples
        self._pieces: list[Pcm] = []
        self._waiting = 0  # samples in the pieces

    def add(self, samples: Pcm) -> list[Pcm]:
        """The blocks that are full now."""
        self._pieces.append(samples.copy())  # the caller may use its buffer again
        self._waiting += len(samples)
        if self._waiting < self._block_samples:
            return []
        joined = self.take_rest()
        end = len(joined) - len(joined) % self._block_samples
        self.add(joined[end:])
        return [joined[at : at + self._block_samples] for at in range(0, end, self._block_samples)]

    def take_rest(self) -> Pcm:
        """What did not fill a block."""
        rest = np.concatenate([np.zeros(0, np.int16), *self._pieces])
        self._pieces, self._waiting = [], 0
        return rest
