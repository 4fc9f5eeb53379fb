"""Batch number n of the training run: a pure function of the seed and n, so a run can be resumed
anywhere and loaded by another process."""

import random
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import WhisperTokenizer

from grammar import sentence
from labels import IGNORED, Labeller, Labels
from model import SOURCE_POSITIONS, TARGET_POSITIONS, LogMel
from tokenizer import SECONDS_PER_TIMESTAMP
from windows import Bank, draw_window

_POSITIONS_PER_SECOND = 50


@dataclass(frozen=True)
class Shape:
    """Windows in a batch, their length, and the share with three sentences at most."""

    windows: int
    seconds: float
    short_share: float = 0.45


# About 100 s of sound per batch. Short crops first: at random positions they train the whole time
# axis, and the decoder finds words among 250 frames long before it would among 1500. Mixing in full
# windows from step 500 on was tried: after 1500 steps it had learned to guess, not to listen.
_SHORT = Shape(20, 5.0)
_CURRICULUM = (
    (1500, (_SHORT,)),
    (2300, (_SHORT, Shape(10, 10.0))),
    (3100, (_SHORT, Shape(10, 10.0), Shape(6, 18.0))),
    (6250, (_SHORT, Shape(4, 30.0), Shape(8, 14.0), Shape(4, 30.0))),
    (7750, (Shape(4, 30.0), Shape(6, 18.0), Shape(4, 30.0), Shape(10, 10.0))),
)
_DENSE = Shape(4, 30.0, short_share=0.15)
_LAST_SHAPES = (_DENSE, Shape(6, 18.0), _DENSE, Shape(10, 10.0), _DENSE)


def shape_of_step(step: int) -> Shape:
    """The shape of the step's batch."""
    for until, shapes in _CURRICULUM:
        if step < until:
            return shapes[step % len(shapes)]
    return _LAST_SHAPES[step % len(_LAST_SHAPES)]


@dataclass(frozen=True)
class Batch:
    """Tensors of one step; L is the number of decoder inputs, P of encoder positions."""

    mel: Tensor  # (batch, bins, 2 P)
    positions: Tensor  # (batch, P)
    inputs: Tensor  # (batch, L)
    targets: Tensor  # (batch, L), IGNORED where nothing is asked
    spans: Tensor  # (batch, L, 2) encoder frames [first, last) of each target, -1 where it has none


class TrainingBatches(Dataset[Batch]):
    """A map-style dataset whose item n is step n's batch."""

    def __init__(self, bank: Bank, tokenizer: WhisperTokenizer, seed: int) -> None:
        self._bank = bank
        self._labeller = Labeller(tokenizer)
        self._log_mel = LogMel()
        self._end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
        self._seed = seed

    def __getitem__(self, step: int) -> Batch:
        """The batch of the given step."""
        rng = random.Random(f"{self._seed}/{step}")
        shape = shape_of_step(step)
        position_count = round(shape.seconds * _POSITIONS_PER_SECOND)
        audio, labels, offsets = [], [], []
        for _ in range(shape.windows):
            window = draw_window(self._bank, shape.seconds, shape.short_share, rng)
            latest = SOURCE_POSITIONS - position_count
            offset = 0 if rng.random() < 0.25 else rng.randint(0, latest)
            previous = [sentence(window.language, rng) for _ in range(rng.randint(1, 5))]
            drawn = self._labeller.draw(window, offset * SECONDS_PER_TIMESTAMP, previous, rng)
            audio.append(torch.from_numpy(window.audio))
            labels.append(drawn)
            offsets.append(offset)
        positions = torch.tensor(offsets)[:, None] + torch.arange(position_count)
        return Batch(
            self._log_mel(torch.stack(audio)), positions, *self._pad(labels, position_count)
        )

    def _pad(self, labels: list[Labels], position_count: int) -> tuple[Tensor, Tensor, Tensor]:
        length = min(max(len(item.inputs) for item in labels) - 1, TARGET_POSITIONS)
        inputs = torch.full((len(labels), length), self._end)
        targets = torch.full((len(labels), length), IGNORED)
        spans = torch.full((len(labels), length, 2), -1)
        for row, item in enumerate(labels):
            count = min(len(item.inputs) - 1, length)  # end of text predicts nothing
            inputs[row, :count] = torch.tensor(item.inputs[:count])
            targets[row, :count] = torch.tensor(item.targets[:count])
            for column, span in enumerate(item.spans[:count]):
                if span is not None:
                    first = min(max(round(span[0] * _POSITIONS_PER_SECOND), 0), position_count - 1)
                    last = min(round(span[1] * _POSITIONS_PER_SECOND), position_count)
                    spans[row, column] = torch.tensor((first, max(last, first + 1)))
        return inputs, targets, spans
