"""Which attention kernel reads the cross-attention's keys how fast, and whether it is right.

    .venv/bin/python -m bench.first_hour.attention

Queries (rows, 20, 1, 64) over keys and values (rows, 20, 1500, 64), as many layers as large-v3 has,
so that nothing comes from the cache. Each answer is compared with plain arithmetic: cuDNN's has
been wrong on other cards (pytorch #193893).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.benchmark import Timer

from bench.decode_roofline import table
from bench.first_hour.figures import keep

_ROWS = (1, 4, 8, 16, 32)
_LAYERS = 32
_KERNELS = (
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.MATH,
)


def main() -> None:
    figures = measure("cuda", _ROWS, _LAYERS)
    keep(figures)
    body = [[str(value) for value in one.values()] for one in figures]
    print(table(("rows", "kernel", "GB/s or why not", "largest error"), body))


def measure(device: str, row_counts: Sequence[int], layers: int) -> list[dict[str, object]]:
    like: Any = {"device": device, "dtype": torch.bfloat16}
    figures: list[dict[str, object]] = []
    for rows in row_counts:
        query = torch.randn(rows, 20, 1, 64, **like)
        keys = [torch.randn(2, rows, 20, 1500, 64, **like) for _ in range(layers)]
        exact = scaled_dot_product_attention(query.float(), keys[0][0].float(), keys[0][1].float())
        for kernel in _KERNELS:
            figures.append(
                {"rows": rows, "kernel": kernel.name, **_try(kernel, query, keys, exact)}
            )
    return figures


def _try(
    kernel: SDPBackend, query: torch.Tensor, keys: list[torch.Tensor], exact: torch.Tensor
) -> dict[str, object]:
    with sdpa_kernel(kernel):
        try:
            said = scaled_dot_product_attention(query, keys[0][0], keys[0][1])
            work = "[attend(query, one[0], one[1]) for one in keys]"
            names = {"attend": scaled_dot_product_attention, "query": query, "keys": keys}
            seconds = Timer(work, globals=names).blocked_autorange().median
        except RuntimeError as error:
            return {"bandwidth": str(error).splitlines()[0], "error": ""}
    error = float((said.float() - exact).abs().max())
    return {
        "bandwidth": round(sum(one.nbytes for one in keys) / seconds / 1e9, 1),
        "error": round(error, 4),
    }


if __name__ == "__main__":
    main()
