"""From what became of the steps to one report: Markdown for people, JSON for programs. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bench.first_hour.plan import Step
from bench.first_hour.running import FAILED, Record

# CUDA_NOTES.md shows them with their steps; python/tests/test_first_hour.py compares the two.
QUESTIONS = {
    1: "hviske-v2's own files: number format, size, generation settings, mel bins, vocabulary",
    2: "Whether segment and word times of hviske-v2 are right",
    3: "Whether a prompt helps hviske-v2 or hurts it",
    4: "Speed at 1 to 32 rows, with graphs, without, compiled; two processes, with MPS and without",
    5: "hviske-v2 against edda-v0.2-large on recordings of one's own",
    6: "Dense bfloat16 peak, bandwidth, and whether a memory limit counts what CUDA takes",
    7: "The licence that the model's files name",
    8: "Whether graphs capture, say what steps say, and what memory they keep",
    9: "Which kernels attention and the matrices get, and whether they are right",
    10: "Whether float8 starts, agrees and is faster",
    11: "What the driver, torch and Linux say of the same memory; power, temperature and clocks",
}


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def counts(records: Sequence[Record]) -> dict[str, int]:
    found: dict[str, int] = {}
    for record in records:
        found[record.status] = found.get(record.status, 0) + 1
    return found


def to_json(header: Mapping[str, Any], records: Sequence[Record]) -> dict[str, Any]:
    steps = [record.to_json() for record in records]
    return {**header, "counts": counts(records), "steps": steps}


def to_markdown(header: Mapping[str, Any], steps: Sequence[Step], records: Sequence[Record]) -> str:
    """Records in the order of the steps; a step without a record has not been run yet."""
    by_name = {record.name: record for record in records}
    parts = [
        f"# The first hour on {header['card']}",
        "\n".join(f"* {key}: {value}" for key, value in header.items()),
        _overview(steps, by_name),
        questions(steps, by_name),
        *(_section(step, by_name[step.name]) for step in steps if step.name in by_name),
    ]
    return "\n\n".join(parts) + "\n"


def _overview(steps: Sequence[Step], records: Mapping[str, Record]) -> str:
    lines = ["| step | | seconds | what |", "| --- | --- | ---: | --- |"]
    for step in steps:
        record = records.get(step.name)
        status = "not run yet" if record is None else record.status
        if record is not None and record.reason:
            status += f": {_cell(record.reason)}"
        seconds = f"{record.seconds:.1f}" if record is not None and record.seconds else ""
        lines.append(f"| {step.name} | {status} | {seconds} | {_cell(step.title)} |")
    return "\n".join(lines)


def questions(steps: Sequence[Step], records: Mapping[str, Record] | None = None) -> str:
    """Each open question with the steps that settle it and, with records, how those ended."""
    lines = ["| open question | steps that settle it |", "| --- | --- |"]
    for number, question in QUESTIONS.items():
        told: list[str] = []
        for step in steps:
            if number in step.settles:
                record = None if records is None else records.get(step.name)
                state = (
                    "" if records is None else f" ({record.status if record else 'not run yet'})"
                )
                told.append(f"`{step.name}`{state}")
        lines.append(f"| {number}. {question} | {', '.join(told)} |")
    return "\n".join(lines)


def _section(step: Step, record: Record) -> str:
    told = [f"## {step.name}: {record.status}", step.title + "."]
    if record.reason:
        told.append(record.reason)
    if record.command:
        told.append(f"```sh\n{shell_line(record.command)}\n```")
    if record.sensors:
        told.append(_sensors(record.sensors))
    if record.lines:
        kept = "last lines" if record.status == FAILED else "what it said"
        fence = "````"  # a step may print fences of its own
        told.append(f"{kept}:\n\n{fence}\n" + "\n".join(record.lines) + f"\n{fence}")
    return "\n\n".join(told)


def _sensors(found: Mapping[str, Mapping[str, float]]) -> str:
    each = [
        f"{name} {values['least']:g} / {values['median']:g} / {values['most']:g}"
        for name, values in found.items()
    ]
    return f"Least / median / most: {'; '.join(each)}"


def shell_line(command: Sequence[str]) -> str:
    """As it may be typed in the repository: without the directories of this machine."""
    words = ["node" if word.endswith("/.bin/node") else word for word in command]
    words = [re.sub(r"^.*/(\.venv/)", r"\1", word) for word in words]
    return " ".join(f"'{word}'" if re.search(r"[\s$;\"]", word) else word for word in words)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
