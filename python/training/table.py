"""The evaluation's table: its rows, and where they are written."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_TABLE_BEGIN, _TABLE_END = "<!-- evaluation -->\n", "<!-- /evaluation -->"


@dataclass(frozen=True)
class Measurement:
    """One row of the table; `target` is None where none was set."""

    what: str
    value: float
    unit: str
    target: str | None
    met: bool | None
    counted: str


def write_table(measurements: Sequence[Measurement], directory: Path) -> str:
    """The table as Markdown, also put into evaluation.json and the card of the directory."""
    rows = ["| measured | value | target | met | on |", "|---|---|---|---|---|"]
    for row in measurements:
        met = "" if row.met is None else "yes" if row.met else "**no**"
        value = f"{row.value:g} {row.unit}".strip()
        rows.append(f"| {row.what} | {value} | {row.target or ''} | {met} | {row.counted} |")
    table = "\n".join(rows) + "\n"
    described = json.dumps([asdict(row) for row in measurements], indent=2)
    (directory / "evaluation.json").write_text(described + "\n", encoding="utf-8")
    card = directory / "README.md"
    if card.exists():
        before, _, rest = card.read_text(encoding="utf-8").partition(_TABLE_BEGIN)
        _, _, after = rest.partition(_TABLE_END)
        card.write_text(f"{before}{_TABLE_BEGIN}{table}{_TABLE_END}{after}", encoding="utf-8")
    return table
