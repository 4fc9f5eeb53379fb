"""The PCM file that Node puts into the spool directory, as samples. It may still be growing.

Maps it, never reads it whole, and does not keep what it has read.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from whisper_worker.failures import WorkerFailure

SAMPLE_RATE = 16_000
MIN_SECONDS = 0.1
HEARING_SAMPLES = 30 * SAMPLE_RATE  # what Whisper's encoder hears at once
_BYTES_PER_SAMPLE = 2

Pcm: TypeAlias = npt.NDArray[np.int16]
Floats: TypeAlias = npt.NDArray[np.floating[Any]]


class PcmFile:
    """16 kHz mono s16le samples, mapped read-only, as many as have been announced."""

    def __init__(
        self, pcm_path: str, spool_directory: Path, samples: int, is_complete: bool
    ) -> None:
        self._path = _inside(pcm_path, spool_directory)
        self._samples: Pcm = np.zeros(0, "<i2")
        self._map: mmap.mmap | None = None
        self.is_complete = False
        self.grow(samples, is_complete)

    def __len__(self) -> int:
        return len(self._samples)

    def read(self, start: int, end: int) -> Pcm:
        """Samples `start` up to, not including, `end`: a view.

        What was read before stays in the kernel's cache, and no longer counts as our memory: ten
        hours would be more than a gigabyte.
        """
        if self._map is not None:
            self._map.madvise(mmap.MADV_DONTNEED)
        return self._samples[start:end]

    def grow(self, samples: int, is_complete: bool) -> None:
        """So many samples, counted from the start, can be read now.

        Raises WorkerFailure when they are not there, or when the whole recording is too short.
        """
        try:
            byte_count = self._path.stat().st_size
        except OSError as error:
            raise WorkerFailure("invalid_audio", "The recording is not in the spool.") from error
        if samples < len(self._samples) or samples * _BYTES_PER_SAMPLE > byte_count:
            message = "The recording is shorter on disk than was announced."
            raise WorkerFailure("internal", message)
        if is_complete and samples < MIN_SECONDS * SAMPLE_RATE:
            raise WorkerFailure(
                "invalid_audio",
                f"The recording is {samples / SAMPLE_RATE:.3f} seconds long; "
                f"at least {MIN_SECONDS} seconds are needed.",
            )
        if samples > len(self._samples):
            with self._path.open("rb") as file:
                size = samples * _BYTES_PER_SAMPLE
                self._map = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
            self._samples = np.frombuffer(self._map, "<i2")
        self.is_complete = is_complete


def _inside(pcm_path: str, spool_directory: Path) -> Path:
    """Node is trusted, but a wrong path here would send a stranger's file through the model."""
    path = Path(pcm_path).resolve()
    if not path.is_relative_to(spool_directory.resolve()):
        raise WorkerFailure("invalid_audio", "The recording is outside the spool directory.")
    return path


def to_float(samples: Pcm) -> npt.NDArray[np.float32]:
    """int16 to −1…1, as Whisper and Silero expect."""
    return samples.astype(np.float32) / 32768.0


def to_seconds(samples: int) -> float:
    return samples / SAMPLE_RATE
