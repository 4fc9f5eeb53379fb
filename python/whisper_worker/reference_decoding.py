"""Decoding with transformers' own generate(): simple, exact, static batches.

The reference that the slots are tested against; nothing is served by it.

It calls the *base* generate with the encoder's output. Whisper's override would encode again for
the language and for every temperature, forget a row's text when another row falls back, and switch
the attention of the whole process when words are timed (all seen in transformers 5.18).
"""

# pyright: basic
from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig, LogitsProcessor, WhisperForConditionalGeneration
from transformers.generation.logits_process import (
    LogitsProcessorList,
    WhisperTimeStampLogitsProcessor,
)
from transformers.generation.utils import GenerationMixin
from transformers.modeling_outputs import BaseModelOutput

from whisper_worker.alignment import FRAME_SECONDS, token_start_frames
from whisper_worker.decoded_text import (
    SaidTokens,
    assemble,
    audio_frames,
    time_words,
    token_limit,
)
from whisper_worker.repair import GenerationFacts
from whisper_worker.sampling import gumbel_noise, row_seed
from whisper_worker.scoring import FinishedText, Score, Scorer
from whisper_worker.slots import MAX_INITIAL_TIMESTAMP
from whisper_worker.speech_model import Decoded, DecodeRow
from whisper_worker.tokens import TokenBytes
from whisper_worker.vocabulary import decoder_prefix

# Unbound on purpose: Whisper overrides it. Its stubs want a self that no class satisfies.
_base_generate: Any = vars(GenerationMixin)["generate"]


class ReferenceDecoder:
    def __init__(
        self,
        model: WhisperForConditionalGeneration,
        facts: GenerationFacts,
        token_bytes: TokenBytes,
    ) -> None:
        self._model = model
        self._facts = facts
        self._token_bytes = token_bytes
        self._scorer = Scorer(model, facts)
        self._positions = int(model.config.max_target_positions)

    def decode(self, rows: Sequence[DecodeRow]) -> list[Decoded]:
        """Rows with prefixes of one length go through together; all else may differ.

        `row.encoded` is an encoder output, (1500, width); of its ladder only the first rung counts.
        """
        prefixes = [
            decoder_prefix(
                self._facts.vocabulary,
                row.language,
                row.task,
                row.prompt_tokens,
                timestamp_tokens=row.timestamp_tokens,
            )
            for row in rows
        ]
        groups: defaultdict[tuple[int, bool], list[int]] = defaultdict(list)
        for index, (row, prefix) in enumerate(zip(rows, prefixes, strict=True)):
            groups[len(prefix), row.timestamp_tokens].append(index)
        decoded: dict[int, Decoded] = {}
        for members in groups.values():
            group = self._decode_group([rows[i] for i in members], [prefixes[i] for i in members])
            decoded.update(zip(members, group, strict=True))
        return [decoded[index] for index in range(len(rows))]

    def _decode_group(
        self, rows: Sequence[DecodeRow], prefixes: Sequence[tuple[int, ...]]
    ) -> list[Decoded]:
        encoded = torch.stack([_as_tensor(row.encoded) for row in rows])
        texts, chosen = self._generate(encoded, rows, prefixes)
        scores = self._scorer.score(encoded, texts)
        if rows[0].timestamp_tokens:
            # The scorer knows nothing of the rules, which forbid some tokens of every step.
            scores = [_with_logprobs(s, c) for s, c in zip(scores, chosen, strict=True)]
        starts = _token_starts(scores)
        return [
            self._assemble(row, text, score, start)
            for row, text, score, start in zip(rows, texts, scores, starts, strict=True)
        ]

    def _generate(
        self,
        encoded: torch.Tensor,
        rows: Sequence[DecodeRow],
        prefixes: Sequence[tuple[int, ...]],
    ) -> tuple[list[FinishedText], list[list[float]]]:
        """The texts, and for each the log-probabilities of all that generate() chose."""
        prefix_length = len(prefixes[0])
        limits = [token_limit(row.window, prefix_length, self._positions) for row in rows]
        processors: list[LogitsProcessor] = []
        if rows[0].timestamp_tokens:
            processors.append(self._timestamp_rules(prefix_length))
        end = self._facts.vocabulary.end_of_text
        sampler = _RowSampler(rows, limits, prefix_length, end)
        processors.append(sampler)
        sequences: torch.Tensor = _base_generate(
            self._model,
            encoder_outputs=BaseModelOutput(last_hidden_state=encoded),  # pyright: ignore[reportArgumentType]
            decoder_input_ids=torch.tensor(prefixes, device=encoded.device),
            generation_config=self._configure(max(limits) + 1, rows[0]),
            logits_processor=LogitsProcessorList(processors),
        )
        generated = sequences[:, prefix_length:]  # (rows, steps)
        texts = [
            self._finish(prefix, tokens, limit, row)
            for prefix, tokens, limit, row in zip(
                prefixes, generated.tolist(), limits, rows, strict=True
            )
        ]
        return texts, sampler.logprobs_of(generated)

    def _timestamp_rules(self, begin: int) -> WhisperTimeStampLogitsProcessor:
        end = self._facts.vocabulary.end_of_text
        # Whisper's own settings are unknown to the plain class.
        settings: Any = GenerationConfig(eos_token_id=end, bos_token_id=end)
        settings.no_timestamps_token_id = self._facts.vocabulary.no_timestamps
        settings.max_initial_timestamp_index = MAX_INITIAL_TIMESTAMP
        return WhisperTimeStampLogitsProcessor(settings, begin_index=begin)

    def _configure(self, max_new_tokens: int, row: DecodeRow) -> GenerationConfig:
        """Complete, because what is left open is filled from the checkpoint's own settings."""
        end = self._facts.vocabulary.end_of_text
        first_timestamp = self._facts.vocabulary.no_timestamps + 1
        allowed = range(first_timestamp, first_timestamp if not row.timestamp_tokens else 10**9)
        return GenerationConfig(
            max_new_tokens=max_new_tokens,
            num_beams=1,
            do_sample=False,  # temperatures are RowSampler's, row by row
            suppress_tokens=[id_ for id_ in self._facts.suppressed if id_ not in allowed],
            begin_suppress_tokens=list(self._facts.begin_suppressed),
            decoder_start_token_id=self._facts.vocabulary.start_of_transcript,
            bos_token_id=end,
            eos_token_id=end,
            pad_token_id=end,
        )

    def _finish(
        self, prefix: tuple[int, ...], generated: list[int], limit: int, row: DecodeRow
    ) -> FinishedText:
        end = self._facts.vocabulary.end_of_text
        tokens = tuple(generated[: generated.index(end)] if end in generated else generated)
        return FinishedText(
            prefix=prefix,
            tokens=tokens,
            has_ended=len(tokens) < limit,
            audio_frames=audio_frames(row.window),
            wants_attention=row.word_timestamps,
        )

    def _assemble(
        self, row: DecodeRow, text: FinishedText, score: Score, starts: Sequence[float] | None
    ) -> Decoded:
        logprobs = tuple(score.token_logprobs.tolist())
        said = SaidTokens(
            tokens=text.tokens,
            logprobs=logprobs,
            end_logprob=score.end_logprob if text.has_ended else None,
            no_speech_prob=score.no_speech_prob,
            temperature=row.ladder[0],
        )
        words = None
        if starts is not None:
            words = time_words(text.tokens, logprobs, starts, row.language, self._token_bytes)
        return assemble(said, self._token_bytes, self._facts.vocabulary.end_of_text, words)


