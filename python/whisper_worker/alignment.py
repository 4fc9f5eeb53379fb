"""Attention of text tokens over audio frames to the frame where each token begins. numpy only.

Dynamic time warping as in openai/whisper timing.py, but over a whole batch at once and one
anti-diagonal at a time: the cells of an anti-diagonal do not depend on each other. 100 to 200 ms of
Python per window become a few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FRAME_SECONDS = 0.02

Matrix = npt.NDArray[np.floating[Any]]

_DIAGONAL, _UP, _LEFT = 0, 1, 2


def token_start_frames(weights: Sequence[Matrix]) -> list[npt.NDArray[np.int64]]:
    """For each (tokens, frames) matrix of attention the first frame of each token: (tokens,).

    Row t must be the attention that *predicts* token t (OpenAI's choice; the frame is then the
    token's start). The last row should be the end-of-text token's, so that the last word ends.
    """
    if not weights:
        return []
    steps = _warp([-np.asarray(matrix, np.float32) for matrix in weights])
    return [_first_frames(step, *matrix.shape) for step, matrix in zip(steps, weights, strict=True)]


def _warp(costs: Sequence[Matrix]) -> list[npt.NDArray[np.int8]]:
    """The best step into each cell of each cost matrix, found for all matrices together."""
    batch = len(costs)
    rows = max(cost.shape[0] for cost in costs)
    columns = max(cost.shape[1] for cost in costs)
    # Skewed: anti-diagonal d holds the cells (i, d − i), so a whole one is a contiguous row.
    skewed = np.zeros((rows + columns - 1, batch, rows), np.float32)
    for b, cost in enumerate(costs):
        for i, row in enumerate(cost):
            skewed[i : i + len(row), b, i] = row
    steps = np.zeros((rows + columns - 1, batch, rows), np.int8)
    # totals[…, 1 + i] is cell (i, d − i); index 0 is the border above the first row.
    before_last = np.full((batch, rows + 1), np.inf, np.float32)
    last = np.full((batch, rows + 1), np.inf, np.float32)
    before_last[:, 0] = 0.0  # the way into cell (0, 0)
    for d in range(rows + columns - 1):
        diagonal, up, left = before_last[:, :-1], last[:, :-1], last[:, 1:]
        # OpenAI's tie rule: a step other than left has to be strictly better than both others.
        best = np.full((batch, rows), _LEFT, np.int8)
        best[(up < diagonal) & (up < left)] = _UP
        best[(diagonal < up) & (diagonal < left)] = _DIAGONAL
        steps[d] = best
        current = np.full((batch, rows + 1), np.inf, np.float32)
        current[:, 1:] = skewed[d] + np.minimum(np.minimum(diagonal, up), left)
        current[:, 1 + d + 1 :] = np.inf  # cells left of the first column
        if d >= columns:
            current[:, 1 : 1 + d - columns + 1] = np.inf  # cells right of the last one
        before_last, last = last, current
    return [steps[:, b] for b in range(batch)]


def _first_frames(steps: npt.NDArray[np.int8], rows: int, columns: int) -> npt.NDArray[np.int64]:
    """Walk back from the last cell; the leftmost frame of each row is where its token begins."""
    first = np.zeros(rows, np.int64)
    i, j = rows - 1, columns - 1
    while i > 0:
        first[i] = j
        step = steps[i + j, i] if j > 0 else _UP
        i -= step != _LEFT
        j -= step != _UP
    return first  # the first token begins where the audio does
