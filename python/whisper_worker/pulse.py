"""How the loop is doing, told to whoever asks while it computes.

The loop writes, the thread that reads stdin tells: plain numbers, of which each is whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from whisper_worker.protocol import GpuMemory, Pong


def _no_gpu() -> GpuMemory | None:
    return None


@dataclass
class Pulse:
    turns: int = 0  # of the loop: each listens, encodes and steps as far as there is something to
    is_working: bool = False  # False: it waits for something to do
    steps: int = 0  # of the decoder
    rows: int = 0  # slots that were in use, summed over the steps
    requests: int = 0  # that are open
    windows_waiting: int = 0
    # Asked on the thread that reads: it must not wait for the device.
    gpu_memory: Callable[[], GpuMemory | None] = _no_gpu

    def pong(self, id: int) -> Pong:
        return Pong(
            id,
            self.turns,
            self.is_working,
            self.steps,
            self.rows,
            self.requests,
            self.windows_waiting,
            self.gpu_memory(),
        )
