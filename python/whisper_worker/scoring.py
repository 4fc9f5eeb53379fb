"""One teacher-forced pass over finished texts: how sure each token was, where the model listened.

Attention stays SDPA: hooks record only the queries and keys of the alignment heads, and the few
attention rows that are needed are computed from them. (transformers' own word timestamps switch
the whole model to eager attention for good, and keep every head's weights.)
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import WhisperForConditionalGeneration
from transformers.models.whisper.modeling_whisper import WhisperAttention

from whisper_worker.alignment_heads import Heads
from whisper_worker.attention_matrix import attention_matrix
from whisper_worker.repair import GenerationFacts

_TOKENS_PER_CHUNK = 64  # 13 MB of float32 logits at Whisper's vocabulary


@dataclass(frozen=True)
class FinishedText:
    """What one row said, and what is to be found out about it."""

    prefix: tuple[int, ...]
    tokens: tuple[int, ...]
    has_ended: bool  # with end-of-text, not at its token limit
    audio_frames: int  # of 20 ms, without the silence that fills the window up to 30 s
    wants_attention: bool


@dataclass(frozen=True)
class Score:
    token_logprobs: npt.NDArray[np.float32]  # (tokens,)
    end_logprob: float
    no_speech_prob: float
    attention: (
        npt.NDArray[np.float32] | None
    )  # (tokens + 1, audio frames); the last row ends the text


class Scorer:
    def __init__(self, model: WhisperForConditionalGeneration, facts: GenerationFacts) -> None:
        self._model = model
        self._vocabulary = facts.vocabulary
        self._heads = facts.alignment_heads
        device = model.device
        self._suppressed = torch.tensor(facts.suppressed, device=device, dtype=torch.long)
        self._begin_suppressed = torch.tensor(
            facts.begin_suppressed, device=device, dtype=torch.long
        )

    def score(self, encoded: torch.Tensor, texts: Sequence[FinishedText]) -> list[Score]:
        """Encoder output (batch, 1500, width) and texts with prefixes of one length → scores."""
        end = self._vocabulary.end_of_text
        longest = max(len(text.tokens) for text in texts)
        # Padding stands to the right of a causal decoder, so it disturbs nobody.
        ids = [[*t.prefix, *t.tokens, *[end] * (longest - len(t.tokens) + 1)] for t in texts]
        heads = self._heads if any(text.wants_attention for text in texts) else ()
        with _recorded(self._model, heads) as recorded:
            hidden = self._model.model.decoder(
                input_ids=torch.tensor(ids, device=encoded.device),
                encoder_hidden_states=encoded,
                use_cache=False,
            ).last_hidden_state  # (batch, positions, width)
        return [self._score_row(row, text, hidden[row], recorded) for row, text in enumerate(texts)]

    def _score_row(
        self, row: int, text: FinishedText, hidden: torch.Tensor, recorded: _Recording
    ) -> Score:
        targets = [*text.tokens, self._vocabulary.end_of_text]
        logprobs = self._target_logprobs(hidden[len(text.prefix) - 1 :], targets)
        start = text.prefix.index(self._vocabulary.start_of_transcript)
        attention = recorded.row(row, text, start) if text.wants_attention else None
        first_logits = self._model.proj_out(hidden[start]).float()
        return Score(
            token_logprobs=logprobs[:-1],
            end_logprob=float(logprobs[-1]),
            no_speech_prob=float(first_logits.softmax(-1)[self._vocabulary.no_speech]),
            attention=None if attention is None else attention.cpu().numpy(),
        )

    def _target_logprobs(
        self, hidden: torch.Tensor, targets: Sequence[int]
    ) -> npt.NDArray[np.float32]:
        """Hidden states (≥ targets, width) → the targets' log-probabilities, (targets,).

        Over the tokens that were allowed, as OpenAI's decoder counts them.
        """
        wanted = torch.tensor(targets, device=hidden.device)
        parts: list[torch.Tensor] = []
        for first in range(0, len(targets), _TOKENS_PER_CHUNK):
            ids = wanted[first : first + _TOKENS_PER_CHUNK]
            logits = self._model.proj_out(hidden[first : first + len(ids)]).float()
            logits[:, self._suppressed] = -torch.inf
            if first == 0:
                # An empty text was allowed to end at once by the caller, whatever is suppressed.
                logits[0, self._begin_suppressed[self._begin_suppressed != targets[0]]] = -torch.inf
            parts.append(logits.log_softmax(-1).gather(1, ids[:, None])[:, 0])
        return torch.cat(parts).cpu().numpy()


class _Recording:
    """Queries and keys of some heads, as the projections of their layers gave them."""

    def __init__(self, model: WhisperForConditionalGeneration, heads: Heads) -> None:
        self._heads = heads
        layers: Any = model.model.decoder.layers  # pyright takes a ModuleList's items for tensors
        self._attentions: dict[int, WhisperAttention] = {
            layer: layers[layer].encoder_attn for layer, _ in heads
        }
        self.queries: dict[int, torch.Tensor] = {}  # layer → (batch, positions, width)
        self.keys: dict[int, torch.Tensor] = {}  # layer → (batch, 1500, width)

    def hooks(self) -> Iterator[torch.utils.hooks.RemovableHandle]:
        for layer, attention in self._attentions.items():
            yield attention.q_proj.register_forward_hook(_keep(self.queries, layer))
            yield attention.k_proj.register_forward_hook(_keep(self.keys, layer))

    def row(self, row: int, text: FinishedText, start: int) -> torch.Tensor:
        """The heads' mean normalised attention, at the positions that predict text and its end.

        As in openai/whisper timing.py: softmax over the real audio only, each frame standardised
        over all tokens from <|startoftranscript|> (at `start`), median filter over time. Unlike
        there, what end-of-text itself listens to does not count: nobody decodes that far.
        """
        end = len(text.prefix) + len(text.tokens)
        weights = torch.stack(
            [self._weights(layer, head, row, text.audio_frames) for layer, head in self._heads]
        )[:, start:end]  # (heads, tokens, frames)
        return attention_matrix(weights)[len(text.prefix) - 1 - start :]

    def _weights(self, layer: int, head: int, row: int, frames: int) -> torch.Tensor:
        attention = self._attentions[layer]
        part = slice(head * attention.head_dim, (head + 1) * attention.head_dim)
        query = self.queries[layer][row, :, part].float() * attention.scaling
        key = self.keys[layer][row, :frames, part].float()
        return (query @ key.T).softmax(-1)  # (positions, frames)


def _keep(store: dict[int, torch.Tensor], layer: int):  # noqa: ANN202 - a hook's type says nothing
    def hook(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
        store[layer] = output

    return hook


@contextmanager
def _recorded(model: WhisperForConditionalGeneration, heads: Heads) -> Iterator[_Recording]:
    """Record while the body runs; no hook stays behind."""
    recording = _Recording(model, heads)
    handles = list(recording.hooks())
    try:
        yield recording
    finally:
        for handle in handles:
            handle.remove()
