"""Prints where our speech detector cuts recordings: the windows that everybody is given.

Runs in the worker's own environment:  .venv/bin/python bench/cut_windows.py RECORDING.pcm ...
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_WORKER = Path(os.environ.get("BENCH_WORKER_ROOT", _ROOT)).resolve() / "python"
sys.path[0] = str(_WORKER)

import numpy as np  # noqa: E402
from whisper_worker.detector import choose_detector  # noqa: E402
from whisper_worker.vad import cut_windows  # noqa: E402


def main() -> None:
    detector = choose_detector()
    for path in map(Path, sys.argv[1:]):
        pcm = np.memmap(path, dtype="<i2", mode="r")
        windows = [(window.start, window.end) for window in cut_windows(pcm, detector.listen())]
        print(json.dumps({"path": str(path), "windows": windows, "detector": detector.name}))


if __name__ == "__main__":
    main()
