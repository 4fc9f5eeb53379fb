"""What `npm run doctor` asks of Python: one JSON object of versions and of what torch can do here.

It judges nothing. `src/doctor/python-probe.ts` reads it.
"""

# pyright: basic
from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import platform
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# What src/doctor calls "the packages": without one of them the worker cannot start.
_PACKAGES = ["torch", "transformers", "numpy", "huggingface_hub", "accelerate", "silero_vad"]
_SIDE = 512
# How far off entries may be that are mostly below 100. bfloat16 has 8 bits, sums included.
_TOLERANCES = {"float32": 1e-2, "bfloat16": 1.0}


def probe(device: str) -> dict[str, Any]:
    """`device` as in DEVICE: auto, cuda or cpu."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "python_header": _header(),
        "missing": _missing(),
    }
    if not found["missing"]:
        found["transformers"] = _version("transformers")
        found["torch"] = _ask_torch(device)
    return found


def _missing() -> list[str]:
    return [name for name in _PACKAGES if importlib.util.find_spec(name) is None]


def _header() -> str | None:
    path = Path(sysconfig.get_path("include"), "Python.h")
    return str(path) if path.is_file() else None


def _version(package: str) -> str:
    return str(importlib.import_module(package).__version__)


def _ask_torch(device: str) -> dict[str, Any]:
    import torch

    from whisper_worker.device import cuda_problem

    problem = cuda_problem() if device != "cpu" else None
    uses_cuda = device != "cpu" and problem is None
    return {
        "version": torch.__version__,
        "cuda_version": torch.version.cuda,
        "driver_cuda": driver_cuda(),
        "cudnn": _cudnn(),
        "cuda_problem": problem,
        "device": "cuda" if uses_cuda else "cpu",
        "product": product_problem("cuda") if uses_cuda else product_problem("cpu", ["float32"]),
        "gpu": _gpu() if uses_cuda else None,
    }


def driver_cuda(load: Callable[[str], Any] = ctypes.CDLL) -> str | None:
    """The newest CUDA that the driver runs, from its own library: torch tells of its runtime."""
    version = ctypes.c_int(0)
    try:
        if load("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version)) != 0:
            return None
    except OSError:
        return None
    return _dotted(version.value, 1000, 10)


def _cudnn() -> str | None:
    import torch

    try:
        return _dotted(torch.backends.cudnn.version(), 10_000, 100)
    except RuntimeError:  # another one than torch was built with; what then fails says so
        return None


def _dotted(number: int | None, major: int, minor: int) -> str | None:
    """13020 with thousands and tens is 13.2."""
    return None if number is None else f"{number // major}.{number % major // minor}"


def product_problem(device: str, formats: Sequence[str] = ("float32", "bfloat16")) -> str | None:
    """What is wrong with a product of two random matrices there, against float64 on the CPU."""
    import torch

    generator = torch.Generator().manual_seed(1)
    for name in formats:
        pair = [torch.randn(_SIDE, _SIDE, generator=generator) for _ in range(2)]
        one, other = (matrix.to(getattr(torch, name)) for matrix in pair)
        expected = one.double() @ other.double()
        try:
            product = (one.to(device) @ other.to(device)).double().cpu()
        except (RuntimeError, NotImplementedError) as error:
            return f"{name}: {str(error).splitlines()[0]}"
        error = float((product - expected).abs().max())
        if not error < _TOLERANCES[name]:
            return f"in {name} it is off by up to {error:.3g}"
    return None


def _gpu() -> dict[str, Any]:
    import torch

    properties: Any = torch.cuda.get_device_properties(0)
    free, total = torch.cuda.mem_get_info()
    return {
        "name": torch.cuda.get_device_name(),
        "capability": list(torch.cuda.get_device_capability()),
        "built_for": torch.cuda.get_arch_list(),
        "is_integrated": bool(properties.is_integrated),
        "free_bytes": free,
        "total_bytes": total,
    }


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[1] if len(sys.argv) > 1 else "auto")))
