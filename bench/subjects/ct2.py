"""faster-whisper over CTranslate2: its sequential model and its BatchedInferencePipeline. Greedy.

CTranslate2 has one length limit a call, not one a row. The sequential way gets each window's own
length; the batched way gets the mean over its call, which favours it: nothing is padded.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2
import faster_whisper
import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel

from bench.conversion import to_ctranslate2
from bench.jobs import Heard, Item, Job, Span
from bench.script import PREFIX_TOKENS
from bench.subjects.progress import Books
from bench.subjects.sound import SAMPLE_RATE, window_sound
from bench.subjects.wire import Clock, Options, serve

Task = tuple[Item, int, Span, float | None]


class Multilingual:
    """CTranslate2 takes a small vocabulary for English only, and then the prompt would lack the
    language. Everything else is the real model's."""

    is_multilingual = True

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class FasterWhisper:
    def load(self, model: Path, options: Options) -> dict[str, Any]:
        self._workers = int(options.get("num_workers", 1))
        self._model = WhisperModel(
            str(to_ctranslate2(model)),
            device=options.get("device", "cpu"),
            compute_type=options["compute_type"],
            cpu_threads=int(options["threads"]),
            num_workers=self._workers,
        )
        self._model.model = Multilingual(self._model.model)
        self._batched = BatchedInferencePipeline(self._model) if options["batched"] else None
        self._batch_size = 8
        settings = json.loads((model / "generation_config.json").read_text())
        # The checkpoint's own list, as for everybody. faster-whisper's default list is made of
        # symbols of OpenAI's vocabulary and would forbid parts of words in a small one.
        self._suppressed = list(settings.get("suppress_tokens") or [])
        self.configure(options)
        return {
            "faster_whisper": faster_whisper.__version__,
            "ctranslate2": ctranslate2.__version__,
            "compute_type": self._model.model.compute_type,
        }

    def configure(self, options: Options) -> None:
        self._batch_size = int(options.get("batch_size", self._batch_size))

    def process(self) -> int:
        return os.getpid()

    def run(self, job: Job) -> list[Heard]:
        clock = Clock()
        books = Books(clock)
        if self._batched is not None and job.mode == "at_once":
            self._run_batched(_tasks(job.items), books)
        elif self._batched is not None or job.mode == "in_turn":
            for item in sorted(job.items, key=lambda item: item.arrival):
                clock.wait_until(item.arrival)
                arrived = clock() if job.mode == "in_turn" else item.arrival
                tasks = _tasks([item], arrived)
                if self._batched is not None:
                    self._run_batched(tasks, books)
                else:
                    self._run_pool(tasks, books, clock)
        else:
            items = sorted(job.items, key=lambda item: item.arrival)
            self._run_pool(_tasks(items), books, clock)
        return books.heard

    def _run_pool(self, tasks: Sequence[Task], books: Books, clock: Clock) -> None:
        """Windows in order of arrival, by as many threads as the model has workers."""
        waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
        for task in tasks:
            waiting.put(task)
        problems: list[Exception] = []
        lock = threading.Lock()

        def work() -> None:
            while not problems:
                try:
                    item, index, window, arrived = waiting.get_nowait()
                except queue.Empty:
                    return
                clock.wait_until(item.arrival)
                try:
                    text, tokens = self._transcribe(item, window)
                except Exception as error:
                    problems.append(error)
                    return
                with lock:
                    books.window_done(item, index, text, tokens, arrived)

        threads = [threading.Thread(target=work) for _ in range(self._workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if problems:
            raise problems[0]

    def _transcribe(self, item: Item, window: Span) -> tuple[str, int]:
        segments, _ = self._model.transcribe(
            window_sound(item, window),
            max_new_tokens=_limit(window.tokens),
            condition_on_previous_text=False,
            vad_filter=False,
            **self._common(),
        )
        heard = list(segments)
        return "".join(part.text for part in heard), sum(len(part.tokens) for part in heard)

    def _run_batched(self, tasks: Sequence[Task], books: Books) -> None:
        """All windows of the call behind each other in one piece of sound, and where each lies."""
        assert self._batched is not None
        sounds = [window_sound(item, window) for item, _, window, _ in tasks]
        ends = np.cumsum([len(sound) for sound in sounds])
        # half a sample more, because seconds are cut to whole samples
        clips = [
            {"start": (end - len(sound) + 0.5) / SAMPLE_RATE, "end": (end + 0.5) / SAMPLE_RATE}
            for sound, end in zip(sounds, ends, strict=True)
        ]
        lengths = [window.tokens for _, _, window, _ in tasks if window.tokens is not None]
        segments, _ = self._batched.transcribe(
            np.concatenate(sounds),
            clip_timestamps=clips,
            batch_size=self._batch_size,
            max_new_tokens=_limit(round(sum(lengths) / len(lengths)) if lengths else None),
            **self._common(),
        )
        for (item, index, _, arrived), segment in zip(tasks, segments, strict=True):
            books.window_done(item, index, segment.text, len(segment.tokens), arrived)

    def _common(self) -> dict[str, Any]:
        return {
            "language": "da",
            "task": "transcribe",
            "beam_size": 1,
            "temperature": 0.0,
            "without_timestamps": True,
            "compression_ratio_threshold": None,
            "log_prob_threshold": None,
            "no_speech_threshold": None,
            "suppress_blank": False,
            "suppress_tokens": self._suppressed,
        }


def _limit(tokens: int | None) -> int | None:
    """What to ask for so that CTranslate2 makes that many: it halves the limit for all tokens, the
    prefix included, and takes the lesser of that half and of what the prefix leaves."""
    if tokens is None:
        return None
    return max(2 * tokens, tokens + PREFIX_TOKENS) - PREFIX_TOKENS


def _tasks(items: Sequence[Item], arrived: float | None = None) -> list[Task]:
    return [
        (item, index, window, arrived)
        for item in items
        for index, window in enumerate(item.windows)
    ]


if __name__ == "__main__":
    serve(FasterWhisper)
