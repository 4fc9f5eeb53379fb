"""The fast filter against the definition; the CPU's way against the device's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_worker.attention_matrix import attention_matrix, median_over_time


def attention(heads, tokens, frames, seed=0):
    logits = np.random.default_rng(seed).standard_normal((heads, tokens, frames)) * 3
    return torch.tensor(logits, dtype=torch.float32).softmax(-1)


def slow_median(weights):
    """openai/whisper timing.py, median_filter."""
    padded = torch.nn.functional.pad(weights, (3, 3), mode="reflect")
    return padded.unfold(-1, 7, 1).sort()[0][..., 3]


def slow_matrix(weights):
    """openai/whisper timing.py, find_alignment, in float64."""
    weights = weights.double()
    deviation, mean = torch.std_mean(weights, dim=-2, keepdim=True, unbiased=False)
    return slow_median((weights - mean) / deviation).mean(dim=0)


@pytest.mark.parametrize("shape", [(1, 2, 4), (2, 5, 7), (6, 30, 250), (10, 104, 1500)])
def test_the_matrix_is_the_one_of_openai_s_definition(shape):
    weights = attention(*shape)

    matrix = attention_matrix(weights)

    assert matrix.shape == shape[1:]
    torch.testing.assert_close(matrix.double(), slow_matrix(weights), rtol=1e-5, atol=1e-5)


@given(st.integers(4, 40), st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=100, deadline=None)
def test_the_median_is_the_middle_one_of_seven_whatever_their_order(frames, seed, has_ties):
    random = np.random.default_rng(seed)
    values = random.integers(0, 4, (2, 3, frames)) if has_ties else random.random((2, 3, frames))
    weights = torch.tensor(values, dtype=torch.float32)

    assert torch.equal(median_over_time(weights), slow_median(weights))


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_audio_that_is_shorter_than_the_filter_s_margin_is_not_filtered(frames):
    weights = attention(2, 4, frames)

    assert torch.equal(median_over_time(weights), weights)
    assert attention_matrix(weights).shape == (4, frames)


@pytest.mark.parametrize("level", [0.0, 1e-8, 1e-21, 1e-25])
def test_a_frame_that_nearly_nobody_listens_to_makes_no_number_too_large(level):
    weights = attention(2, 12, 40)
    weights[:, :, 20:30] = level * torch.arange(12)[None, :, None]

    matrix = attention_matrix(weights)

    assert matrix.abs().max() < 12**0.5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_finds_the_same_matrix_and_nobody_waits_for_it():
    weights = attention(10, 104, 1500)
    on_device = weights.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        matrix = attention_matrix(on_device)
    finally:
        torch.cuda.set_sync_debug_mode("default")

    torch.testing.assert_close(matrix.cpu(), attention_matrix(weights), rtol=1e-5, atol=1e-5)
