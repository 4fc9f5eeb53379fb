"""What this GPU's memory and its matrix units really give, and the roofline with those rates.

    .venv/bin/python -m bench.first_hour.rates

Bandwidth is of reading as many bytes as a step of eight rows of large-v3 does.
"""

from __future__ import annotations

from bench.decode_roofline import ROWS, SHAPES, Machine, describe_limits, describe_steps, step_bytes
from bench.first_hour.figures import keep
from bench.machine import measure_rates

_LENGTH = 128  # tokens that a row has behind it, as in CUDA_NOTES.md
_STEPS = 124
_AT_ROWS = (1, 8, 16, 32)


def main() -> None:
    network = SHAPES["large-v3"]
    rates = measure_rates("cuda", step_bytes(network, 8, _LENGTH))
    keep({"bandwidth": rates.bandwidth, "products": rates.gemm})
    print(f"memory: {rates.bandwidth / 1e9:.0f} GB/s")
    for kind, rate in rates.gemm.items():
        print(f"products in {kind}: {rate / 1e12:.1f} TFLOP/s")
    machine = Machine(rates.bandwidth, rates.gemm["bfloat16"])
    print(f"\nA step:\n\n{describe_steps(network, rates.bandwidth, _LENGTH, ROWS)}")
    print(f"\nA window:\n\n{describe_limits(network, machine, _LENGTH, _STEPS, _AT_ROWS)}")


if __name__ == "__main__":
    main()
