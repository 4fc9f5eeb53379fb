"""Runs one measurement as a process of its own and says how it ended. Nothing it does ends the run.

While it runs, nvidia-smi, where there is one, says once a second what power, temperature and
clocks are.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.first_hour.plan import Step
from bench.places import ROOT

OK, FAILED, NO_GPU, NOT_THERE, LEFT_OUT = "ok", "failed", "no GPU", "not there", "left out"
FIGURES = "FIRST_HOUR_FIGURES"  # where a measurement may put a JSON object
_LAST_LINES = 25
_MOST_LINES = 400  # of one that went well; what is longer is in its log
_PATIENCE_SECONDS = 10
_SENSORS = ("power.draw", "temperature.gpu", "clocks.sm", "utilization.gpu")


@dataclass(frozen=True)
class Record:
    """What became of a step."""

    name: str
    status: str
    reason: str = ""
    began: str = ""
    seconds: float = 0.0
    command: tuple[str, ...] = ()
    commit: str = ""
    lines: tuple[str, ...] = ()
    figures: Any = None
    sensors: dict[str, dict[str, float]] | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(content: dict[str, Any]) -> Record:
        lists = {"command": tuple(content["command"]), "lines": tuple(content["lines"])}
        return Record(**{**content, **lists})


def obstacle(step: Step, *, has_gpu: bool, is_quick: bool) -> Record | None:
    """Why it cannot be run here, or None."""
    if step.needs_gpu and not has_gpu:
        return Record(step.name, NO_GPU, "torch finds no CUDA device")
    if is_quick and not step.is_in_quick:
        return Record(step.name, LEFT_OUT, "by --quick")
    missing = [program for program in step.programs if shutil.which(program) is None]
    if missing:
        return Record(step.name, NOT_THERE, f"{', '.join(missing)} is not installed")
    return None


def run(step: Step, directory: Path, commit: str) -> Record:
    """@param directory: keeps its log, `<name>.log`."""
    figures = directory / f"{step.name}.figures.json"
    figures.unlink(missing_ok=True)
    log = directory / f"{step.name}.log"
    began, start = datetime.now(UTC), time.monotonic()
    with Sensors(directory / f"{step.name}.sensors.csv") as sensors:
        code, problem = _wait_for(step, log, figures)
    lines = log.read_text("utf-8", "replace").splitlines()
    is_good = code == 0 and problem is None
    return Record(
        name=step.name,
        status=OK if is_good else FAILED,
        reason="" if is_good else problem or f"exit code {code}",
        began=began.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - start, 1),
        command=tuple(step.command),
        commit=commit,
        lines=tuple(lines[-(_MOST_LINES if is_good else _LAST_LINES) :]),
        figures=json.loads(figures.read_text()) if figures.exists() else None,
        sensors=sensors.summary(),
    )


def _wait_for(step: Step, log: Path, figures: Path) -> tuple[int | None, str | None]:
    """Exit code, or why there is none."""
    environment = {**os.environ, **step.environment, FIGURES: str(figures)}
    environment["PYTHONUNBUFFERED"] = "1"
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                step.command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return None, str(error)
        try:
            return process.wait(step.limit_seconds), None
        except subprocess.TimeoutExpired:
            return None, f"it ran longer than {step.limit_seconds:.0f} s"
        finally:
            _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """All that it started ends with it: the next step has the machine to itself."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_SECONDS)
            return


class Sensors:
    """nvidia-smi's readings while something runs; nothing where there is no nvidia-smi."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sensors:
        self._path.unlink(missing_ok=True)
        program = shutil.which("nvidia-smi")
        if program is not None:
            query = f"--query-gpu={','.join(_SENSORS)}"
            with self._path.open("wb") as output:
                self._process = subprocess.Popen(
                    [program, query, "--format=csv,noheader,nounits", "-l", "1"],
                    stdout=output,
                    stderr=subprocess.DEVNULL,
                )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def summary(self) -> dict[str, dict[str, float]] | None:
        if not self._path.exists():
            return None
        return summarise_sensors(self._path.read_text("utf-8", "replace"))


def summarise_sensors(text: str) -> dict[str, dict[str, float]]:
    """Least, median and most of each column. A GB10 answers some with [N/A], which do not count."""
    columns: dict[str, list[float]] = {name: [] for name in _SENSORS}
    for line in text.splitlines():
        for name, cell in zip(_SENSORS, line.split(","), strict=False):
            with suppress(ValueError):
                columns[name].append(float(cell))
    return {
        name: {"least": min(values), "median": median(values), "most": max(values)}
        for name, values in columns.items()
        if values
    }
