"""What `npm run doctor` asks of Python: one JSON object of versions and of what torch can do here.

It judges nothing. `src/doctor/python-probe.ts` reads it.
"""

# pyright: basic
from __future__ import annotations

import importlib
import importlib.util
import json
import platform
import sys
from typing import Any

# What src/doctor calls "the packages": without one of them the worker cannot start.
_PACKAGES = ["torch", "transformers", "numpy", "huggingface_hub", "accelerate", "silero_vad"]
_SIDE = 512
_TOLERANCE = 1e-2


def probe(device: str) -> dict[str, Any]:
    """`device` as in DEVICE: auto, cuda or cpu."""
    found: dict[str, Any] = {"python": platform.python_version(), "missing": _missing()}
    if not found["missing"]:
        found["transformers"] = _version("transformers")
        found["torch"] = _ask_torch(device)
    return found


def _missing() -> list[str]:
    return [name for name in _PACKAGES if importlib.util.find_spec(name) is None]


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
        "cuda_problem": problem,
        "device": "cuda" if uses_cuda else "cpu",
        "product": product_problem("cuda" if uses_cuda else "cpu"),
        "gpu": _gpu() if uses_cuda else None,
    }


def product_problem(device: str) -> str | None:
    """What is wrong with a product of two random matrices there, against float64 on the CPU."""
    import torch

    generator = torch.Generator().manual_seed(1)
    one, other = (torch.randn(_SIDE, _SIDE, generator=generator) for _ in range(2))
    expected = one.double() @ other.double()
    try:
        product = (one.to(device) @ other.to(device)).double().cpu()
    except RuntimeError as error:
        return str(error).splitlines()[0]
    error = float((product - expected).abs().max())
    return None if error < _TOLERANCE else f"it is off by up to {error:.3g}"


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
