"""One batch through the model: encode what is new, hear languages that are open, decode.

Knows no queue and no wire.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from whisper_worker.recording import Attempt
from whisper_worker.speech_model import SpeechModel


def run_batch(model: SpeechModel, attempts: Sequence[Attempt]) -> list[Attempt]:
    """Advance every attempt by one rung; answers those that have to be made again.

    Nothing is accepted before everything has succeeded, so a batch that raised can be run again
    in smaller parts.
    """
    for attempt in attempts:
        attempt.recording.begin()
    began = time.perf_counter()
    _encode(model, [attempt for attempt in attempts if attempt.encoded is None])
    _hear_languages(model, attempts)
    encoded = time.perf_counter()
    texts = [attempt for attempt in attempts if not attempt.is_probe]
    rows = [attempt.recording.decode_row(attempt) for attempt in texts]
    decodings = model.decode(rows) if rows else []
    decoded = time.perf_counter()
    # A recording's share of the batch is what it would be billed for, not the whole wall time.
    for attempt in attempts:
        attempt.recording.encode_seconds += (encoded - began) / len(attempts)
    for attempt in texts:
        attempt.recording.decode_seconds += (decoded - encoded) / len(texts)
    again = [
        attempt.recording.accept(attempt, row, decoding)
        for attempt, row, decoding in zip(texts, rows, decodings, strict=True)
    ]
    return [attempt for attempt in again if attempt is not None]


def _encode(model: SpeechModel, attempts: Sequence[Attempt]) -> None:
    if not attempts:
        return
    windows = [attempt.recording.samples(attempt.window) for attempt in attempts]
    for attempt, encoded in zip(attempts, model.encode(windows), strict=True):
        attempt.encoded = encoded


def _hear_languages(model: SpeechModel, attempts: Sequence[Attempt]) -> None:
    """The first window of each recording whose language is open decides for the whole recording."""
    first: dict[int, Attempt] = {}
    for attempt in attempts:
        if attempt.recording.language is None:
            known = first.setdefault(attempt.recording.request.id, attempt)
            if attempt.window.index < known.window.index:
                first[attempt.recording.request.id] = attempt
    if not first:
        return
    heard = model.detect_language([attempt.encoded for attempt in first.values()])
    for attempt, probabilities in zip(first.values(), heard, strict=True):
        attempt.recording.hear_language(probabilities)
