"""Our warping of whole rows against the textbook's loop."""

import numpy as np
import pytest

from whisper_worker.alignment import token_start_frames


def slow_start_frames(weights):
    """openai/whisper timing.py, dtw_cpu and backtrace, as plainly as possible.

    In float64: float32 rounds, and then near-ties fall as the rounding will have it.
    """
    rows, columns = weights.shape
    weights = weights.astype(np.float64)
    total = np.full((rows + 1, columns + 1), np.inf)
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
def test_attention_of_any_size_takes_the_paths_of_the_textbook(seed):
    random = np.random.default_rng(seed)
    shapes = [(1, 1), (1, 9), (6, 1), (12, 3), (8, 8), (5, 60), (40, 90)]
    matrices = [random.standard_normal(shape).astype(np.float32) for shape in shapes]

    frames = token_start_frames(matrices)

    for ours, matrix in zip(frames, matrices, strict=True):
        assert ours.tolist() == slow_start_frames(matrix)


def test_ties_are_broken_as_in_the_textbook():
    choose = np.random.default_rng(0).choice
    matrices = [
        np.zeros((5, 9), np.float32),
        np.ones((3, 3), np.float32),
        np.full((7, 30), 0.1, np.float32),
        *(choose([-1, 0, 0.1, 0.5], (12, 40)).astype(np.float32) for _ in range(5)),
    ]

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


@pytest.mark.parametrize("largest", [1e-3, 1.0, 21.0])
def test_a_whole_window_of_attention_of_any_size_adds_up_without_a_rounding_error(largest):
    # 21: one of 448 tokens has all of the attention, in standard deviations.
    matrix = np.random.default_rng(1).uniform(-largest, largest, (60, 1500)).astype(np.float32)
    matrix[:, 300:1200] = largest

    (frames,) = token_start_frames([matrix])

    assert frames.tolist() == slow_start_frames(matrix)


def test_no_windows_have_no_tokens():
    assert token_start_frames([]) == []


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_attention_that_is_not_a_number_is_warned_of_and_has_frames_all_the_same(broken):
    with pytest.warns(RuntimeWarning, match="invalid value"):
        (frames,) = token_start_frames([np.full((4, 9), broken, np.float32)])

    assert ((frames >= 0) & (frames < 9)).all()
