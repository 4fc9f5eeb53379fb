"""A layer that torch.compile leaves as it is: one call whose result has a known shape.

For products by libraries on weights in a layout of their own, which a compiler can neither look
into nor improve. What is multiplied, and how, is the subclass's.
"""

# pyright: basic
from __future__ import annotations

from itertools import count
from weakref import WeakValueDictionary

import torch
from torch import nn

# A graph can name a number, and neither a packed weight nor a Python object.
_numbers = count()
_layers: WeakValueDictionary[int, OpaqueLayer] = WeakValueDictionary()


class OpaqueLayer(nn.Module):
    """(…, inputs) → (…, `outputs`) in the inputs' own number format."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self._outputs = outputs
        self._number = next(_numbers)
        _layers[self._number] = self

    def compute(self, inputs: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        # Called directly wherever nobody compiles: going through an operator costs microseconds.
        if torch.compiler.is_compiling():
            return _compute(inputs, self._number, self._outputs)
        return self.compute(inputs)


@torch.library.custom_op(
    "hviske::compute_layer",
    mutates_args=(),
    schema="(Tensor inputs, int number, int outputs) -> Tensor",
)
def _compute(inputs: torch.Tensor, number: int, outputs: int) -> torch.Tensor:  # noqa: ARG001
    return _layers[number].compute(inputs)


@_compute.register_fake
def _(inputs: torch.Tensor, number: int, outputs: int) -> torch.Tensor:  # noqa: ARG001
    return inputs.new_empty((*inputs.shape[:-1], outputs))
