"""transformers' own pipeline: greedy, one static batch after another, at its best batch size.

It cannot mix requests, so what arrives while it works waits: a lock around the model, as in every
small server. "At once" is one call over everything, which no server does for strangers.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    StoppingCriteria,
    StoppingCriteriaList,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    pipeline,
)

from bench.jobs import Heard, Item, Job, Span
from bench.script import scripted_tokens
from bench.subjects.progress import Books
from bench.subjects.sound import SAMPLE_RATE, whole_sound, window_sound
from bench.subjects.wire import Clock, Options, serve

_CHUNK_SECONDS = 30  # the pipeline's own long-form way: steps of 20 s, 5 s on either side twice


class ScriptedLengths(StoppingCriteria):
    """Each row of a batch ends at its own scripted length, as rows with real text do."""

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()
        self._limits = torch.zeros(0, dtype=torch.long)
        self._first = 0
        self._length = 0
        self._owed = 0

    def expect(self, lengths: Sequence[int]) -> None:
        self._waiting = deque(lengths)
        self._owed = sum(lengths)

    def check(self) -> None:
        """Whether generate() went on until every row had its length."""
        if self._owed:
            raise RuntimeError(f"generate() made {self._owed} tokens too few")

    def __call__(self, input_ids: torch.Tensor, _scores: Any, **_: Any) -> Any:
        rows, length = input_ids.shape
        if length != self._length + 1:  # another batch has begun
            self._limits = torch.tensor([self._waiting.popleft() for _ in range(rows)])
            self._first = length - 1
        self._length = length
        made = length - self._first
        self._owed -= int((self._limits >= made).sum())
        return (made >= self._limits).to(input_ids.device)


class TransformersPipeline:
    def load(self, model: Path, options: Options) -> dict[str, Any]:
        transformers.logging.set_verbosity_error()
        dtype = getattr(torch, options["compute_type"])
        device = options.get("device", "cpu")
        network = WhisperForConditionalGeneration.from_pretrained(
            model, dtype=dtype, attn_implementation="sdpa", local_files_only=True
        )
        processor = WhisperProcessor.from_pretrained(model, local_files_only=True)
        if processor.tokenizer.pad_token is None:  # without one, the pipeline refuses batches
            processor.tokenizer.pad_token = processor.tokenizer.eos_token
        self._pipe: Any = pipeline(
            "automatic-speech-recognition",
            model=network,
            tokenizer=processor.tokenizer,
            feature_extractor=processor.feature_extractor,
            dtype=dtype,
            device=device,
        )
        self._lengths = ScriptedLengths()
        self._is_chunked = bool(options.get("chunked", False))
        self._batch_size = 1
        self.configure(options)
        return {"transformers": transformers.__version__, "torch": torch.__version__}

    def configure(self, options: Options) -> None:
        self._batch_size = int(options.get("batch_size", self._batch_size))
        if "threads" in options:
            torch.set_num_threads(int(options["threads"]))

    def process(self) -> int:
        return os.getpid()

    def run(self, job: Job) -> list[Heard]:
        clock = Clock()
        books = Books(clock)
        if self._is_chunked:
            self._run_chunked(job, books)
        elif job.mode == "at_once":
            self._run_windows(_windows(job.items), books)
        else:
            for item in sorted(job.items, key=lambda item: item.arrival):
                clock.wait_until(item.arrival)
                arrived = clock() if job.mode == "in_turn" else item.arrival
                self._run_windows(_windows([item]), books, arrived)
        return books.heard

    def _run_windows(
        self,
        windows: Sequence[tuple[Item, int, Span]],
        books: Books,
        arrived: float | None = None,
    ) -> None:
        """One call; answers come batch by batch."""
        sounds = (
            {"raw": window_sound(item, window), "sampling_rate": SAMPLE_RATE}
            for item, _, window in windows
        )
        lengths = [window.tokens for _, _, window in windows]
        answers = self._call(sounds, lengths)
        for (item, index, window), answer in zip(windows, answers, strict=True):
            books.window_done(item, index, answer["text"], window.tokens, arrived)

    def _run_chunked(self, job: Job, books: Books) -> None:
        for item in job.items:
            sound = whole_sound(item)
            is_scripted = item.windows[0].tokens is not None
            lengths = [
                scripted_tokens(samples) if is_scripted else None
                for samples in _chunk_lengths(len(sound))
            ]
            sounds = (one for one in [{"raw": sound, "sampling_rate": SAMPLE_RATE}])
            for answer in self._call(sounds, lengths, chunk_length_s=_CHUNK_SECONDS):
                tokens = sum(length or 0 for length in lengths) if is_scripted else None
                books.window_done(_as_one(item), 0, answer["text"], tokens)

    def _call(
        self, sounds: Iterator[dict[str, Any]], lengths: Sequence[int | None], **options: Any
    ) -> Iterator[dict[str, Any]]:
        generate: dict[str, Any] = {"num_beams": 1, "language": "da", "task": "transcribe"}
        scripted = [length for length in lengths if length is not None]
        if scripted:
            self._lengths.expect(scripted)
            generate["stopping_criteria"] = StoppingCriteriaList([self._lengths])
        yield from self._pipe(
            sounds, batch_size=self._batch_size, generate_kwargs=generate, **options
        )
        if scripted:
            self._lengths.check()


def _windows(items: Sequence[Item]) -> list[tuple[Item, int, Span]]:
    return [(item, index, span) for item in items for index, span in enumerate(item.windows)]


def _as_one(item: Item) -> Item:
    return Item(item.name, item.path, item.samples, item.arrival, item.windows[:1])


def _chunk_lengths(samples: int) -> list[int]:
    """As transformers' chunk_iter cuts: 30 s every 20 s."""
    chunk, step = _CHUNK_SECONDS * SAMPLE_RATE, (_CHUNK_SECONDS - 10) * SAMPLE_RATE
    lengths: list[int] = []
    for start in range(0, samples, step):
        length = min(chunk, samples - start)
        if length > (5 * SAMPLE_RATE if start else 0):
            lengths.append(length)
        if start + chunk >= samples:
            break
    return lengths


if __name__ == "__main__":
    serve(TransformersPipeline)
