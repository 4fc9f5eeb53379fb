"""How much of the bandwidth the decoder's matrices get at 1 to 32 rows, and where it dips.

.venv/bin/python -m bench.first_hour.matrices
"""

from __future__ import annotations

import torch
from torch.nn.functional import linear
from torch.utils.benchmark import Timer

from bench.decode_roofline import table
from bench.first_hour.figures import keep

_ROWS = (1, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32)
# outputs, inputs, and how many different ones, so that nothing comes from the cache
_MATRICES = ((1280, 1280, 192), (5120, 1280, 32), (1280, 5120, 32), (51866, 1280, 4))


def main() -> None:
    figures: list[dict[str, float | str]] = []
    for outputs, inputs, count in _MATRICES:
        weights = [
            torch.randn(outputs, inputs, device="cuda", dtype=torch.bfloat16) for _ in range(count)
        ]
        size = sum(weight.nbytes for weight in weights)
        for rows in _ROWS:
            x = torch.randn(rows, inputs, device="cuda", dtype=torch.bfloat16)
            names = {"linear": linear, "x": x, "weights": weights}
            timer = Timer("[linear(x, weight) for weight in weights]", globals=names)
            speed = size / timer.blocked_autorange().median / 1e9
            figures.append(
                {"matrix": f"{outputs} x {inputs}", "rows": rows, "gb_per_s": round(speed)}
            )
    keep(figures)
    body = [[str(value) for value in one.values()] for one in figures]
    print(table(("matrix", "rows", "GB/s"), body))


if __name__ == "__main__":
    main()
