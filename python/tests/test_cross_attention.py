"""Attention for decoding: the same numbers as SDPA, whichever way they are computed."""

import pytest
import torch
from torch.nn import functional
from transformers import WhisperConfig, WhisperForConditionalGeneration

from whisper_worker.cross_attention import attend, prefers_products, use_products

SCALING = 0.125


def tensors(rows, heads, queries, keys, width, dtype=torch.float32):
    torch.manual_seed(0)
    sizes = [(rows, heads, count, width) for count in (queries, keys, keys)]
    return [torch.randn(size).to(dtype) for size in sizes]


@pytest.mark.parametrize("keys", [64, 1500])
@pytest.mark.parametrize("queries", [1, 4])
@pytest.mark.parametrize("is_masked", [True, False])
def test_the_result_is_sdpa_s(keys, queries, is_masked):
    query, key, value = tensors(3, 4, queries, keys, 32)
    mask = None
    if is_masked:
        mask = torch.arange(keys) <= torch.tensor([0, 20, 63])[:, None, None, None]
        mask = mask.expand(3, 1, queries, keys)

    attended = attend(query, key, value, mask, SCALING)

    expected = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=SCALING
    )
    assert attended.shape == query.shape
    assert torch.allclose(attended, expected, atol=1e-5)


def test_in_bfloat16_the_result_is_as_exact_as_the_format():
    query, key, value = tensors(2, 4, 1, 1500, 32, torch.bfloat16)

    attended = attend(query, key, value, None, SCALING)

    exact = functional.scaled_dot_product_attention(
        query.float(), key.float(), value.float(), scale=SCALING
    )
    assert attended.dtype == torch.bfloat16
    assert torch.allclose(attended.float(), exact, atol=4e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("keys", [64, 1500])
def test_a_row_s_result_does_not_depend_on_its_neighbours(dtype, keys):
    query, key, value = tensors(8, 4, 1, keys, 32, dtype)
    mask = torch.arange(keys) <= torch.arange(8)[:, None, None, None] * 7

    together = attend(query, key, value, mask, SCALING)

    for first in range(8):
        row = slice(first, first + 1)
        alone = attend(query[row], key[row], value[row], mask[row], SCALING)
        assert torch.equal(alone, together[row])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_row_that_may_look_nowhere_stays_finite(dtype):
    query, key, value = tensors(2, 4, 1, 300, 32, dtype)
    mask = torch.zeros(2, 1, 1, 300, dtype=torch.bool)

    assert attend(query, key, value, mask, SCALING).isfinite().all()


def test_keys_and_values_may_be_part_of_a_longer_cache():
    query, key, value = tensors(2, 4, 1, 448, 32, torch.bfloat16)

    attended = attend(query, key[:, :, :64], value[:, :, :64], None, SCALING)

    copied = attend(query, key[:, :, :64].clone(), value[:, :, :64].clone(), None, SCALING)
    assert torch.equal(attended, copied)


def test_a_prompt_s_many_queries_go_through_sdpa():
    query, key, _value = tensors(1, 4, 200, 1500, 32, torch.bfloat16)

    assert not prefers_products(query, key)
    assert prefers_products(query[:, :, :1], key)


def encoder_attention(states, name_dtype, lowers=False):
    """Through a real attention module of an encoder, as the network calls it."""
    network = tiny_encoder(name_dtype)
    use_products(network, lowers=lowers)
    with torch.inference_mode():
        return network.model.encoder.layers[0].self_attn(states.to(name_dtype), None)[0].float()


def tiny_encoder(dtype):
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=64,
        d_model=64,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        attn_implementation="sdpa",
    )
    return WhisperForConditionalGeneration(config).eval().to(dtype)


@pytest.mark.parametrize(("dtype", "lowers"), [(torch.bfloat16, False), (torch.float32, True)])
def test_an_encoder_that_attends_in_bfloat16_stays_within_its_rounding(dtype, lowers):
    states = torch.randn(2, 100, 64, generator=torch.Generator().manual_seed(1))

    network = tiny_encoder(torch.float32)
    with torch.inference_mode():
        exact = network.model.encoder.layers[0].self_attn(states, None)[0]
    lowered = encoder_attention(states, dtype, lowers)

    difference = (exact - lowered).norm() / exact.norm()
    assert 0 < difference < 0.02


def test_an_encoder_in_float32_attends_like_sdpa_to_float32_s_last_digits():
    states = torch.randn(2, 100, 64, generator=torch.Generator().manual_seed(1))
    network = tiny_encoder(torch.float32)
    with torch.inference_mode():
        plain = network.model.encoder.layers[0].self_attn(states, None)[0]

    torch.testing.assert_close(
        encoder_attention(states, torch.float32), plain, rtol=1e-5, atol=1e-6
    )
