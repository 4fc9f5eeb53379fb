"""One recording's way through the model: windows, segments, final report.

Knows nothing of other recordings, slots or the wire. numpy only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from whisper_worker.assembly import Spell, build_segments
from whisper_worker.audio import HEARING_SAMPLES, PcmFile, to_float, to_seconds
from whisper_worker.deltas import Deltas
from whisper_worker.division import division_for
from whisper_worker.guards import Judgement, judge, temperature_ladder
from whisper_worker.hearing import Hearing
from whisper_worker.protocol import (
    Checkpoint,
    Delta,
    Detected,
    DetectLanguage,
    Done,
    LanguageProbability,
    Progress,
    Segment,
    Timings,
    Transcribe,
    WindowDone,
)
from whisper_worker.speech_listener import SpeechListener
from whisper_worker.speech_model import Decoded, DecodeRow
from whisper_worker.vad import Window, WindowCutter

# Repetitions at higher temperatures that a request may cost beyond its windows.
_FREE_EXTRA_ATTEMPTS = 4
_WINDOWS_PER_EXTRA_ATTEMPT = 4


_NO_TIME = Timings(0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class _Finished:
    """A window that is decoded and judged, on its way out."""

    window: Window
    judgement: Judgement
    segments: tuple[Segment, ...]
    extra_attempts: int

    @property
    def text(self) -> str:
        return "".join(segment.text for segment in self.segments)


@dataclass(eq=False)
class WindowJob:
    """One window on its way through a slot: the scheduler's unit of work."""

    recording: Recording
    window: Window
    is_probe: bool = False  # only its language is wanted
    encoded: object | None = None