class _RowSampler(LogitsProcessor):
    """Temperatures, seeds and token limits of single rows inside one greedy batch of generate()."""

    def __init__(
        self, rows: Sequence[DecodeRow], limits: Sequence[int], prefix_length: int, end: int
    ) -> None:
        self._rows = rows
        self._limits = limits
        self._prefix_length = prefix_length
        self._end = end
        self._steps: list[torch.Tensor] = []  # of each, log-probabilities (rows, vocabulary)

    def logprobs_of(self, generated: torch.Tensor) -> list[list[float]]:
        """Chosen tokens (rows, steps) → how sure the model was of each, at temperature 1."""
        steps = torch.stack(self._steps, dim=1)  # (rows, steps, vocabulary)
        return steps.gather(2, generated[..., None])[..., 0].tolist()

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        position = input_ids.shape[1]
        self._steps.append(scores.log_softmax(-1))  # the last processor: what is left is allowed
        for index, row in enumerate(self._rows):
            if position - self._prefix_length >= self._limits[index]:
                scores[index] = -torch.inf
                scores[index, self._end] = 0.0
            elif row.ladder[0] > 0:
                seed = torch.tensor([row_seed(row.window.start, 0)])
                noise = gumbel_noise(seed, torch.tensor([position]), scores.shape[1])[0]
                scores[index] = scores[index] / row.ladder[0] + noise.to(scores.device)
        return scores


def _as_tensor(encoded: object) -> torch.Tensor:
    if not isinstance(encoded, torch.Tensor):
        raise TypeError("a window has to be encoded before it is decoded")
    return encoded


def _with_logprobs(score: Score, chosen: Sequence[float]) -> Score:
    tokens = len(score.token_logprobs)
    # A text that was ended at its limit may have been the last to end: nothing was chosen then.
    end_logprob = chosen[tokens] if len(chosen) > tokens else score.end_logprob
    return replace(
        score, token_logprobs=np.array(chosen[:tokens], np.float32), end_logprob=end_logprob
    )


def _token_starts(scores: Sequence[Score]) -> list[list[float] | None]:
    """Seconds at which each token begins, and one more for the end; None without attention."""
    starts: list[list[float] | None] = [None] * len(scores)
    attended = [index for index, score in enumerate(scores) if score.attention is not None]
    matrices = [score.attention for score in scores if score.attention is not None]
    for index, frames in zip(attended, token_start_frames(matrices), strict=True):
        starts[index] = (frames * FRAME_SECONDS).tolist()
    return starts
