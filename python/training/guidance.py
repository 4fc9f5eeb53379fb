"""Losses that tell chosen cross-attention heads where to look, from the known word times.

They make word times readable from the attention, and speed up learning: the decoder is told from
the first step that speech is read from left to right.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import WhisperForConditionalGeneration

from model import ALIGNMENT_HEADS, DECODER_LAYERS

_TEXT_HEADS = [head for _, head in ALIGNMENT_HEADS]
_TIMESTAMP_HEADS = [2, 3]
_LAST_TOKEN_HEADS = [0, 1]
_LAST_LAYER, _LAYER_BELOW = DECODER_LAYERS - 1, DECODER_LAYERS - 2


@dataclass(frozen=True)
class GuidanceLoss:
    """Mean cross entropy, in nats, between attention and the frames it should be spread over."""

    next_token: Tensor
    last_token: Tensor


class AttentionGuide:
    """Listens to the queries of two decoder layers during a forward pass."""

    def __init__(self, model: WhisperForConditionalGeneration) -> None:
        self._attentions = {
            index: model.model.decoder.layers[index].encoder_attn
            for index in (_LAYER_BELOW, _LAST_LAYER)
        }
        self._hidden: dict[int, Tensor] = {}
        for index, attention in self._attentions.items():
            attention.register_forward_pre_hook(self._listener(index), with_kwargs=True)

    def loss(self, encoded: Tensor, spans: Tensor, is_timestamp: Tensor) -> GuidanceLoss:
        """encoded: (batch, P, width); spans: (batch, L, 2); is_timestamp: (batch, L) of targets.

        The last layer looks for the token to be written: two heads for text, two for timestamps.
        The layer below looks at the token just read, the place from which to move on.
        """
        weights = _spread(spans, encoded.shape[1])  # (batch, L, P)
        timestamps = weights * is_timestamp[..., None]
        text = weights - timestamps
        read = torch.zeros_like(weights)
        read[:, 1:] = weights[:, :-1]
        following = _cross_entropy(self._attention(_LAST_LAYER, _TEXT_HEADS, encoded), text)
        boundary = _cross_entropy(
            self._attention(_LAST_LAYER, _TIMESTAMP_HEADS, encoded), timestamps
        )
        last = _cross_entropy(self._attention(_LAYER_BELOW, _LAST_TOKEN_HEADS, encoded), read)
        share = is_timestamp.sum() / (spans[..., 0] >= 0).sum().clamp(min=1)
        return GuidanceLoss(following * (1 - share) + boundary * share, last)

    def _listener(self, index: int):  # noqa: ANN202  a hook's type is torch's affair
        def listen(_module: object, arguments: tuple, keywords: dict) -> None:
            self._hidden[index] = arguments[0] if arguments else keywords["hidden_states"]

        return listen

    def _attention(self, layer: int, heads: list[int], encoded: Tensor) -> Tensor:
        """Log attention (batch, heads, L, P) of the chosen heads, as the layer computes it."""
        attention = self._attentions[layer]

        def split(projected: Tensor) -> Tensor:
            shape = (*projected.shape[:2], attention.num_heads, attention.head_dim)
            return projected.view(shape)[:, :, heads].transpose(1, 2)

        query = split(attention.q_proj(self._hidden[layer]) * attention.scaling)
        key = split(attention.k_proj(encoded))
        return (query @ key.transpose(2, 3)).float().log_softmax(-1)


def _spread(spans: Tensor, position_count: int) -> Tensor:
    """(batch, L, 2) frame spans -> (batch, L, P) weights: even over the span, zero without one."""
    frames = torch.arange(position_count)
    inside = ((frames >= spans[..., :1]) & (frames < spans[..., 1:])).float()
    return inside / inside.sum(-1, keepdim=True).clamp(min=1)


def _cross_entropy(log_attention: Tensor, weights: Tensor) -> Tensor:
    total = torch.einsum("bhlp,blp->", log_attention, weights)
    return -total / (log_attention.shape[1] * weights.sum().clamp(min=1))
