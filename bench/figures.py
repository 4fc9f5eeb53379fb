"""From finished rounds to figures: speed, latencies, memory, share of the roofline, bars. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.child import Round
from bench.recordings import word_error_rate
from bench.workloads import Workload

LeastSeconds = Callable[[Sequence[int], str], float]  # tokens of windows, arithmetic → seconds


@dataclass(frozen=True)
class Figures:
    """Of one system at one workload. Medians over the rounds; latencies over all rounds' clips."""

    system: str
    workload: str
    rounds: int
    wall: float
    wall_least: float
    wall_most: float
    rtfx: float
    requests_per_second: float
    p50: float
    p95: float
    peak_mib: float | None
    cpu_share: float  # CPU seconds a second, of all cores
    roofline_share: float | None
    word_error_rate: float | None
    tokens: int | None
    file_seconds: float | None  # when the long file was done
    clips_beside_file: float | None  # the share of clips that came while it was not done yet

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summarise(
    system: str,
    arithmetic: str,
    workload: Workload,
    rounds: Sequence[Round],
    tokens_of: Mapping[str, int],
    least_seconds: LeastSeconds,
) -> Figures:
    walls = [one.wall for one in rounds]
    wall = median(walls)
    counted = set(workload.clips) or {item.name for item in workload.job.items}
    latencies = [answer.latency for one in rounds for answer in one.heard if answer.name in counted]
    peaks = [one.peak_rss for one in rounds if one.peak_rss is not None]
    files = [
        answer.finished for one in rounds for answer in one.heard if answer.name.startswith("long")
    ]
    return Figures(
        system=system,
        workload=workload.name,
        rounds=len(rounds),
        wall=wall,
        wall_least=min(walls),
        wall_most=max(walls),
        rtfx=workload.audio_seconds / wall,
        requests_per_second=len(workload.job.items) / wall,
        p50=percentile(latencies, 0.5),
        p95=percentile(latencies, 0.95),
        peak_mib=max(peaks) / 2**20 if peaks else None,
        cpu_share=median(one.cpu_seconds / one.wall for one in rounds),
        roofline_share=_share(workload, arithmetic, tokens_of, least_seconds, wall),
        word_error_rate=_word_errors(workload, rounds),
        tokens=_tokens(rounds),
        file_seconds=median(files) if files else None,
        clips_beside_file=_beside_file(workload, rounds),
    )


def _beside_file(workload: Workload, rounds: Sequence[Round]) -> float | None:
    if workload.job.mode != "arrivals":
        return None
    counted: list[bool] = []
    for one in rounds:
        (file,) = (answer for answer in one.heard if answer.name not in workload.clips)
        clips = (answer for answer in one.heard if answer.name in workload.clips)
        counted += [answer.arrived < file.finished for answer in clips]
    return sum(counted) / len(counted)


def _share(
    workload: Workload,
    arithmetic: str,
    tokens_of: Mapping[str, int],
    least_seconds: LeastSeconds,
    wall: float,
) -> float | None:
    """None when nobody has said how many tokens the text has."""
    per_item: list[list[int]] = []
    for item in workload.job.items:
        scripted = [window.tokens for window in item.windows if window.tokens is not None]
        if len(scripted) == len(item.windows):
            per_item.append(scripted)
        elif item.name in tokens_of:
            share = tokens_of[item.name] / sum(window.samples for window in item.windows)
            per_item.append([round(share * window.samples) for window in item.windows])
        else:
            return None
    if workload.job.mode == "in_turn":
        return sum(least_seconds(tokens, arithmetic) for tokens in per_item) / wall
    return least_seconds([count for tokens in per_item for count in tokens], arithmetic) / wall


def _word_errors(workload: Workload, rounds: Sequence[Round]) -> float | None:
    """None where the script decides the lengths: those texts mean nothing."""
    if any(window.tokens is not None for item in workload.job.items for window in item.windows):
        return None
    return word_error_rate([(workload.texts[a.name], a.text) for a in rounds[0].heard])


def _tokens(rounds: Sequence[Round]) -> int | None:
    counts = [answer.tokens for answer in rounds[0].heard]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


@dataclass(frozen=True)
class Bar:
    """A promise of the project and what was measured of it."""

    promise: str
    measured: str
    is_met: bool | None  # None: not measured

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


Table = Mapping[tuple[str, str], Figures]  # (system, workload)


def judge(table: Table, arrivals: int) -> list[Bar]:
    """Those of the issue's bars that this run can say something about."""
    pipeline, chunked = ("pipeline f32",), ("pipeline-chunked f32",)
    plain, batched = "faster-whisper {}", "faster-whisper-batched {}"
    single = (plain.format("f32"), batched.format("f32"))
    small = (plain.format("int8"), batched.format("int8"))
    return [
        _ratio(table, "clips-10", "ours f32", pipeline, 2.0),
        _ratio(table, "clips-10", "ours f32", single, 1.2),
        _ratio(table, "clips-10", "ours int8", small, 1.0),
        _ratio(table, "clips-10", "ours bf16", small, 1.0),
        _ratio(table, "long", "ours f32", pipeline, 1.5),
        _ratio(table, "long", "ours f32", chunked, 1.5),
        _ratio(table, "long", "ours f32", (batched.format("f32"),), 1.2),
        *_fairness(table, arrivals),
    ]


def _ratio(table: Table, workload: str, ours: str, peers: Sequence[str], wanted: float) -> Bar:
    """Against the quickest of `peers`."""
    promise = f"{workload}: {ours} ≥ {wanted:g}x {' and '.join(peers)}"
    mine = table.get((ours, workload))
    found = [table[peer, workload] for peer in peers if (peer, workload) in table]
    if mine is None or len(found) < len(peers):
        return Bar(promise, "not measured", None)
    best = min(found, key=lambda figures: figures.wall)
    ratio = best.wall / mine.wall
    return Bar(promise, f"{ratio:.2f}x (the quickest: {best.system})", ratio >= wanted)


def _fairness(table: Table, arrivals: int) -> list[Bar]:
    """What a long file and short clips do to each other."""
    ours = "ours f32"
    names = ("alone", "long", "long-and-clips", "clips-10")
    alone, long, both, clips = (table.get((ours, name)) for name in names)
    waiting = f"{ours}: a clip beside the long file: p95 ≤ 3x its latency alone"
    slowing = f"{ours}: the file slows by no more than the clips' share of the work"
    bars: list[Bar] = []
    if alone is None or both is None:
        bars.append(Bar(waiting, "not measured", None))
    else:
        ratio = both.p95 / alone.p50
        beside = both.clips_beside_file or 0.0
        said = f"{ratio:.2f}x ({both.p95:.2f} s against {alone.p50:.2f} s"
        said += f"; {beside:.0%} of the clips came while the file ran)"
        # clips that met an idle machine prove nothing
        bars.append(Bar(waiting, said, ratio <= 3.0 if beside > 0.9 else None))
    if long is None or both is None or both.file_seconds is None or clips is None:
        bars.append(Bar(slowing, "not measured", None))
    else:
        slower = both.file_seconds / long.wall - 1
        share = arrivals * clips.wall / 10 / long.wall
        said = f"{slower:+.1%}, and the clips' work is {share:.1%} of the file's"
        bars.append(Bar(slowing, said, slower <= share))
    return bars
