"""Speech probabilities to speech regions to windows. Pure: knows no network and no file.

Everything is a generator over the recording, so the first window of a three-hour file is there
after its first seconds, and memory does not grow with the length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from whisper_worker.audio import SAMPLE_RATE, Pcm

FRAME_SAMPLES = 512  # Silero's 32 ms

Probabilities: TypeAlias = Iterable[npt.NDArray[np.float32]]
SpeechDetector: TypeAlias = Callable[[Pcm], Probabilities]
DetectorName: TypeAlias = Literal["silero", "energy"]

# Silero's own defaults for the two thresholds. Short words ("ja", "nej") last about 0.2 s:
# missing one is worse than decoding a click, which the no-speech guard catches later.
SPEECH_THRESHOLD = 0.5
SILENCE_THRESHOLD = 0.35
MIN_SPEECH_FRAMES = 5
MIN_SILENCE_FRAMES = 5
CUT_SEARCH_FRAMES = int(5.0 * SAMPLE_RATE / FRAME_SAMPLES)

PADDING_SAMPLES = int(0.25 * SAMPLE_RATE)
# Whisper hears 30 s; the rest is air for the end of the last word.
MAX_WINDOW_SAMPLES = int(29.5 * SAMPLE_RATE)
FULL_ENOUGH_SAMPLES = 15 * SAMPLE_RATE
LONG_SILENCE_SAMPLES = 2 * SAMPLE_RATE
MAX_REGION_FRAMES = (MAX_WINDOW_SAMPLES - 2 * PADDING_SAMPLES) // FRAME_SAMPLES


@dataclass(frozen=True)
class Region:
    """Speech from sample `start` up to, not including, sample `end`."""

    start: int
    end: int


@dataclass(frozen=True)
class PaddedRegion:
    """What is given to the model for one region of speech: the speech and some air around it."""

    start: int
    end: int
    speech: Region


@dataclass(frozen=True)
class Window:
    """A stretch of the recording that is decoded at once: the original audio, pauses included."""

    index: int
    start: int
    end: int
    speech: tuple[Region, ...]


def cut_windows(pcm: Pcm, detect: SpeechDetector) -> Iterator[Window]:
    """The windows of a recording, in order, without overlap, each at most 29.5 s."""
    regions = find_regions(detect(pcm), len(pcm))
    return pack_windows(pad_regions(regions, len(pcm)))


def find_regions(probabilities: Probabilities, sample_count: int) -> Iterator[Region]:
    """Hysteresis over one probability per frame, as in Silero's get_speech_timestamps.

    A region that grows too long for a window is cut where speech was least probable.
    """
    finder = _RegionFinder()
    for block in probabilities:
        for probability in cast(list[float], block.tolist()):
            if region := finder.hear(probability):
                yield _in_samples(region, sample_count)
    if region := finder.finish():
        yield _in_samples(region, sample_count)


class _RegionFinder:
    """Walks over the frames and remembers one open region. Speaks in frames, not samples."""

    def __init__(self) -> None:
        self._frame = -1  # the last one heard
        self._start = -1  # of the open region; −1 when there is none
        self._silence_start = -1  # of the silence that may end it; −1 when it is not silent
        self._is_rest = False  # the open region goes on from a cut
        self._heard: list[float] = []  # probabilities of the open region

    def hear(self, probability: float) -> Region | None:
        """One more frame; answers a region when this frame is the proof that one has ended."""
        self._frame += 1
        if self._start < 0:
            if probability >= SPEECH_THRESHOLD:
                self._start, self._silence_start, self._heard = self._frame, -1, [probability]
            return None
        self._heard.append(probability)
        if probability >= SPEECH_THRESHOLD:
            self._silence_start = -1
        elif probability < SILENCE_THRESHOLD and self._silence_start < 0:
            self._silence_start = self._frame
        is_silent = self._silence_start >= 0
        if is_silent and self._frame - self._silence_start + 1 >= MIN_SILENCE_FRAMES:
            return self.finish()
        return self._cut() if len(self._heard) > MAX_REGION_FRAMES else None

    def finish(self) -> Region | None:
        """Close the open region, if there is one that is long enough to be speech."""
        end = self._silence_start if self._silence_start >= 0 else self._frame + 1
        region = Region(self._start, end)
        min_frames = 1 if self._is_rest else MIN_SPEECH_FRAMES
        is_speech = self._start >= 0 and region.end - region.start >= min_frames
        self._start, self._is_rest = -1, False
        return region if is_speech else None

    def _cut(self) -> Region:
        """Close the open region at its quietest frame of the last 5 s, and open the rest."""
        tail = self._heard[-CUT_SEARCH_FRAMES:]
        at = len(self._heard) - len(tail) + tail.index(min(tail))
        region = Region(self._start, self._start + at)
        self._start, self._heard, self._is_rest = region.end, self._heard[at:], True
        return region


def _in_samples(frames: Region, sample_count: int) -> Region:
    """The last frame may hang over the end of the recording."""
    return Region(frames.start * FRAME_SAMPLES, min(frames.end * FRAME_SAMPLES, sample_count))


def pad_regions(regions: Iterable[Region], sample_count: int) -> Iterator[PaddedRegion]:
    """Air on both sides: a word's first consonant is often below the threshold.

    Where two regions are too close for all of it, each gets half of the gap.
    """
    previous: Region | None = None
    start = 0
    for region in regions:
        if previous is None:
            start = max(0, region.start - PADDING_SAMPLES)
        else:
            middle = (previous.end + region.start) // 2
            yield PaddedRegion(start, min(previous.end + PADDING_SAMPLES, middle), previous)
            start = max(middle, region.start - PADDING_SAMPLES)
        previous = region
    if previous is not None:
        yield PaddedRegion(start, min(previous.end + PADDING_SAMPLES, sample_count), previous)


def pack_windows(regions: Iterable[PaddedRegion]) -> Iterator[Window]:
    """As many neighbouring regions as fit, but a long silence ends a window that is half full."""
    held: list[PaddedRegion] = []
    index = 0
    for region in regions:
        while held and (count := _regions_to_close(held, region)):
            yield _window(index, held[:count])
            held = held[count:]
            index += 1
        held.append(region)
    if held:
        yield _window(index, held)


def _regions_to_close(held: list[PaddedRegion], following: PaddedRegion) -> int:
    """How many of the held regions make a window now; 0 while `following` still fits in."""
    length = held[-1].end - held[0].start
    silence = following.speech.start - held[-1].speech.end
    if length > FULL_ENOUGH_SAMPLES and silence > LONG_SILENCE_SAMPLES:
        return len(held)
    if following.end - held[0].start <= MAX_WINDOW_SAMPLES:
        return 0
    return _best_cut([*held, following])


def _best_cut(regions: list[PaddedRegion]) -> int:
    """The longest pause in the window's second half; the last one when all are early."""

    def merit(count: int) -> tuple[bool, int, int]:
        is_late = regions[count - 1].end - regions[0].start > FULL_ENOUGH_SAMPLES
        pause = regions[count].speech.start - regions[count - 1].speech.end
        return (is_late, pause if is_late else 0, count)

    return max(range(1, len(regions)), key=merit)


def _window(index: int, regions: list[PaddedRegion]) -> Window:
    speech = tuple(region.speech for region in regions)
    return Window(index, regions[0].start, regions[-1].end, speech)
