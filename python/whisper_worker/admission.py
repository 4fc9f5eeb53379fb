"""Windows enter slots: encode them, hear languages that are open, begin to decode.

Knows no queue and no wire.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from whisper_worker.recording import WindowJob
from whisper_worker.speech_model import SpeechModel


def admit(model: SpeechModel, jobs: Sequence[WindowJob]) -> None:
    """Give each job a slot. Probes have done what they came for and have left again.

    When it raises, no job has a slot, so they can be admitted again in smaller parts.
    """
    for job in jobs:
        job.recording.begin()
    began = time.perf_counter()
    encoded = model.encode([job.recording.samples(job.window) for job in jobs])
    for job, window in zip(jobs, encoded, strict=True):
        job.encoded = window
    try:
        _hear_languages(model, jobs)
        texts = [job for job in jobs if not job.is_probe]
        # A recording's share of the pass is what it would be billed for, not the whole wall time.
        share = (time.perf_counter() - began) / len(jobs)
        model.start([job.recording.decode_row(job) for job in texts])
    except BaseException:
        for job in jobs:
            _leave(model, job)
        raise
    for job in jobs:
        job.recording.encode_seconds += share
        if job.is_probe:
            _leave(model, job)


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
