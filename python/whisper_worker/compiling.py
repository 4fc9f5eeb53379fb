"""COMPILE=on: torch fuses the small kernels between a decoder step's products.

It knows no slots. What it compiles is called with any number of rows and any length of the past.
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from whisper_worker.failures import FatalFailure

# One row and several, few keys and many, the whole past: torch compiles each anew, and raises when
# there are more than these.
_MOST_VARIANTS = 64


def compiled(module: nn.Module) -> Callable[..., Any]:
    """Each kind of call is compiled when it is made first.

    `dynamic=None`: only what has been seen to change becomes a variable. With True the sizes of
    heads do too, which compiles for twice as long and ties a past of 64 to a head's width of 64.
    """
    config: Any = torch._dynamo.config
    config.recompile_limit = max(config.recompile_limit, _MOST_VARIANTS)
    return torch.compile(module, fullgraph=True, dynamic=None)


@contextmanager
def compiler_problems() -> Iterator[None]:
    """A model that cannot be compiled as was asked must not say ready."""
    try:
        yield
    except RuntimeError as error:
        dynamo: Any = torch._dynamo  # imported by being named, which takes a second
        if not isinstance(error, dynamo.exc.TorchDynamoException):
            raise
        lines = str(error).splitlines() or [type(error).__name__]
        message = (
            f"COMPILE=on: the decoder cannot be compiled: {lines[0]} COMPILE=off does without."
        )
        raise FatalFailure("device_unavailable", message) from error
