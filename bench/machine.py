"""What this machine is and what it can do: names, versions, memory bandwidth, matrix rates.

The rates are the best of some tries with the tools that everybody uses here (oneDNN, MKL, FBGEMM
through torch): the denominator of the roofline.
"""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.places import WORKER_ROOT


@dataclass(frozen=True)
class Rates:
    """Bytes and floating point operations per second."""

    bandwidth: float
    gemm: dict[str, float]  # by arithmetic

    def best(self, other: Rates) -> Rates:
        """Of two measurements: what a busy moment took away was not a limit of the machine."""
        gemm = {kind: max(rate, other.gemm.get(kind, 0.0)) for kind, rate in self.gemm.items()}
        return Rates(max(self.bandwidth, other.bandwidth), gemm)


def describe(device: str) -> dict[str, Any]:
    import torch
    import transformers

    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "is_dirty": bool(_git("status", "--porcelain", "--", "python")),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "load_before": round(os.getloadavg()[0], 2),
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=WORKER_ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def measure_rates(device: str, working_set: int) -> Rates:
    """`working_set`: bytes that a decoding step reads. What fits a cache is read from the cache."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    with torch.inference_mode():
        kinds = ("float32", "bfloat16", "float16") if device == "cuda" else ("float32", "bfloat16")
        gemm = {kind: _gemm(device, getattr(torch, kind)) for kind in kinds}
        if device == "cpu":
            gemm["int8"] = _int8_gemm()
        # whisper.cpp keeps its weights in half and computes in single precision
        gemm.setdefault("float16", gemm["float32"])
        gemm.setdefault("int8", gemm["float16"])
        return Rates(_bandwidth(device, working_set), gemm)


def _best(work: Callable[[], Any], device: str, seconds: float = 1.5) -> float:
    """Shortest time of one run."""
    import torch

    best, began = float("inf"), time.perf_counter()
    work()
    while time.perf_counter() - began < seconds:
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best


def _gemm(device: str, dtype: Any) -> float:
    """At the shape of an encoder layer: 1500 positions, 1024 → 4096."""
    import torch

    rows = 1500 if device == "cpu" else 16 * 1500
    left = torch.randn(rows, 1024, dtype=dtype, device=device)
    right = torch.randn(4096, 1024, dtype=dtype, device=device)
    ways: list[Callable[[], Any]] = [lambda: torch.nn.functional.linear(left, right)]
    if device == "cpu":
        ways += _other_cpu_ways(left, right)
    return 2 * rows * 1024 * 4096 / min(_best(way, device) for way in ways)


def _other_cpu_ways(left: Any, right: Any) -> list[Callable[[], Any]]:
    """The plain product is not the limit: on AMD, oneDNN with packed weights is twice as fast as
    MKL in single precision, and what a peer brings along may use it."""
    import torch

    ways: list[Callable[[], Any]] = []
    ops: Any = torch.ops.mkldnn
    if hasattr(ops, "_reorder_linear_weight") and hasattr(ops, "_linear_pointwise"):
        packed = ops._reorder_linear_weight(right, left.shape[0])
        ways.append(lambda: ops._linear_pointwise(left, packed, None, "none", [], ""))
    if left.dtype == torch.float32:
        one, other = left.numpy(), right.numpy().T.copy()
        ways.append(lambda: one @ other)
    return ways


def _int8_gemm() -> float:
    """FBGEMM's or oneDNN's dynamic quantisation, as torch and CTranslate2 use it."""
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        linear = torch.nn.Sequential(torch.nn.Linear(1024, 4096, bias=False))
        quantised = torch.ao.quantization.quantize_dynamic(
            linear, {torch.nn.Linear}, dtype=torch.qint8
        )
    left = torch.randn(1500, 1024)
    seconds = _best(lambda: quantised(left), "cpu")
    return 2 * 1500 * 1024 * 4096 / seconds


def _bandwidth(device: str, working_set: int) -> float:
    """Of reading: a matrix of that size times a vector, or its sum, whichever is quicker."""
    import torch

    columns = 1024
    rows = max(64, working_set // 4 // columns)
    matrix = torch.ones(rows, columns, device=device)
    vector = torch.ones(columns, device=device)
    quickest = min(
        _best(lambda: torch.mv(matrix, vector), device), _best(lambda: matrix.sum(), device)
    )
    return matrix.numel() * 4 / quickest
