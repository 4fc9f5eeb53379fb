"""Where everything is: the repository, the bench's own caches, the audio and the models.

BENCH_WORKER_ROOT names another checkout whose worker is measured; the bench itself stays here.
"""

from __future__ import annotations

import os
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
CACHE = BENCH / ".cache"
RESULTS = BENCH / "results"
SPOOL = CACHE / "audio"
RECORDINGS = ROOT / "test" / "audio"
TINY_DA = ROOT / "models" / "tiny-da"
WORKER_ROOT = Path(os.environ.get("BENCH_WORKER_ROOT", ROOT)).resolve()
WORKER_PACKAGE = WORKER_ROOT / "python"
WORKER_PYTHON = ROOT / ".venv" / "bin" / "python"
