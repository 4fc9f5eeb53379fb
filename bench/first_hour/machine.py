"""What this machine is: driver, torch, memory as the driver and as Linux see it, containers.

    .venv/bin/python -m bench.first_hour.machine

On a machine with unified memory the two views differ: CUDA's "free" does not count what the file
cache would give back. Whatever cannot be asked is told as such; nothing here fails the step.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from bench.first_hour.figures import keep

_COMMANDS = (
    ("nvidia-smi",),
    ("nvidia-smi", "-q", "-d", "CLOCK,POWER,TEMPERATURE"),
    ("docker", "--version"),
    ("nvidia-ctk", "--version"),
    ("ffmpeg", "-version"),
    ("nvcc", "--version"),
)
_FROM_MEMINFO = ("MemTotal", "MemFree", "MemAvailable", "Cached", "SwapTotal")


def facts() -> dict[str, Any]:
    return {
        "machine": platform.machine(),
        "kernel": platform.release(),
        "system": _first_match("/etc/os-release", "PRETTY_NAME="),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if torch.version.cuda else None,
        "transformers": version("transformers"),
        "memory_bytes": _meminfo(),
        "memory_limit": _read("/sys/fs/cgroup/memory.max"),
        "gpu": _gpu() if torch.cuda.is_available() else None,
    }


def _gpu() -> dict[str, Any]:
    before = _meminfo().get("MemAvailable", 0)
    torch.ones(16, 16, device="cuda").sum().item()
    after = _meminfo().get("MemAvailable", 0)
    properties: Any = torch.cuda.get_device_properties(0)
    return {
        "name": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "is_integrated": bool(properties.is_integrated),
        "total_bytes": properties.total_memory,
        "cuda_free_bytes": torch.cuda.mem_get_info()[0],
        # of the machine's memory: on an integrated GPU, CUDA's context and all that comes with it
        "machine_memory_taken_by_a_context_bytes": before - after,
        "built_for": torch.cuda.get_arch_list(),
    }


def _meminfo() -> dict[str, int]:
    found: dict[str, int] = {}
    for line in (_read("/proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        if name in _FROM_MEMINFO:
            found[name] = int(rest.split()[0]) * 1024
    return found


def _first_match(path: str, start: str) -> str | None:
    lines = (_read(path) or "").splitlines()
    return next((line[len(start) :].strip('"') for line in lines if line.startswith(start)), None)


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _say(command: tuple[str, ...]) -> str:
    if shutil.which(command[0]) is None:
        return f"{command[0]} is not installed"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stdout + done.stderr).strip()


def main() -> None:
    found = facts()
    keep(found)
    for name, value in found.items():
        print(f"{name}: {value}")
    for command in _COMMANDS:
        print(f"\n$ {' '.join(command)}\n{_say(command)}")


if __name__ == "__main__":
    main()
