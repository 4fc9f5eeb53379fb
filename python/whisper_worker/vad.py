"""Speech to windows: what of a recording is decoded at once. Pure: knows no network and no file.

Everything happens while the recording is being heard, so the first window of a three-hour file is
there after its first seconds, and memory does not grow with the length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, cast

from whisper_worker.audio import SAMPLE_RATE, Pcm
from whisper_worker.division import USUAL, Division
from whisper_worker.speech_listener import FRAME_SAMPLES, Probability, SpeechListener
from whisper_worker.speech_regions import PaddedRegion, Region, RegionFinder, RegionPadder

DetectorName: TypeAlias = Literal["silero", "energy"]

LONG_SILENCE_SAMPLES = 2 * SAMPLE_RATE
_PIECE_SAMPLES = 30 * SAMPLE_RATE


@dataclass(frozen=True)
class Window:
    """A stretch of the recording that is decoded at once: the original audio, pauses included."""

    index: int
    start: int
    end: int
    speech: tuple[Region, ...]


def cut_windows(pcm: Pcm, listener: SpeechListener) -> Iterator[Window]:
    """The windows of a recording, in order, without overlap, each at most 29.5 s."""
    cutter = WindowCutter(listener)
    for first in range(0, len(pcm), _PIECE_SAMPLES):
        yield from cutter.hear(pcm[first : first + _PIECE_SAMPLES])
    yield from cutter.finish()


class WindowCutter:
    """The same for a recording that is still growing: pieces of it in, windows out.

    How the recording was cut into pieces has no influence on the windows.
    """

    def __init__(self, listener: SpeechListener, division: Division = USUAL) -> None:
        self._listener = listener
        self._sample_count = 0  # heard so far
        self._finder = RegionFinder(division)
        self._padder = RegionPadder(division.padding_samples)
        self._packer = WindowPacker(division)

    def hear(self, samples: Pcm) -> list[Window]:
        """The next samples → the windows that are certain now, perhaps none."""
        self._sample_count += len(samples)
        windows = self._follow(self._listener.hear(samples))
        earliest_start = min(self._finder.earliest_start * FRAME_SAMPLES, self._sample_count)
        windows += self._pack(self._padder.pause(earliest_start))
        if not self._padder.is_waiting:
            windows += self._packer.pause(earliest_start)
        return windows

    def finish(self) -> list[Window]:
        """No more samples will come → the remaining windows."""
        windows = self._follow(self._listener.finish())
        if region := self._finder.finish():
            speech = _in_samples(region)
            # The last frame may hang over the end of the recording.
            speech = replace(speech, end=min(speech.end, self._sample_count))
            windows += self._pack(self._padder.hear(speech))
        windows += self._pack(self._padder.finish(self._sample_count))
        return windows + self._packer.finish()

    def _follow(self, probabilities: Probability) -> list[Window]:
        windows: list[Window] = []
        for probability in cast(list[float], probabilities.tolist()):
            if region := self._finder.hear(probability):
                windows += self._pack(self._padder.hear(_in_samples(region)))
        return windows

    def _pack(self, regions: Iterable[PaddedRegion]) -> list[Window]:
        return [window for region in regions for window in self._packer.hear(region)]


def _in_samples(frames: Region) -> Region:
    return Region(frames.start * FRAME_SAMPLES, frames.end * FRAME_SAMPLES)


class WindowPacker:
    """As many neighbouring regions as fit, but a long silence ends a window that is half full."""

    def __init__(self, division: Division = USUAL) -> None:
        self._max_samples = division.max_window_samples
        self._full_enough_samples = division.full_enough_samples
        self._held: list[PaddedRegion] = []
        self._index = 0  # of the next window

    def hear(self, region: PaddedRegion) -> list[Window]:
        windows: list[Window] = []
        while self._held and (count := self._regions_to_close(region)):
            windows.append(self._close(count))
        self._held.append(region)
        return windows

    def pause(self, earliest_start: int) -> list[Window]:
        """No further speech begins before this sample."""
        is_over = bool(self._held) and self._ends_window(earliest_start)
        return [self._close(len(self._held))] if is_over else []

    def finish(self) -> list[Window]:
        return [self._close(len(self._held))] if self._held else []

    def _close(self, count: int) -> Window:
        regions, self._held = self._held[:count], self._held[count:]
        speech = tuple(region.speech for region in regions)
        window = Window(self._index, regions[0].start, regions[-1].end, speech)
        self._index += 1
        return window

    def _regions_to_close(self, following: PaddedRegion) -> int:
        """How many of the held regions make a window now; 0 while `following` still fits in."""
        if self._ends_window(following.speech.start):
            return len(self._held)
        if following.end - self._held[0].start <= self._max_samples:
            return 0
        return self._best_cut([*self._held, following])

    def _ends_window(self, next_start: int) -> bool:
        last = self._held[-1]
        is_half_full = last.end - self._held[0].start > self._full_enough_samples
        return is_half_full and next_start - last.speech.end > LONG_SILENCE_SAMPLES

    def _best_cut(self, regions: list[PaddedRegion]) -> int:
        """The longest pause in the window's second half; the last one when all are early."""

        def merit(count: int) -> tuple[bool, int, int]:
            length = regions[count - 1].end - regions[0].start
            is_late = length > self._full_enough_samples
            pause = regions[count].speech.start - regions[count - 1].speech.end
            return (is_late, pause if is_late else 0, count)

        return max(range(1, len(regions)), key=merit)
