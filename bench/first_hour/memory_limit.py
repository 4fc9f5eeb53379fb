"""Takes 4 GiB of a GPU's memory, a quarter at a time, and says what the group it runs in noticed.

    systemd-run --user --scope -p MemoryMax=3G -p MemorySwapMax=0 \\
        .venv/bin/python -m bench.first_hour.memory_limit

If it ends with all of it, the limit does not count CUDA's memory; if it is killed, it does.
"""

from __future__ import annotations

from pathlib import Path

import torch

from bench.first_hour.figures import keep

_GIB = 2**30
_ALL = 4


def main() -> None:
    group = Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2]
    noticed = Path("/sys/fs/cgroup") / group.lstrip("/") / "memory.current"
    kept: list[torch.Tensor] = []
    figures: list[dict[str, int]] = []
    for count in range(_ALL + 1):
        if count:
            kept.append(torch.ones(_GIB, dtype=torch.uint8, device="cuda"))
            torch.cuda.synchronize()
        counted = int(noticed.read_text())
        figures.append({"taken_bytes": count * _GIB, "counted_bytes": counted})
        keep(figures)
        print(
            f"{count} GiB taken on the GPU, the group counts {counted / _GIB:.2f} GiB", flush=True
        )
    print(f"The limit of {noticed.with_name('memory.max').read_text().strip()} was not enforced.")


if __name__ == "__main__":
    main()
