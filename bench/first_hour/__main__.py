"""bench/first-hour.sh: which steps, what is done already, where the report goes.

bench/first-hour.sh [--dry-run] [--only STEP,STEP] [--quick] [--fresh] [--out DIR]
                    [--model ID] [--rival ID] [--recordings DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.first_hour.plan import Step, Wishes, steps_of
from bench.first_hour.report import counts, slug, to_json, to_markdown
from bench.first_hour.running import FAILED, OK, Record, obstacle, run
from bench.places import CACHE, RESULTS, ROOT, TINY_DA

_HELP = {
    "dry_run": "list the steps and the guessed minutes, run nothing",
    "only": "these steps alone, done or not, separated by commas",
    "quick": "the bundled model, small sizes: does the script itself work",
    "fresh": "forget what is done already",
    "out": "where report, logs and state go",
    "rival": "a second model for the comparison of word errors",
    "recordings": "a directory of your own recordings: name.wav beside name.txt",
}


def main() -> int:
    options = _parse()
    card, has_gpu = ("not looked for", False) if options.dry_run else _find_card()
    steps = steps_of(_wishes(options, has_gpu=has_gpu))
    chosen = _choose(steps, options.only)
    if options.dry_run:
        _list(chosen)
        return 0
    directory, reports = _places(options, card)
    directory.mkdir(parents=True, exist_ok=True)
    reports.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what runs has to end with us
    hour = Hour(directory, reports, card, steps, _commit(), is_fresh=options.fresh)
    try:
        for step in chosen:
            if options.only or not hour.is_done(step):
                print(f"── {step.name}: {step.title}", flush=True)
                block = obstacle(step, has_gpu=has_gpu, is_quick=options.quick)
                hour.keep(block or run(step, directory, hour.commit))
            print(f"   {hour.said_of(step)}", flush=True)
    except KeyboardInterrupt:
        print("interrupted; run it again to go on")
        return 130
    finally:
        print(hour.write(options))
    return 1 if any(record.status == FAILED for record in hour.records()) else 0


class Hour:
    """What is known so far, on the disk after every step: a run that is broken off can go on."""

    def __init__(
        self,
        directory: Path,
        reports: Path,
        card: str,
        steps: list[Step],
        commit: str,
        *,
        is_fresh: bool,
    ) -> None:
        self.commit = commit
        self._path = directory / "state.json"
        self._reports = reports
        self._card = card
        self._steps = steps
        self._records: dict[str, Record] = {}
        self._began = datetime.now(UTC).strftime("%Y-%m-%d")
        if not is_fresh:
            self._remember()

    def _remember(self) -> None:
        try:
            state = json.loads(self._path.read_text("utf-8"))
            found = [Record.from_json(one) for one in state["records"]]
        except FileNotFoundError:
            return
        except (KeyError, TypeError, ValueError) as error:
            print(f"{self._path} is of another version ({error}); everything is done again")
            return
        self._began = state["began"]
        self._records = {record.name: record for record in found}

    def is_done(self, step: Step) -> bool:
        """By this very command at this very commit; whatever did not go well is tried again."""
        record = self._records.get(step.name)
        return (
            record is not None
            and record.status == OK
            and (record.command, record.commit) == (tuple(step.command), self.commit)
        )

    def keep(self, record: Record) -> None:
        self._records[record.name] = record
        content = {"began": self._began, "records": [one.to_json() for one in self.records()]}
        # whole or not at all: whoever pulls the plug wants to go on later
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text(json.dumps(content, indent=1), "utf-8")
        unfinished.replace(self._path)

    def records(self) -> list[Record]:
        return [self._records[step.name] for step in self._steps if step.name in self._records]

    def said_of(self, step: Step) -> str:
        record = self._records[step.name]
        return f"{record.status} {record.reason}".rstrip() + f", {record.seconds:.0f} s"

    def write(self, options: argparse.Namespace) -> Path:
        header: dict[str, Any] = {"card": self._card, "began": self._began, "commit": self.commit}
        if options.quick:
            header["size"] = "quick: the figures mean nothing"
        header["counts"] = ", ".join(f"{n} {what}" for what, n in counts(self.records()).items())
        path = self._reports / f"first-hour-{slug(self._card)}-{self._began}"
        content = json.dumps(to_json(header, self.records()), indent=1, ensure_ascii=False)
        path.with_suffix(".json").write_text(content + "\n", "utf-8")
        path.with_suffix(".md").write_text(
            to_markdown(header, self._steps, self.records()), "utf-8"
        )
        return path.with_suffix(".md")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench/first-hour.sh", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help=_HELP["dry_run"])
    parser.add_argument("--only", default="", help=_HELP["only"])
    parser.add_argument("--quick", action="store_true", help=_HELP["quick"])
    parser.add_argument("--fresh", action="store_true", help=_HELP["fresh"])
    parser.add_argument("--out", type=_told_path, help=_HELP["out"])
    parser.add_argument("--model", help="MODEL, or syvai/hviske-v2")
    parser.add_argument("--rival", default="RyeAI/edda-v0.2-large", help=_HELP["rival"])
    parser.add_argument("--recordings", type=_told_path, help=_HELP["recordings"])
    return parser.parse_args()


def _told_path(told: str) -> Path:
    """From where the script was called; it goes to the repository by itself."""
    return Path(os.environ.get("FIRST_HOUR_FROM", "."), told).resolve()


def _wishes(options: argparse.Namespace, *, has_gpu: bool) -> Wishes:
    tiny = str(TINY_DA.relative_to(ROOT))
    usual = tiny if options.quick else os.environ.get("MODEL") or "syvai/hviske-v2"
    return Wishes(
        device="cuda" if has_gpu else "cpu",
        model=options.model or usual,
        rival=options.rival,
        recordings=None if options.recordings is None else str(options.recordings),
        is_quick=options.quick,
    )


def _choose(steps: list[Step], only: str) -> list[Step]:
    names = {name.strip() for name in only.split(",") if name.strip()}
    unknown = names - {step.name for step in steps}
    if unknown:
        known = ", ".join(step.name for step in steps)
        raise SystemExit(f"no such step: {', '.join(sorted(unknown))}. There are: {known}")
    return [step for step in steps if not names or step.name in names]


def _list(steps: list[Step]) -> None:
    for step in steps:
        needs = ", ".join((*(("a GPU",) if step.needs_gpu else ()), *step.programs))
        print(
            f"{step.name:14} {step.minutes:5.1f} min  {step.title}" + (f"  [{needs}]" * bool(needs))
        )
    print(f"{'together':14} {sum(step.minutes for step in steps):5.1f} min, guessed for a GB10")


def _find_card() -> tuple[str, bool]:
    """In a process of its own: this one must not hold memory of the GPU while others measure."""
    program = (
        "import torch; has = torch.cuda.is_available(); "
        "print(torch.cuda.get_device_name() if has else '')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    name = done.stdout.strip()
    return (name, True) if name else ("no GPU", False)


def _places(options: argparse.Namespace, card: str) -> tuple[Path, Path]:
    """Of state and logs, and of the report. A quick run's figures mean nothing and are not kept."""
    if options.out is not None:
        return options.out / "state", options.out
    kind = slug(card) + ("-quick" if options.quick else "")
    return CACHE / "first-hour" / kind, CACHE / "results" if options.quick else RESULTS


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
