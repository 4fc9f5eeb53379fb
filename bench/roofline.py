"""How fast a workload could be at all: bytes and operations of its windows against measured rates.

The formula of engine.md §5. The encoder and the cross-attention keys are operations; a decoding
step reads the decoder's weights once for all rows, and every row's own keys and values. All windows
of a workload are counted as decoded side by side, up to MOST_ROWS, without any waiting.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import Rates
from bench.script import PREFIX_TOKENS

MOST_ROWS = 32
POSITIONS = 1500  # what the encoder hears, always 30 s
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}
# CTranslate2's and our own int8 keep keys and values in floating point; ours in two bytes.
_KEY_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 2}


@dataclass(frozen=True)
class Network:
    """The numbers of config.json that decide the cost."""

    width: int
    ffn: int
    encoder_layers: int
    decoder_layers: int
    vocabulary: int
    mel_bins: int

    @staticmethod
    def read(model: Path) -> Network:
        config = json.loads((model / "config.json").read_text())
        return Network(
            config["d_model"],
            config["decoder_ffn_dim"],
            config["encoder_layers"],
            config["decoder_layers"],
            config["vocab_size"],
            config["num_mel_bins"],
        )

    @property
    def encoder_operations(self) -> float:
        """Convolutions, layers, and the keys and values that the decoder attends to."""
        d = self.width
        convolutions = 2 * 3 * (2 * POSITIONS * self.mel_bins * d + POSITIONS * d * d)
        linears = self.encoder_layers * 2 * POSITIONS * (4 * d * d + 2 * d * self.ffn)
        attention = self.encoder_layers * 4 * POSITIONS * POSITIONS * d
        cross_keys = self.decoder_layers * 2 * POSITIONS * 2 * d * d
        return convolutions + linears + attention + cross_keys

    @property
    def decoder_weights(self) -> int:
        """Numbers that a step reads: self- and cross-attention without its K and V, ffn, output."""
        d = self.width
        return self.decoder_layers * (6 * d * d + 2 * d * self.ffn) + self.vocabulary * d

    def row_keys(self, length: float) -> float:
        """Numbers that a row's step reads: cross keys and values, and its own so far."""
        return self.decoder_layers * 2 * self.width * (POSITIONS + length)

    def working_set(self) -> int:
        """Bytes of a step of one row in single precision."""
        return int(4 * (self.decoder_weights + self.row_keys(60)))


def least_seconds(network: Network, tokens: Sequence[int], arithmetic: str, rates: Rates) -> float:
    """For windows of these many new tokens."""
    gemm = rates.gemm[arithmetic]
    encoding = len(tokens) * network.encoder_operations / gemm
    steps = sum(
        max(tokens[first : first + MOST_ROWS], default=0)
        for first in range(0, len(tokens), MOST_ROWS)
    )
    if len(tokens) > MOST_ROWS:  # a slot that becomes free is taken at once
        steps = max(max(tokens), round(sum(tokens) / MOST_ROWS))
    keys = sum(count * network.row_keys(PREFIX_TOKENS + count / 2) for count in tokens)
    read = (
        steps * network.decoder_weights * _BYTES[arithmetic] + keys * _KEY_BYTES[arithmetic]
    ) / rates.bandwidth
    computed = sum(tokens) * 2 * (network.decoder_weights + network.row_keys(0)) / gemm
    return encoding + max(read, computed)
