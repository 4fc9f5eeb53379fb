"""Loads everybody, lets each find his best settings, runs the rounds in turns: A B C, B C A, …"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.child import Child, Round
from bench.conversion import NotRun
from bench.state import State
from bench.systems import System
from bench.workloads import Workload

# A candidate is tried until this much time is spent, at most so often; its quickest run counts.
_TUNING_SECONDS = 6.0
_TUNING_RUNS = 3
_ALONE = "alone"  # tuned for latency; all other workloads are tuned for throughput


class Runner:
    def __init__(
        self,
        model: Path,
        workloads: Mapping[str, Workload],
        state: State,
        common: Mapping[str, Any],
        tunes: bool,
    ) -> None:
        self._model = model
        self._tunes = tunes  # a smoke run takes everybody's last candidate as it is
        self._workloads = workloads
        self._state = state
        self._common = common  # options for every system: is the script on?
        self._children: dict[str, Child] = {}
        self.not_run: dict[str, str] = {}

    def run(self, systems: Sequence[System], names: Sequence[str], rounds: int) -> None:
        """All rounds that the state does not have yet."""
        try:
            for place, name in enumerate(names):
                missing = [one for one in systems if self._is_missing(one, name, rounds)]
                if missing:
                    self._run_workload(self._workloads[name], missing, rounds)
                later = names[place + 1 :]
                self._stop_unless(
                    lambda system, later=later: any(
                        self._is_missing(system, one, rounds) for one in later
                    )
                )
        finally:
            self._stop_unless(lambda _: False)

    def _is_missing(self, system: System, workload: str, rounds: int) -> bool:
        return (
            system.name not in self.not_run
            and system.runs(workload)
            and any(
                self._state.round(system.name, workload, number) is None for number in range(rounds)
            )
        )

    def _stop_unless(self, is_needed: Any) -> None:
        for name, child in list(self._children.items()):
            if not is_needed(child.system):
                child.stop()
                del self._children[name]

    def _run_workload(self, workload: Workload, systems: Sequence[System], rounds: int) -> None:
        print(f"── {workload.name}: {workload.title}", flush=True)
        for system in systems:
            self._prepare(system, workload.name)
        for number in range(rounds):
            # everybody begins once: the first after a pause finds another machine
            turn = number % len(systems)
            for system in [*systems[turn:], *systems[:turn]]:
                is_done = self._state.round(system.name, workload.name, number) is not None
                if not is_done and system.name in self._children:
                    self._run_round(self._children[system.name], workload, number, rounds)

    def _prepare(self, system: System, workload: str) -> None:
        """Loaded, warm and at its best settings for this workload, or noted as not run."""
        try:
            choice = self._state.choice(system.name)
            if choice is None:
                choice = self._tune(system)
                self._state.keep_choice(system.name, choice)
            best = choice["alone"] if workload == _ALONE else choice["best"]
            child = self._children.get(system.name)
            if child is not None and system.reloads and child.options != best:
                self._children.pop(system.name).stop()
                child = None
            if child is None:
                self._children[system.name] = self._load(system, best)
            else:
                child.configure(best)
        except NotRun as problem:
            self._give_up(system, str(problem))

    def _load(self, system: System, choice: Mapping[str, Any]) -> Child:
        """A process that has run the warm-up."""
        child = Child(system, self._model, self._common, choice)
        try:
            child.configure(choice)
            child.run(self._workloads["warm-up"].job)
            resident = (child.resident_bytes() or 0) / 2**20
        except NotRun:
            child.stop()
            raise
        self._state.keep_fact(f"facts {system.name}", child.facts)
        seconds = f"{child.load_seconds:.1f} s"
        print(
            f"   {system.name}: loaded in {seconds}, {resident:.0f} MiB{_said(choice)}", flush=True
        )
        return child

    def _tune(self, system: System) -> dict[str, Any]:
        """The candidates that are quickest with clips one by one, and with clips at once."""
        if len(system.candidates) == 1 or not self._tunes:
            only = dict(system.candidates[-1])
            return {"best": only, "alone": only, "tried": []}
        tried: list[dict[str, Any]] = []
        child: Child | None = None
        try:
            for candidate in system.candidates:
                if child is None or system.reloads:
                    if child is not None:
                        child.stop()
                    child = self._load(system, candidate)
                child.configure(candidate)
                seconds = {
                    "alone": self._quickest(child, _ALONE),
                    "best": self._quickest(child, tuning_workload(self._workloads)),
                }
                tried.append({"options": dict(candidate), "seconds": seconds})
                times = f"{seconds['alone']:.2f} s alone, {seconds['best']:.2f} s at once"
                print(f"   tuning {system.name}{_said(candidate)}: {times}", flush=True)
        finally:
            if child is not None:
                child.stop()

        def winner(kind: str) -> dict[str, Any]:
            return min(tried, key=lambda one: one["seconds"][kind])["options"]

        return {"best": winner("best"), "alone": winner("alone"), "tried": tried}

    def _quickest(self, child: Child, workload: str) -> float:
        walls: list[float] = []
        while len(walls) < _TUNING_RUNS and sum(walls) < _TUNING_SECONDS:
            walls.append(child.run(self._workloads[workload].job).wall)
        return min(walls)

    def _run_round(self, child: Child, workload: Workload, number: int, rounds: int) -> None:
        system = child.system
        try:
            result = child.run(workload.job)
        except NotRun as problem:
            self._give_up(system, f"{workload.name}: {problem}")
            return
        if len(result.heard) != len(workload.job.items):
            raise RuntimeError(f"{system.name} answered {len(result.heard)} items")
        if any(answer.has_other_windows for answer in result.heard):
            print(f"   WARNING: {system.name} cut other windows; {workload.name} compares nothing")
        _compare_tokens(system, workload, result)
        self._state.keep_round(system.name, workload.name, number, result)
        speed = workload.audio_seconds / result.wall
        print(
            f"   {workload.name} {number + 1}/{rounds}  {system.name}: "
            f"{result.wall:.2f} s, {speed:.1f}x",
            flush=True,
        )

    def _give_up(self, system: System, reason: str) -> None:
        print(f"   {system.name}: not run: {reason}", flush=True)
        self.not_run[system.name] = reason
        child = self._children.pop(system.name, None)
        if child is not None:
            child.stop()


def _compare_tokens(system: System, workload: Workload, result: Round) -> None:
    """With a script, everybody has to make the same tokens; who cannot is not compared."""
    planned = [
        window.tokens
        for item in workload.job.items
        for window in item.windows
        if window.tokens is not None
    ]
    made = [answer.tokens for answer in result.heard if answer.tokens is not None]
    if not planned or len(made) < len(result.heard) or system.options.get("chunked"):
        return
    # rounding a call's mean length is all that may differ
    if abs(sum(made) - sum(planned)) > len(planned):
        print(
            f"   WARNING: {system.name} made {sum(made)} tokens instead of {sum(planned)}; "
            f"{workload.name} compares nothing"
        )


def tuning_workload(workloads: Mapping[str, Workload]) -> str:
    """The clips at once that the bars speak of, or the nearest there is."""
    counts = [int(name[6:]) for name in workloads if name.startswith("clips-")]
    return f"clips-{min(counts, key=lambda count: abs(count - 10))}"


def _said(options: Mapping[str, Any]) -> str:
    said = ", ".join(f"{key} {value}" for key, value in options.items())
    return f" with {said}" if said else ""
