"""A speech detector without a network: loud against the recording's own background is speech.

Stands in for Silero where its package is missing, and drives the fake model. It takes music for
speech and misses whispering; windows are still cut at pauses.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from whisper_worker.audio import SAMPLE_RATE, Pcm, to_float
from whisper_worker.vad import FRAME_SAMPLES

_BLOCK_SAMPLES = FRAME_SAMPLES * (30 * SAMPLE_RATE // FRAME_SAMPLES)
# Background is never taken to be louder than this: a recording that starts in the middle of
# steady speech has no quiet frame to learn it from.
_MAX_BACKGROUND_DB = -45.0
_MIN_BACKGROUND_DB = -75.0
# Where the probability crosses one half, above the background, and how fast.
_MIDDLE_DB = 12.0
_SLOPE_DB = 2.0


def energy_probabilities(pcm: Pcm) -> Iterator[npt.NDArray[np.float32]]:
    """Blocks of one probability per 512 samples, like Silero's."""
    background_db = _MAX_BACKGROUND_DB
    for first in range(0, len(pcm), _BLOCK_SAMPLES):
        levels_db = _levels_db(to_float(pcm[first : first + _BLOCK_SAMPLES]))
        quiet_db = float(np.percentile(levels_db, 10))
        background_db = min(quiet_db, background_db + 3.0)  # follows down at once, up slowly
        background_db = min(max(background_db, _MIN_BACKGROUND_DB), _MAX_BACKGROUND_DB)
        above_db = levels_db - background_db - _MIDDLE_DB
        yield (1 / (1 + np.exp(-above_db / _SLOPE_DB))).astype(np.float32)


def _levels_db(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Root mean square of each frame in dB of full scale; the last frame is filled with zeros."""
    frames = np.pad(samples, (0, -len(samples) % FRAME_SAMPLES)).reshape(-1, FRAME_SAMPLES)
    power = np.mean(frames.astype(np.float64) ** 2, axis=1)  # (frames,)
    return 10 * np.log10(power + 1e-12)
