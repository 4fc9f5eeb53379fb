"""A system under test, from outside: a process that loads once and is then asked to run rounds."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench.conversion import NotRun
from bench.jobs import Heard, Job
from bench.places import CACHE, ROOT
from bench.quiet import quiet_machine
from bench.systems import System

_LOAD_SECONDS = 900
_RUN_SECONDS = 3600
_STOP_SECONDS = 10


@dataclass(frozen=True)
class Round:
    """What one run of one workload gave."""

    heard: tuple[Heard, ...]
    peak_rss: int | None
    cpu_seconds: float

    @property
    def wall(self) -> float:
        return max(answer.finished for answer in self.heard)

    def to_json(self) -> dict[str, Any]:
        return {
            "heard": [vars(answer) for answer in self.heard],
            "peak_rss": self.peak_rss,
            "cpu_seconds": self.cpu_seconds,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Round:
        heard = tuple(Heard(**answer) for answer in value["heard"])
        return Round(heard, value["peak_rss"], value["cpu_seconds"])


class Child:
    """Use as a context manager: the process ends with it."""

    def __init__(
        self,
        system: System,
        model: Path,
        common: Mapping[str, Any],
        choice: Mapping[str, Any],
    ) -> None:
        self.system = system
        self.options = dict(choice)  # of loading
        log = CACHE / "logs" / f"{system.name.replace(' ', '-')}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("a", encoding="utf-8")
        self._child = subprocess.Popen(
            [sys.executable, "-m", system.module],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "HF_HUB_OFFLINE": "1", **system.environment},
            text=True,
        )
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            options = {**system.options, **common, **choice}
            loaded = self._ask(
                {"kind": "load", "model": str(model), "options": options}, _LOAD_SECONDS
            )
        except BaseException:
            self.stop()
            raise
        self.facts: dict[str, Any] = loaded["facts"]
        self.load_seconds: float = loaded["seconds"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def configure(self, options: Mapping[str, Any]) -> None:
        self._ask({"kind": "configure", "options": dict(options)}, _LOAD_SECONDS)

    def run(self, job: Job) -> Round:
        return Round.from_json(self._ask({"kind": "run", "job": job.to_json()}, _RUN_SECONDS))

    def resident_bytes(self) -> int | None:
        return self._ask({"kind": "memory"}, 60)["rss"]

    def stop(self) -> None:
        """Its stdin ends; what does not end then is killed."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            self._child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._log.close()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._answers.put(line)
        self._answers.put("")

    def _ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        assert self._child.stdin is not None
        try:
            with quiet_machine():
                self._child.stdin.write(json.dumps(request) + "\n")
                self._child.stdin.flush()
                line = self._answers.get(timeout=seconds)
        except BrokenPipeError:
            line = ""
        except queue.Empty as silence:
            raise NotRun(f"{request['kind']} took longer than {seconds:.0f} s") from silence
        if not line:
            raise NotRun(f"its process ended; see {self._log.name}")
        answer = json.loads(line)
        if answer["kind"] in ("not_run", "failed"):
            raise NotRun(answer["reason"])
        return answer
