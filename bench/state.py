"""What has been measured already: one JSON line for each finished round, so a run can go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.child import Round
from bench.places import BENCH, CACHE, WORKER_PACKAGE


def fingerprint(settings: Mapping[str, Any]) -> str:
    """Changes with anything that a number depends on, our own code included."""
    text = json.dumps(settings, sort_keys=True, default=str) + _sources()
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _sources() -> str:
    files: Iterable[Path] = (
        *sorted((WORKER_PACKAGE / "whisper_worker").glob("*.py")),
        *sorted((BENCH / "subjects").glob("*.py")),
        *(BENCH / name for name in ("recordings.py", "workloads.py", "script.py", "shapes.py")),
    )
    return "".join(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)


class State:
    """The finished part of one run. Appends only; a half-written last line is ignored."""

    def __init__(self, name: str, key: str, is_fresh: bool) -> None:
        self.path = CACHE / "runs" / f"{name}-{key}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if is_fresh:
            self.path.unlink(missing_ok=True)
        self._rounds: dict[tuple[str, str, int], Round] = {}
        self._choices: dict[str, dict[str, Any]] = {}
        self._facts: dict[str, Any] = {}
        if self.path.is_file():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                self._take(line)

    def _take(self, line: str) -> None:
        try:
            entry = json.loads(line)
        except ValueError:
            return
        match entry["kind"]:
            case "round":
                key = (entry["system"], entry["workload"], entry["round"])
                self._rounds[key] = Round.from_json(entry["result"])
            case "choice":
                self._choices[entry["system"]] = entry["choice"]
            case "fact":
                self._facts[entry["name"]] = entry["value"]

    def _append(self, entry: Mapping[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def round(self, system: str, workload: str, number: int) -> Round | None:
        return self._rounds.get((system, workload, number))

    def rounds(self, system: str, workload: str) -> list[Round]:
        return [
            result
            for (of, what, _), result in sorted(self._rounds.items(), key=lambda pair: pair[0])
            if (of, what) == (system, workload)
        ]

    def keep_round(self, system: str, workload: str, number: int, result: Round) -> None:
        self._rounds[system, workload, number] = result
        self._append(
            {
                "kind": "round",
                "system": system,
                "workload": workload,
                "round": number,
                "result": result.to_json(),
            }
        )

    def choice(self, system: str) -> dict[str, Any] | None:
        return self._choices.get(system)

    def keep_choice(self, system: str, choice: dict[str, Any]) -> None:
        self._choices[system] = choice
        self._append({"kind": "choice", "system": system, "choice": choice})

    def fact(self, name: str) -> Any:
        return self._facts.get(name)

    def keep_fact(self, name: str, value: Any) -> None:
        self._facts[name] = value
        self._append({"kind": "fact", "name": name, "value": value})
