"""What a request may ask of the speech detector, and within which bounds: PROTOCOL.md's `vad`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SpeechDetection:
    """How a recording is divided at its silences. None: as the detector has it."""

    threshold: float | None
    padding_ms: float | None
    silence_ms: float | None
    max_speech_seconds: float | None


# Ends included. A window holds 29 s of speech and its air. Shorter stretches than these would
# make a recording cost many times what it costs: the encoder computes 30 s for each.
SPEECH_DETECTION_RANGES: Mapping[str, tuple[float, float]] = {
    "threshold": (0, 1),
    "padding_ms": (0, 5000),
    "silence_ms": (0, 4000),
    "max_speech_seconds": (5, 29),
}
