"""Inbox to scheduler to model to messages, until stdin ends. One thread; imports no torch."""

from __future__ import annotations

import queue
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import assert_never

from whisper_worker.audio import map_pcm
from whisper_worker.batch import run_batch
from whisper_worker.failures import FatalFailure, OutOfMemory, WorkerFailure
from whisper_worker.protocol import (
    Cancel,
    Cancelled,
    DetectLanguage,
    Failed,
    Message,
    Ping,
    Pong,
    Shutdown,
    Transcribe,
)
from whisper_worker.recording import Attempt, Recording
from whisper_worker.scheduler import Scheduler
from whisper_worker.speech_model import SpeechModel
from whisper_worker.stdio import Inbox
from whisper_worker.wire_format import ProtocolError


class Loop:
    """Every request that carries an id is answered exactly once."""

    def __init__(
        self, model: SpeechModel, inbox: Inbox, send: Callable[[Message], None], spool: Path
    ) -> None:
        self._model = model
        self._inbox = inbox
        self._send = send
        self._spool = spool
        self._scheduler: Scheduler[Attempt] = Scheduler(model.batch_windows)
        self._open: dict[int, Recording] = {}
        self._steps = 0

    def run(self) -> None:
        """Returns when Node wants it to end; raises FatalFailure when it cannot go on."""
        while self._read_inbox():
            self._step()
        self.abandon()

    def abandon(self) -> None:
        """Pay what is owed: everything open is answered with `cancelled`."""
        while self._open:
            request, _ = self._open.popitem()
            self._send(Cancelled(request))

    def _read_inbox(self) -> bool:
        """Take in all that waits; with nothing to decode, wait for something. False: the end."""
        while True:
            try:
                item = self._inbox.get(block=not self._scheduler.has_waiting)
            except queue.Empty:
                return True
            if isinstance(item, ProtocolError):
                raise FatalFailure("protocol_error", str(item))
            if isinstance(item, Shutdown):
                return False
            self._receive(item)

    def _receive(self, request: Transcribe | DetectLanguage | Cancel | Ping) -> None:
        match request:
            case Transcribe() | DetectLanguage():
                self._admit(request)
            case Cancel():
                self._cancel(request.id)
            case Ping():
                waiting = self._scheduler.waiting_count
                self._send(Pong(request.id, self._steps, len(self._open), waiting))
            case _:
                assert_never(request)

    def _admit(self, request: Transcribe | DetectLanguage) -> None:
        if request.id in self._open:
            raise FatalFailure("protocol_error", f"id {request.id} is already in use")
        try:
            recording = self._open_recording(request)
            self._open[request.id] = recording
            self._scheduler.add(request.id, self._failing_softly(recording))
            self._finish_if_spent(recording)
        except Exception as error:
            self._fail(request.id, error)

    def _open_recording(self, request: Transcribe | DetectLanguage) -> Recording:
        pcm = map_pcm(request.pcm_path, self._spool)
        prompt_tokens: tuple[int, ...] = ()
        if isinstance(request, Transcribe):
            self._check_language(request.language)
            prompt_tokens = self._model.prompt_tokens(request.prompt or "")
        return Recording(request, pcm, self._model.detect_speech, prompt_tokens)

    def _check_language(self, language: str | None) -> None:
        known = self._model.languages
        if language is not None and language not in known:
            some = ", ".join(sorted(known)[:8])
            raise WorkerFailure(
                "invalid_language",
                f"The model does not know the language {language[:20]!r}. "
                f"It knows {len(known)}, among them {some}.",
            )

    def _failing_softly(self, recording: Recording) -> Iterator[Attempt]:
        """A recording whose windows cannot be found fails alone, not the batch that asked."""
        try:
            yield from recording.attempts()
        except Exception as error:
            self._fail(recording.request.id, error)

    def _cancel(self, request: int) -> None:
        if self._open.pop(request, None) is not None:
            self._scheduler.cancel(request)
            self._send(Cancelled(request))

    def _step(self) -> None:
        batch = [attempt for _, attempt in self._scheduler.next_batch()]
        self._advance(batch)
        for recording in {id(attempt.recording): attempt.recording for attempt in batch}.values():
            self._report(recording)

    def _is_open(self, attempt: Attempt) -> bool:
        return self._open.get(attempt.recording.request.id) is attempt.recording

    def _advance(self, attempts: list[Attempt]) -> None:
        """Run a batch. One that fails is run again in halves, so that only the guilty row fails."""
        attempts = [attempt for attempt in attempts if self._is_open(attempt)]
        if not attempts:
            return
        try:
            again = run_batch(self._model, attempts)
        except FatalFailure:
            raise
        except Exception as error:
            self._retry_in_halves(attempts, error)
        else:
            self._steps += 1
            for attempt in reversed(again):
                self._scheduler.put_back(attempt.recording.request.id, attempt)

    def _retry_in_halves(self, attempts: list[Attempt], error: Exception) -> None:
        if len(attempts) == 1:
            self._fail(attempts[0].recording.request.id, error)
            return
        middle = len(attempts) // 2
        if isinstance(error, OutOfMemory):
            # What did not fit once will not fit the next time; smaller batches from now on.
            self._scheduler.batch_size = min(self._scheduler.batch_size, max(1, middle))
        self._advance(attempts[:middle])
        self._advance(attempts[middle:])

    def _report(self, recording: Recording) -> None:
        if recording.request.id not in self._open:
            return
        for message in recording.take_finished():
            self._send(message)
        self._finish_if_spent(recording)

    def _finish_if_spent(self, recording: Recording) -> None:
        request = recording.request.id
        if not self._scheduler.is_spent(request):
            return
        self._scheduler.cancel(request)
        if self._open.pop(request, None) is not None:
            self._send(recording.report())

    def _fail(self, request: int, error: Exception) -> None:
        self._open.pop(request, None)
        self._scheduler.cancel(request)
        match error:
            case WorkerFailure():
                self._send(Failed(request, error.code, error.message))
            case OutOfMemory():
                message = "The speech engine ran out of memory on this recording."
                self._send(Failed(request, "out_of_memory", message))
            case _:
                traceback.print_exception(error)
                self._send(Failed(request, "internal", "The speech engine failed on this request."))
