"""Decoding with transformers' own generate(): simple, exact, static batches.

The reference that a faster engine is tested against.

It calls the *base* generate with the encoder's output. Whisper's override would encode again for
the language and for every temperature, forget a row's text when another row falls back, and switch
the attention of the whole process when words are timed (all seen in transformers 5.18).
"""

# pyright: basic
from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig, WhisperForConditionalGeneration
from transformers.generation.logits_process import LogitsProcessorList
from transformers.generation.utils import GenerationMixin
from transformers.modeling_outputs import BaseModelOutput

from whisper_worker.alignment import FRAME_SECONDS, token_start_frames
from whisper_worker.audio import to_seconds
from whisper_worker.guards import compression_ratio
from whisper_worker.repair import GenerationFacts
from whisper_worker.sampling import RowSampler
from whisper_worker.scoring import FinishedText, Score, Scorer
from whisper_worker.speech_model import Decoded, DecodeRow, TimedWord
from whisper_worker.tokens import TokenBytes, split_into_characters, split_into_words
from whisper_worker.vad import Window
from whisper_worker.vocabulary import decoder_prefix

# Fast speech is 9 tokens a second. What says more is in a loop, and would run to the end of the
# decoder's memory.
_TOKENS_PER_SECOND = 12
_EXTRA_TOKENS = 16
_POSITIONS_KEPT_FREE = 4
_SAMPLES_PER_FRAME = 320


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
        """Rows with prefixes of one length go through together; all else may differ."""
        prefixes = [
            decoder_prefix(self._facts.vocabulary, row.language, row.task, row.prompt_tokens)
            for row in rows
        ]
        groups: defaultdict[int, list[int]] = defaultdict(list)
        for index, prefix in enumerate(prefixes):
            groups[len(prefix)].append(index)
        decoded: dict[int, Decoded] = {}
        for members in groups.values():
            group = self._decode_group([rows[i] for i in members], [prefixes[i] for i in members])
            decoded.update(zip(members, group, strict=True))
        return [decoded[index] for index in range(len(rows))]

    def _decode_group(
        self, rows: Sequence[DecodeRow], prefixes: Sequence[tuple[int, ...]]
    ) -> list[Decoded]:
        encoded = torch.stack([_as_tensor(row.encoded) for row in rows])
        texts = self._generate(encoded, rows, prefixes)
        scores = self._scorer.score(encoded, texts)
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
    ) -> list[FinishedText]:
        prefix_length = len(prefixes[0])
        limits = [self._token_limit(row.window, prefix_length) for row in rows]
        sampler = RowSampler(rows, limits, prefix_length, self._facts.vocabulary.end_of_text)
        sequences: torch.Tensor = _base_generate(
            self._model,
            encoder_outputs=BaseModelOutput(last_hidden_state=encoded),  # pyright: ignore[reportArgumentType]
            decoder_input_ids=torch.tensor(prefixes, device=encoded.device),
            generation_config=self._configure(max(limits) + 1),
            logits_processor=LogitsProcessorList([sampler]),
        )
        return [
            self._finish(prefix, sequence[prefix_length:], limit, row)
            for prefix, sequence, limit, row in zip(
                prefixes, sequences.tolist(), limits, rows, strict=True
            )
        ]

    def _configure(self, max_new_tokens: int) -> GenerationConfig:
        """Complete, because what is left open is filled from the checkpoint's own settings."""
        end = self._facts.vocabulary.end_of_text
        return GenerationConfig(
            max_new_tokens=max_new_tokens,
            num_beams=1,
            do_sample=False,  # temperatures are RowSampler's, row by row
            suppress_tokens=list(self._facts.suppressed),
            begin_suppress_tokens=list(self._facts.begin_suppressed),
            decoder_start_token_id=self._facts.vocabulary.start_of_transcript,
            bos_token_id=end,
            eos_token_id=end,
            pad_token_id=end,
        )

    def _token_limit(self, window: Window, prefix_length: int) -> int:
        speech_samples = sum(region.end - region.start for region in window.speech)
        by_speech = _EXTRA_TOKENS + int(_TOKENS_PER_SECOND * to_seconds(speech_samples))
        return min(self._positions - _POSITIONS_KEPT_FREE - prefix_length, by_speech)

    def _finish(
        self, prefix: tuple[int, ...], generated: list[int], limit: int, row: DecodeRow
    ) -> FinishedText:
        end = self._facts.vocabulary.end_of_text
        tokens = tuple(generated[: generated.index(end)] if end in generated else generated)
        audio_frames = -(-(row.window.end - row.window.start) // _SAMPLES_PER_FRAME)
        return FinishedText(
            prefix=prefix,
            tokens=tokens,
            has_ended=len(tokens) < limit,
            audio_frames=audio_frames,
            wants_attention=row.word_timestamps,
        )

    def _assemble(
        self, row: DecodeRow, text: FinishedText, score: Score, starts: Sequence[float] | None
    ) -> Decoded:
        pieces = split_into_characters(text.tokens, self._token_bytes)
        said = "".join(piece.text for piece in pieces)
        words = None
        if starts is not None:
            words = self._time_words(text, score, starts, row.language)
        return Decoded(
            text=said,
            tokens=text.tokens,
            avg_logprob=score.avg_logprob,
            compression_ratio=compression_ratio(said),
            no_speech_prob=score.no_speech_prob,
            words=words,
        )

    def _time_words(
        self, text: FinishedText, score: Score, starts: Sequence[float], language: str
    ) -> tuple[TimedWord, ...]:
        """A word lasts until the next one's first token; as sure as its tokens on average."""
        words: list[TimedWord] = []
        first = 0
        for piece in split_into_words(text.tokens, self._token_bytes, language):
            end = first + len(piece.tokens)
            probability = float(torch.tensor(score.token_logprobs[first:end]).exp().mean())
            words.append(
                TimedWord(piece.text, piece.tokens, starts[first], starts[end], probability)
            )
            first = end
        return tuple(words)


def _as_tensor(encoded: object) -> torch.Tensor:
    if not isinstance(encoded, torch.Tensor):
        raise TypeError("a window has to be encoded before it is decoded")
    return encoded


def _token_starts(scores: Sequence[Score]) -> list[list[float] | None]:
    """Seconds at which each token begins, and one more for the end; None without attention."""
    starts: list[list[float] | None] = [None] * len(scores)
    attended = [index for index, score in enumerate(scores) if score.attention is not None]
    matrices = [score.attention for score in scores if score.attention is not None]
    for index, frames in zip(attended, token_start_frames(matrices), strict=True):
        starts[index] = (frames * FRAME_SECONDS).tolist()
    return starts
