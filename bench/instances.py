"""One process with n slots, or n processes with one? The same windows and tokens, decoded by each.

    .venv/bin/python -m bench.instances                          # CPU, whisper-base's shape
    .venv/bin/python -m bench.instances --device cuda --shape large

Every process is the worker's own model, loaded as the worker loads it, with random weights that
never end a text (bench/shapes.py), so a window says exactly --tokens. Encoding and decoding are
timed apart: all processes encode, wait for each other, then all decode. Layouts take turns within a
round, and their processes live only for their turn, so none disturbs another's.

Memory is the sum of proportional set sizes, which counts shared pages once, and on CUDA of what
each process has reserved. On CUDA run it twice, with and without MPS: the file's name says which.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Self

from bench.decode_roofline import FULL, Widths, layouts_bytes
from bench.machine import describe
from bench.places import CACHE, RESULTS, ROOT, WORKER_PACKAGE
from bench.quiet import quiet_machine
from bench.roofline import Network
from bench.shapes import LARGE, SMALL, Shape, random_model

if TYPE_CHECKING:  # only a process that was started as an instance imports the worker
    from whisper_worker.model import WhisperModel

SHAPES = {
    "base": Shape("base-shape", 512, 6, 8, 80, 99, 51865),
    "small": SMALL,
    "large": LARGE,
}
LAYOUTS = ("1x1", "1x2", "1x4", "1x8", "2x1", "4x1", "8x1", "2x4")
WINDOWS = 8  # per layout and round; every layout above divides it
_SAMPLES = 29 * 16_000
# Bytes of each kind of number, for the prediction that stands beside the measurement.
_WIDTHS = {
    "float32": Widths("float32", 4, 4, 4),
    "bfloat16": FULL,
    "float16": FULL,
    "float8": Widths("float8", 1, 2),
}


@dataclass(frozen=True)
class Layout:
    processes: int
    slots: int  # of each

    @staticmethod
    def parse(text: str) -> Layout:
        processes, slots = (int(part) for part in text.split("x"))
        return Layout(processes, slots)

    @property
    def name(self) -> str:
        return f"{self.processes} x {self.slots}"

    @property
    def rows(self) -> int:
        return self.processes * self.slots


@dataclass(frozen=True)
class Order:
    """What every process of a run is told."""

    model: str
    device: str
    compute_type: str
    tokens: int
    threads: int  # all processes together; each gets its share, but at least one


@dataclass(frozen=True)
class Turn:
    """What one layout gave in one round."""

    decode_seconds: float
    encode_seconds: float
    pss_bytes: int
    device_bytes: int
    load_average: float


class Instance:
    """A process with a model. Use as a context manager: it ends with it."""

    def __init__(self, order: Order, layout: Layout) -> None:
        threads = str(max(1, order.threads // layout.processes))
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "HF_HUB_OFFLINE": "1"}
        told = json.dumps({**asdict(order), "slots": layout.slots})
        log = CACHE / "logs" / "instances.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("a", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.instances", "--child", told],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def ask(self, verb: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{verb}\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"an instance has ended; see {self._log.name}")
        return json.loads(line)


def take_turn(order: Order, layout: Layout) -> Turn:
    """Start the layout's processes, let them do all windows together, and end them."""
    with ExitStack() as stack:
        instances = [stack.enter_context(Instance(order, layout)) for _ in range(layout.processes)]
        for instance in instances:
            instance.hear()  # ready
        encoding = decoding = 0.0
        load = os.getloadavg()[0]
        for _ in range(WINDOWS // layout.rows):
            encoding += _all(instances, "encode")
            decoding += _all(instances, "decode")
        memory = [_ask_and_hear(instance, "memory") for instance in instances]
    return Turn(
        decode_seconds=decoding,
        encode_seconds=encoding,
        pss_bytes=sum(answer["pss"] for answer in memory),
        device_bytes=sum(answer["device"] for answer in memory),
        load_average=round(load, 2),
    )


def _all(instances: Sequence[Instance], verb: str) -> float:
    """Seconds from the first one's begin to the last one's end; the clock is the machine's."""
    for instance in instances:
        instance.ask(verb)
    answers = [instance.hear() for instance in instances]
    return max(answer["ended"] for answer in answers) - min(answer["began"] for answer in answers)


def _ask_and_hear(instance: Instance, verb: str) -> dict[str, Any]:
    instance.ask(verb)
    return instance.hear()


def be_an_instance(told: dict[str, Any]) -> None:
    """The other side of Instance. Whatever a library prints goes to stderr."""
    wire = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.path.insert(0, str(WORKER_PACKAGE))
    model = _load(told)

    def tell(answer: dict[str, Any]) -> None:
        wire.write(f"{json.dumps(answer)}\n")
        wire.flush()

    tell({"ready": model.describe().compute_type})
    encoded: list[object] = []
    for line in sys.stdin:
        began = time.monotonic()
        match line.strip():
            case "encode":
                encoded = _encode(model, told["slots"], told["device"])
                tell({"began": began, "ended": time.monotonic()})
            case "decode":
                _decode(model, encoded, told["tokens"])
                tell({"began": began, "ended": time.monotonic()})
            case "memory":
                tell({"pss": _proportional_bytes(), "device": _device_bytes(told["device"])})
            case verb:
                raise ValueError(verb)


def _load(told: dict[str, Any]) -> WhisperModel:
    """Through the worker's own arguments, as the server starts it."""
    from whisper_worker import __main__ as worker

    arguments = ["--model", told["model"], "--device", told["device"]]
    arguments += ["--compute-type", told["compute_type"], "--slots", str(told["slots"])]
    arguments += ["--spool-dir", str(CACHE)]
    model: Any = worker.choose_model(worker.parse_arguments(arguments), _Silence())
    model.token_limit = lambda _window, _prefix: told["tokens"]
    return model


class _Silence:
    """A wire that nobody listens to."""

    def send(self, message: object) -> None:
        """Says nothing."""


def _encode(model: WhisperModel, count: int, device: str) -> list[object]:
    import numpy as np

    noise = np.random.default_rng(0).normal(0, 0.01, _SAMPLES).astype(np.float32)
    encoded: list[object] = []
    while len(encoded) < count:
        share = min(model.windows_per_encode, count - len(encoded))
        encoded += model.encode([noise] * share)
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
    return encoded


def _decode(model: WhisperModel, encoded: Sequence[object], tokens: int) -> None:
    """All windows side by side, to their ends; without word times, which are not the question."""
    from whisper_worker.speech_model import DecodeRow, Ended
    from whisper_worker.vad import Region, Window

    window = Window(0, 0, _SAMPLES, (Region(0, _SAMPLES),))
    model.start(
        [
            DecodeRow(one, window, "da", "transcribe", (), (0.0,), False, stops_loops=False)
            for one in encoded
        ]
    )
    said: list[int] = []
    while len(said) < len(encoded):
        said += [len(event.decoded.tokens) for event in model.step() if isinstance(event, Ended)]
    if set(said) != {tokens}:
        raise RuntimeError(f"{tokens} tokens were ordered, {said} came")


def _proportional_bytes() -> int:
    """Linux's own count; 0 where there is none."""
    try:
        text = Path("/proc/self/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _device_bytes(device: str) -> int:
    if device != "cuda":
        return 0
    import torch

    return torch.cuda.memory_reserved()


def has_mps() -> bool:
    """NVIDIA's Multi-Process Service. Without it, processes take turns on a GPU and never overlap.

    comm holds the first 15 letters of nvidia-cuda-mps-control and nvidia-cuda-mps-server.
    """
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text().startswith("nvidia-cuda-mps"):
                return True
        except OSError:
            continue  # it has just ended
    return False


def summarise(order: Order, turns: dict[Layout, list[Turn]]) -> list[dict[str, Any]]:
    """Medians per layout, and what the bytes of a step alone would predict against 1 x 1."""
    network = Network.read(Path(order.model))
    widths = _WIDTHS[order.compute_type]
    length = 4 + order.tokens // 2
    total = WINDOWS * order.tokens

    def by_bytes(layout: Layout) -> float:
        moved = layouts_bytes(network, layout.processes, layout.rows, length, widths)
        return layout.rows / moved

    one = Layout(1, 1)
    rows: list[dict[str, Any]] = []
    for layout, taken in turns.items():
        rows.append(
            {
                **asdict(layout),
                "threads_each": max(1, order.threads // layout.processes),
                "tokens_per_second": median(total / turn.decode_seconds for turn in taken),
                "windows_per_minute": median(
                    60 * WINDOWS / (turn.decode_seconds + turn.encode_seconds) for turn in taken
                ),
                "pss_bytes": median(turn.pss_bytes for turn in taken),
                "device_bytes": median(turn.device_bytes for turn in taken),
                "ratio_by_bytes": by_bytes(layout) / by_bytes(one),
                "turns": [asdict(turn) for turn in taken],
            }
        )
    return rows


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    print(
        "| processes x slots | threads each | tokens/s | against 1 x 1 | by bytes alone |", end=""
    )
    print(" windows/min with encoder | memory |\n|---|---:|---:|---:|---:|---:|---:|")
    one = next((row for row in rows if row["processes"] == row["slots"] == 1), rows[0])
    for row in rows:
        speed = row["tokens_per_second"]
        cells = (
            f"{row['processes']} x {row['slots']}",
            str(row["threads_each"]),
            f"{speed:.1f}",
            f"{speed / one['tokens_per_second']:.2f}",
            f"{row['ratio_by_bytes'] / one['ratio_by_bytes']:.2f}",
            f"{row['windows_per_minute']:.1f}",
            f"{(row['device_bytes'] or row['pss_bytes']) / 2**30:.2f} GiB",
        )
        print("| " + " | ".join(cells) + " |")


def write(order: Order, machine: dict[str, Any], rows: object, *, is_rough: bool) -> Path:
    where = machine["gpu"] or f"{machine['cpu']} {machine['cores']} cores"
    name = re.sub(r"[^a-z0-9]+", "-", where.lower()).strip("-")
    shape = Path(order.model).name
    suffix = f"{'-mps' if machine['has_mps'] else ''}{'-rough' if is_rough else ''}"
    path = RESULTS / f"instances-{name}-{shape}-{order.compute_type}{suffix}.json"
    told = {**asdict(order), "model": shape, "windows": WINDOWS, "is_rough": is_rough}
    RESULTS.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine, **told, "layouts": rows}, indent=1) + "\n")
    return path


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench.instances", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="base")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--compute-type", choices=_WIDTHS, help="float32 on cpu, bfloat16 on cuda")
    parser.add_argument("--layouts", nargs="*", default=LAYOUTS, help="processes x slots: 1x4 4x1")
    parser.add_argument("--tokens", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rough", action="store_true", help="the machine is not quiet: say so")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = _parse()
    if options.child is not None:
        be_an_instance(options.child)
        return
    layouts = [Layout.parse(text) for text in options.layouts]
    if any(WINDOWS % layout.rows for layout in layouts):
        raise SystemExit(f"a layout's rows have to divide {WINDOWS}")
    compute_type = options.compute_type or ("bfloat16" if options.device == "cuda" else "float32")
    model = str(random_model(SHAPES[options.shape]))
    order = Order(model, options.device, compute_type, options.tokens, options.threads)
    machine = {**describe(options.device), "has_mps": has_mps()}
    turns: dict[Layout, list[Turn]] = {layout: [] for layout in layouts}
    for number in range(options.rounds):
        for layout in layouts:
            with quiet_machine():
                turn = take_turn(order, layout)
            turns[layout].append(turn)
            speed = WINDOWS * order.tokens / turn.decode_seconds
            print(f"round {number + 1}, {layout.name}: {speed:.1f} tokens/s", flush=True)
    rows = summarise(order, turns)
    print_table(rows)
    print(write(order, machine, rows, is_rough=options.rough))


if __name__ == "__main__":
    main()
