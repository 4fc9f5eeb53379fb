"""How many slots are used: fewer once the device has run out of memory, and later more again.

Whatever else took the memory may have given it back. Each time that this was wrong, the next
attempt waits twice as long: a step that fails is computed again. Pure.
"""

from __future__ import annotations

_FIRST_PATIENCE_STEPS = 500  # half a minute on a GPU
_LONGEST_PATIENCE_STEPS = 500_000


class Room:
    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._most = slots
        self._patience = _FIRST_PATIENCE_STEPS
        self._quiet_steps = 0

    def shrink(self, slots: int) -> None:
        """There was no memory for more than these."""
        self.slots = max(1, min(self.slots, slots))
        self._patience = min(2 * self._patience, _LONGEST_PATIENCE_STEPS)
        self._quiet_steps = 0

    def step(self) -> None:
        """A step had enough memory."""
        if self.slots == self._most:
            return
        self._quiet_steps += 1
        if self._quiet_steps == self._patience:
            self.slots += 1
            self._quiet_steps = 0
