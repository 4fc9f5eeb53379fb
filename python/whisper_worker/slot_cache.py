"""Keys and values of every decoding slot, where transformers' Whisper modules look for them.

Three things make the unmodified decoder work slot by slot: a cache that writes each row at its own
position, cross-attention layers that are already filled, and a 4-D mask. This file is the first
two. It knows no requests and no tokens.
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from transformers import WhisperForConditionalGeneration
from transformers.cache_utils import Cache, EncoderDecoderCache


class _CrossLayer:
    """What WhisperAttention reads of a cross-attention layer that has been filled."""

    keys: torch.Tensor
    values: torch.Tensor


@dataclass(frozen=True)
class Aim:
    """Which rows a pass of the decoder is about. Rows of one pass stand side by side."""

    first: int  # slot of the pass's first row
    count: int
    positions: torch.Tensor  # (count, tokens): where each token's key is written
    # How many positions of the past are read. 0: none, the tokens attend to each other alone.
    past: int


class _SelfCache(Cache):
    """Per layer (slots, heads, positions, head width); each row is written where it stands."""

    def __init__(self, keys: list[torch.Tensor], values: list[torch.Tensor]) -> None:
        super().__init__(layers=[])
        self._keys = keys
        self._values = values
        self._slot_numbers = torch.arange(keys[0].shape[0], device=keys[0].device)
        self.aim: Aim | None = None

    def update(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(rows, heads, tokens, width) of this pass → what its queries may look at."""
        aim = self.aim
        if aim is None:
            raise RuntimeError("the cache has to be aimed at rows before the decoder runs")
        rows = slice(aim.first, aim.first + aim.count)
        numbers = self._slot_numbers[rows, None]  # (rows, 1)
        keys, values = self._keys[layer_idx], self._values[layer_idx]
        keys[numbers, :, aim.positions] = key_states.transpose(1, 2)
        values[numbers, :, aim.positions] = value_states.transpose(1, 2)
        if aim.past == 0:
            return key_states, value_states
        return keys[rows, :, : aim.past], values[rows, :, : aim.past]  # views: nothing is copied

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002 - transformers' signature
        """Positions are given with every pass; the cache has no length of its own."""
        return 0

    def __len__(self) -> int:
        return len(self._keys)


class _CrossCache(Cache):
    def __init__(self, count: int) -> None:
        super().__init__(layers=[])
        self.layers = [_CrossLayer() for _ in range(count)]  # pyright: ignore[reportAttributeAccessIssue]

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002 - transformers' signature
        return 1

    def __len__(self) -> int:
        return len(self.layers)


class SlotCache(EncoderDecoderCache):
    """Memory for `slots` windows at once, taken when it is made and never given back."""

    def __init__(
        self, network: WhisperForConditionalGeneration, slots: int, cross_dtype: torch.dtype
    ) -> None:
        config = network.config
        heads = config.decoder_attention_heads
        width = config.d_model // heads
        self._heads = heads
        self._width = width
        # pyright takes a ModuleList's items for tensors.
        self._decoder_layers: list[Any] = list(network.model.decoder.layers)

        def buffers(positions: int, dtype: torch.dtype) -> list[torch.Tensor]:
            shape = (slots, heads, positions, width)
            like = {"dtype": dtype, "device": network.device}
            return [torch.zeros(shape, **like) for _ in self._decoder_layers]

        self._self_keys = buffers(config.max_target_positions, network.dtype)
        self._self_values = buffers(config.max_target_positions, network.dtype)
        self._cross_keys = buffers(config.max_source_positions, cross_dtype)
        self._cross_values = buffers(config.max_source_positions, cross_dtype)
        super().__init__(
            _SelfCache(self._self_keys, self._self_values), _CrossCache(len(self._decoder_layers))
        )
        self.is_updated = dict.fromkeys(range(len(self._decoder_layers)), True)

    @property
    def bytes_per_slot(self) -> int:
        buffers = self._self_keys + self._self_values + self._cross_keys + self._cross_values
        return sum(buffer[0].numel() * buffer.element_size() for buffer in buffers)

    def aim(self, aim: Aim) -> None:
        """The next pass of the decoder is about these rows."""
        self.self_attention_cache.aim = aim  # pyright: ignore[reportAttributeAccessIssue]
        rows = slice(aim.first, aim.first + aim.count)
        layers = self.cross_attention_cache.layers
        for layer, keys, values in zip(layers, self._cross_keys, self._cross_values, strict=True):
            layer.keys = keys[rows]  # pyright: ignore[reportAttributeAccessIssue]
            layer.values = values[rows]  # pyright: ignore[reportAttributeAccessIssue]

    def filling(self, slot: int, encoder_output: torch.Tensor) -> Iterator[None]:
        """Encoder output of one window, (1500, width of the model): its keys and values, once.

        Layer by layer: for large-v3 all of them are an eighth of an encoder pass.
        """
        for index, layer in enumerate(self._decoder_layers):
            attention = layer.encoder_attn
            # (1500, model width) → (heads, 1500, head width)
            keys = attention.k_proj(encoder_output[None])[0].view(-1, self._heads, self._width)
            values = attention.v_proj(encoder_output[None])[0].view(-1, self._heads, self._width)
            self._cross_keys[index][slot] = keys.transpose(0, 1)
            self._cross_values[index][slot] = values.transpose(0, 1)
            yield

    def move(self, source: int, target: int, length: int) -> None:
        """A row goes to another slot, with `length` positions of its own past."""
        for buffers in (self._cross_keys, self._cross_values):
            for buffer in buffers:
                buffer[target].copy_(buffer[source])
        for buffers in (self._self_keys, self._self_values):
            for buffer in buffers:
                buffer[target, :, :length].copy_(buffer[source, :, :length])

    def cross_keys(self, layer: int, head: int, slot: int, frames: int) -> torch.Tensor:
        """(frames, head width): what the alignment heads' queries are multiplied with."""
        return self._cross_keys[layer][slot, head, :frames]