class Recording:
    """A request from its first window to its final message."""

    def __init__(
        self,
        request: Transcribe | DetectLanguage,
        pcm: PcmFile,
        listener: SpeechListener,
        spell: Spell,
        prompt_tokens: tuple[int, ...] = (),
    ) -> None:
        asked = request if isinstance(request, Transcribe) else None
        resumed = asked and asked.resume
        self.request = request
        self.language = resumed.language if resumed else asked and asked.language
        self.encode_seconds = 0.0
        self.decode_seconds = 0.0
        self._language_probabilities: Mapping[str, float] = {}
        self._language_probability = resumed and resumed.language_probability
        self._candidates = asked and asked.languages
        self._pcm = pcm
        cutter = WindowCutter(listener, division_for(asked and asked.vad))
        self._hearing = Hearing(pcm, cutter, resumed)
        self._spell = spell if asked and asked.logprobs else None
        self._prompt_tokens = prompt_tokens
        self._arrived = time.perf_counter()
        self._started: float | None = None
        self._time_before = resumed.timings if resumed else _NO_TIME
        self._extra_attempts = resumed.extra_attempts if resumed else 0
        self._extra_attempts_sent = self._extra_attempts
        self._finished: dict[int, _Finished] = {}  # while an earlier window is not
        self._windows_sent = resumed.windows if resumed else 0
        self._deltas = Deltas()

    @property
    def duration_seconds(self) -> float:
        """So far, while the recording grows."""
        return to_seconds(len(self._pcm))

    @property
    def is_listening(self) -> bool:
        """There is more to hear, at the next turn."""
        return self._hearing.is_listening

    def grow(self, samples: int, is_complete: bool) -> None:
        """More of the recording is on disk."""
        self._pcm.grow(samples, is_complete)

    def jobs(self) -> Iterator[WindowJob | None]:
        """The work, found lazily. None: nothing yet, ask again when something has changed."""
        if isinstance(self.request, DetectLanguage):
            yield from self._probe()
            return
        for window in self._hearing.windows():
            if window is None:
                yield None
                continue
            yield WindowJob(self, window)
            while self.language is None:  # the first window decides for all
                yield None

    def _probe(self) -> Iterator[WindowJob | None]:
        """The first window; where nobody speaks, the beginning."""
        for window in self._hearing.windows():
            if window is not None:
                yield WindowJob(self, window, is_probe=True)
                return
            yield None
        beginning = Window(0, 0, min(len(self._pcm), HEARING_SAMPLES), ())
        yield WindowJob(self, beginning, is_probe=True)

    def samples(self, window: Window) -> npt.NDArray[np.float32]:
        return to_float(self._pcm.read(window.start, window.end))

    def begin(self) -> None:
        """The first window is about to meet the model."""
        if self._started is None:
            self._started = time.perf_counter()

    def hear_language(self, probabilities: Mapping[str, float]) -> None:
        """The language of the first window is the recording's: the most probable that may be."""
        self._language_probabilities = probabilities
        self.language = max(self._candidates or probabilities, key=probabilities.__getitem__)
        self._language_probability = round(probabilities[self.language], 4)

    @property
    def _known_language(self) -> str:
        if self.language is None:
            raise RuntimeError("the language is detected before anything is decoded")
        return self.language

    @property
    def _asked(self) -> Transcribe:
        if not isinstance(self.request, Transcribe):
            raise TypeError("only a transcription has text to decode")
        return self.request

    def decode_row(self, job: WindowJob) -> DecodeRow:
        asked = self._asked
        return DecodeRow(
            encoded=job.encoded,
            window=job.window,
            language=self._known_language,
            task=asked.task,
            prompt_tokens=self._prompt_tokens,
            ladder=self._ladder(),
            word_timestamps=asked.word_timestamps,
            streams=asked.deltas,
            stops_loops=asked.guards,
        )

    def _ladder(self) -> tuple[float, ...]:
        """Noise fails at every temperature; it may not cost many times what speech costs."""
        asked = self._asked
        allowed = _FREE_EXTRA_ATTEMPTS + self._hearing.windows_found // _WINDOWS_PER_EXTRA_ATTEMPT
        may_repeat = asked.guards and self._extra_attempts < allowed
        return temperature_ladder(asked.temperature) if may_repeat else (asked.temperature,)

    def hear(self, window: Window, text: str) -> None:
        """More of a window's text, while it is still being decoded."""
        self._deltas.hear(window.index, text)

    def begin_again(self, window: Window) -> None:
        """A window lost its slot and will be decoded once more."""
        self._deltas.begin_again(window.index)

    def accept(self, window: Window, decoded: Decoded) -> None:
        """A window is decoded. What guards remove or doubt goes with it."""
        extra_attempts = decoded.attempts - 1
        self._extra_attempts += extra_attempts
        judgement = self._judge(window, decoded)
        segments = build_segments(window, judgement.kept, self._spell)
        self._finished[window.index] = _Finished(window, judgement, segments, extra_attempts)

    def _judge(self, window: Window, decoded: Decoded) -> Judgement:
        """What has been said aloud is not taken back, only doubted."""
        if not self._asked.guards:
            return Judgement(decoded)
        return judge(decoded, window, said=self._deltas.said(window.index))

    def take_messages(self) -> Iterator[Delta | WindowDone | Progress]:
        """The messages that are due: windows in order, each followed by the progress it made."""
        while True:
            index = self._windows_sent
            finished = self._finished.pop(index, None)
            yield from self._take_delta(index, finished)
            if finished is None:
                return
            self._windows_sent += 1
            self._extra_attempts_sent += finished.extra_attempts
            window = self._window_done(finished)
            yield window
            yield Progress(self.request.id, window.end, self.duration_seconds, self._windows_sent)

    def _window_done(self, finished: _Finished) -> WindowDone:
        window = finished.window
        return WindowDone(
            id=self.request.id,
            index=window.index,
            start=to_seconds(window.start),
            end=to_seconds(window.end),
            language=self._known_language,
            segments=finished.segments,
            dropped=finished.judgement.dropped,
            warnings=finished.judgement.warnings,
            checkpoint=self._checkpoint(window),
        )

    def _checkpoint(self, window: Window) -> Checkpoint:
        return Checkpoint(
            windows=self._windows_sent,
            samples=window.end,
            language=self._known_language,
            language_probability=self._language_probability,
            extra_attempts=self._extra_attempts_sent,
            timings=self._timings(),
        )

    def _take_delta(self, index: int, finished: _Finished | None) -> Iterator[Delta]:
        if not isinstance(self.request, Transcribe) or not self.request.deltas:
            return
        if finished is None:
            text = self._deltas.take(index, holds_back=self.request.guards)
        else:
            text = self._deltas.take_rest(index, finished.text)
        if text:
            yield Delta(self.request.id, index, text)

    def report(self) -> Done | Detected:
        """The final message, once the scheduler has nothing left and every window has been sent."""
        if isinstance(self.request, DetectLanguage):
            return self._report_language()
        return Done(
            id=self.request.id,
            duration_seconds=self.duration_seconds,
            speech_seconds=to_seconds(self._hearing.speech_samples),
            language=self.language,
            language_probability=self._language_probability,
            prompt_tokens=len(self._prompt_tokens) if self._windows_sent else 0,
            windows=self._windows_sent,
            timings=self._timings(),
        )

    def _report_language(self) -> Detected:
        ranked = sorted(self._language_probabilities.items(), key=lambda pair: -pair[1])
        languages = tuple(LanguageProbability(code, round(p, 6)) for code, p in ranked)
        best = languages[0]
        return Detected(
            self.request.id, best.language, best.probability, languages, self.duration_seconds
        )

    def _timings(self) -> Timings:
        started = self._arrived if self._started is None else self._started
        before = self._time_before
        return Timings(
            waited_seconds=round(before.waited_seconds + started - self._arrived, 4),
            vad_seconds=round(before.vad_seconds + self._hearing.seconds, 4),
            encode_seconds=round(before.encode_seconds + self.encode_seconds, 4),
            decode_seconds=round(before.decode_seconds + self.decode_seconds, 4),
        )
