"""One recording's way through the model: windows, temperatures, segments, final report.

Knows nothing of other recordings, batches or the wire. numpy only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from whisper_worker.assembly import build_segments
from whisper_worker.audio import HEARING_SAMPLES, Pcm, to_float, to_seconds
from whisper_worker.guards import is_silence, needs_fallback, temperature_ladder
from whisper_worker.protocol import (
    Detected,
    DetectLanguage,
    Done,
    Dropped,
    LanguageProbability,
    Progress,
    Segment,
    Timings,
    Transcribe,
    WindowDone,
)
from whisper_worker.speech_model import Decoded, DecodeRow
from whisper_worker.vad import SpeechDetector, Window, cut_windows


@dataclass
class Attempt:
    """One window on one rung of the temperature ladder: the scheduler's unit of work."""

    recording: Recording
    window: Window
    is_probe: bool = False  # only its language is wanted
    rung: int = 0
    encoded: object | None = None  # kept from rung to rung: the encoder runs once per window
    best: tuple[Decoded, float] | None = None  # and its temperature


class Recording:
    """A request from its first window to its final message."""

    def __init__(
        self,
        request: Transcribe | DetectLanguage,
        pcm: Pcm,
        detect_speech: SpeechDetector,
        prompt_tokens: tuple[int, ...] = (),
    ) -> None:
        self.request = request
        self.language = request.language if isinstance(request, Transcribe) else None
        self._ladder = temperature_ladder(
            request.temperature if isinstance(request, Transcribe) else 0.0
        )
        self.encode_seconds = 0.0
        self.decode_seconds = 0.0
        self._language_probabilities: dict[str, float] | None = None
        self._pcm = pcm
        self._detect_speech = detect_speech
        self._prompt_tokens = prompt_tokens
        self._arrived = time.perf_counter()
        self._started: float | None = None
        self._vad_seconds = 0.0
        self._speech_samples = 0
        self._finished: dict[int, WindowDone] = {}  # decoded, but an earlier window is not
        self._windows_sent = 0
        self._dropped: list[Dropped] = []

    @property
    def duration_seconds(self) -> float:
        return to_seconds(len(self._pcm))

    def attempts(self) -> Iterator[Attempt]:
        """The work, found lazily. Without speech, at most one look at the language."""
        windows = cut_windows(self._pcm, self._detect_speech)
        window = self._next_window(windows)
        if isinstance(self.request, DetectLanguage) or (window is None and self.language is None):
            yield Attempt(self, window or self._beginning(), is_probe=True)
            return
        while window is not None:
            yield Attempt(self, window)
            window = self._next_window(windows)

    def _next_window(self, windows: Iterator[Window]) -> Window | None:
        began = time.perf_counter()
        window = next(windows, None)
        self._vad_seconds += time.perf_counter() - began
        if window is not None:
            self._speech_samples += sum(region.end - region.start for region in window.speech)
        return window

    def _beginning(self) -> Window:
        return Window(0, 0, min(len(self._pcm), HEARING_SAMPLES), ())

    def samples(self, window: Window) -> npt.NDArray[np.float32]:
        return to_float(self._pcm[window.start : window.end])

    def begin(self) -> None:
        """The first window is about to meet the model."""
        if self._started is None:
            self._started = time.perf_counter()

    def hear_language(self, probabilities: dict[str, float]) -> None:
        """The language of the first window is the language of the recording."""
        self._language_probabilities = probabilities
        self.language = max(probabilities, key=probabilities.__getitem__)

    @property
    def _known_language(self) -> str:
        if self.language is None:
            raise RuntimeError("the language is detected before anything is decoded or reported")
        return self.language

    def decode_row(self, attempt: Attempt) -> DecodeRow:
        request = self.request
        if not isinstance(request, Transcribe):
            raise TypeError("only a transcription has text to decode")
        return DecodeRow(
            encoded=attempt.encoded,
            window=attempt.window,
            language=self._known_language,
            task=request.task,
            prompt_tokens=self._prompt_tokens,
            temperature=self._ladder[attempt.rung],
            rung=attempt.rung,
            word_timestamps=request.word_timestamps,
        )

    def accept(self, attempt: Attempt, row: DecodeRow, decoded: Decoded) -> Attempt | None:
        """Keep this decoding, or answer the attempt that has to be made next."""
        has_failed = needs_fallback(decoded)
        if attempt.best is None or decoded.avg_logprob > attempt.best[0].avg_logprob:
            attempt.best = (decoded, row.temperature)
        if has_failed and attempt.rung + 1 < len(self._ladder):
            attempt.rung += 1
            return attempt
        # What passes is taken, however sure a loop before it was; if nothing passes, the surest.
        chosen, temperature = attempt.best if has_failed else (decoded, row.temperature)
        self._finish(attempt.window, chosen, temperature)
        return None

    def _finish(self, window: Window, decoded: Decoded, temperature: float) -> None:
        segments: tuple[Segment, ...] = ()
        if is_silence(decoded):
            if decoded.text.strip():
                start, end = to_seconds(window.start), to_seconds(window.end)
                self._dropped.append(Dropped("no_speech", start, end, decoded.text))
        else:
            segments = build_segments(window, decoded, temperature)
        self._finished[window.index] = WindowDone(
            id=self.request.id,
            index=window.index,
            start=to_seconds(window.start),
            end=to_seconds(window.end),
            language=self._known_language,
            segments=segments,
        )

    def take_finished(self) -> Iterator[WindowDone | Progress]:
        """The messages that are due: windows in order, each followed by the progress it made."""
        while window := self._finished.pop(self._windows_sent, None):
            self._windows_sent += 1
            yield window
            yield Progress(self.request.id, window.end, self.duration_seconds, self._windows_sent)

    def report(self) -> Done | Detected:
        """The final message, once the scheduler has nothing left and every window has been sent."""
        if isinstance(self.request, DetectLanguage):
            return self._report_language()
        heard = self._language_probabilities
        language = self._known_language
        return Done(
            id=self.request.id,
            duration_seconds=self.duration_seconds,
            speech_seconds=to_seconds(self._speech_samples),
            language=language,
            language_probability=None if heard is None else round(heard[language], 4),
            windows=self._windows_sent,
            dropped=tuple(sorted(self._dropped, key=lambda dropped: dropped.start)),
            timings=self._timings(),
        )

    def _report_language(self) -> Detected:
        ranked = sorted((self._language_probabilities or {}).items(), key=lambda pair: -pair[1])
        languages = tuple(LanguageProbability(code, round(p, 6)) for code, p in ranked)
        best = languages[0]
        return Detected(
            self.request.id, best.language, best.probability, languages, self.duration_seconds
        )

    def _timings(self) -> Timings:
        started = self._arrived if self._started is None else self._started
        return Timings(
            waited_seconds=round(started - self._arrived, 4),
            vad_seconds=round(self._vad_seconds, 4),
            encode_seconds=round(self.encode_seconds, 4),
            decode_seconds=round(self.decode_seconds, 4),
        )
