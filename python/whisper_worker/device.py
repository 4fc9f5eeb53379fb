"""Which device, which number format and how many slots, and why.

The only place that asks the hardware.
"""

# pyright: basic
from __future__ import annotations

import os
import platform
import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch

from whisper_worker.failures import FatalFailure

# Of activations, and of all weights that linears.py leaves alone. FBGEMM takes and gives float32;
# torch._scaled_mm gives bfloat16.
_DTYPES = {
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float32": torch.float32,
    "int8": torch.float32,
    "float8": torch.bfloat16,
}
# From the rooflines in CUDA_NOTES.md: beyond 16 rows a step gains little, because every row reads
# its own cross-attention keys.
_CUDA_SLOTS = 16
# A step of a model of whisper-small's shape in bfloat16, packed: 19 ms at 1 row, 39 at 4, 59 at 8
# (one thread). Eight rows still give a third more tokens a second than four.
_CPU_SLOTS = 8
# large-v3 in bfloat16: 246 MB of cross-attention and 73 MB of self-attention keys and values.
_SLOT_BYTES = 320_000_000
# Of a card's free memory before the model is there: large-v3's weights and the encoder's workspace.
_RESERVED_BYTES = 5_000_000_000
# Below this, float32 is quick enough, and it is exact. Whisper tiny has 39 million.
_HEAVY_PARAMETERS = 30_000_000
_FLOAT8_CAPABILITY = (8, 9)
_LOOK_FURTHER = (
    "More is told by: npm run doctor (of a container: docker compose run --rm server doctor)."
)


@dataclass(frozen=True)
class Placement:
    device: torch.device
    device_name: str
    compute_type: str
    slots: int
    reasons: dict[str, str]
    is_compute_type_automatic: bool = False

    @property
    def dtype(self) -> torch.dtype:
        return _DTYPES[self.compute_type]

    @property
    def lowers_attention(self) -> bool:
        """8 bits on a CPU that computes bfloat16: what stays float32 need not all be exact."""
        return self.compute_type == "int8" and computes_bfloat16()

    @property
    def cross_dtype(self) -> torch.dtype:
        """Of the cross-attention's keys and values in the slots."""
        return torch.bfloat16 if self.lowers_attention else self.dtype

    def for_model(self, parameters: int) -> Placement:
        """The same once the model's size is known: a CPU's automatic format depends on it."""
        if self.device.type != "cpu" or not self.is_compute_type_automatic:
            return self
        chosen, reason = automatic_cpu_type(parameters)
        return replace(self, compute_type=chosen, reasons={**self.reasons, "compute_type": reason})


def require_cuda(asked_by: str) -> None:
    """Whoever asks for a GPU is told that there is none, and is not given a CPU."""
    problem = cuda_problem()
    if problem is not None:
        message = f"{asked_by} asks for a GPU, and none can be used: {problem}. {_LOOK_FURTHER}"
        raise FatalFailure("device_unavailable", message)


def choose_placement(
    device: str, compute_type: str, slots: int | None = None, gpu_asked_by: str | None = None
) -> Placement:
    """`auto` or an order for device and number format; None leaves the slots to the machine."""
    if gpu_asked_by is None and device == "cuda":
        gpu_asked_by = "DEVICE=cuda"
    if gpu_asked_by is not None:
        require_cuda(gpu_asked_by)
        return _with_slots(_on_cuda(compute_type, "asked for and usable"), slots)
    problem = cuda_problem() if device == "auto" else "asked for"
    if problem is not None:
        return _with_slots(_on_cpu(compute_type, problem), slots)
    return _with_slots(_on_cuda(compute_type, "CUDA is usable"), slots)


def _with_slots(placement: Placement, slots: int | None) -> Placement:
    if slots is None:
        return placement
    return replace(placement, slots=slots, reasons={**placement.reasons, "slots": "asked for"})


