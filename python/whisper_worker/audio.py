"""The PCM file that Node left in the spool directory, as samples. Maps it, never reads it whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from whisper_worker.failures import WorkerFailure

SAMPLE_RATE = 16_000
MIN_SECONDS = 0.1
HEARING_SAMPLES = 30 * SAMPLE_RATE  # what Whisper's encoder hears at once

Pcm: TypeAlias = npt.NDArray[np.int16]
Floats: TypeAlias = npt.NDArray[np.floating[Any]]


def map_pcm(pcm_path: str, spool_directory: Path) -> Pcm:
    """16 kHz mono s16le samples, mapped read-only: (samples,)."""
    path = _inside(pcm_path, spool_directory)
    try:
        byte_count = path.stat().st_size
    except OSError as error:
        raise WorkerFailure("invalid_audio", "The recording is not in the spool.") from error
    # An odd last byte is half a sample of a stream that was cut; it is left out.
    sample_count = byte_count // 2
    if sample_count < MIN_SECONDS * SAMPLE_RATE:
        raise WorkerFailure(
            "invalid_audio",
            f"The recording is {sample_count / SAMPLE_RATE:.3f} seconds long; "
            f"at least {MIN_SECONDS} seconds are needed.",
        )
    return np.memmap(path, dtype="<i2", mode="r", shape=(sample_count,))


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
