"""A decoding step as CUDA graphs: one launch instead of eight hundred.

A large Whisper's step is 800 small kernels; Python and the driver need longer to start them than
the device to run them. A graph replays them all, but only for the shapes it was captured with, so
rows and past are rounded up to a few sizes. Which sizes exist, and when each is captured, is
decided here; what a step computes is not known.
"""

# pyright: basic
from __future__ import annotations

from contextlib import suppress
from typing import Any, Protocol, TypeAlias

import torch

# Few enough to capture, so close that few rows are computed for nobody.
ROW_BUCKETS = (1, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64)


class Step(Protocol):
    """Advance rows 0 to `count` in place; the result is new memory."""

    def __call__(
        self, count: int, past: int, *, is_hot: bool, is_stamped: bool
    ) -> torch.Tensor: ...


Key: TypeAlias = tuple[int, int, bool, bool]  # rows, past, is_hot, is_stamped


class StepGraphs:
    """Calls like the step itself. A result may be overwritten by the next call: the graphs share
    their memory. Copy it first, on the same stream.

    The first step of a size runs as it is, which also lets the libraries choose their kernels and
    workspaces; the second one is captured; then it is replayed. Nothing runs that was not asked
    for: a capture only records.
    """

    def __init__(self, step: Step, slots: int) -> None:
        self.problem: str | None = None  # why a size is not captured; the last one
        self._step = step
        self._slots = slots
        self._pool = torch.cuda.graph_pool_handle()
        self._seen: set[Key] = set()
        self._graphs: dict[Key, tuple[torch.cuda.CUDAGraph, torch.Tensor] | None] = {}

    def __call__(self, count: int, past: int, *, is_hot: bool, is_stamped: bool) -> torch.Tensor:
        """`past` is already one of a few lengths; `count` is rounded up here."""
        rows = round_up_rows(count, self._slots)
        key = (rows, past, is_hot, is_stamped)
        if key in self._seen and key not in self._graphs:
            self._graphs[key] = self._capture(rows, past, is_hot=is_hot, is_stamped=is_stamped)
        self._seen.add(key)
        captured = self._graphs.get(key)
        if captured is None:
            return self._step(rows, past, is_hot=is_hot, is_stamped=is_stamped)[:, :count]
        graph, result = captured
        graph.replay()
        return result[:, :count]

    def _capture(
        self, rows: int, past: int, *, is_hot: bool, is_stamped: bool
    ) -> tuple[torch.cuda.CUDAGraph, torch.Tensor] | None:
        """None where it cannot be done: that size goes on step by step."""
        stream = torch.cuda.current_stream()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool):
                result = self._step(rows, past, is_hot=is_hot, is_stamped=is_stamped)
        except RuntimeError as error:
            # A failed capture leaves its own stream as the current one (torch 2.13).
            torch.cuda.set_stream(stream)
            self._stop_recording()
            # Ending it says only that it was invalidated; what the step did wrong was said before.
            cause = error.__context__ if isinstance(error.__context__, RuntimeError) else error
            self.problem = f"{rows} rows: {(str(cause).splitlines() or [type(cause).__name__])[0]}"
            return None
        return graph, result

    def _stop_recording(self) -> None:
        """An invalidated capture also leaves torch's allocator recording (2.13): it would refuse to
        give memory back, when it runs out too, and to begin another capture.
        """
        torch_c: Any = torch._C
        with suppress(RuntimeError):  # it had stopped by itself
            torch_c._cuda_endAllocateToPool(torch.cuda.current_device(), self._pool)


def round_up_rows(count: int, slots: int) -> int:
    """The smallest size that holds `count` rows; never more rows than there are slots."""
    return min(next((rows for rows in ROW_BUCKETS if rows >= count), slots), slots)
