"""The table in the terminal, the JSON file and the plot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.figures import Bar, Figures
from bench.workloads import Workload

_COLUMNS = ("RTFx", "req/s", "p50 s", "p95 s", "wall s", "(least–most)", "MiB", "roof", "WER")


def print_table(
    workloads: Sequence[Workload], systems: Sequence[str], table: Mapping[tuple[str, str], Figures]
) -> None:
    width = max((len(name) for name in systems), default=10)
    for workload in workloads:
        rows = [table[key] for name in systems if (key := (name, workload.name)) in table]
        if not rows:
            continue
        windows = sum(len(item.windows) for item in workload.job.items)
        print(f"\n{workload.name}: {workload.title}; {windows} windows, {_audio(workload)}")
        header = "".join(f"{column:>14}" for column in _COLUMNS)
        print(f"{'':{width}}{header}{'ours f32 is':>14}")
        ours = table.get(("ours f32", workload.name))
        for row in rows:
            ratio = f"{row.wall / ours.wall:.2f}x" if ours is not None else ""
            cells = "".join(f"{cell:>14}" for cell in _cells(row))
            print(f"{row.system:{width}}{cells}{ratio:>14}")


def _audio(workload: Workload) -> str:
    return f"{workload.audio_seconds:.0f} s of audio"


def _cells(row: Figures) -> tuple[str, ...]:
    return (
        f"{row.rtfx:.1f}",
        f"{row.requests_per_second:.2f}",
        f"{row.p50:.2f}",
        f"{row.p95:.2f}",
        f"{row.wall:.2f}",
        f"{row.wall_least:.2f}–{row.wall_most:.2f}",
        "" if row.peak_mib is None else f"{row.peak_mib:.0f}",
        "" if row.roofline_share is None else f"{row.roofline_share:.0%}",
        "" if row.word_error_rate is None else f"{row.word_error_rate:.1%}",
    )


def print_bars(bars: Sequence[Bar]) -> None:
    print("\nbars")
    for bar in bars:
        mark = {True: "met   ", False: "MISSED", None: "–     "}[bar.is_met]
        print(f"  {mark}  {bar.promise}: {bar.measured}")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def plot(
    path: Path,
    title: str,
    workloads: Sequence[Workload],
    systems: Sequence[str],
    table: Mapping[tuple[str, str], Figures],
) -> None:
    """One field for each workload: how many seconds of audio in a second; further is better."""
    shown = [one for one in workloads if any((name, one.name) in table for name in systems)]
    if not shown:
        return
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    columns = min(2, len(shown))
    lines = -(-len(shown) // columns)
    height = 0.9 + 0.27 * len(systems)
    figure, axes = plt.subplots(
        lines, columns, figsize=(7.5 * columns, height * lines + 0.6), squeeze=False
    )
    for axis, workload in zip(axes.flat, shown, strict=False):
        rows = [table[key] for name in systems if (key := (name, workload.name)) in table]
        _draw(axis, workload, rows)
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout(rect=(0, 0, 1, 0.97))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw(axis: Any, workload: Workload, rows: Sequence[Figures]) -> None:
    names = [row.system for row in rows]
    speeds = [row.rtfx for row in rows]
    colours = ["#1f6f78" if name.startswith("ours") else "#b8b8b0" for name in names]
    bars = axis.barh(names, speeds, color=colours)
    quickest = [workload.audio_seconds / row.wall_least for row in rows]
    slowest = [workload.audio_seconds / row.wall_most for row in rows]
    axis.hlines(range(len(rows)), slowest, quickest, color="#333333", linewidth=1)
    clips = bool(workload.clips)
    labels = [f" {row.rtfx:.1f}x" + (f" · p95 {row.p95:.2f} s" if clips else "") for row in rows]
    axis.bar_label(bars, labels, fontsize=7)
    axis.invert_yaxis()
    axis.margins(x=0.28)
    axis.tick_params(labelsize=7)
    axis.set_title(f"{workload.name}: {workload.title}", fontsize=8, loc="left")
    axis.set_xlabel("seconds of audio in a second (median; line: all rounds)", fontsize=7)
    axis.spines[["top", "right"]].set_visible(False)
