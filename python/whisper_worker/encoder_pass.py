"""A pass of transformers' unmodified Whisper encoder, in one go or layer by layer.

Layer by layer it is the encoder's own forward with pauses: the same modules in the same order, and
the same bits (a test holds it to that).
"""

# pyright: basic
from __future__ import annotations

import torch
from torch.nn import functional
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from whisper_worker.pieces import Pieces


def encode(encoder: WhisperEncoder, features: torch.Tensor) -> Pieces[torch.Tensor]:
    """Log-mel spectrograms (windows, mel bins, 3000) → (windows, 1500, width).

    On a GPU the whole pass takes milliseconds, and stopping it would only leave gaps.
    """
    if features.device.type != "cpu":
        return encoder(features).last_hidden_state
    hidden = functional.gelu(encoder.conv1(features))
    hidden = functional.gelu(encoder.conv2(hidden)).permute(0, 2, 1)  # (windows, 1500, width)
    hidden = hidden + encoder.embed_positions.weight
    for layer in encoder.layers:
        yield
        hidden = layer(hidden, None)
    yield
    return encoder.layer_norm(hidden)
