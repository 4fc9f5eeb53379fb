"""Inbox to scheduler to slots to messages, until stdin ends. One thread; imports no torch."""

from __future__ import annotations

import queue
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import assert_never

from whisper_worker.entrance import Entrance
from whisper_worker.failures import FatalFailure, OutOfMemory, WorkerFailure
from whisper_worker.opening import open_recording
from whisper_worker.pace import Pace
from whisper_worker.protocol import (
    Cancel,
    Cancelled,
    DetectLanguage,
    Failed,
    Message,
    PcmGrown,
    Shutdown,
    Transcribe,
)
from whisper_worker.pulse import Pulse
from whisper_worker.recording import Recording, WindowJob
from whisper_worker.room import Room
from whisper_worker.scheduler import Scheduler
from whisper_worker.speech_model import Ended, SpeechModel, Spoken
from whisper_worker.stdio import Inbox, LoopRequest
from whisper_worker.wire_format import ProtocolError


class Loop:
    """Every request that carries an id is answered exactly once."""

    def __init__(
        self,
        model: SpeechModel,
        inbox: Inbox,
        send: Callable[[Message], None],
        spool: Path,
        pulse: Pulse | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._model = model
        self._inbox = inbox
        self._send = send
        self._spool = spool
        self._room = Room(model.slots)
        self._scheduler: Scheduler[WindowJob] = Scheduler(model.slots)
        self._open: dict[int, Recording] = {}
        self._inside: dict[object, WindowJob] = {}  # encoded window → whose it is
        self._pulse = pulse or Pulse()
        self._pace = Pace()
        self._entrance = Entrance(model, self._scheduler, self._pace, self, clock)
        self._clock = clock

    def run(self) -> None:
        """Returns when Node wants it to end; raises FatalFailure when it cannot go on."""
        while self._read_inbox():
            for recording in self._listening():
                self._renew(recording)
            if not self._entrance.encode_piece():
                self._step()
            self._pulse.turns += 1
        self.abandon()

    def abandon(self) -> None:
        """Pay what is owed: everything open is answered with `cancelled`."""
        while self._open:
            request, _ = self._open.popitem()
            self._send(Cancelled(request))

    def _read_inbox(self) -> bool:
        """Take in all that waits; with nothing to do, wait for something. False: the end."""
        while True:
            has_work = bool(
                self._inside
                or not self._entrance.is_empty
                or self._scheduler.has_waiting
                or self._listening()
            )
            self._pulse.requests = len(self._open)
            self._pulse.windows_waiting = self._scheduler.waiting_count
            self._pulse.is_working = has_work
            try:
                item = self._inbox.get(block=not has_work)
            except queue.Empty:
                return True
            self._pulse.is_working = True
            if isinstance(item, ProtocolError):
                raise FatalFailure("protocol_error", str(item))
            if isinstance(item, Shutdown):
                return False
            self._receive(item)

    def _listening(self) -> list[Recording]:
        return [recording for recording in self._open.values() if recording.is_listening]

    def _receive(self, request: LoopRequest) -> None:
        match request:
            case Transcribe() | DetectLanguage():
                self._open_request(request)
            case PcmGrown():
                self._grow(request)
            case Cancel():
                self._cancel(request.id)
            case _:
                assert_never(request)

    def _open_request(self, request: Transcribe | DetectLanguage) -> None:
        if request.id in self._open:
            raise FatalFailure("protocol_error", f"id {request.id} is already in use")
        try:
            recording = open_recording(request, self._model, self._spool)
            self._open[request.id] = recording
            self._scheduler.add(request.id, self._failing_softly(recording))
            if request.id not in self._open:
                self._scheduler.cancel(request.id)  # it failed at its first window
            self._finish_if_spent(recording)
        except Exception as error:
            self.fail(request.id, error)

    def _failing_softly(self, recording: Recording) -> Iterator[WindowJob | None]:
        """A recording whose windows cannot be found fails alone, not the step that asked."""
        try:
            yield from recording.jobs()
        except Exception as error:
            self.fail(recording.request.id, error)

    def _grow(self, news: PcmGrown) -> None:
        recording = self._open.get(news.id)
        if recording is None:
            return
        try:
            recording.grow(news.samples, news.is_complete)
        except WorkerFailure as error:
            self.fail(news.id, error)
            return
        self._renew(recording)

    def _renew(self, recording: Recording) -> None:
        """Its source may know more now: a window, or that there are no more."""
        self._scheduler.renew(recording.request.id)
        self._finish_if_spent(recording)

    def _cancel(self, request: int) -> None:
        if request in self._open:
            self._forget(request)
            self._send(Cancelled(request))

    def _forget(self, request: int) -> None:
        """Nothing more is done for it: its slots are free from now on."""
        self._open.pop(request, None)
        self._pulse.requests = len(self._open)
        self._scheduler.cancel(request)
        self._entrance.forget(request)
        for encoded, job in list(self._inside.items()):
            if job.recording.request.id == request:
                self._model.release(encoded)
                del self._inside[encoded]

    @property
    def windows_inside(self) -> int:
        return len(self._inside)

    def seat(self, job: WindowJob) -> None:
        if job.encoded is None:
            self._leave(job)
        else:
            self._inside[job.encoded] = job
            self._renew(job.recording)

    def is_open(self, job: WindowJob) -> bool:
        return self._open.get(job.recording.request.id) is job.recording

    def lower_slots(self, slots: int) -> None:
        self._room.shrink(slots)
        self._scheduler.slots = self._room.slots
        print(f"out of memory: {self._room.slots} slots for a while", file=sys.stderr)

    def _leave(self, job: WindowJob) -> None:
        """Its slot is free. That may have been the last of its request."""
        self._scheduler.leave(job.recording.request.id)
        self._renew(job.recording)

    def _step(self) -> None:
        if not self._inside:
            return
        began = self._clock()
        try:
            events = self._model.step()
        except FatalFailure:
            raise
        except Exception as error:
            self._give_up_step(error)
            return
        self._pulse.steps += 1
        self._pulse.rows += len(self._inside)
        self._room.step()
        self._scheduler.slots = self._room.slots
        seconds = self._clock() - began
        self._pace.stepped(seconds)
        share = seconds / len(self._inside)
        for job in self._inside.values():
            job.recording.decode_seconds += share
        for event in events:
            self._hear(event)

    def _give_up_step(self, error: Exception) -> None:
        """Nobody knows whose fault it was. Out of memory, fewer windows are tried again."""
        jobs = list(self._inside.values())
        if not isinstance(error, OutOfMemory) or len(jobs) == 1:
            for request in {job.recording.request.id for job in jobs}:
                self.fail(request, error)
            return
        self.lower_slots(len(jobs) // 2)
        for job in reversed(jobs):
            self._model.release(job.encoded)
            job.encoded = None
            job.recording.begin_again(job.window)
            self._scheduler.put_back(job.recording.request.id, job)
        self._inside.clear()

    def _hear(self, event: Spoken | Ended) -> None:
        job = self._inside.get(event.encoded)
        if job is None:
            return  # given up while the step was under way
        recording = job.recording
        try:
            self._note(job, event)
            messages = list(recording.take_messages())
        except Exception as error:  # only this recording's text is not what we expected
            self.fail(recording.request.id, error)
            return
        for message in messages:
            self._send(message)
        if isinstance(event, Ended):
            self._leave(job)

    def _note(self, job: WindowJob, event: Spoken | Ended) -> None:
        match event:
            case Spoken():
                job.recording.hear(job.window, event.text)
            case Ended():
                del self._inside[event.encoded]
                job.recording.accept(job.window, event.decoded)

    def _finish_if_spent(self, recording: Recording) -> None:
        request = recording.request.id
        if request in self._open and self._scheduler.is_spent(request):
            self._forget(request)
            self._send(recording.report())

    def fail(self, request: int, error: Exception) -> None:
        self._forget(request)
        match error:
            case WorkerFailure():
                self._send(Failed(request, error.code, error.message))
            case OutOfMemory():
                message = "The speech engine ran out of memory on this recording."
                self._send(Failed(request, "out_of_memory", message))
            case _:
                traceback.print_exception(error)
                self._send(Failed(request, "internal", "The speech engine failed on this request."))
