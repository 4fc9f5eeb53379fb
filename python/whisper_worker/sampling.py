"""Temperatures, seeds and token limits of single rows inside one greedy batch of generate()."""

# pyright: basic
from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor

from whisper_worker.speech_model import DecodeRow


class RowSampler(LogitsProcessor):
    """Turns the highest score of a row into a sample at the row's own temperature.

    The highest of (logits / temperature + Gumbel noise) is a sample of softmax(logits /
    temperature). The noise comes from the row's own generator, seeded by where the window starts
    and the rung of the ladder, so a window says the same whoever shares its batch, today and
    tomorrow.
    """

    def __init__(
        self, rows: Sequence[DecodeRow], limits: Sequence[int], prefix_length: int, end: int
    ) -> None:
        self._rows = rows
        self._limits = limits
        self._prefix_length = prefix_length
        self._end = end
        self._generators: dict[int, torch.Generator] = {}

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        said = input_ids.shape[1] - self._prefix_length
        for index, row in enumerate(self._rows):
            if said >= self._limits[index]:
                scores[index] = -torch.inf
                scores[index, self._end] = 0.0
            elif row.temperature > 0:
                noise = -self._exponential(index, row, scores[index]).log()
                scores[index] = scores[index] / row.temperature + noise
        return scores

    def _exponential(self, index: int, row: DecodeRow, like: torch.Tensor) -> torch.Tensor:
        generator = self._generators.get(index)
        if generator is None:
            generator = torch.Generator(device=like.device)
            generator.manual_seed(row.window.start * 16 + row.rung)
            self._generators[index] = generator
        return torch.empty_like(like).exponential_(generator=generator)
