"""The child's side of the bench's own wire: load, configure, run, one JSON object a line."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from bench.conversion import NotRun
from bench.jobs import Heard, Job

Options = Mapping[str, Any]


class Subject(Protocol):
    """A system under test. `configure` sets what can be changed after loading."""

    def load(self, model: Path, options: Options) -> dict[str, Any]: ...

    def configure(self, options: Options) -> None: ...

    def run(self, job: Job) -> Sequence[Heard]: ...

    def process(self) -> int:
        """Whose memory counts."""
        ...


class Clock:
    """Seconds since the round began."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def __call__(self) -> float:
        return time.perf_counter() - self._began

    def wait_until(self, moment: float) -> None:
        remaining = moment - self()
        if remaining > 0:
            time.sleep(remaining)


def serve(make: Callable[[], Subject]) -> None:
    """Until stdin ends. What libraries print goes to stderr."""
    wire = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    subject = make()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = _answer(subject, request)
        except NotRun as problem:
            answer = {"kind": "not_run", "reason": str(problem)}
        except Exception as error:  # told to the parent, which decides
            traceback.print_exc()
            answer = {"kind": "failed", "reason": f"{type(error).__name__}: {error}"}
        wire.write(json.dumps(answer) + "\n")
        wire.flush()


def _answer(subject: Subject, request: Mapping[str, Any]) -> dict[str, Any]:
    match request["kind"]:
        case "load":
            began = time.perf_counter()
            facts = subject.load(Path(request["model"]), request["options"])
            return {"kind": "loaded", "seconds": time.perf_counter() - began, "facts": facts}
        case "configure":
            subject.configure(request["options"])
            return {"kind": "configured"}
        case "run":
            return _run(subject, Job.from_json(request["job"]))
        case "memory":
            return {"kind": "memory", "rss": _status(subject.process(), "VmRSS")}
        case kind:
            raise ValueError(f"unknown request {kind}")


def _run(subject: Subject, job: Job) -> dict[str, Any]:
    _forget_peak(subject.process())
    cpu_before = _cpu_seconds(subject.process())
    heard = subject.run(job)
    return {
        "kind": "ran",
        "heard": [asdict(answer) for answer in heard],
        "peak_rss": _status(subject.process(), "VmHWM"),
        "cpu_seconds": _cpu_seconds(subject.process()) - cpu_before,
    }


def _forget_peak(process: int) -> None:
    """So that the peak is this round's (proc(5), clear_refs 5)."""
    try:
        Path(f"/proc/{process}/clear_refs").write_text("5")
    except OSError:
        return  # another system than Linux, or not allowed: the peak is then that of all rounds


def _status(process: int, field: str) -> int | None:
    """A field of /proc/N/status, in bytes."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return None
    found = [line for line in lines if line.startswith(f"{field}:")]
    return int(found[0].split()[1]) * 1024 if found else None


def _cpu_seconds(process: int) -> float:
    """User and system time of all threads."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
