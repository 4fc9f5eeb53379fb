"""Audio to log-mel spectrograms for a batch at once, on the model's device.

The same numbers as transformers' WhisperFeatureExtractor (a test holds it to 1e-4), which works one
recording at a time and brings its result back to the CPU even when it computed on a GPU.
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from whisper_worker.audio import HEARING_SAMPLES

N_FFT = 400
HOP_SAMPLES = 160


class LogMel:
    """The front end for one model: its mel filters, its device."""

    def __init__(self, mel_filters: npt.NDArray[np.floating], device: torch.device) -> None:
        self._filters = torch.from_numpy(mel_filters.T.copy()).to(device, torch.float32)
        self._hann = torch.hann_window(N_FFT, device=device)
        self._device = device

    def __call__(self, windows: Sequence[npt.NDArray[np.float32]]) -> torch.Tensor:
        """Up to 30 s of audio each → (batch, mel bins, 3000), float32."""
        padded = np.zeros((len(windows), HEARING_SAMPLES), np.float32)  # always 3000 frames
        for row, window in zip(padded, windows, strict=True):
            row[: len(window)] = window
        samples = torch.from_numpy(padded).to(self._device)
        spectrum = torch.stft(samples, N_FFT, HOP_SAMPLES, window=self._hann, return_complex=True)
        power = (spectrum[..., :-1].abs() ** 2).contiguous()  # (batch, 201, 3000)
        log_mel = (self._filters @ power).clamp(min=1e-10).log10()
        # Loudness is relative to the window's own peak, as in transformers. OpenAI takes the whole
        # file's peak, which a server that decodes windows as they come cannot know.
        peak = log_mel.amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(log_mel, peak - 8.0) + 4.0) / 4.0
