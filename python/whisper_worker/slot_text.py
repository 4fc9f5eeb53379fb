"""One window on its way through a slot: what it has said, and its attempts. Knows no device."""

# pyright: basic
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from whisper_worker.decoded_text import SaidTokens
from whisper_worker.speech_model import Decoded, DecodeRow
from whisper_worker.streaming_text import StreamingText

# Prefixes of one beginning are padded to the longest; a prompt must not make all others wait.
_PREFIX_BUCKET = 32


@dataclass(eq=False)
class EncodedWindow:
    """A window's place. Its slot changes when rows close up, and is None when it has left."""

    slot: int | None


@dataclass(frozen=True)
class Attempt:
    """A text at one temperature, with what the alignment needs of it."""

    said: SaidTokens
    decoded: Decoded
    queries: torch.Tensor | None


@dataclass(eq=False)
class SlotText:
    """One window on its way through the slots."""

    encoded: EncodedWindow
    row: DecodeRow
    prefix: tuple[int, ...]
    limit: int
    stream: StreamingText | None = None
    rung: int = 0
    # Changes with every rung: a step that was under way for the last one is not heard.
    epoch: int = 0
    launched: int = 0  # tokens that have been given to the decoder, or are about to
    no_speech_prob: float = 0.0
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    best: Attempt | None = None

    @property
    def slot(self) -> int:
        if self.encoded.slot is None:
            raise RuntimeError("the window has left its slot")
        return self.encoded.slot

    @property
    def temperature(self) -> float:
        return self.row.ladder[self.rung]

    def said(self, end_logprob: float | None, *, has_looped: bool = False) -> SaidTokens:
        """All of it. `end_logprob` is None when the text was ended for it."""
        return SaidTokens(
            tokens=tuple(self.tokens),
            logprobs=tuple(self.logprobs),
            end_logprob=end_logprob,
            no_speech_prob=self.no_speech_prob,
            temperature=self.temperature,
            has_looped=has_looped,
        )


def neighbours(texts: Sequence[SlotText]) -> Iterator[list[SlotText]]:
    """Runs of texts in slots side by side, with prefixes of similar lengths."""
    group: list[SlotText] = []
    for text in sorted(texts, key=lambda text: text.slot):
        bucket = len(text.prefix) // _PREFIX_BUCKET
        if group and (
            text.slot != group[-1].slot + 1 or bucket != len(group[-1].prefix) // _PREFIX_BUCKET
        ):
            yield group
            group = []
        group.append(text)
    if group:
        yield group
