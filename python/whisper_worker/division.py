"""How a recording is divided at its silences: what is usual, and what a request changes. Pure.

In the units of the stages that divide it, frames and samples; knows no recording.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from whisper_worker.audio import SAMPLE_RATE
from whisper_worker.speech_detection import SpeechDetection
from whisper_worker.speech_listener import FRAME_SAMPLES

_SAMPLES_PER_MS = SAMPLE_RATE // 1000
# Silero's own distance between the two thresholds, and the lowest that its lower one may be.
_HYSTERESIS = 0.15
_LEAST_SILENCE_THRESHOLD = 0.01


@dataclass(frozen=True)
class Division:
    """The defaults are what a request gets that asks for nothing."""

    # Silero's own defaults for the two thresholds. Short words ("ja", "nej") last about 0.2 s:
    # missing one is worse than decoding a click, which the no-speech guard catches later.
    speech_threshold: float = 0.5
    silence_threshold: float = 0.35
    min_silence_frames: int = 5
    padding_samples: int = SAMPLE_RATE // 4
    # Whisper hears 30 s; the rest is air for the end of the last word.
    max_window_samples: int = int(29.5 * SAMPLE_RATE)

    @property
    def max_region_frames(self) -> int:
        """A region has to fit into a window with its air."""
        return (self.max_window_samples - 2 * self.padding_samples) // FRAME_SAMPLES

    @property
    def cut_search_frames(self) -> int:
        """How much of a region's end is searched for a place to cut it: 5 s, or half of it."""
        return min(5 * SAMPLE_RATE // FRAME_SAMPLES, self.max_region_frames // 2)

    @property
    def full_enough_samples(self) -> int:
        """From this length on a window may end at a long silence: 15 of the usual 29.5 s."""
        return self.max_window_samples * 30 // 59


USUAL = Division()


def division_for(asked: SpeechDetection | None) -> Division:
    """What is not asked for stays as it is."""
    if asked is None:
        return USUAL
    division = USUAL
    if (threshold := asked.threshold) is not None:
        silence = min(threshold, max(threshold - _HYSTERESIS, _LEAST_SILENCE_THRESHOLD))
        division = replace(division, speech_threshold=threshold, silence_threshold=silence)
    if asked.silence_ms is not None:
        frames = math.ceil(asked.silence_ms * _SAMPLES_PER_MS / FRAME_SAMPLES)
        division = replace(division, min_silence_frames=max(1, frames))
    if asked.padding_ms is not None:
        padding = round(asked.padding_ms * _SAMPLES_PER_MS)
        division = replace(division, padding_samples=padding)
    if asked.max_speech_seconds is not None:
        window = round(asked.max_speech_seconds * SAMPLE_RATE) + 2 * division.padding_samples
        division = replace(division, max_window_samples=min(window, USUAL.max_window_samples))
    return division
