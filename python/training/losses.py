"""What the model is asked for: the right tokens, and attention at the right place."""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import WhisperForConditionalGeneration

from batches import Batch
from guidance import AttentionGuide
from labels import IGNORED
from model import encode
from tokenizer import TIMESTAMPS

_NEXT_TOKEN_WEIGHT, _LAST_TOKEN_WEIGHT = 0.3, 0.2
_TIMESTAMP_SIGMA_BINS = 1.5


@dataclass(frozen=True)
class Losses:
    """What a step is minimised by, and what of it can be read: accuracies on the batch."""

    tokens: Tensor
    next_token_attention: Tensor
    last_token_attention: Tensor
    text_accuracy: float
    timestamp_accuracy: float
    window_positions: int

    def weighted(self) -> tuple[Tensor, Tensor, Tensor]:
        """The terms of the loss, each with its weight."""
        return (
            self.tokens,
            _NEXT_TOKEN_WEIGHT * self.next_token_attention,
            _LAST_TOKEN_WEIGHT * self.last_token_attention,
        )

    def __str__(self) -> str:
        return (
            f"[{self.window_positions // 50:2d} s] loss {self.tokens:.3f} attention "
            f"{self.next_token_attention:.2f} {self.last_token_attention:.2f} "
            f"text {self.text_accuracy:.3f} timestamps {self.timestamp_accuracy:.3f}"
        )


def compute_losses(
    model: WhisperForConditionalGeneration,
    guide: AttentionGuide,
    batch: Batch,
    first_timestamp: int,
) -> Losses:
    """A forward pass in bfloat16 and all that is asked of it."""
    is_timestamp = batch.targets >= first_timestamp
    with torch.autocast("cpu", dtype=torch.bfloat16):
        encoded = encode(model, batch.mel, batch.positions)
        hidden = model.model.decoder(
            input_ids=batch.inputs, encoder_hidden_states=encoded, use_cache=False
        ).last_hidden_state
        asked = batch.targets != IGNORED
        logits = model.proj_out(hidden[asked])  # (asked, vocabulary)
        attention = guide.loss(encoded, batch.spans, is_timestamp)
    targets = batch.targets[asked]
    log_probabilities = logits.float().log_softmax(-1)
    tokens = _token_loss(log_probabilities, targets, first_timestamp)
    with torch.no_grad():
        written = log_probabilities.argmax(-1)
        time_asked = targets >= first_timestamp
        text = (written == targets)[~time_asked].float().mean().item()
        near = ((written - targets).abs() <= 5)[time_asked].float().mean().item()
    positions = batch.positions.shape[1]
    return Losses(tokens, attention.next_token, attention.last_token, text, near, positions)


def _token_loss(log_probabilities: Tensor, targets: Tensor, first_timestamp: int) -> Tensor:
    """Cross entropy; a timestamp's target is a narrow Gaussian, so near misses cost little."""
    is_timestamp = targets >= first_timestamp
    text = log_probabilities[~is_timestamp].gather(1, targets[~is_timestamp, None]).sum()
    bins = torch.arange(TIMESTAMPS)
    distance = bins - (targets[is_timestamp, None] - first_timestamp)
    weights = torch.exp(-(distance**2) / (2 * _TIMESTAMP_SIGMA_BINS**2))
    weights = weights / weights.sum(1, keepdim=True)
    times = (log_probabilities[is_timestamp, first_timestamp:] * weights).sum()
    return -(text + times) / len(targets)
