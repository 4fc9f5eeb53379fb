"""Long computations in pieces, so that somebody else may have a turn between two of them.

They are generators that yield where they may wait. Knows no model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import TypeVar

Result = TypeVar("Result")
Pieces = Generator[None, None, Result]


def run_to_end(pieces: Pieces[Result]) -> Result:
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value


def run_for(
    seconds: float, pieces: Pieces[Result], clock: Callable[[], float] = time.perf_counter
) -> Result | None:
    """As many pieces as begin within that time, at least one. None: there are more."""
    began = clock()
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value
        if clock() - began >= seconds:
            return None
