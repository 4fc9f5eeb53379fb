"""A setting that cannot be had on a GPU is refused with a line for the operator: says which.

.venv/bin/python -m bench.first_hour.refusal --compute-type int8
"""

from __future__ import annotations

import argparse
import sys

from bench.places import WORKER_PACKAGE

sys.path.insert(0, str(WORKER_PACKAGE))


def main() -> int:
    parser = argparse.ArgumentParser("bench.first_hour.refusal", description=__doc__)
    parser.add_argument("--compute-type", default="int8")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    from whisper_worker.device import choose_placement
    from whisper_worker.failures import FatalFailure

    try:
        placement = choose_placement(options.device, options.compute_type)
    except FatalFailure as refused:
        print(refused)
        return 0
    print(f"not refused: {placement}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
