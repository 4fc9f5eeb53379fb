"""What the alignment heads asked while decoding, slot by slot, for the word times that follow.

1.3 kB a token for large-v3, written by a hook while attention stays SDPA; the keys they belong to
are in the cache already. transformers' own way switches the whole model to eager attention and
keeps every head's weights.
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import WhisperForConditionalGeneration

from whisper_worker.alignment_heads import Heads
from whisper_worker.slot_cache import Aim


class RecordedQueries:
    """Memory for `slots` rows at once. Leaves hooks on the network."""

    def __init__(self, network: WhisperForConditionalGeneration, heads: Heads, slots: int) -> None:
        config = network.config
        device = network.device
        # Whose pass of the decoder it is; None: somebody else's.
        self.aim: Aim | None = None
        self._head_width = config.d_model // config.decoder_attention_heads
        shape = (slots, len(heads), config.max_target_positions, self._head_width)
        self._queries = torch.zeros(shape, dtype=network.dtype, device=device)
        self._slot_numbers = torch.arange(slots, device=device)
        layers: Any = network.model.decoder.layers
        for layer in {layer for layer, _ in heads}:
            wanted = [(index, head) for index, (at, head) in enumerate(heads) if at == layer]
            layers[layer].encoder_attn.q_proj.register_forward_hook(self._recorder(wanted))
        self.scaling = float(layers[0].encoder_attn.scaling)

    def _recorder(self, wanted: Sequence[tuple[int, int]]):  # noqa: ANN202 - a hook
        device = self._queries.device
        indexes = torch.tensor([index for index, _ in wanted], device=device)
        heads = torch.tensor([head for _, head in wanted], device=device)

        def hook(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
            aim = self.aim
            if aim is None:
                return
            rows = self._slot_numbers[aim.first : aim.first + aim.count, None]
            # (rows, tokens, width) → (rows, tokens, wanted heads, head width)
            queries = output.unflatten(-1, (-1, self._head_width))[:, :, heads]
            self._queries[rows[..., None], indexes, aim.positions[..., None]] = queries

        return hook

    def move(self, source: int, target: int, length: int) -> None:
        """A row with `length` positions behind it goes to another slot."""
        self._queries[target, :, :length].copy_(self._queries[source, :, :length])

    def copy(self, slot: int, length: int) -> torch.Tensor:
        """Of a row so far: (heads, length, head width)."""
        return self._queries[slot, :, :length].clone()
