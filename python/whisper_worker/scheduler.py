"""Whose window enters the next free slot. Pure: knows keys and items, not audio, models or pipes.

Newcomers first, then everybody in turn; nobody fills all slots, so a newcomer finds one; and
nobody is passed over for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

# Of the slots, one in so many is kept free for requests that have none yet.
_SLOTS_PER_RESERVED = 4
# So many newcomers in a row may pass those who have been served before.
_PATIENCE = 8
# A request of so few windows is somebody waiting for an answer.
_SHORT_WINDOWS = 2


class _Line(Generic[Item]):
    """One request's items, in order. Looks one item ahead, so that it knows its end."""

    def __init__(self, source: Iterator[Item | None]) -> None:
        self._source = source
        self.waiting: deque[Item] = deque()
        self.has_ended = False
        self.held = 0  # items that are in slots
        self.served = 0  # items that ever were
        self.look_ahead()

    def take(self) -> Item:
        item = self.waiting.popleft()
        self.held += 1
        self.served += 1
        self.look_ahead()
        return item

    def look_ahead(self) -> None:
        """Ask the source, if nothing waits. It may have nothing yet."""
        if self.waiting or self.has_ended:
            return
        try:
            item = next(self._source)
        except StopIteration:
            self.has_ended = True
            return
        if item is not None:
            self.waiting.append(item)

    @property
    def is_spent(self) -> bool:
        return self.has_ended and not self.waiting and not self.held

    @property
    def is_about_to_finish(self) -> bool:
        """A short request, all of it in slots."""
        is_inside = self.has_ended and not self.waiting and self.held > 0
        return is_inside and self.served <= _SHORT_WINDOWS


class Scheduler(Generic[Item]):
    """Hands out items for slots. `slots` may be lowered while it runs."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._lines: dict[int, _Line[Item]] = {}
        self._newcomers: deque[int] = deque()
        self._turns: deque[int] = deque()
        self._newcomers_in_a_row = 0

    def add(self, request: int, source: Iterator[Item | None]) -> None:
        """Queue a request. `source` is read one item ahead of what is handed out, never further.

        None from the source means "nothing yet": it is asked again after `renew`.
        """
        self._lines[request] = _Line(source)
        self._renew_turn(request)

    def renew(self, request: int) -> None:
        """The source may have something now."""
        line = self._lines.get(request)
        if line is not None:
            line.look_ahead()
            self._renew_turn(request)

    def put_back(self, request: int, item: Item) -> None:
        """An item that has to be done again has left its slot, and is the request's next."""
        line = self._lines.get(request)
        if line is None:
            return  # cancelled in the meantime
        line.held -= 1
        line.waiting.appendleft(item)
        self._renew_turn(request)

    def leave(self, request: int) -> None:
        """An item of this request has left its slot."""
        line = self._lines.get(request)
        if line is not None:
            line.held -= 1

    def cancel(self, request: int) -> None:
        """Forget a request and all its items; unknown ones are fine."""
        if self._lines.pop(request, None) is None:
            return
        for queue in (self._newcomers, self._turns):
            if request in queue:
                queue.remove(request)

    def take(self, limit: int, *, only_newcomers: bool = False) -> list[tuple[int, Item]]:
        """Up to `limit` (request, item) pairs, which are in slots from now on.

        While a short request is in the slots, at most one item of those that have been served
        before: each costs an encoder pass, which all wait for.
        """
        taken: list[tuple[int, Item]] = []
        while len(taken) < limit and self._held < self.slots:
            request = self._pick(only_newcomers)
            if request is None:
                break
            taken.append((request, self._lines[request].take()))
            self._renew_turn(request)
            if not self.is_new(request) and self.somebody_short_is_inside():
                only_newcomers = True  # one such pass after the other
        return taken

    def _pick(self, only_newcomers: bool) -> int | None:
        """The next request, removed from its queue."""
        turns = () if only_newcomers else self._turns
        long = next((request for request in turns if self._may_take_more(request)), None)
        has_patience = long is None or self._newcomers_in_a_row < _PATIENCE
        if self._newcomers and has_patience:
            self._newcomers_in_a_row = 0 if long is None else self._newcomers_in_a_row + 1
            return self._newcomers.popleft()
        self._newcomers_in_a_row = 0
        if long is not None:
            self._turns.remove(long)
        return long

    def _may_take_more(self, request: int) -> bool:
        held = self._lines[request].held
        if held == 0:
            return True
        reserved = self.slots // _SLOTS_PER_RESERVED
        if self._held >= self.slots - reserved:
            return False
        others_wait = len(self._newcomers) + len(self._turns) > 1
        return not others_wait or held < -(-self.slots // 2)

    def is_new(self, request: int) -> bool:
        """One item of it has been handed out, and nothing before."""
        line = self._lines.get(request)
        return line is not None and line.served == 1

    def somebody_short_is_inside(self, besides: Collection[int] = ()) -> bool:
        """Whoever encodes for others meanwhile makes somebody wait for an answer."""
        lines = self._lines.items()
        return any(line.is_about_to_finish for request, line in lines if request not in besides)

    @property
    def _held(self) -> int:
        return sum(line.held for line in self._lines.values())

    def is_spent(self, request: int) -> bool:
        """True when every item of the request has been handed out and has left its slot."""
        line = self._lines.get(request)
        return line is None or line.is_spent

    @property
    def has_waiting(self) -> bool:
        return bool(self._newcomers or self._turns)

    @property
    def waiting_count(self) -> int:
        """Items that are known to wait. Sources are lazy: there may be more to come."""
        return sum(len(line.waiting) for line in self._lines.values())

    def _renew_turn(self, request: int) -> None:
        line = self._lines.get(request)  # reading a source may have cancelled its request
        if line is None or not line.waiting:
            return
        if request not in self._newcomers and request not in self._turns:
            (self._turns if line.served else self._newcomers).append(request)
