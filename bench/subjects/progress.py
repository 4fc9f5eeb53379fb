"""Keeps the books of a round: which windows of which item are done, and when an item was done."""

from __future__ import annotations

from collections.abc import Callable

from bench.jobs import Heard, Item


class Books:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._texts: dict[str, dict[int, str]] = {}
        self._tokens: dict[str, int | None] = {}
        self._heard: list[Heard] = []

    @property
    def heard(self) -> list[Heard]:
        return self._heard

    def window_done(
        self, item: Item, index: int, text: str, tokens: int | None, arrived: float | None = None
    ) -> None:
        """The item is done when its last window is."""
        texts = self._texts.setdefault(item.name, {})
        texts[index] = text
        so_far = self._tokens.get(item.name, 0)
        self._tokens[item.name] = None if tokens is None or so_far is None else so_far + tokens
        if len(texts) < len(item.windows):
            return
        joined = " ".join(texts[place].strip() for place in sorted(texts))
        self._heard.append(
            Heard(
                name=item.name,
                arrived=item.arrival if arrived is None else arrived,
                finished=self._clock(),
                text=joined,
                tokens=self._tokens[item.name],
                windows=len(texts),
            )
        )
