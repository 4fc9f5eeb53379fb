"""Does the worker grow? The memory after 200 requests of a short clip against that after 2,000."""

from __future__ import annotations

from dataclasses import replace

from bench.child import Child
from bench.conversion import NotRun
from bench.jobs import Item, Job
from bench.machine import describe
from bench.places import CACHE, RESULTS, TINY_DA
from bench.report import write_json
from bench.systems import all_systems
from bench.workloads import SIZES, make_workloads

_AT_ONCE = 10
_BAR = 1.05
_PROMISED = 2000  # fewer are a smoke run


def probe_leak(device: str, requests: int) -> None:
    """Ten at once, again and again; prints and writes what it finds."""
    print(f"\n═══ tiny-da on {device}: memory over {requests} requests", flush=True)
    system = next(one for one in all_systems(1, device, True) if one.name.startswith("ours"))
    workloads = make_workloads(SIZES["quick"]["tiny-da"], is_scripted=False)
    clips = workloads["clips-4"].job.items
    try:
        with Child(system, TINY_DA, {"script": False}, {}) as child:
            series = _grow(child, clips, requests)
    except NotRun as problem:
        print(f"   not run: {problem}")
        return
    first, last = min(series, key=lambda count: abs(count - requests // 10)), max(series)
    early, late = series[first], series[last]
    ratio = late / early
    verdict = "met" if ratio <= _BAR else "MISSED"
    print(
        f"   after {first}: {early / 2**20:.1f} MiB, after {last}: {late / 2**20:.1f} MiB, "
        f"{ratio - 1:+.1%}; bar +5 %: {verdict}"
    )
    content = {
        "machine": describe(device),
        "system": system.name,
        "resident_bytes_after_requests": series,
        "ratio": ratio,
        "is_met": ratio <= _BAR,
    }
    folder = RESULTS if requests >= _PROMISED else CACHE / "results"
    write_json(folder / f"leak-{device}.json", content)


def _grow(child: Child, clips: tuple[Item, ...], requests: int) -> dict[int, int]:
    """Resident bytes, twenty times on the way."""
    series: dict[int, int] = {}
    for done in range(_AT_ONCE, requests + 1, _AT_ONCE):
        items = tuple(
            replace(clips[(done + i) % len(clips)], name=f"clip-{i}") for i in range(_AT_ONCE)
        )
        child.run(Job("at_once", items))
        if done % max(_AT_ONCE, requests // 20) == 0:
            resident = child.resident_bytes()
            if resident is None:
                raise NotRun("this system does not say how much memory a process has")
            series[done] = resident
            if len(series) % 5 == 0:
                print(f"   {done}: {resident / 2**20:.1f} MiB", flush=True)
    return series
