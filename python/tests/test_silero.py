"""Our vectorised Silero against the package's own network."""

import importlib.util

import numpy as np
import pytest
import torch
from conftest import read_wav
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_worker import detector
from whisper_worker.silero import SileroListener, SileroVad, find_silero_weights


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


def probabilities(network, pcm):
    return np.concatenate(list(network.probabilities(pcm)))


def test_the_probabilities_equal_the_official_loop(silero):
    pcm = np.concatenate([read_wav("da"), read_wav("silence"), read_wav("en")[:-77]])

    ours = probabilities(silero, pcm)

    assert np.abs(ours - official_probabilities(pcm)).max() < 1e-4
    assert (ours > 0.5).mean() > 0.3


@pytest.mark.parametrize("sample_count", [1, 63, 511, 512, 513, 4096, 65_535, 65_537])
def test_a_recording_of_any_length_has_a_probability_for_its_last_frame_too(silero, sample_count):
    pcm = read_wav("da")[8000 : 8000 + sample_count]

    ours = probabilities(silero, pcm)

    assert len(ours) == -(-sample_count // 512)
    assert np.abs(ours - official_probabilities(pcm)).max() < 1e-4


@pytest.mark.parametrize("level", [0, 1, 32_767])
def test_digital_silence_and_full_scale_noise_are_heard_as_the_package_hears_them(silero, level):
    noise = np.random.default_rng(level).integers(-level, level, 100_000, endpoint=True)
    pcm = noise.astype(np.int16)

    ours = probabilities(silero, pcm)

    assert np.abs(ours - official_probabilities(pcm)).max() < 1e-4


def test_a_recording_of_nothing_has_no_frames(silero):
    assert len(probabilities(silero, np.zeros(0, np.int16))) == 0


def test_blocks_carry_their_state_so_that_a_long_recording_is_heard_as_one(silero):
    pcm = read_wav("long")

    blocks = list(silero.probabilities(pcm))

    assert len(blocks) > 2
    assert np.abs(np.concatenate(blocks) - official_probabilities(pcm)).max() < 1e-4


@given(st.lists(st.integers(0, 200_000), max_size=12))
@settings(max_examples=25, deadline=None)
def test_how_a_recording_was_cut_into_pieces_does_not_change_a_bit_of_the_answer(silero, lengths):
    pcm = read_wav("da")
    listener = SileroListener(silero)

    heard = [listener.hear(piece) for piece in np.split(pcm, np.cumsum(lengths))]
    ours = np.concatenate([*heard, listener.finish()])

    assert np.array_equal(ours, probabilities(silero, pcm))


def test_frames_are_answered_while_the_recording_goes_on(silero):
    pcm = read_wav("da")
    listener = SileroListener(silero)

    frame_count = len(listener.hear(pcm))

    assert frame_count > 0
    assert frame_count > len(pcm) // 512 - 5 * 16_000 // 512  # not more than 5 s behind


def test_what_was_heard_is_not_read_again(silero):
    pcm = read_wav("da").copy()
    listener = SileroListener(silero)

    heard = listener.hear(pcm[:30_000])
    heard_later = listener.hear(pcm[30_000:])
    expected = probabilities(silero, pcm)
    pcm[:] = 0  # a caller may use its buffer again

    assert np.array_equal(np.concatenate([heard, heard_later, listener.finish()]), expected)


def test_silence_is_not_speech(silero):
    assert probabilities(silero, read_wav("silence")).max() < 0.35


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


def test_weights_whose_transform_is_another_are_not_used(monkeypatch, tmp_path):
    other = tmp_path / "other.jit"
    network = torch.jit.load(str(find_silero_weights()))
    network._model.stft.forward_basis_buffer.mul_(torch.linspace(1, 2, 258)[:, None, None])
    network.save(str(other))
    monkeypatch.setattr(detector, "find_silero_weights", lambda: other)

    chosen = detector.choose_detector()

    assert chosen.name == "energy"
    assert "Fourier" in chosen.reason
