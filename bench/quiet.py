"""Measuring on a machine that is also worked on: whoever else computes waits for the same file.

`BENCH_LOCK=bench.lock` names it, and `flock bench.lock npm test` is how others wait. Without
it the machine has to be idle by itself.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_machine() -> Iterator[None]:
    """Nobody who holds to the lock computes meanwhile. Not to be entered twice by one process."""
    path = os.environ.get("BENCH_LOCK")
    if not path:
        yield
        return
    with open(path, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield  # closing the file lets go
