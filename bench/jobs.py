"""What a system under test is given and what it answers. Travels as JSON between the processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

# at_once: all items at time 0, in one call if that is a system's best.
# in_turn: the next one when the previous one is done.
# arrivals: each item at its own time; who cannot mix requests makes them queue.
Mode: TypeAlias = Literal["at_once", "in_turn", "arrivals"]


@dataclass(frozen=True)
class Span:
    """A window, in samples, and how many tokens the script gives it (None: real text)."""

    start: int
    end: int
    tokens: int | None

    @property
    def samples(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Item:
    name: str
    path: str
    samples: int
    arrival: float  # seconds after the start of the round
    windows: tuple[Span, ...]


@dataclass(frozen=True)
class Job:
    mode: Mode
    items: tuple[Item, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Job:
        items = tuple(
            Item(
                item["name"],
                item["path"],
                item["samples"],
                item["arrival"],
                tuple(Span(**span) for span in item["windows"]),
            )
            for item in value["items"]
        )
        return Job(value["mode"], items)


@dataclass(frozen=True)
class Heard:
    """One item's answer. Times are seconds after the start of the round."""

    name: str
    arrived: float
    finished: float
    text: str
    tokens: int | None  # None where a system does not say
    windows: int
    has_other_windows: bool = False  # it cut the recording in another way than everybody else

    @property
    def latency(self) -> float:
        return self.finished - self.arrived
