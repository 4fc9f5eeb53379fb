"""Attention of text tokens over audio frames to the frame where each token begins. numpy only.

Dynamic time warping as in openai/whisper timing.py, but a whole row of cells at once: 100 to 200 ms
of Python per window become one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FRAME_SECONDS = 0.02

Matrix = npt.NDArray[np.floating[Any]]

# Costs are counted in whole numbers. A row at once adds up in another order than cell by cell, and
# only whole numbers come to the same sum, and to the same ties, in every order. float32 keeps fewer
# digits; the longest path over standardised attention, 2000 cells of at most 2⁵, stays below 2⁵⁶.
_ONE = 2.0**40
_UNREACHABLE = 1 << 60


def token_start_frames(weights: Sequence[Matrix]) -> list[npt.NDArray[np.int64]]:
    """For each (tokens, frames) matrix of attention the first frame of each token: (tokens,).

    Row t must be the attention that *predicts* token t (OpenAI's choice; the frame is then the
    token's start). The last row should be the end-of-text token's, so that the last word ends.
    """
    return [_first_frames(_path_costs(matrix)) for matrix in weights]


def _path_costs(weights: Matrix) -> npt.NDArray[np.int64]:
    """The cost of the best path into each cell; a border stands above the rows and to their left.

    A path enters row i from above in some column k and goes right to column j, which costs
    entry[k] + x[k] + … + x[j]. With running sums of x, before and behind each column, the best
    path into every j is behind[j] + min over k ≤ j of (entry[k] − before[k]): a running minimum.
    """
    rows, columns = weights.shape
    totals = np.empty((rows + 1, columns + 1), np.int64)
    totals[0, :], totals[:, 0], totals[0, 0] = _UNREACHABLE, _UNREACHABLE, 0
    sums = np.zeros(columns + 1, np.int64)
    before, behind = sums[:-1], sums[1:]
    best = np.empty(columns, np.int64)
    for row, attention in enumerate(weights, start=1):
        np.cumsum((attention * -_ONE).astype(np.int64), out=behind)
        np.minimum(totals[row - 1, :-1], totals[row - 1, 1:], out=best)
        np.subtract(best, before, out=best)
        np.minimum.accumulate(best, out=best)
        np.add(best, behind, out=totals[row, 1:])
    return totals


def _first_frames(totals: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Walk back from the last cell; the leftmost frame of each row is where its token begins."""
    i, j = totals.shape[0] - 1, totals.shape[1] - 1
    first = np.zeros(i, np.int64)
    while i > 1:  # the first token begins where the audio does
        first[i - 1] = j - 1
        diagonal, up, left = totals.item(i - 1, j - 1), totals.item(i - 1, j), totals.item(i, j - 1)
        # OpenAI's tie rule: a step other than left has to be strictly better than both others.
        if diagonal < up and diagonal < left:
            i, j = i - 1, j - 1
        elif j == 1 or (up < diagonal and up < left):
            i -= 1
        else:
            j -= 1
    return first
