"""Who is measured, with which settings, and which of them each may choose among to be best."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Arithmetic = Literal["float32", "bfloat16", "float16", "int8"]


@dataclass(frozen=True)
class System:
    name: str
    module: str
    arithmetic: Arithmetic  # what the roofline counts with
    options: Mapping[str, Any]
    # Tried on the tuning workload; the quickest is taken for all rounds.
    candidates: tuple[Mapping[str, Any], ...] = ({},)
    # True: a candidate needs a fresh process (it is an option of loading).
    reloads: bool = False
    only_workloads: tuple[str, ...] | None = None
    skipped_workloads: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def runs(self, workload: str) -> bool:
        if workload in self.skipped_workloads:
            return False
        return self.only_workloads is None or workload in self.only_workloads


_HEAVY = "long-and-clips"


def within_an_hour(systems: Sequence[System]) -> list[System]:
    """What a full-size model on a small machine leaves out unless `--full` is asked for: who only
    waits in line in the heaviest workload, and the pipeline in bfloat16, which no bar speaks of."""
    kept = [one for one in systems if one.name != "pipeline bf16"]
    return [
        one
        if one.name.startswith("ours") or one.name == "pipeline f32"
        else replace(one, skipped_workloads=(*one.skipped_workloads, _HEAVY))
        for one in kept
    ]


def all_systems(cores: int, device: str, is_tiny: bool) -> list[System]:
    """In the order of the table. `ours` first: the others are compared with it."""
    systems = [
        *_ours(device),
        *_pipelines(cores, device, is_tiny),
        *_faster_whispers(cores, device),
    ]
    return systems if device == "cuda" else [*systems, _whisper_cpp(cores)]


def _ours(device: str) -> list[System]:
    kinds: tuple[Arithmetic, ...] = ("float32", "bfloat16", "int8")
    if device == "cuda":
        kinds = ("bfloat16",)
    return [
        System(
            f"ours {_short(kind)}",
            "bench.subjects.ours",
            kind,
            {"compute_type": kind, "device": device},
            note="the worker of this commit; slots and threads chosen by itself",
        )
        for kind in kinds
    ]


def _pipelines(cores: int, device: str, is_tiny: bool) -> list[System]:
    kinds: tuple[Arithmetic, ...] = ("float32", "bfloat16") if device == "cpu" else ("bfloat16",)
    batches = (1, 4, 8) if device == "cpu" else (4, 16, 32)
    # a tiny model can be quicker with one thread
    threads = sorted({1, cores}) if is_tiny else [cores]
    candidates = tuple(
        {"batch_size": size, "threads": count} for size in batches for count in threads
    )
    systems = [
        System(
            f"pipeline {_short(kind)}",
            "bench.subjects.transformers_pipeline",
            kind,
            {"compute_type": kind, "device": device, "threads": cores},
            candidates,
            note="transformers, num_beams=1, one call for all where all are there",
        )
        for kind in kinds
    ]
    chunked = System(
        f"pipeline-chunked {_short(kinds[0])}",
        "bench.subjects.transformers_pipeline",
        kinds[0],
        {"compute_type": kinds[0], "device": device, "threads": cores, "chunked": True},
        ({"batch_size": max(batches)},),
        only_workloads=("long",),
        note="transformers' own long-form way: 30 s every 20 s, so half as much work again",
    )
    return [*systems, chunked]


def _faster_whispers(cores: int, device: str) -> list[System]:
    kinds: tuple[tuple[Arithmetic, str], ...] = (("float32", "float32"), ("int8", "int8"))
    if device == "cuda":
        kinds = (("float16", "float16"), ("int8", "int8_float16"))
    common = {"device": device, "num_workers": 1, "threads": cores}
    sequential = tuple(
        System(
            f"faster-whisper {_short(kind)}",
            "bench.subjects.ct2",
            kind,
            {**common, "compute_type": name, "batched": False},
            ({"num_workers": 1, "threads": cores}, {"num_workers": cores, "threads": 1}),
            reloads=True,
            note="window by window; best of one worker with all cores and one worker a core",
        )
        for kind, name in kinds
    )
    batched = tuple(
        System(
            f"faster-whisper-batched {_short(kind)}",
            "bench.subjects.ct2",
            kind,
            {**common, "compute_type": name, "batched": True},
            tuple({"batch_size": size} for size in ((4, 8, 16) if device == "cpu" else (8, 32))),
            note="BatchedInferencePipeline; strangers' clips glued into one call, its best case",
        )
        for kind, name in kinds
    )
    return [*sequential, *batched]


def _whisper_cpp(cores: int) -> System:
    environment: dict[str, str] = {}
    built = os.environ.get("BENCH_PYWHISPERCPP")  # a build of one's own, for this very processor
    if built:
        environment = {"PYTHONPATH": built, "LD_LIBRARY_PATH": built}
    return System(
        "whisper.cpp f16",
        "bench.subjects.whisper_cpp",
        "float16",
        {"threads": cores},
        ({"flash_attn": True}, {"flash_attn": False}),
        reloads=True,
        environment=environment,
        note="one request at a time, as its server: a mutex around the model",
    )


def _short(kind: str) -> str:
    return {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}.get(kind, kind)
