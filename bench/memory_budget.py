"""What the engine keeps in memory at so many slots: the table of CUDA_NOTES.md.

    .venv/bin/python -m bench.memory_budget                  # large-v3, bfloat16
    .venv/bin/python -m bench.memory_budget --shape turbo
    .venv/bin/python -m bench.memory_budget --write          # into CUDA_NOTES.md, at its markers

Reckoned from a model's shape alone, by the same formulas as bench/decode_roofline.py. That they are
what the engine really allocates is held by python/tests/test_memory_budget.py. What no shape says
(CUDA's context, the libraries' workspaces, the graphs) is not in it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from bench.decode_roofline import FULL, SHAPES, TEXT_POSITIONS, row_bytes, table
from bench.places import ROOT
from bench.roofline import POSITIONS, Network

SLOTS = (1, 2, 4, 8, 16, 32)
NOTES = ROOT / "CUDA_NOTES.md"
BEGIN, END = "<!-- memory budget: begin -->", "<!-- memory budget: end -->"
# MemTotal of a GB10 as its owners print it (forum dumps; model-and-hardware.md §C.1), in bytes.
GB10_BYTES = 127_600_748 * 1024
_NUMBER = 2  # bytes of a bfloat16
_HEAD_WIDTH = 64  # of every Whisper
_ALIGNMENT_HEADS = {"large-v3": 10, "turbo": 6}  # openai/whisper __init__.py
_WINDOWS_PER_ENCODE = 2  # model.py
_MEL_FRAMES = 3000
# torch's CUDA allocator asks the driver for so much at a time for anything greater than 10 MiB
# (c10/cuda/CUDACachingAllocator: kRoundLarge).
_ROUND_BYTES = 2 * 2**20


@dataclass(frozen=True)
class Budget:
    """Bytes, by what they are for."""

    weights: int
    self_keys: int
    cross_keys: int
    queries: int
    logits: int
    encoder: int
    rounding: int

    @property
    def total(self) -> int:
        kept = self.weights + self.self_keys + self.cross_keys + self.queries
        return kept + self.logits + self.encoder + self.rounding


def parameters(network: Network) -> int:
    """All of a Whisper's numbers; the output projection is the embedding."""
    d, f = network.width, network.ffn
    attention = 4 * d * d + 3 * d  # the key projection has no bias
    feed_forward = 2 * d * f + f + d
    norm = 2 * d
    convolutions = 3 * network.mel_bins * d + d + 3 * d * d + d
    encoder_layer = attention + feed_forward + 2 * norm
    decoder_layer = 2 * attention + feed_forward + 3 * norm
    encoder = convolutions + POSITIONS * d + network.encoder_layers * encoder_layer + norm
    embeddings = (network.vocabulary + TEXT_POSITIONS) * d
    return encoder + embeddings + network.decoder_layers * decoder_layer + norm


def budget(network: Network, slots: int, alignment_heads: int) -> Budget:
    d = network.width
    cross = row_bytes(network, 0, FULL)
    own = row_bytes(network, TEXT_POSITIONS, FULL) - cross
    # a layer at its widest: what goes round it, its norm, and the feed-forward twice
    activations = _WINDOWS_PER_ENCODE * POSITIONS * (2 * d + 2 * network.ffn) * _NUMBER
    features = _WINDOWS_PER_ENCODE * _MEL_FRAMES * network.mel_bins * _NUMBER
    return Budget(
        weights=parameters(network) * _NUMBER,
        self_keys=slots * own,
        cross_keys=slots * cross,
        queries=slots * alignment_heads * TEXT_POSITIONS * _HEAD_WIDTH * _NUMBER,
        # in single precision: as they come, with the bias, and what logsumexp makes of them
        logits=slots * network.vocabulary * 4 * 3,
        encoder=activations + features,
        rounding=_rounding(network, slots),
    )


def _rounding(network: Network, slots: int) -> int:
    """Most that the allocator adds to the slots' buffers: each layer's keys, each one's values."""
    lost = 0
    for positions in (TEXT_POSITIONS, POSITIONS):
        size = slots * positions * network.width * _NUMBER
        lost += 2 * network.decoder_layers * (-size % _ROUND_BYTES)
    return lost


def describe(name: str) -> str:
    network, heads = SHAPES[name], _ALIGNMENT_HEADS[name]
    head = ("", *(f"{count} slots" if count > 1 else "1 slot" for count in SLOTS))
    found = [budget(network, count, heads) for count in SLOTS]
    rows = {
        "weights": [one.weights for one in found],
        "cross-attention K/V": [one.cross_keys for one in found],
        "own K/V, all 448 positions": [one.self_keys for one in found],
        "queries of the alignment heads": [one.queries for one in found],
        "a step's logits": [one.logits for one in found],
        "encoder, 2 windows": [one.encoder for one in found],
        "allocator's rounding, at most": [one.rounding for one in found],
        "**together**": [one.total for one in found],
    }
    body = [(what, *(_gigabytes(value) for value in values)) for what, values in rows.items()]
    shares = [f"{one.total / GB10_BYTES:.1%}" for one in found]
    return table(head, [*body, ("of a GB10's memory", *shares)])


def _gigabytes(value: int) -> str:
    return f"{value / 1e9:.2f} GB" if value >= 5e6 else f"{value / 1e6:.1f} MB"


def put_between(text: str, content: str) -> str:
    """The notes with a new table. @raises ValueError where a marker is missing."""
    before, rest = text.split(BEGIN, 1)
    _old, after = rest.split(END, 1)
    return f"{before}{BEGIN}\n{content}\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser("bench.memory_budget", description=__doc__)
    parser.add_argument("--shape", choices=sorted(_ALIGNMENT_HEADS), default="large-v3")
    parser.add_argument("--write", action="store_true", help="into CUDA_NOTES.md")
    options = parser.parse_args()
    text = describe(options.shape)
    if options.write:
        NOTES.write_text(put_between(NOTES.read_text("utf-8"), text), "utf-8")
    print(text)


if __name__ == "__main__":
    main()
