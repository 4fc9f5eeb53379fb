"""Which device and which number format, and why. The only place that asks the hardware."""

# pyright: basic
from __future__ import annotations

import os
import platform
from dataclasses import dataclass

import torch

from whisper_worker.failures import FatalFailure

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
# From the measurements and rooflines in CUDA_NOTES.md: beyond 16 windows a batch gains little,
# because every window reads its own cross-attention keys.
_CUDA_BATCH_WINDOWS = 16
_CPU_BATCH_WINDOWS = 4


@dataclass(frozen=True)
class Placement:
    device: torch.device
    device_name: str
    compute_type: str
    batch_windows: int
    reasons: dict[str, str]

    @property
    def dtype(self) -> torch.dtype:
        return _DTYPES[self.compute_type]


def choose_placement(device: str, compute_type: str) -> Placement:
    """`auto` or an order for each of the two."""
    problem = cuda_problem()
    if device == "cuda" and problem is not None:
        raise FatalFailure("device_unavailable", f"DEVICE=cuda was asked for, but {problem}.")
    if device == "cpu" or problem is not None:
        return _on_cpu(compute_type, "asked for" if device == "cpu" else f"{problem}")
    return _on_cuda(compute_type, "asked for and usable" if device == "cuda" else "CUDA is usable")


def cuda_problem() -> str | None:
    """Why CUDA cannot be used, found by using it: some cards are available and then fail."""
    if not torch.cuda.is_available():
        has_cuda = torch.version.cuda is not None
        return "no CUDA device is visible" if has_cuda else "this torch was built without CUDA"
    try:
        ones = torch.ones(16, 16, device="cuda")
        if float((ones @ ones).sum()) == 16**3:
            return None
        return "the CUDA device multiplies wrongly"
    except RuntimeError as error:
        return f"the CUDA device failed a small multiplication ({str(error).splitlines()[0]})"


def _on_cpu(compute_type: str, device_reason: str) -> Placement:
    chosen, reason = compute_type, "asked for"
    if compute_type == "auto":
        chosen, reason = "float32", "float32 is exact and the only fast format on every CPU"
    return Placement(
        device=torch.device("cpu"),
        device_name=platform.processor() or platform.machine(),
        compute_type=chosen,
        batch_windows=_CPU_BATCH_WINDOWS,
        reasons={
            "device": device_reason,
            "compute_type": reason,
            "batch_windows": f"{_CPU_BATCH_WINDOWS} on a CPU: {os.cpu_count()} cores, "
            "larger batches only wait longer",
        },
    )


def _on_cuda(compute_type: str, device_reason: str) -> Placement:
    name = torch.cuda.get_device_name()
    chosen, reason = compute_type, "asked for"
    if compute_type == "auto":
        # Without "emulation": old cards claim bfloat16 and compute it slowly.
        if torch.cuda.is_bf16_supported(including_emulation=False):
            chosen, reason = "bfloat16", "the device computes bfloat16"
        else:
            chosen, reason = "float16", "the device is too old for bfloat16"
    return Placement(
        device=torch.device("cuda", torch.cuda.current_device()),
        device_name=name,
        compute_type=chosen,
        batch_windows=_CUDA_BATCH_WINDOWS,
        reasons={
            "device": f"{device_reason}: {name}",
            "compute_type": reason,
            "batch_windows": f"{_CUDA_BATCH_WINDOWS} windows fill a GPU; more mostly wait longer",
        },
    )
