"""Noise for sampling at a temperature, the same for a row whoever shares its batch.

The highest of (logits / temperature + Gumbel noise) is a sample of softmax(logits / temperature).
The noise is a function of the row's seed, the position and the token alone, so a window says the
same today and tomorrow, on any machine, with or without companions; and it needs no state, so it
can run inside a CUDA graph.
"""

# pyright: basic
from __future__ import annotations

import torch

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9  # 2³² / golden ratio: spreads neighbouring numbers over all bits
_WEYL = 0x632BE5AB


def row_seed(window_start: int, rung: int) -> int:
    """One seed per window and rung of the temperature ladder."""
    return (window_start * 16 + rung) & _MASK


def gumbel_noise(seeds: torch.Tensor, positions: torch.Tensor, vocabulary: int) -> torch.Tensor:
    """Seeds and positions (rows,) int64 → (rows, vocabulary) float32.

    Counter-based: a 32-bit hash (lowbias32, github.com/skeeto/hash-prospector) of all three.
    """
    stream = _hash((seeds + positions * _GOLDEN) & _MASK)  # (rows,)
    counters = torch.arange(vocabulary, device=seeds.device) * _WEYL
    bits = _hash((stream[:, None] ^ (counters & _MASK)[None]) & _MASK)  # (rows, vocabulary)
    # 24 bits are what float32 holds; the half keeps both logarithms finite.
    uniform = ((bits >> 8).to(torch.float32) + 0.5) * 2.0**-24
    return -(-uniform.log()).log()


def _hash(x: torch.Tensor) -> torch.Tensor:
    """32-bit numbers in int64. Products overflow in the upper half, which is cut off."""
    x = x ^ (x >> 16)
    x = (x * 0x7FEB352D) & _MASK
    x = x ^ (x >> 15)
    x = (x * 0x846CA68B) & _MASK
    return x ^ (x >> 16)
