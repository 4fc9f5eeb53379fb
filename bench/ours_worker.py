"""The real worker's entry point, with one thing added when a script is asked for: the number of
tokens of each window is bench/script.py's, not the model's own business.

    python bench/ours_worker.py [--script] <the worker's own arguments>
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_WORKER = Path(os.environ.get("BENCH_WORKER_ROOT", _ROOT)).resolve() / "python"
# not this directory: its modules must not stand in the way of the worker's
sys.path[0] = str(_WORKER)
sys.path.append(str(_ROOT))

from whisper_worker import __main__ as worker  # noqa: E402

from bench.script import scripted_tokens  # noqa: E402


def _choose_with_script(arguments, wire):  # noqa: ANN001, ANN202 - the worker's own types
    model = worker.choose_model(arguments, wire)
    # (window, length of the prefix) → most tokens. The model never ends a text by itself: see
    # bench/shapes.py. So the most is what it makes.
    model.token_limit = lambda window, _prefix: scripted_tokens(window.end - window.start)
    return model


def main() -> int:
    if "--script" not in sys.argv:
        return worker.main()
    sys.argv.remove("--script")
    return worker.main(_choose_with_script)


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)
