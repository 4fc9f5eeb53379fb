"""Speech probabilities to stretches of speech with some air around them. Pure, one step at a time.

Each stage answers as soon as what follows cannot change the answer; none sees the recording.
"""

from __future__ import annotations

from dataclasses import dataclass

from whisper_worker.division import USUAL, Division

MIN_SPEECH_FRAMES = 5


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


class RegionFinder:
    """Hysteresis over one probability per frame, as in Silero's get_speech_timestamps.

    A region that grows too long for a window is cut where speech was least probable. Remembers
    one open region. Speaks in frames, not samples.
    """

    def __init__(self, division: Division = USUAL) -> None:
        self._division = division
        self._max_frames = division.max_region_frames
        self._frame = -1  # the last one heard
        self._start = -1  # of the open region; −1 when there is none
        self._silence_start = -1  # of the silence that may end it; −1 when it is not silent
        self._is_rest = False  # the open region goes on from a cut
        self._heard: list[float] = []  # probabilities of the open region

    @property
    def earliest_start(self) -> int:
        """No region that is still to be found begins before this frame."""
        return self._start if self._start >= 0 else self._frame + 1

    def hear(self, probability: float) -> Region | None:
        """One more frame; answers a region when this frame is the proof that one has ended."""
        self._frame += 1
        division = self._division
        if self._start < 0:
            if probability >= division.speech_threshold:
                self._start, self._silence_start, self._heard = self._frame, -1, [probability]
            return None
        self._heard.append(probability)
        if probability >= division.speech_threshold:
            self._silence_start = -1
        elif probability < division.silence_threshold and self._silence_start < 0:
            self._silence_start = self._frame
        pause = self._frame - self._silence_start + 1 if self._silence_start >= 0 else 0
        if pause >= division.min_silence_frames:
            return self.finish()
        if len(self._heard) <= self._max_frames:
            return None
        # Who waits for longer silences is content with a usual one where a cut has to be.
        return self.finish() if pause >= USUAL.min_silence_frames else self._cut()

    def finish(self) -> Region | None:
        """Close the open region, if there is one that is long enough to be speech."""
        end = self._silence_start if self._silence_start >= 0 else self._frame + 1
        region = Region(self._start, end)
        min_frames = 1 if self._is_rest else MIN_SPEECH_FRAMES
        is_speech = self._start >= 0 and region.end - region.start >= min_frames
        self._start, self._is_rest = -1, False
        return region if is_speech else None

    def _cut(self) -> Region:
        """Close the open region at the quietest frame of its end, and open the rest."""
        tail = self._heard[-self._division.cut_search_frames :]
        at = len(self._heard) - len(tail) + tail.index(min(tail))
        region = Region(self._start, self._start + at)
        self._start, self._heard, self._is_rest = region.end, self._heard[at:], True
        return region


class RegionPadder:
    """Air on both sides: a word's first consonant is often below the threshold.

    Where two regions are too close for all of it, each gets half of the gap.
    """

    def __init__(self, padding_samples: int = USUAL.padding_samples) -> None:
        self._padding = padding_samples
        self._last: Region | None = None
        self._start = 0  # where the last region's air begins
        self.is_waiting = False  # for what follows the last region

    def hear(self, region: Region) -> list[PaddedRegion]:
        """The next region settles how much air the one before it gets."""
        settled = self._settle(region.start)
        middle = (self._last.end + region.start) // 2 if self._last else 0
        self._last, self._start = region, max(middle, region.start - self._padding)
        self.is_waiting = True
        return settled

    def pause(self, earliest_start: int) -> list[PaddedRegion]:
        """The next region begins here or later: enough when nobody will want the air between."""
        if self._last is None or earliest_start - self._last.end < 2 * self._padding:
            return []
        return self._settle(earliest_start)

    def finish(self, sample_count: int) -> list[PaddedRegion]:
        if self._last is None or not self.is_waiting:
            return []
        return [self._padded(self._last, sample_count)]

    def _settle(self, next_start: int) -> list[PaddedRegion]:
        if self._last is None or not self.is_waiting:
            return []
        self.is_waiting = False
        return [self._padded(self._last, (self._last.end + next_start) // 2)]

    def _padded(self, region: Region, limit: int) -> PaddedRegion:
        return PaddedRegion(self._start, min(region.end + self._padding, limit), region)
