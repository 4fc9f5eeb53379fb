"""Whisper's rules for timestamp tokens, for all slots at once: pairs, in order, not too late.

transformers' WhisperTimeStampLogitsProcessor (OpenAI's ApplyTimestampRules) goes over the rows in
Python and asks the device about each: 4 ms a step for 32 rows. Here a row's history is four
numbers on the device, so a step is a fixed sequence of kernels: no loop, no waiting, and it can be
part of a CUDA graph. The result is equal, bit for bit.
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch

Rows: TypeAlias = slice | Sequence[int] | torch.Tensor

_NEVER = float("-inf")


class TimestampRules:
    """What each slot has said of time, and what it therefore may not say next.

    Rows that were never reset, or reset with `is_enabled=False`, are left alone. Suppressed tokens
    have to be suppressed before `apply`, as transformers does: the last rule weighs what is left.
    """

    def __init__(
        self,
        *,
        slots: int,
        vocabulary_size: int,
        timestamp_begin: int,
        no_timestamps: int,
        end_of_text: int,
        max_initial_index: int | None,
        device: torch.device | str,
    ) -> None:
        self._timestamp_begin = timestamp_begin
        self._no_timestamps = no_timestamps
        self._end_of_text = end_of_text
        self._timestamps = torch.arange(timestamp_begin, vocabulary_size, device=device)
        # The last timestamp that may begin a text; None is the default of home-made models.
        self._last_initial = (
            vocabulary_size if max_initial_index is None else timestamp_begin + max_initial_index
        )
        self._everything = vocabulary_size

        def claims() -> torch.Tensor:
            return torch.zeros(slots, dtype=torch.bool, device=device)

        self.enabled = claims()
        self.has_begun = claims()
        self.last_is_timestamp = claims()
        self.penultimate_is_timestamp = claims()
        self.last_timestamp = torch.zeros(slots, dtype=torch.int64, device=device)
        self.reset(slice(None), is_enabled=False)

    def reset(self, rows: Rows, *, is_enabled: bool | torch.Tensor = True) -> None:
        """These slots begin a text: nothing has been said after the prefix."""
        self.enabled[rows] = is_enabled
        self.has_begun[rows] = False
        self.last_is_timestamp[rows] = False
        self.penultimate_is_timestamp[rows] = True  # fewer than two tokens count as a closed pair
        self.last_timestamp[rows] = self._timestamp_begin - 1

    def apply(self, logits: torch.Tensor, rows: slice | None = None) -> torch.Tensor:
        """Forbid, in place, what these slots (default: the first ones) may not say next."""
        rows = slice(len(logits)) if rows is None else rows
        enabled = self.enabled[rows]
        begins = enabled & ~self.has_begun[rows]
        closes = self.last_is_timestamp[rows] & ~self.penultimate_is_timestamp[rows]
        text = logits[:, : self._timestamp_begin]  # (rows, text tokens)
        times = logits[:, self._timestamp_begin :]  # (rows, timestamps)

        logits[:, self._no_timestamps].masked_fill_(enabled, _NEVER)
        # A timestamp that closes a pair is followed by another or by the end of the text.
        closed = (enabled & closes)[:, None]
        logits[:, : self._end_of_text].masked_fill_(closed, _NEVER)
        text.masked_fill_(begins[:, None], _NEVER)
        times.masked_fill_(self._out_of_order(rows, enabled, begins, closes), _NEVER)

        log_probabilities = logits.float().log_softmax(-1)
        text_best = log_probabilities[:, : self._timestamp_begin].amax(-1)
        times_together = log_probabilities[:, self._timestamp_begin :].logsumexp(-1)
        has_to_be_time = enabled & (times_together > text_best)
        text.masked_fill_(has_to_be_time[:, None], _NEVER)
        return logits

    def _out_of_order(
        self, rows: slice, enabled: torch.Tensor, begins: torch.Tensor, closes: torch.Tensor
    ) -> torch.Tensor:
        """Timestamps outside [first, last] of each row, (rows, timestamps)."""
        # Time stands still only between the end of one pair and the begin of the next.
        first = self.last_timestamp[rows] + (~closes).to(torch.int64)
        has_pair = self.last_is_timestamp[rows] & self.penultimate_is_timestamp[rows]
        # Not where(): it may copy a Python number to the device, which a graph forbids.
        first = first.masked_fill(has_pair, self._everything)  # after a pair comes text
        first = first.masked_fill(~enabled, 0)
        last = torch.full_like(first, self._everything).masked_fill(begins, self._last_initial)
        return (self._timestamps < first[:, None]) | (self._timestamps > last[:, None])

    def observe(self, tokens: torch.Tensor, rows: slice | None = None) -> None:
        """These slots (default: the first ones) have said one token each, (rows,)."""
        rows = slice(len(tokens)) if rows is None else rows
        is_timestamp = tokens >= self._timestamp_begin
        # A text's first token follows "nothing", which counts as a timestamp.
        before = self.last_is_timestamp[rows] | ~self.has_begun[rows]
        self.penultimate_is_timestamp[rows] = before
        self.last_is_timestamp[rows] = is_timestamp
        last_said = torch.where(is_timestamp, tokens, self.last_timestamp[rows])
        self.last_timestamp[rows] = last_said
        self.has_begun[rows] = True
