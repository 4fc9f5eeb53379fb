"""Which measurements there are, what each needs, and which open question it settles.

It runs nothing. `settles` are numbers of QUESTIONS in report.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.places import ROOT


@dataclass(frozen=True)
class Wishes:
    """What the whole run was told."""

    device: str  # cuda where there is one, cpu otherwise
    model: str
    rival: str
    recordings: str | None
    is_quick: bool


@dataclass(frozen=True)
class Step:
    name: str
    title: str
    minutes: float  # a guess for a GB10; after five times as long it is given up
    command: Sequence[str]
    needs_gpu: bool = True
    is_in_quick: bool = False
    programs: Sequence[str] = ()  # beside Python and Node
    settles: Sequence[int] = ()
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def limit_seconds(self) -> float:
        return max(120.0, self.minutes * 60 * 5)


def node() -> str:
    """The Node that npm brought along, which is new enough; else whichever there is."""
    own = ROOT / "node_modules" / ".bin" / "node"
    return str(own) if own.exists() else "node"


def steps_of(wishes: Wishes) -> list[Step]:
    return [*_looking(wishes), *_kernels(wishes), *_engine(wishes), *_server(wishes), *_rest()]


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def _looking(wishes: Wishes) -> list[Step]:
    surroundings = {"MODEL": wishes.model, "DEVICE": wishes.device}
    if wishes.device == "cuda":
        surroundings["REQUIRE_GPU"] = "1"
    doctor = (node(), "src/doctor/main.ts", "--json")
    return [
        Step(
            "machine",
            "Driver, torch, memory as both sides see it, versions",
            0.3,
            _python("bench.first_hour.machine"),
            needs_gpu=False,
            is_in_quick=True,
            settles=(11,),
        ),
        Step(
            "machine-code",
            "For which GPUs the installed torch carries code",
            0.3,
            _python("bench.machine_code", *_torch_libraries()),
        ),
        Step(
            "doctor",
            "npm run doctor, its JSON",
            2,
            doctor,
            needs_gpu=False,
            is_in_quick=True,
            environment=surroundings,
        ),
        Step(
            "model-files",
            "What the model's files say, and what had to be repaired",
            2,
            _python("bench.first_hour.model_files", wishes.model),
            needs_gpu=False,
            is_in_quick=True,
            settles=(1, 7),
        ),
        Step(
            "gpu-tests",
            "pytest -m gpu: graphs, look-ahead, the CPU's words, memory that stands still",
            4,
            _python("pytest", "python", "-m", "gpu", "-q", "-c", "python/pyproject.toml"),
            settles=(8,),
        ),
    ]


def _torch_libraries() -> list[str]:
    found = sorted(Path(sys.prefix).glob("lib/python3*/site-packages/torch/lib/libtorch_cuda*.so"))
    return [str(path) for path in found] or ["no-libtorch_cuda.so"]


def _kernels(wishes: Wishes) -> list[Step]:
    return [
        Step(
            "rates",
            "Memory bandwidth and matrix products, then the roofline with them",
            2,
            _python("bench.first_hour.rates"),
            settles=(4, 6),
        ),
        Step(
            "attention",
            "Which attention kernel, and how much of the bandwidth",
            2,
            _python("bench.first_hour.attention"),
            settles=(9,),
        ),
        Step(
            "matrices",
            "The decoder's matrices at 1 to 32 rows",
            2,
            _python("bench.first_hour.matrices"),
            settles=(9,),
        ),
        *_decoder_steps(wishes),
    ]


def _decoder_steps(wishes: Wishes) -> list[Step]:
    def measure(*more: str) -> tuple[str, ...]:
        size = ("--shape", "large", "--rows", "1", "2", "4", "8", "16", "32")
        if wishes.is_quick:
            size = ("--shape", "tiny-da", "--steps", "5", "--rows", "1", "4")
        return _python("bench.first_hour.decoder_steps", "--device", wishes.device, *more, *size)

    return [
        Step(
            "steps",
            "Decoding steps with CUDA graphs, and the memory that the graphs keep",
            3,
            measure(),
            needs_gpu=False,
            is_in_quick=True,
            settles=(4, 8),
        ),
        Step(
            "steps-plain", "The same without CUDA graphs", 3, measure("--no-graphs"), settles=(4,)
        ),
        Step("steps-compile", "The same, compiled", 10, measure("--compile"), settles=(4,)),
        Step(
            "steps-float8",
            "The same in float8: does it start, does its self-check pass, is it faster",
            4,
            measure("--compute-type", "float8"),
            settles=(10,),
        ),
        Step(
            "int8",
            "int8 is refused on a GPU, with the reason",
            0.3,
            _python("bench.first_hour.refusal", "--compute-type", "int8"),
        ),
    ]


def _engine(wishes: Wishes) -> list[Step]:
    instances = _python("bench.instances", "--device", "cuda", "--shape", "large", "--rounds", "3")
    under_mps = (
        "set -e; export CUDA_MPS_PIPE_DIRECTORY=$(mktemp -d) CUDA_MPS_LOG_DIRECTORY=$(mktemp -d); "
        'nvidia-cuda-mps-control -d; trap "echo quit | nvidia-cuda-mps-control" EXIT; "$@"'
    )
    bars = ("bench/main.mjs", "--device", "cuda", "--model", "large-shape", "--systems", "ours")
    return [
        Step(
            "bars",
            "The whole engine in large-v3's shape against its roofline",
            10,
            (node(), *bars, "--rounds", "3"),
            settles=(4,),
        ),
        Step("instances", "One process with n slots, or n processes", 8, instances, settles=(4,)),
        Step(
            "instances-mps",
            "The same under NVIDIA's Multi-Process Service",
            8,
            ("bash", "-c", under_mps, "mps", *instances),
            programs=("nvidia-cuda-mps-control",),
            settles=(4,),
        ),
        Step(
            "leak",
            "Memory of the worker over 2,000 requests",
            4,
            _python("bench", "--leak-only", "--device", wishes.device),
        ),
    ]


def _server(wishes: Wishes) -> list[Step]:
    told = ["--model", wishes.model, "--device", wishes.device]
    size = ["--hours", "0.01", "--seconds", "0.5", "--at-once", "2"] if wishes.is_quick else []
    recordings = ["--recordings", wishes.recordings] if wishes.recordings else []
    return [
        Step(
            "server",
            "The real server: a long file while clips come, word times, memory before and after",
            10,
            _python("bench.first_hour.real_server", *told, *size),
            needs_gpu=False,
            is_in_quick=True,
            settles=(2,),
        ),
        Step(
            "models",
            f"Word errors of {wishes.model} and {wishes.rival}, with a prompt and without",
            10,
            _python(
                "bench.first_hour.danish",
                *("--device", wishes.device, "--models", wishes.model, wishes.rival),
                *recordings,
            ),
            settles=(3, 5),
        ),
    ]


def _rest() -> list[Step]:
    limited = ("systemd-run", "--user", "--scope", "--quiet", "-p", "MemoryMax=3G")
    return [
        Step(
            "memory-limit",
            "Whether a container's memory limit counts what CUDA takes (4 GiB under a limit of 3)",
            0.5,
            (*limited, "-p", "MemorySwapMax=0", *_python("bench.first_hour.memory_limit")),
            programs=("systemd-run",),
            settles=(6,),
        ),
        Step(
            "profile",
            "Where the time of eight rows goes: gaps between graphs are the host's",
            3,
            (
                *("nsys", "profile", "-t", "cuda,nvtx", "--cuda-graph-trace=node", "-f", "true"),
                *("-o", os.path.join("bench", ".cache", "first-hour-decode")),
                *_python("bench.instances", "--device", "cuda", "--shape", "large"),
                *("--layouts", "1x8", "--rounds", "1"),
            ),
            programs=("nsys",),
            settles=(9,),
        ),
    ]
