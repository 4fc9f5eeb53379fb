"""What one decoding step reads, and how fast that could be: the Markdown tables of CUDA_NOTES.md.

    .venv/bin/python -m bench.decode_roofline large-v3 --bandwidth-gb-s 220 --tflops 75

Computed from a model's shape alone; nothing is measured and nothing but the standard library is
needed. bench/roofline.py holds the formulas of the network, this file those of a step over rows:

    bytes of a step = weights + rows x (cross keys and values + own keys and values so far)

A step reads every decoder weight once, whatever the number of rows, and of every row its own keys
and values (shared/reference/engine.md §3.4; model-and-hardware.md §D.1 has the same sum). Counted
without biases, norms, activations and logits: 0.1 % of the weights and 0.2 % of a row.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.roofline import POSITIONS, Network

# width, ffn, encoder layers, decoder layers, vocabulary, mel bins: openai/whisper model.py
SHAPES = {
    "large-v3": Network(1280, 5120, 32, 32, 51866, 128),
    "turbo": Network(1280, 5120, 32, 4, 51866, 128),
    "small": Network(768, 3072, 12, 12, 51865, 80),
    "base": Network(512, 2048, 6, 6, 51865, 80),
}
ROWS = (1, 2, 4, 8, 16, 32, 64)
TEXT_POSITIONS = 448
WINDOW_SECONDS = 30


@dataclass(frozen=True)
class Widths:
    """Bytes of a number: in the decoder's layers, and in the keys of the encoder's output.

    `plain` is for the output projection and a row's own keys, which stay in 16 bits: 51866 tokens
    are no multiple of 16, which float8 products need, and own keys are few.
    """

    name: str
    layers: int
    cross: int
    plain: int = 2


FULL = Widths("bf16", 2, 2)
ARITHMETICS = (
    FULL,
    Widths("8-bit weights", 1, 2),
    Widths("8-bit cross K/V", 2, 1),
    Widths("both 8-bit", 1, 1),
)


@dataclass(frozen=True)
class Machine:
    """Bytes and operations per second."""

    bandwidth: float
    operations: float


def weight_bytes(network: Network, widths: Widths = FULL) -> int:
    """Read once by every step."""
    projection = network.vocabulary * network.width
    return (network.decoder_weights - projection) * widths.layers + projection * widths.plain


def row_bytes(network: Network, length: int, widths: Widths = FULL) -> int:
    """Read by every step for each row: K and V of 1500 encoder frames and of `length` tokens."""
    per_position = network.decoder_layers * 2 * network.width
    return per_position * (POSITIONS * widths.cross + length * widths.plain)


def step_bytes(network: Network, rows: int, length: int, widths: Widths = FULL) -> int:
    return weight_bytes(network, widths) + rows * row_bytes(network, length, widths)


def slot_bytes(network: Network, widths: Widths = FULL) -> int:
    """What a slot holds for as long as the process lives: room for all 448 text positions."""
    return row_bytes(network, TEXT_POSITIONS, widths)


def layouts_bytes(
    network: Network, processes: int, rows: int, length: int, widths: Widths = FULL
) -> int:
    """One step of every process, `rows` together; each reads all weights (engine.md §4)."""
    return processes * weight_bytes(network, widths) + rows * row_bytes(network, length, widths)


def speed(network: Network, machine: Machine, rows: int, length: int, tokens: int, widths: Widths):  # noqa: ANN201 - a table's row
    """Seconds of encoder and of decoding per 30-s window, and times real time (engine.md §5)."""
    encoder = network.encoder_operations / machine.operations
    step = step_bytes(network, rows, length, widths) / machine.bandwidth
    decoder = tokens * step / rows
    return encoder, decoder, WINDOW_SECONDS / (encoder + decoder)


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body))


def describe_sizes(network: Network, length: int) -> str:
    encoder = network.encoder_operations
    cross = network.decoder_layers * 4 * POSITIONS * network.width**2
    knee = weight_bytes(network) / row_bytes(network, length)
    facts = (
        ("decoder weights, once per step", f"{weight_bytes(network) / 1e9:.3f} GB"),
        ("… with 8-bit layers", f"{weight_bytes(network, ARITHMETICS[1]) / 1e9:.3f} GB"),
        ("cross K/V per row and step", f"{row_bytes(network, 0) / 1e6:.1f} MB"),
        (
            f"own K/V per row and step at {length}",
            f"{(row_bytes(network, length) - row_bytes(network, 0)) / 1e6:.1f} MB",
        ),
        ("a slot's memory", f"{slot_bytes(network) / 1e6:.1f} MB"),
        ("encoder per 30-s window", f"{(encoder - cross) / 1e12:.3f} TFLOP"),
        ("cross K/V of a window", f"{cross / 1e12:.3f} TFLOP"),
        ("rows whose K/V weigh as much as the weights", f"{knee:.1f}"),
    )
    return table(("bf16", ""), facts)


def describe_steps(network: Network, bandwidth: float, length: int, rows: Sequence[int]) -> str:
    """Milliseconds of a step and tokens per second of all rows together."""

    def cell(count: int, widths: Widths) -> str:
        seconds = step_bytes(network, count, length, widths) / bandwidth
        return f"{seconds * 1e3:.1f} ms, {count / seconds:.0f} t/s"

    body = [(str(count), *(cell(count, widths) for widths in ARITHMETICS)) for count in rows]
    return table(("rows", *(widths.name for widths in ARITHMETICS)), body)


def describe_layouts(network: Network, bandwidth: float, length: int, total: int) -> str:
    """The same rows in one process and in several, as if they shared the memory perfectly."""
    layouts = [(count, total // count) for count in (1, 2, 4, 8, 16) if total % count == 0]
    one = layouts_bytes(network, 1, total, length)
    body: list[tuple[str, ...]] = []
    for processes, rows in layouts:
        moved = layouts_bytes(network, processes, total, length)
        seconds = moved / bandwidth
        body.append(
            (
                f"{processes} x {rows}",
                f"{moved / 1e9:.2f} GB",
                f"{seconds * 1e3:.1f} ms",
                f"{total / seconds:.0f}",
                f"{(one / moved - 1) * 100:+.0f} %" if processes > 1 else "",
            )
        )
    head = ("processes x rows", "bytes of one step of all", "time", "tokens/s", "against one")
    return table(head, body)


def describe_limits(
    network: Network, machine: Machine, length: int, tokens: int, rows: Sequence[int]
) -> str:
    """Most that a window's encoder pass and its tokens allow, one after the other."""
    body: list[tuple[str, ...]] = []
    for widths in (FULL, ARITHMETICS[-1]):
        found = [speed(network, machine, count, length, tokens, widths) for count in rows]
        decoders = " / ".join(f"{decoder * 1e3:.0f}" for _, decoder, _ in found)
        times = " / ".join(f"{times:.0f}" for _, _, times in found)
        body.append((widths.name, f"{found[0][0] * 1e3:.1f} ms", f"{decoders} ms", times))
    names = " / ".join(str(count) for count in rows)
    head = ("", "encoder and cross K/V", f"decoding at {names} rows", "x real time")
    return table(head, body)


