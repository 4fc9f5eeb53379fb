"""Which speech detector this machine has, and why. Silero where its package is installed."""

from __future__ import annotations

from dataclasses import dataclass

from whisper_worker.energy_vad import EnergyListener
from whisper_worker.silero import SileroListener, SileroVad, find_silero_weights
from whisper_worker.speech_listener import StartListening
from whisper_worker.vad import DetectorName


@dataclass(frozen=True)
class ChosenDetector:
    name: DetectorName
    listen: StartListening
    reason: str


def choose_detector() -> ChosenDetector:
    path = find_silero_weights()
    if path is None:
        return _energy("the silero-vad package is not installed")
    try:
        network = SileroVad.from_jit(path)
    except (RuntimeError, KeyError) as error:
        return _energy(f"the weights of the installed silero-vad do not fit: {error}")
    reason = f"silero-vad's weights, {path.name}"
    return ChosenDetector("silero", lambda: SileroListener(network), reason)


def _energy(reason: str) -> ChosenDetector:
    return ChosenDetector("energy", EnergyListener, reason)
