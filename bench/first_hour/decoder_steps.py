"""Milliseconds of a decoding step at so many rows, through the worker's own slots, and its memory.

    .venv/bin/python -m bench.first_hour.decoder_steps --device cuda --shape large
    … --no-graphs | --compile | --compute-type float8

Random weights in large-v3's shape, loaded as the worker loads them. Steps are launched one after
the other and waited for at the end, as the engine does it. On CUDA each time stands beside the
bytes of the step over the bandwidth that is measured here.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from bench.decode_roofline import SHAPES, step_bytes, table
from bench.first_hour.figures import keep
from bench.machine import measure_rates
from bench.places import CACHE, TINY_DA, WORKER_PACKAGE
from bench.shapes import LARGE, random_model

sys.path.insert(0, str(WORKER_PACKAGE))

_LENGTH = 128
_ROUNDS = 5


class _Silence:
    """A wire that nobody listens to."""

    def send(self, message: object) -> None:
        """Says nothing."""


def main() -> None:
    options = _parse()
    import torch

    model = _load(options)
    memory = [("after loading and the rehearsed sizes", *_memory(options.device))]
    with torch.inference_mode():
        speeds = {
            rows: _milliseconds(model, rows, options.steps, options.device) for rows in options.rows
        }
    memory.append((f"after steps of {options.rows} rows", *_memory(options.device)))
    ready = model.describe()
    bandwidth = _bandwidth(options)
    figures = {
        "compute_type": ready.compute_type,
        "slots": ready.slots,
        "reasons": dict(ready.reasons),
        "bandwidth": bandwidth,
        "step_ms": speeds,
        "memory": memory,
    }
    keep(figures)
    _print(figures)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench.first_hour.decoder_steps", description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--shape", choices=("large", "tiny-da"), default="large")
    parser.add_argument("--compute-type", default="auto")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--no-graphs", action="store_true")
    parser.add_argument("--steps", type=int, default=40, help="of a round")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    return parser.parse_args()


def _load(options: argparse.Namespace) -> Any:
    from whisper_worker import __main__ as worker

    model = TINY_DA if options.shape == "tiny-da" else random_model(LARGE)
    arguments = ["--model", str(model), "--device", options.device, "--spool-dir", str(CACHE)]
    arguments += ["--compute-type", options.compute_type, "--slots", str(max(options.rows))]
    arguments += ["--compile"] * options.compile + ["--no-graphs"] * options.no_graphs
    return worker.choose_model(worker.parse_arguments(arguments), _Silence())


def _milliseconds(model: Any, rows: int, steps: int, device: str) -> float:
    """Of the quickest of some rounds; the first one lets the sizes be captured or compiled."""
    from whisper_worker.slots import RowStart

    slots, vocabulary = model._slots, model.facts.vocabulary
    prefix = (vocabulary.start_of_transcript, vocabulary.no_timestamps)
    best = float("inf")
    for turn in range(_ROUNDS):
        slots.begin(0, [RowStart(prefix, 0, 0.0, 0, False)] * rows)
        _wait(device)
        began = time.perf_counter()
        for _ in range(steps):
            slots.step(rows, _LENGTH, is_hot=False, is_stamped=False)
        _wait(device)
        seconds = (time.perf_counter() - began) / steps
        best = min(best, seconds) if turn else best
    return best * 1e3


def _wait(device: str) -> None:
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def _memory(device: str) -> tuple[int | None, int | None, int | None]:
    """Bytes that torch has given out, that it keeps, and that CUDA calls taken in all."""
    if device != "cuda":
        return None, None, None
    import torch

    free, total = torch.cuda.mem_get_info()
    return torch.cuda.memory_allocated(), torch.cuda.memory_reserved(), total - free


def _bandwidth(options: argparse.Namespace) -> float | None:
    if options.device != "cuda":
        return None
    return measure_rates("cuda", step_bytes(SHAPES["large-v3"], 8, _LENGTH)).bandwidth


def _print(figures: dict[str, Any]) -> None:
    print(f"{figures['compute_type']}, {figures['slots']} slots")
    for what, reason in figures["reasons"].items():
        print(f"  {what}: {reason}")
    bandwidth, body = figures["bandwidth"], []
    for rows, milliseconds in figures["step_ms"].items():
        bound = "" if bandwidth is None else _bound_ms(rows, bandwidth)
        share = f"{bound / milliseconds:.0%}" if isinstance(bound, float) else ""
        shown = f"{bound:.1f}" if isinstance(bound, float) else ""
        speed = rows / milliseconds * 1e3
        body.append((str(rows), f"{milliseconds:.2f}", f"{speed:.0f}", shown, share))
    head = ("rows", "ms a step", "tokens/s", "ms by bytes of bf16", "share")
    print(f"\n{table(head, body)}\n")
    for what, allocated, reserved, taken in figures["memory"]:
        print(f"{what}: allocated {allocated}, reserved {reserved}, taken in all {taken} bytes")


def _bound_ms(rows: int, bandwidth: float) -> float:
    return step_bytes(SHAPES["large-v3"], rows, _LENGTH) / bandwidth * 1e3


if __name__ == "__main__":
    main()
