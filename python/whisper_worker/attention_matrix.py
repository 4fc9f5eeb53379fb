"""The alignment heads' attention to one matrix that says where each token was heard.

As in openai/whisper timing.py. Nothing here waits for the device.
"""

# pyright: basic
from __future__ import annotations

import torch
from torch.nn import functional

_MEDIAN_WIDTH = 7  # openai/whisper timing.py
_MARGIN = _MEDIAN_WIDTH // 2


def attention_matrix(weights: torch.Tensor) -> torch.Tensor:
    """Attention after softmax, (heads, tokens, frames) in float32 → (tokens, frames).

    Each frame standardised over all the tokens, median filter over time, mean of the heads.
    """
    centred = weights - weights.mean(dim=1, keepdim=True)
    # Written out because torch.std over a middle dimension takes 20 times as long on a CPU.
    deviation = centred.square().mean(dim=1, keepdim=True).sqrt()
    # A frame that nobody listens to deviates by 1e-8 and still counts. Squares of less than 1e-19
    # are lost in float32, and what is left must become neither NaN nor huge.
    return median_over_time(centred / deviation.clamp(min=1e-18)).mean(dim=0)


def median_over_time(weights: torch.Tensor) -> torch.Tensor:
    """The median of 7 neighbouring frames, mirrored at both ends: (…, frames), the same shape."""
    if weights.shape[-1] <= _MARGIN:
        return weights
    padded = functional.pad(weights, (_MARGIN, _MARGIN), mode="reflect")
    if padded.device.type != "cpu":
        return _median_of_seven(padded)
    # One head at a time stays in the processor's cache: 5 ms for ten, not 8 to 60.
    return torch.stack([_median_of_seven(head) for head in padded])


def _median_of_seven(x: torch.Tensor) -> torch.Tensor:
    """(…, frames + 6) → (…, frames), by comparing whole shifted rows: no window is ever sorted.

    A window is two sorted triples and a seventh value. Neighbouring windows share their triples.
    """
    low, high = _sort(x[..., :-2], x[..., 1:-1])
    middle, high = _sort(high, x[..., 2:])
    low, middle = _sort(low, middle)  # of each triple: (…, frames + 4)
    a1, a2, a3 = (part[..., : -_MARGIN - 1] for part in (low, middle, high))
    b1, b2, b3 = (part[..., _MARGIN:-1] for part in (low, middle, high))
    smaller, larger = torch.minimum, torch.maximum
    third = smaller(smaller(a3, b3), smaller(larger(a2, b1), larger(a1, b2)))
    fourth = larger(larger(a1, b1), larger(smaller(a2, b3), smaller(a3, b2)))
    return larger(third, smaller(fourth, x[..., _MEDIAN_WIDTH - 1 :]))


def _sort(one: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.minimum(one, other), torch.maximum(one, other)
