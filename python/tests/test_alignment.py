"""Our batched warping against the textbook's loop."""

import numpy as np
import pytest

from whisper_worker.alignment import token_start_frames


def slow_start_frames(weights):
    """openai/whisper timing.py, dtw_cpu and backtrace, as plainly as possible."""
    rows, columns = weights.shape
    total = np.full((rows + 1, columns + 1), np.inf, np.float32)
    total[0, 0] = 0
    step = np.zeros((rows + 1, columns + 1), int)
    for j in range(1, columns + 1):
        for i in range(1, rows + 1):
            diagonal, up, left = total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]
            if diagonal < up and diagonal < left:
                best, step[i, j] = diagonal, 0
            elif up < diagonal and up < left:
                best, step[i, j] = up, 1
            else:
                best, step[i, j] = left, 2
            total[i, j] = best - weights[i - 1, j - 1]
    step[0, :], step[:, 0] = 2, 1
    first, i, j = {}, rows, columns
    while i > 0 or j > 0:
        first[i - 1] = j - 1
        i, j = i - (step[i, j] != 2), j - (step[i, j] != 1)
    return [first[row] for row in range(rows)]


@pytest.mark.parametrize("seed", range(5))
def test_a_batch_of_any_sizes_takes_the_paths_of_the_textbook(seed):
    random = np.random.default_rng(seed)
    shapes = [(1, 1), (1, 9), (6, 1), (12, 3), (8, 8), (5, 60), (40, 90)]
    matrices = [random.standard_normal(shape).astype(np.float32) for shape in shapes]

    frames = token_start_frames(matrices)

    for ours, matrix in zip(frames, matrices, strict=True):
        assert ours.tolist() == slow_start_frames(matrix)


def test_ties_are_broken_as_in_the_textbook():
    matrices = [np.zeros((5, 9), np.float32), np.ones((3, 3), np.float32)]

    for ours, matrix in zip(token_start_frames(matrices), matrices, strict=True):
        assert ours.tolist() == slow_start_frames(matrix)


def test_a_clear_diagonal_is_followed():
    matrix = np.full((4, 12), -1, np.float32)
    for token, (start, end) in enumerate([(0, 3), (3, 5), (5, 10), (10, 12)]):
        matrix[token, start:end] = 5

    (frames,) = token_start_frames([matrix])

    assert frames.tolist() == [0, 3, 5, 10]


def test_starts_never_go_back():
    matrix = np.random.default_rng(3).standard_normal((60, 200)).astype(np.float32)

    (frames,) = token_start_frames([matrix])

    assert (np.diff(frames) >= 0).all()
