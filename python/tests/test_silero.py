"""Our vectorised Silero against the package's own network."""

import importlib.util

import numpy as np
import pytest
import torch
from conftest import read_wav

from whisper_worker import detector
from whisper_worker.silero import SileroVad, find_silero_weights


@pytest.fixture(scope="module")
def silero():
    return SileroVad.from_jit(find_silero_weights())


def official_probabilities(pcm):
    """The loop that the package's documentation shows, one chunk of 512 samples at a time."""
    network = torch.jit.load(str(find_silero_weights()))
    network.reset_states()
    samples = torch.from_numpy(pcm.astype(np.float32) / 32768)
    samples = torch.nn.functional.pad(samples, (0, -len(samples) % 512))
    with torch.inference_mode():
        return np.array([network(chunk, 16_000).item() for chunk in samples.split(512)])


def test_the_probabilities_equal_the_official_loop(silero):
    pcm = np.concatenate([read_wav("da"), read_wav("silence"), read_wav("en")[:-77]])

    ours = np.concatenate(list(silero.probabilities(pcm)))

    assert np.abs(ours - official_probabilities(pcm)).max() < 1e-4
    assert (ours > 0.5).mean() > 0.3


def test_blocks_carry_their_state_so_that_a_long_recording_is_heard_as_one(silero):
    pcm = read_wav("long")  # more than two blocks

    blocks = list(silero.probabilities(pcm))

    assert len(blocks) > 2
    assert np.abs(np.concatenate(blocks) - official_probabilities(pcm)).max() < 1e-4


def test_silence_is_not_speech(silero):
    assert np.concatenate(list(silero.probabilities(read_wav("silence")))).max() < 0.35


def test_without_the_package_the_energy_detector_stands_in_and_says_why(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    chosen = detector.choose_detector()

    assert chosen.name == "energy"
    assert "not installed" in chosen.reason


def test_weights_of_another_make_are_not_used(monkeypatch, tmp_path):
    other = tmp_path / "other.jit"
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(other))
    monkeypatch.setattr(detector, "find_silero_weights", lambda: other)

    chosen = detector.choose_detector()

    assert chosen.name == "energy"
    assert "do not fit" in chosen.reason
