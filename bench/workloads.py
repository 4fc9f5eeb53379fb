"""What is asked of every system: which recordings, how many at once, how often. Pure but for the
files that it has made; windows are cut once by our own speech detector and given to everybody."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from bench.jobs import Item, Job, Mode, Span
from bench.places import BENCH, ROOT, WORKER_PYTHON
from bench.recordings import Recording, clip_of, long_file, short_clip
from bench.script import scripted_tokens


@dataclass(frozen=True)
class Sizes:
    """How much of everything. The shape of the model decides what fits into half an hour."""

    alone: int  # clips one after another
    at_once: tuple[int, ...]
    long_seconds: float
    mixed: int
    arrivals: int  # clips that come while the long file runs
    every_seconds: float
    rounds: int


SIZES = {
    "quick": {
        "tiny-da": Sizes(2, (4,), 90.0, 4, 2, 0.5, 1),
        "small-shape": Sizes(1, (2,), 20.0, 0, 0, 4.0, 1),
    },
    "bars": {
        "tiny-da": Sizes(5, (1, 4, 10, 32), 3600.0, 24, 8, 1.0, 3),
        "small-shape": Sizes(2, (1, 4, 10, 32), 150.0, 12, 3, 3.0, 3),
    },
    "full": {
        "tiny-da": Sizes(8, (1, 4, 10, 32), 3600.0, 24, 12, 1.0, 5),
        "small-shape": Sizes(3, (1, 4, 10, 32), 600.0, 24, 8, 4.0, 3),
    },
}
SIZES["quick"]["large-shape"] = Sizes(1, (4,), 120.0, 4, 2, 0.5, 1)
SIZES["bars"]["large-shape"] = Sizes(4, (1, 4, 10, 16, 32, 64), 1800.0, 24, 12, 1.0, 3)
SIZES["full"]["large-shape"] = Sizes(8, (1, 4, 10, 16, 32, 64), 3600.0, 24, 24, 1.0, 5)


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    job: Job
    texts: dict[str, str]  # what is said in each item

    @property
    def audio_seconds(self) -> float:
        return sum(item.samples for item in self.job.items) / 16_000

    @property
    def clips(self) -> tuple[str, ...]:
        """The items whose latency counts: all but the long file."""
        return tuple(item.name for item in self.job.items if not item.name.startswith("long"))


def make_workloads(sizes: Sizes, is_scripted: bool) -> dict[str, Workload]:
    """`warm-up` and `tuning` are run, and not reported."""
    plan = _Plan(is_scripted)
    plan.add("warm-up", "", "at_once", [short_clip(f"warm-{i}", 900 + i) for i in range(2)])
    alone = [short_clip(f"alone-{i}", 500 + i) for i in range(sizes.alone)]
    plan.add("alone", f"{sizes.alone} clips, one after another", "in_turn", alone)
    for count in sizes.at_once:
        clips = [short_clip(f"clip-{i}-of-{count}", 1000 * count + i) for i in range(count)]
        plan.add(f"clips-{count}", f"{count} clips at once", "at_once", clips)
    if sizes.mixed:
        rng = random.Random("mixed")
        lengths = [rng.uniform(1.0, 27.0) for _ in range(sizes.mixed)]
        mixed = [clip_of(f"mixed-{i}", i, seconds) for i, seconds in enumerate(lengths)]
        plan.add("mixed", f"{sizes.mixed} recordings of 1–30 s at once", "at_once", mixed)
    file = long_file(f"long-{int(sizes.long_seconds)}", 0, sizes.long_seconds)
    minutes = file.seconds / 60
    plan.add("long", f"one file of {minutes:.1f} min", "at_once", [file])
    if sizes.arrivals:
        late = [short_clip(f"late-{i}", 700 + i) for i in range(sizes.arrivals)]
        title = f"the same file, and {len(late)} clips, one every {sizes.every_seconds:g} s"
        arrivals = [sizes.every_seconds * (i + 0.5) for i in range(len(late))]
        plan.add("long-and-clips", title, "arrivals", [file, *late], [0.0, *arrivals])
    return plan.finish()


class _Plan:
    """Gathers recordings, so that all windows are cut in one go."""

    def __init__(self, is_scripted: bool) -> None:
        self._is_scripted = is_scripted
        self._wanted: list[tuple[str, str, Mode, list[Recording], list[float]]] = []

    def add(
        self,
        name: str,
        title: str,
        mode: Mode,
        recordings: Sequence[Recording],
        arrivals: Sequence[float] | None = None,
    ) -> None:
        times = [0.0] * len(recordings) if arrivals is None else list(arrivals)
        self._wanted.append((name, title, mode, list(recordings), times))

    def finish(self) -> dict[str, Workload]:
        every = [recording for *_, recordings, _ in self._wanted for recording in recordings]
        cuts = _cut(every)
        workloads: dict[str, Workload] = {}
        for name, title, mode, recordings, arrivals in self._wanted:
            items = tuple(
                self._item(recording, arrival, cuts[str(recording.path)])
                for recording, arrival in zip(recordings, arrivals, strict=True)
            )
            texts = {recording.name: recording.text for recording in recordings}
            workloads[name] = Workload(name, title, Job(mode, items), texts)
        return workloads

    def _item(self, recording: Recording, arrival: float, cuts: Sequence[Sequence[int]]) -> Item:
        spans = tuple(
            Span(start, end, scripted_tokens(end - start) if self._is_scripted else None)
            for start, end in cuts
        )
        if not spans:
            raise ValueError(f"nobody speaks in {recording.path}")
        return Item(recording.name, str(recording.path), recording.samples, arrival, spans)


def _cut(recordings: Sequence[Recording]) -> dict[str, list[list[int]]]:
    paths = sorted({str(recording.path) for recording in recordings})
    command = [str(WORKER_PYTHON), str(BENCH / "cut_windows.py"), *paths]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"the windows could not be cut:\n{done.stderr}")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if any(answer["detector"] != "silero" for answer in answers):
        print("   note: windows are cut by the energy detector, Silero is not installed")
    return {answer["path"]: answer["windows"] for answer in answers}
