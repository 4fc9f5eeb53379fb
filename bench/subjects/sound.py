"""The samples of items, windows and calls, as the peers want them: float32, −1…1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bench.jobs import Item, Span

SAMPLE_RATE = 16_000


def window_sound(item: Item, window: Span) -> npt.NDArray[np.float32]:
    return _to_float(_map(item)[window.start : window.end])


def whole_sound(item: Item) -> npt.NDArray[np.float32]:
    return _to_float(_map(item))


def _map(item: Item) -> npt.NDArray[np.int16]:
    return np.memmap(item.path, dtype="<i2", mode="r", shape=(item.samples,))


def _to_float(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    return samples.astype(np.float32) / 32768.0
