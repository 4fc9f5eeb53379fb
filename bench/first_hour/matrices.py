"""How much of the bandwidth the decoder's matrices get at 1 to 32 rows, and where it dips.

.venv/bin/python -m bench.first_hour.matrices
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import linear
from torch.utils.benchmark import Timer

from bench.decode_roofline import table
from bench.first_hour.figures import keep

_ROWS = (1, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32)
# outputs, inputs, and how many different ones, so that nothing comes from the cache
_MATRICES = ((1280, 1280, 192), (5120, 1280, 32), (1280, 5120, 32), (51866, 1280, 4))


def main() -> None:
    figures = measure("cuda", _MATRICES, _ROWS)
    keep(figures)
    body = [[str(value) for value in one.values()] for one in figures]
    print(table(("matrix", "rows", "GB/s"), body))


def measure(
    device: str, matrices: Sequence[tuple[int, int, int]], row_counts: Sequence[int]
) -> list[dict[str, float | str]]:
    like: Any = {"device": device, "dtype": torch.bfloat16}
    figures: list[dict[str, float | str]] = []
    for outputs, inputs, count in matrices:
        weights = [torch.randn(outputs, inputs, **like) for _ in range(count)]
        size = sum(weight.nbytes for weight in weights)
        for rows in row_counts:
            x = torch.randn(rows, inputs, **like)
            names = {"linear": linear, "x": x, "weights": weights}
            timer = Timer("[linear(x, weight) for weight in weights]", globals=names)
            speed = size / timer.blocked_autorange().median / 1e9
            figures.append(
                {"matrix": f"{outputs} x {inputs}", "rows": rows, "gb_per_s": round(speed, 1)}
            )
    return figures


if __name__ == "__main__":
    main()
