"""The bench's command line: which models, systems and workloads; then measure and report.

npm run bench -- [--quick | --full] [--model tiny-da|small-shape|large-shape]
                 [--systems a,b] [--workloads x,y] [--rounds N] [--fresh] [--device cpu|cuda]
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.conversion import model_identity
from bench.figures import Figures, judge, summarise
from bench.leak import probe_leak
from bench.machine import Rates, describe, measure_rates
from bench.places import CACHE, RESULTS, TINY_DA
from bench.quiet import quiet_machine
from bench.report import plot, print_bars, print_table, write_json
from bench.roofline import Network, least_seconds
from bench.runner import Runner
from bench.shapes import LARGE, SMALL, random_model
from bench.state import State, fingerprint
from bench.systems import System, all_systems, within_an_hour
from bench.workloads import SIZES, Workload, make_workloads

_UNSEEN = ("warm-up",)


def main() -> int:
    arguments = _parse()
    sys.stdout.reconfigure(line_buffering=True)  # pyright: ignore[reportAttributeAccessIssue]
    for model in arguments.model:
        _measure(model, arguments)
    if arguments.leak:
        probe_leak(arguments.device, arguments.leak_requests)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", dest="size", const="quick")
    size.add_argument("--full", action="store_const", dest="size", const="full")
    parser.add_argument("--model", type=_list, help="tiny-da, small-shape, large-shape")
    parser.add_argument("--systems", type=_list, default=[], help="names or beginnings of names")
    parser.add_argument("--workloads", type=_list, default=[], help="clips-10, long, …")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--fresh", action="store_true", help="forget what is measured already")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--no-leak", action="store_false", dest="leak")
    parser.add_argument("--leak-requests", type=int, default=2000)
    parser.add_argument("--leak-only", action="store_true")
    parser.set_defaults(size="bars")
    arguments = parser.parse_args()
    is_part = bool(arguments.systems or arguments.workloads or arguments.size == "quick")
    if arguments.model is None:
        arguments.model = [
            "tiny-da",
            "large-shape" if arguments.device == "cuda" else "small-shape",
        ]
    elif not arguments.leak_only:
        is_part = True
    if arguments.leak_only:
        arguments.model = []
    elif is_part:
        arguments.leak = False
    return arguments


def _list(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _measure(name: str, arguments: argparse.Namespace) -> None:
    is_tiny = name == "tiny-da"
    model = TINY_DA if is_tiny else random_model({"small-shape": SMALL, "large-shape": LARGE}[name])
    sizes = SIZES[arguments.size][name]
    rounds = arguments.rounds or sizes.rounds
    cores = len(os.sched_getaffinity(0))
    systems = all_systems(cores, arguments.device, is_tiny)
    if name == "small-shape" and arguments.size == "bars":
        systems = within_an_hour(systems)
    print(f"\n═══ {name} on {arguments.device}, {arguments.size}: preparing", flush=True)
    workloads = make_workloads(sizes, is_scripted=not is_tiny)
    key = fingerprint(
        {
            "sizes": sizes,
            "systems": systems,
            "model": model_identity(model),
            "device": arguments.device,
        }
    )
    state = State(f"{name}-{arguments.device}-{arguments.size}", key, arguments.fresh)
    print(f"   state: {state.path}")
    _rates(state, model, arguments.device)
    names = [one for one in workloads if one not in _UNSEEN]
    runner = Runner(
        model, workloads, state, {"script": not is_tiny}, tunes=arguments.size != "quick"
    )
    runner.run(
        _chosen(systems, arguments.systems),
        [one for one in names if not arguments.workloads or one in arguments.workloads],
        rounds,
    )
    rates = _rates(state, model, arguments.device)
    shown = [workloads[one] for one in names]
    _report(name, arguments, model, state, runner, systems, shown, rates)


def _chosen(systems: Sequence[System], wanted: Sequence[str]) -> list[System]:
    """Whole names first, then beginnings: `ours` is all of ours, `ours f32` one of them."""
    if not wanted:
        return list(systems)
    exact = {system.name for system in systems} & set(wanted)
    starts = tuple(want for want in wanted if want not in exact)
    return [one for one in systems if one.name in exact or (starts and one.name.startswith(starts))]


def _rates(state: State, model: Path, device: str) -> Rates:
    """Measured when a run begins and when it ends, with nothing loaded: the best that was seen."""
    known = state.fact("rates")
    if state.fact("machine") is None:
        state.keep_fact("machine", describe(device))
    with quiet_machine():
        rates = measure_rates(device, Network.read(model).working_set())
    if known is not None:
        rates = rates.best(Rates(**known))
    state.keep_fact("rates", vars(rates))
    gemm = ", ".join(f"{kind} {rate / 1e9:.0f}" for kind, rate in rates.gemm.items())
    print(f"   memory {rates.bandwidth / 1e9:.1f} GB/s; matrices in GFLOP/s: {gemm}", flush=True)
    return rates


def _report(
    name: str,
    arguments: argparse.Namespace,
    model: Path,
    state: State,
    runner: Runner,
    systems: Sequence[System],
    workloads: Sequence[Workload],
    rates: Rates,
) -> None:
    network = Network.read(model)

    def least(tokens: Sequence[int], arithmetic: str) -> float:
        return least_seconds(network, tokens, arithmetic, rates)

    table: dict[tuple[str, str], Figures] = {}
    for workload in workloads:
        tokens_of = _tokens_by_item(state, workload.name)
        for system in systems:
            rounds = state.rounds(system.name, workload.name)
            if rounds:
                table[system.name, workload.name] = summarise(
                    system.name, system.arithmetic, workload, rounds, tokens_of, least
                )
    names = [system.name for system in systems]
    print_table(workloads, names, table)
    arrivals = next((len(one.clips) for one in workloads if one.name == "long-and-clips"), 0)
    bars = judge(table, arrivals)
    print_bars(bars)
    for system, reason in runner.not_run.items():
        print(f"  not run: {system}: {reason}")
    machine = state.fact("machine")
    folder = CACHE / "results" if arguments.size == "quick" else RESULTS
    path = folder / f"{name}-{arguments.device}-{arguments.size}.json"
    content: dict[str, Any] = {
        "model": name,
        "machine": machine,
        "rates": vars(rates),
        "systems": {system.name: _describe(system, state) for system in systems},
        "not_run": runner.not_run,
        "workloads": {one.name: _describe_workload(one) for one in workloads},
        "figures": [figures.to_json() for figures in table.values()],
        "bars": [bar.to_json() for bar in bars],
    }
    write_json(path, content)
    title = f"{name} · {machine['gpu'] or machine['cpu']}, {machine['cores']} cores · "
    title += f"commit {machine['commit']}{'+' if machine['is_dirty'] else ''} · {machine['date']}"
    plot(path.with_suffix(".png"), title, workloads, names, table)
    print(f"\n{path}\n{path.with_suffix('.png')}")


def _tokens_by_item(state: State, workload: str) -> dict[str, int]:
    """As our own worker counted them: the texts are the same for all, or the WER says not."""
    rounds = state.rounds("ours f32", workload)
    if not rounds:
        return {}
    return {answer.name: answer.tokens for answer in rounds[0].heard if answer.tokens is not None}


def _describe(system: System, state: State) -> dict[str, Any]:
    return {
        "note": system.note,
        "arithmetic": system.arithmetic,
        "options": dict(system.options),
        "choice": state.choice(system.name),
        "facts": state.fact(f"facts {system.name}"),
    }


def _describe_workload(workload: Workload) -> dict[str, Any]:
    windows = [window for item in workload.job.items for window in item.windows]
    return {
        "title": workload.title,
        "mode": workload.job.mode,
        "items": len(workload.job.items),
        "windows": len(windows),
        "audio_seconds": round(workload.audio_seconds, 2),
        "window_seconds": round(sum(window.samples for window in windows) / 16_000, 2),
        "scripted_tokens": sum(window.tokens or 0 for window in windows) or None,
    }


if __name__ == "__main__":
    sys.exit(main())
