"""Windows enter slots: encode them, hear languages that are open, begin to decode.

Knows no queue and no wire.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from whisper_worker.recording import WindowJob
from whisper_worker.speech_model import EncoderPass, SpeechModel


class Admission:
    """Some windows on their way in, which may be stopped between two pieces of it."""

    def __init__(
        self,
        model: SpeechModel,
        jobs: Sequence[WindowJob],
        served_before: Collection[int] = (),
    ) -> None:
        """`served_before`: those of the requests that are no newcomers."""
        self.jobs = list(jobs)
        self.served_before = served_before
        self.let_by = 0  # newcomers, while it waited
        self._model = model
        self._pass: EncoderPass | None = None
        self._abandoned: set[WindowJob] = set()
        self._seconds = 0.0

    @property
    def gives_way(self) -> bool:
        """To newcomers, because none of these is one."""
        return all(job.recording.request.id in self.served_before for job in self.jobs)

    def advance(self) -> bool:
        """One piece. True: each job has its slot; probes have done what they came for and left.

        When it raises, no job has a slot, so they can be admitted again in smaller parts.
        """
        began = time.perf_counter()
        encoded = self._encode_piece()
        if encoded is None:
            self._seconds += time.perf_counter() - began
            return False
        for job, window in zip(self.jobs, encoded, strict=True):
            job.encoded = window
        self._drop_abandoned()
        try:
            _hear_languages(self._model, self.jobs)
            seconds = self._seconds + time.perf_counter() - began
            texts = [job for job in self.jobs if not job.is_probe]
            self._model.start([job.recording.decode_row(job) for job in texts])
        except BaseException:
            for job in self.jobs:
                _leave(self._model, job)
            raise
        for job in self.jobs:
            # Its share of the pass is what a recording would be billed for, not the wall time.
            job.recording.encode_seconds += seconds / len(encoded)
            if job.is_probe:
                _leave(self._model, job)
        return True

    def _encode_piece(self) -> list[object] | None:
        if self._pass is None:
            for job in self.jobs:
                job.recording.begin()
            samples = [job.recording.samples(job.window) for job in self.jobs]
            self._pass = self._model.begin_encoding(samples)
        return self._pass.advance()

    def abandon(self, request: int) -> bool:
        """Nobody wants the windows of this request any more. True: that was all, it is over."""
        self._abandoned |= {job for job in self.jobs if job.recording.request.id == request}
        if len(self._abandoned) < len(self.jobs):
            return False
        if self._pass is not None:
            self._pass.close()
        return True

    def _drop_abandoned(self) -> None:
        for job in self._abandoned:
            _leave(self._model, job)
        self.jobs = [job for job in self.jobs if job not in self._abandoned]


def admit(model: SpeechModel, jobs: Sequence[WindowJob]) -> None:
    """All of it at once."""
    admission = Admission(model, jobs)
    while not admission.advance():
        pass


def _leave(model: SpeechModel, job: WindowJob) -> None:
    if job.encoded is not None:
        model.release(job.encoded)
        job.encoded = None


def _hear_languages(model: SpeechModel, jobs: Sequence[WindowJob]) -> None:
    """A recording whose language is open sends one window, which decides for the whole of it."""
    open_jobs = [job for job in jobs if job.recording.language is None]
    if not open_jobs:
        return
    heard = model.detect_language([job.encoded for job in open_jobs])
    for job, probabilities in zip(open_jobs, heard, strict=True):
        job.recording.hear_language(probabilities)
