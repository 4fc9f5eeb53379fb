"""A result on its way from the device to the host. Knows only tensors."""

# pyright: basic
from __future__ import annotations

import torch


class OnItsWay:
    """A copy for the host that was started, not awaited: the device goes on with what follows."""

    def __init__(self, result: torch.Tensor) -> None:
        self._arrived: torch.cuda.Event | None = None
        self._result = result
        if result.is_cuda:
            self._result = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
            self._result.copy_(result, non_blocking=True)
            self._arrived = torch.cuda.Event()
            self._arrived.record()

    def wait(self) -> torch.Tensor:
        """The result, on the host."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._result
