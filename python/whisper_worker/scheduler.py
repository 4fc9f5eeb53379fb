"""Whose window is decoded next. Pure: it knows keys and items, not audio, models or pipes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _Line(Generic[Item]):
    """One request's items, in order. Looks one item ahead, so that it knows its end."""

    def __init__(self, source: Iterator[Item]) -> None:
        self._source = source
        self.waiting: deque[Item] = deque()
        self.has_ended = False
        self._look_ahead()

    def take(self) -> Item:
        item = self.waiting.popleft()
        if not self.waiting:
            self._look_ahead()
        return item

    def _look_ahead(self) -> None:
        if self.has_ended:
            return
        try:
            self.waiting.append(next(self._source))
        except StopIteration:
            self.has_ended = True


class Scheduler(Generic[Item]):
    """Requests take turns, one item each: a short clip never waits for the whole of a long one."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self._lines: dict[int, _Line[Item]] = {}
        self._turns: deque[int] = deque()

    def add(self, request: int, source: Iterator[Item]) -> None:
        """Queue a request. `source` is read one item ahead of what is handed out, never further."""
        self._lines[request] = _Line(source)
        self._renew_turn(request)

    def put_back(self, request: int, item: Item) -> None:
        """An item that has to be done again goes before the request's other items."""
        line = self._lines.get(request)
        if line is None:
            return  # cancelled in the meantime
        line.waiting.appendleft(item)
        self._renew_turn(request)

    def cancel(self, request: int) -> None:
        """Forget a request and all its items; unknown ones are fine."""
        if self._lines.pop(request, None) is not None and request in self._turns:
            self._turns.remove(request)

    def next_batch(self) -> list[tuple[int, Item]]:
        """Up to batch_size (request, item) pairs. A lone request may fill the batch."""
        batch: list[tuple[int, Item]] = []
        while self._turns and len(batch) < self.batch_size:
            request = self._turns.popleft()
            batch.append((request, self._lines[request].take()))
            self._renew_turn(request)
        return batch

    def is_spent(self, request: int) -> bool:
        """True when every item of the request has been handed out (and may be put back)."""
        line = self._lines.get(request)
        return line is None or not line.waiting

    @property
    def has_waiting(self) -> bool:
        return bool(self._turns)

    @property
    def waiting_count(self) -> int:
        """Items that are known to wait. Sources are lazy: there may be more to come."""
        return sum(len(line.waiting) for line in self._lines.values())

    def _renew_turn(self, request: int) -> None:
        line = self._lines.get(request)  # reading a source may have cancelled its request
        if line is not None and line.waiting and request not in self._turns:
            self._turns.append(request)