def cuda_problem() -> str | None:
    """Why CUDA cannot be used, found by using it: some cards are available and then fail."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        is_available = torch.cuda.is_available()
    if not is_available:
        return _why_invisible([str(warning.message) for warning in warned])
    try:
        ones = torch.ones(16, 16, device="cuda")
        if float((ones @ ones).sum()) == 16**3:
            return None
        return "the CUDA device multiplies wrongly"
    except RuntimeError as error:
        return f"the CUDA device failed a small multiplication ({str(error).splitlines()[0]})"


def _why_invisible(warned: list[str]) -> str:
    """That the driver is too old, or has lost the device, torch only warns of, and only once."""
    build = f"torch {torch.__version__}"
    if torch.version.cuda is None:
        return f"{build} was built without CUDA"
    why = f" ({warned[0].splitlines()[0]})" if warned else ""
    return f"{build}, built for CUDA {torch.version.cuda}, sees no CUDA device{why}"


def automatic_cpu_type(parameters: int) -> tuple[str, str]:
    """The number format for a model of this size on this CPU, and why."""
    if parameters < _HEAVY_PARAMETERS:
        return "float32", "float32 is exact, and the model is small"
    if not computes_bfloat16():
        return "float32", "float32 is exact, and this CPU has no bfloat16 instructions"
    return "bfloat16", "the CPU computes bfloat16, and the model is large"


def computes_bfloat16() -> bool:
    """In instructions of its own. oneDNN says yes on every AVX-512 CPU and then emulates."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        cpu: Any = torch.cpu
        return bool(cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported())
    ops: Any = torch.ops.mkldnn  # on Arm its answer is the CPU's own
    return torch.backends.mkldnn.is_available() and bool(ops._is_mkldnn_bf16_supported())


def _on_cpu(compute_type: str, device_reason: str) -> Placement:
    if compute_type == "float8":
        raise FatalFailure(
            "device_unavailable", "COMPUTE_TYPE=float8 needs a CUDA device; on a CPU, int8 is fast."
        )
    is_automatic = compute_type == "auto"
    return Placement(
        device=torch.device("cpu"),
        device_name=platform.processor() or platform.machine(),
        compute_type="float32" if is_automatic else compute_type,
        slots=_CPU_SLOTS,
        reasons={
            "device": device_reason,
            "compute_type": "float32 is exact" if is_automatic else "asked for",
            "slots": f"{_CPU_SLOTS} on a CPU with {os.cpu_count()} cores: more mostly wait longer",
        },
        is_compute_type_automatic=is_automatic,
    )


def _on_cuda(compute_type: str, device_reason: str) -> Placement:
    name = torch.cuda.get_device_name()
    chosen, reason = _cuda_type(compute_type, name)
    slots, slots_reason = _cuda_slots()
    return Placement(
        device=torch.device("cuda", torch.cuda.current_device()),
        device_name=name,
        compute_type=chosen,
        slots=slots,
        reasons={
            "device": f"{device_reason}: {name}",
            "compute_type": reason,
            "slots": slots_reason,
        },
        is_compute_type_automatic=compute_type == "auto",
    )


def _cuda_type(compute_type: str, name: str) -> tuple[str, str]:
    if compute_type == "auto":
        # Without "emulation": old cards claim bfloat16 and compute it slowly.
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bfloat16", "the device computes bfloat16"
        return "float16", "the device is too old for bfloat16"
    if compute_type == "int8":
        # Unpacking int8 weights step by step costs what their smaller size saves, unless a compiler
        # fuses the two; and a device that could gain from 8 bits has float8.
        raise FatalFailure(
            "device_unavailable", "COMPUTE_TYPE=int8 is for CPUs; on CUDA use bfloat16 or float8."
        )
    if compute_type == "float8" and torch.cuda.get_device_capability() < _FLOAT8_CAPABILITY:
        raise FatalFailure(
            "device_unavailable", f"COMPUTE_TYPE=float8 needs a newer GPU than {name}."
        )
    return compute_type, "asked for"


def _cuda_slots() -> tuple[int, str]:
    """By memory only where memory is the card's own: an integrated GPU's is the whole machine's,
    and what is free of it says how much the file cache holds.
    """
    if not torch.cuda.get_device_properties(torch.cuda.current_device()).is_integrated:
        free_bytes, _total = torch.cuda.mem_get_info()
        fitting = max(1, (free_bytes - _RESERVED_BYTES) // _SLOT_BYTES)
        if fitting < _CUDA_SLOTS:
            return fitting, f"{fitting} beside the model in {free_bytes / 1e9:.1f} GB of memory"
    return _CUDA_SLOTS, f"{_CUDA_SLOTS} rows fill a GPU; more mostly wait longer"