def describe_memory(network: Network, slots: Sequence[int], widths: Widths = FULL) -> str:
    """Slots alone; the weights of the whole model come to it once."""
    body = [(str(count), f"{count * slot_bytes(network, widths) / 1e9:.2f} GB") for count in slots]
    return table(("slots", "keys and values"), body)


def find_network(name: str) -> Network:
    """One of SHAPES, or a directory with config.json, or such a file."""
    if name in SHAPES:
        return SHAPES[name]
    path = Path(name)
    if path.is_file():
        path = path.parent
    if not (path / "config.json").is_file():
        raise SystemExit(f"{name}: neither one of {', '.join(SHAPES)} nor a model's directory")
    if json.loads((path / "config.json").read_text()).get("model_type") != "whisper":
        raise SystemExit(f"{name} is not a Whisper")
    return Network.read(path)


def main() -> None:
    parser = argparse.ArgumentParser("bench.decode_roofline", description=__doc__)
    parser.add_argument("model", nargs="?", default="large-v3", help="name or directory")
    parser.add_argument("--bandwidth-gb-s", type=float, default=273.0)
    parser.add_argument("--tflops", type=float, default=125.0, help="dense, in 16 bits")
    parser.add_argument("--length", type=int, default=128, help="tokens a row has behind it")
    parser.add_argument("--tokens", type=int, default=124, help="steps per window, prefix included")
    parser.add_argument("--rows", type=int, nargs="*", default=ROWS)
    parser.add_argument("--total-rows", type=int, default=16, help="of the table of layouts")
    options = parser.parse_args()
    network = find_network(options.model)
    machine = Machine(options.bandwidth_gb_s * 1e9, options.tflops * 1e12)
    length, rows = options.length, options.rows
    parts = {
        "Sizes": describe_sizes(network, length),
        f"A step at {options.bandwidth_gb_s:g} GB/s": describe_steps(
            network, machine.bandwidth, length, rows
        ),
        f"{options.total_rows} rows in one or several processes": describe_layouts(
            network, machine.bandwidth, length, options.total_rows
        ),
        f"Limits with {options.tflops:g} TFLOP/s, {options.tokens} steps per window": (
            describe_limits(network, machine, length, options.tokens, rows)
        ),
        "Memory of slots": describe_memory(network, rows),
    }
    print(f"## {options.model}\n")
    for title, text in parts.items():
        print(f"### {title}\n\n{text}\n")


if __name__ == "__main__":
    main()
