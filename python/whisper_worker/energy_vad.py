"""A speech detector without a network: loud against the recording's own background is speech.

Stands in for Silero where its package is missing, and drives the fake model. It takes music for
speech and misses whispering; windows are still cut at pauses.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from whisper_worker.audio import SAMPLE_RATE, Pcm, to_float
from whisper_worker.speech_listener import (
    FRAME_SAMPLES,
    Probability,
    SampleBlocks,
)

_BLOCK_SAMPLES = FRAME_SAMPLES * (30 * SAMPLE_RATE // FRAME_SAMPLES)
# Background is never taken to be louder than this: a recording that starts in the middle of
# steady speech has no quiet frame to learn it from.
_MAX_BACKGROUND_DB = -45.0
_MIN_BACKGROUND_DB = -75.0
# Where the probability crosses one half, above the background, and how fast.
_MIDDLE_DB = 12.0
_SLOPE_DB = 2.0


class EnergyListener:
    """One probability per 512 samples, like Silero's, in blocks of 30 s.

    The blocks are the detector's own, however it is fed: the background is learned per block.
    """

    def __init__(self) -> None:
        self._blocks = SampleBlocks(_BLOCK_SAMPLES)
        self._background_db = _MAX_BACKGROUND_DB

    def hear(self, samples: Pcm) -> Probability:
        return self._judge(self._blocks.add(samples))

    def finish(self) -> Probability:
        rest = self._blocks.take_rest()
        return self._judge([rest] if len(rest) else [])

    def _judge(self, blocks: list[Pcm]) -> Probability:
        judged = [self._judge_block(to_float(block)) for block in blocks]
        return np.concatenate([np.zeros(0, np.float32), *judged])

    def _judge_block(self, samples: npt.NDArray[np.float32]) -> Probability:
        levels_db = _levels_db(samples)
        quiet_db = float(np.percentile(levels_db, 10))
        follows_db = min(quiet_db, self._background_db + 3.0)  # down at once, up slowly
        self._background_db = min(max(follows_db, _MIN_BACKGROUND_DB), _MAX_BACKGROUND_DB)
        above_db = levels_db - self._background_db - _MIDDLE_DB
        return (1 / (1 + np.exp(-above_db / _SLOPE_DB))).astype(np.float32)


def _levels_db(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Root mean square of each frame in dB of full scale; the last frame is filled with zeros."""
    frames = np.pad(samples, (0, -len(samples) % FRAME_SAMPLES)).reshape(-1, FRAME_SAMPLES)
    power = np.mean(frames.astype(np.float64) ** 2, axis=1)  # (frames,)
    return 10 * np.log10(power + 1e-12)
