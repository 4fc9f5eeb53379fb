"""One recording's way through the model: windows, segments, final report.

Knows nothing of other recordings, slots or the wire. numpy only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from whisper_worker.assembly import build_segments
from whisper_worker.audio import HEARING_SAMPLES, SAMPLE_RATE, PcmFile, to_float, to_seconds
from whisper_worker.deltas import Deltas
from whisper_worker.guards import judge, temperature_ladder
from whisper_worker.protocol import (
    Delta,
    Detected,
    DetectLanguage,
    Done,
    Dropped,
    LanguageProbability,
    Progress,
    Timings,
    Transcribe,
    Warned,
    WindowDone,
)
from whisper_worker.speech_listener import SpeechListener
from whisper_worker.speech_model import Decoded, DecodeRow
from whisper_worker.vad import Window, WindowCutter

# The detector's turn is short: the slots wait for it. Ten seconds of audio take some milliseconds.
_PIECE_SAMPLES = 10 * SAMPLE_RATE
_PIECES_PER_TURN = 12
# Repetitions at higher temperatures that a request may cost beyond its windows.
_FREE_EXTRA_ATTEMPTS = 4
_WINDOWS_PER_EXTRA_ATTEMPT = 4


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
        prompt_tokens: tuple[int, ...] = (),
    ) -> None:
        self.request = request
        self.language = request.language if isinstance(request, Transcribe) else None
        self.encode_seconds = 0.0
        self.decode_seconds = 0.0
        # Nothing was said for two minutes: there is more to hear, at the next turn.
        self.is_listening = False
        self._language_probabilities: Mapping[str, float] | None = None
        self._pcm = pcm
        self._cutter = WindowCutter(listener)
        self._prompt_tokens = prompt_tokens
        self._arrived = time.perf_counter()
        self._started: float | None = None
        self._vad_seconds = 0.0
        self._speech_samples = 0
        self._windows_found = 0
        self._extra_attempts = 0
        self._finished: dict[int, WindowDone] = {}  # decoded, but an earlier window is not
        self._windows_sent = 0
        self._deltas = Deltas()
        self._dropped: list[Dropped] = []
        self._warnings: list[Warned] = []

    @property
    def duration_seconds(self) -> float:
        """So far, while the recording grows."""
        return to_seconds(len(self._pcm))

    def grow(self, samples: int, is_complete: bool) -> None:
        """More of the recording is on disk."""
        self._pcm.grow(samples, is_complete)

    def jobs(self) -> Iterator[WindowJob | None]:
        """The work, found lazily. None: nothing yet, ask again when something has changed."""
        if isinstance(self.request, DetectLanguage):
            yield from self._probe()
            return
        for window in self._windows():
            if window is None:
                yield None
                continue
            yield WindowJob(self, window)
            while self.language is None:  # the first window decides for all
                yield None

    def _probe(self) -> Iterator[WindowJob | None]:
        """The first window; where nobody speaks, the beginning."""
        for window in self._windows():
            if window is not None:
                yield WindowJob(self, window, is_probe=True)
                return
            yield None
        beginning = Window(0, 0, min(len(self._pcm), HEARING_SAMPLES), ())
        yield WindowJob(self, beginning, is_probe=True)

    def _windows(self) -> Iterator[Window | None]:
        """Windows as they become certain. None: the recording has to grow first, or somebody else
        may have a turn (then `is_listening`)."""
        heard, pieces_in_a_row = 0, 0
        while True:
            is_complete = self._pcm.is_complete
            piece = self._pcm.read(heard, heard + _PIECE_SAMPLES)
            heard += len(piece)
            if len(piece):
                windows = self._cut(lambda piece=piece: self._cutter.hear(piece))
                yield from windows
                pieces_in_a_row = 0 if windows else pieces_in_a_row + 1
                if pieces_in_a_row == _PIECES_PER_TURN:
                    self.is_listening, pieces_in_a_row = True, 0
                    yield None
                    self.is_listening = False
            elif is_complete:
                yield from self._cut(self._cutter.finish)
                return
            else:
                yield None

    def _cut(self, find: Callable[[], list[Window]]) -> list[Window]:
        began = time.perf_counter()
        windows = find()
        self._vad_seconds += time.perf_counter() - began
        self._windows_found += len(windows)
        for window in windows:
            self._speech_samples += sum(region.end - region.start for region in window.speech)
        return windows

    def samples(self, window: Window) -> npt.NDArray[np.float32]:
        return to_float(self._pcm.read(window.start, window.end))

    def begin(self) -> None:
        """The first window is about to meet the model."""
        if self._started is None:
            self._started = time.perf_counter()

    def hear_language(self, probabilities: Mapping[str, float]) -> None:
        """The language of the first window is the language of the recording."""
        self._language_probabilities = probabilities
        self.language = max(probabilities, key=probabilities.__getitem__)

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
        allowed = _FREE_EXTRA_ATTEMPTS + self._windows_found // _WINDOWS_PER_EXTRA_ATTEMPT
        may_repeat = asked.guards and self._extra_attempts < allowed
        return temperature_ladder(asked.temperature) if may_repeat else (asked.temperature,)

    def hear(self, window: Window, text: str) -> None:
        """More of a window's text, while it is still being decoded."""
        self._deltas.hear(window.index, text)

    def begin_again(self, window: Window) -> None:
        """A window lost its slot and will be decoded once more."""
        self._deltas.begin_again(window.index)

    def accept(self, window: Window, decoded: Decoded) -> None:
        """A window is decoded. What guards remove or doubt is noted."""
        self._extra_attempts += decoded.attempts - 1
        if self._asked.guards:
            decoded = self._judge(window, decoded)
        self._finished[window.index] = WindowDone(
            id=self.request.id,
            index=window.index,
            start=to_seconds(window.start),
            end=to_seconds(window.end),
            language=self._known_language,
            segments=build_segments(window, decoded),
        )

    def _judge(self, window: Window, decoded: Decoded) -> Decoded:
        """What has been said aloud is not taken back, only doubted."""
        judgement = judge(decoded, window, said=self._deltas.said(window.index))
        self._dropped += judgement.dropped
        self._warnings += judgement.warnings
        return judgement.kept

    def take_messages(self) -> Iterator[Delta | WindowDone | Progress]:
        """The messages that are due: windows in order, each followed by the progress it made."""
        while True:
            index = self._windows_sent
            window = self._finished.pop(index, None)
            yield from self._take_delta(index, window)
            if window is None:
                return
            self._windows_sent += 1
            yield window
            yield Progress(self.request.id, window.end, self.duration_seconds, self._windows_sent)

    def _take_delta(self, index: int, window: WindowDone | None) -> Iterator[Delta]:
        if not isinstance(self.request, Transcribe) or not self.request.deltas:
            return
        if window is None:
            text = self._deltas.take(index, holds_back=self.request.guards)
        else:
            text = self._deltas.take_rest(index, "".join(s.text for s in window.segments))
        if text:
            yield Delta(self.request.id, index, text)

    def report(self) -> Done | Detected:
        """The final message, once the scheduler has nothing left and every window has been sent."""
        if isinstance(self.request, DetectLanguage):
            return self._report_language()
        heard, language = self._language_probabilities, self.language
        probability = None
        if heard is not None and language is not None:
            probability = round(heard[language], 4)
        return Done(
            id=self.request.id,
            duration_seconds=self.duration_seconds,
            speech_seconds=to_seconds(self._speech_samples),
            language=language,
            language_probability=probability,
            windows=self._windows_sent,
            dropped=tuple(sorted(self._dropped, key=lambda dropped: dropped.start)),
            warnings=tuple(sorted(self._warnings, key=lambda warned: warned.start)),
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
