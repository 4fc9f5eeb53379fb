"""How the loop is doing, told to whoever asks while it computes.

The loop writes, the thread that reads stdin tells: plain numbers, of which each is whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from whisper_worker.protocol import Pong


@dataclass
class Pulse:
    turns: int = 0  # of the loop: each listens, encodes and steps as far as there is something to
    is_working: bool = False  # False: it waits for something to do
    steps: int = 0  # of the decoder
    requests: int = 0  # that are open
    windows_waiting: int = 0

    def pong(self, id: int) -> Pong:
        return Pong(
            id, self.turns, self.is_working, self.steps, self.requests, self.windows_waiting
        )
