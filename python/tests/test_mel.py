"""Our front end against transformers' feature extractor."""

import numpy as np
import pytest
import torch
from conftest import read_wav
from transformers import WhisperFeatureExtractor

from whisper_worker.audio import to_float
from whisper_worker.mel import LogMel


@pytest.mark.parametrize("mel_bins", [80, 128])
def test_the_spectrograms_equal_the_feature_extractor_s(mel_bins):
    extractor = WhisperFeatureExtractor(feature_size=mel_bins)
    windows = [
        to_float(read_wav("da")),
        to_float(read_wav("long")[: 29 * 16_000]),
        np.zeros(16_000, np.float32),
    ]

    ours = LogMel(extractor.mel_filters, torch.device("cpu"))(windows)

    theirs = extractor(windows, sampling_rate=16_000, return_tensors="pt").input_features
    assert ours.shape == (3, mel_bins, 3000)
    assert (ours - theirs).abs().max() < 1e-4


def test_a_window_sounds_the_same_alone_and_in_a_batch():
    front_end = LogMel(WhisperFeatureExtractor(feature_size=80).mel_filters, torch.device("cpu"))
    quiet, loud = to_float(read_wav("da")) * 0.01, to_float(read_wav("en"))

    alone = front_end([quiet])

    assert torch.equal(front_end([loud, quiet])[1], alone[0])
