"""Which windows are on their way into slots, who of them goes first, and who steps meanwhile.

At most two passes of the encoder are under way: a newcomer's, and the one that it interrupted.
Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from whisper_worker.admission import Admission, admit
from whisper_worker.failures import FatalFailure, OutOfMemory
from whisper_worker.pace import Pace
from whisper_worker.recording import WindowJob
from whisper_worker.scheduler import Scheduler
from whisper_worker.speech_model import SpeechModel

# So many newcomers in a row may pass a window that has begun to be encoded.
_PATIENCE = 8


class Host(Protocol):
    """Whose windows they are: the loop."""

    @property
    def windows_inside(self) -> int: ...

    def is_open(self, job: WindowJob) -> bool:
        """Its request is still to be answered."""
        ...

    def seat(self, job: WindowJob) -> None:
        """It has entered its slot; a probe has left it again."""
        ...

    def lower_slots(self, slots: int) -> None: ...

    def fail(self, request: int, error: Exception) -> None: ...


class Entrance:
    def __init__(
        self,
        model: SpeechModel,
        scheduler: Scheduler[WindowJob],
        pace: Pace,
        host: Host,
        clock: Callable[[], float],
    ) -> None:
        self._model = model
        self._scheduler = scheduler
        self._pace = pace
        self._host = host
        self._clock = clock
        self._admissions: list[Admission] = []  # the last goes first

    @property
    def is_empty(self) -> bool:
        return not self._admissions

    def forget(self, request: int) -> None:
        """What was computed for it alone is thrown away."""
        kept = [admission for admission in self._admissions if not admission.abandon(request)]
        self._admissions = kept

    def encode_piece(self) -> bool:
        """Somebody comes nearer. True: there is more to encode, and the rows can wait for it."""
        self._let_in()
        if self.is_empty:
            return False
        admission = self._admissions[-1]
        delays = self._delays_somebody_short(admission)
        if delays and self._pace.encoder_leads and self._host.windows_inside:
            return False
        began = self._clock()
        is_over = self._advance(admission)
        self._pace.encoded(self._clock() - began, delays_somebody_short=delays)
        return not is_over and not self._pace.is_step_due

    def _delays_somebody_short(self, admission: Admission) -> bool:
        others = admission.served_before
        return bool(others) and self._scheduler.somebody_short_is_inside(besides=others)

    def _let_in(self) -> None:
        """Whoever is next begins. A newcomer interrupts those who have been served before."""
        if not self._is_open:
            return
        taken = self._scheduler.take(
            self._model.windows_per_encode,
            only_newcomers=not self.is_empty or self._others_have_to_wait,
        )
        served = {request for request, _ in taken if not self._scheduler.is_new(request)}
        jobs = [job for _, job in taken if self._host.is_open(job)]
        if not jobs:
            return
        if not self.is_empty:
            self._admissions[-1].let_by += len(jobs)
        self._admissions.append(Admission(self._model, jobs, served))

    @property
    def _is_open(self) -> bool:
        if self.is_empty:
            return True
        last = self._admissions[-1]
        return last.gives_way and last.let_by < _PATIENCE

    @property
    def _others_have_to_wait(self) -> bool:
        """The rows of somebody short come first, now."""
        is_behind = self._pace.encoder_leads and self._host.windows_inside > 0
        return is_behind and self._scheduler.somebody_short_is_inside()

    def _advance(self, admission: Admission) -> bool:
        """True: its windows are in their slots, or never will be."""
        try:
            is_in = admission.advance()
        except FatalFailure:
            raise
        except Exception as error:
            self._admissions.remove(admission)
            # The last first, so that a request's windows keep their order.
            for job in reversed(self._enter_in_halves(admission.jobs, error)):
                self._scheduler.put_back(job.recording.request.id, job)
            return True
        if is_in:
            self._admissions.remove(admission)
            self._seat(admission.jobs)
        return is_in

    def _seat(self, jobs: list[WindowJob]) -> None:
        for job in jobs:
            self._host.seat(job)

    def _enter_in_halves(self, jobs: list[WindowJob], error: Exception) -> list[WindowJob]:
        """What failed is tried in halves, so only the guilty one fails.

        Answers those that do not fit beside the others, and may when these have left.
        """
        if len(jobs) > 1:
            middle = len(jobs) // 2
            return self._enter(jobs[:middle]) + self._enter(jobs[middle:])
        if isinstance(error, OutOfMemory) and self._host.windows_inside:
            self._host.lower_slots(self._host.windows_inside)
            return jobs
        self._host.fail(jobs[0].recording.request.id, error)
        return []

    def _enter(self, jobs: list[WindowJob]) -> list[WindowJob]:
        jobs = [job for job in jobs if self._host.is_open(job)]
        if not jobs:
            return []
        try:
            admit(self._model, jobs)
        except FatalFailure:
            raise
        except Exception as error:
            return self._enter_in_halves(jobs, error)
        self._seat(jobs)
        return []
