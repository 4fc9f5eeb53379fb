"""Attention of a few queries over many keys, in the form that is fastest on its device.

Knows no slots: transformers' attention modules call it with their tensors.
"""

# pyright: basic
from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    WhisperForConditionalGeneration,
)
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from whisper_worker.linears import has_onednn

# SDPA on a CPU goes through bfloat16 keys with slow scalar code: 2.8 ms for 12 heads over 1500 keys
# where two products take 0.5. In float32 the products win a little (0.95 against 0.52 ms, at worst
# equal), once there are enough keys to pay for three calls instead of one.
_FEW_QUERIES = 32
MANY_KEYS = 256
# The encoder's 1500 queries: SDPA takes 40 ms a layer of whisper-small's shape on two cores, and no
# less in bfloat16, whose instructions it does not use. Two products take 16 in bfloat16 and, by
# oneDNN, 25 in float32. In bfloat16 their scores are rounded, as in transformers' eager attention:
# tiny-da's encoder is then 0.9 % away from float32 instead of 0.8 %. The heads go in small groups,
# so that the scores stay in the cache.
_HEADS_AT_ONCE = 2
_NAME = "products_or_sdpa"
_NAME_LOWERED = "products_or_sdpa_in_bfloat16"


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float,
) -> torch.Tensor:
    """Query (rows, heads, q, d) over key and value (rows, heads, t, d) → (rows, heads, q, d).

    `mask` is true where a query may look, (rows, 1, q, t) or (1, 1, q, t).
    """
    if prefers_products(query, key):
        return _by_products(query, key, value, mask, scaling)
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling)


def prefers_products(query: torch.Tensor, key: torch.Tensor) -> bool:
    """Never by the number of rows: a row's result must not depend on its neighbours."""
    if query.device.type != "cpu" or query.shape[2] > _FEW_QUERIES:
        return False
    return query.dtype != torch.float32 or (query.shape[2] == 1 and key.shape[2] >= MANY_KEYS)


def _by_products(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float,
) -> torch.Tensor:
    scores = (query * scaling) @ key.transpose(-1, -2)  # (rows, heads, q, t)
    if mask is not None:
        # Not -inf: a row that may look nowhere (an empty slot) must not become NaN.
        scores.masked_fill_(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(-1) @ value


def _encode_by_products(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float
) -> torch.Tensor:
    """All look at all: (rows, heads, t, d) three times → the same."""
    attended = torch.empty_like(query)
    if query.dtype == torch.float32:
        _multiply_by_onednn(query * scaling, key, value, attended)
        return attended
    for row in range(query.shape[0]):
        for first in range(0, query.shape[1], _HEADS_AT_ONCE):
            heads = slice(first, first + _HEADS_AT_ONCE)
            scores = (query[row, heads] * scaling) @ key[row, heads].transpose(-1, -2)
            torch.matmul(scores.softmax(-1), value[row, heads], out=attended[row, heads])
    return attended


def _multiply_by_onednn(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attended: torch.Tensor
) -> None:
    """Float32 products outside of linear layers go to MKL, which is slow on AMD's processors."""
    multiply: Any = torch.ops.mkldnn._linear_pointwise
    values = value.transpose(-1, -2).contiguous()
    for row in range(query.shape[0]):
        for head in range(query.shape[1]):
            scores = multiply(query[row, head], key[row, head], None, "none", [], "")
            weights = scores.softmax(-1)
            attended[row, head] = multiply(weights, values[row, head], None, "none", [], "")


def use_products(network: WhisperForConditionalGeneration, *, lowers: bool = False) -> None:
    """Let a network's attention modules choose between the two ways, call by call.

    `lowers`: the encoder of a float32 network attends in bfloat16. For 8-bit networks, which are
    not as exact as that elsewhere.
    """
    name = _NAME_LOWERED if lowers else _NAME
    AttentionInterface.register(_NAME, _forward)
    AttentionInterface.register(_NAME_LOWERED, _forward_lowered)
    AttentionMaskInterface.register(name, sdpa_mask)
    network.set_attn_implementation(name)


def _forward_lowered(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **others: Any,  # noqa: ANN401 - transformers' signature
) -> tuple[torch.Tensor, None]:
    if _is_encoder(module, query, attention_mask) or key.dtype == torch.bfloat16:
        low = torch.bfloat16
        attended, _ = _forward(
            module, query.to(low), key.to(low), value.to(low), attention_mask, **others
        )
        return attended.to(query.dtype), None
    return _forward(module, query, key, value, attention_mask, **others)


def _forward(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **others: Any,  # noqa: ANN401 - transformers' signature
) -> tuple[torch.Tensor, None]:
    """(rows, heads, q, d) → (rows, q, heads, d)."""
    # SDPA's own flag stands for a causal mask that was not made.
    is_masked = attention_mask is not None or not _is_causal(module)
    attended = None
    if scaling is not None and _is_encoder(module, query, attention_mask):
        if query.dtype == torch.bfloat16 or (
            query.dtype == torch.float32 and has_onednn("float32")
        ):
            attended = _encode_by_products(query, key, value, scaling)
    elif scaling is not None and is_masked and prefers_products(query, key):
        attended = _by_products(query, key, value, attention_mask, scaling)
    if attended is not None:
        return attended.transpose(1, 2).contiguous(), None
    return sdpa_attention_forward(
        module, query, key, value, attention_mask, scaling=scaling, **others
    )


def _is_encoder(
    module: torch.nn.Module, query: torch.Tensor, attention_mask: torch.Tensor | None
) -> bool:
    has_many = query.shape[2] > _FEW_QUERIES and query.device.type == "cpu"
    return has_many and attention_mask is None and not _is_causal(module)


def _is_causal(module: torch.nn.Module) -> bool:
    return bool(getattr(module, "is_causal", False))
