"""A loaded Whisper as the loop sees it: encode, detect_language, decode. Knows no requests."""

# pyright: basic
from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
import transformers
from transformers import WhisperForConditionalGeneration, WhisperTokenizer

from whisper_worker.detector import ChosenDetector
from whisper_worker.device import Placement
from whisper_worker.failures import FatalFailure, OutOfMemory
from whisper_worker.mel import LogMel
from whisper_worker.protocol import ModelIdentity, Ready
from whisper_worker.reference_decoding import ReferenceDecoder
from whisper_worker.repair import GenerationFacts
from whisper_worker.speech_model import Decoded, DecodeRow
from whisper_worker.tokens import TokenBytes
from whisper_worker.vad import SpeechDetector


class WhisperModel:
    """One model on one device. Only the main thread touches it."""

    def __init__(
        self,
        network: WhisperForConditionalGeneration,
        tokenizer: WhisperTokenizer,
        log_mel: LogMel,
        facts: GenerationFacts,
        placement: Placement,
        identity: ModelIdentity,
        detector: ChosenDetector,
    ) -> None:
        self.network = network
        self._tokenizer = tokenizer
        self._log_mel = log_mel
        self.facts = facts
        self._placement = placement
        self._identity = identity
        self._detector = detector
        token_bytes = TokenBytes({id_: name for name, id_ in tokenizer.get_vocab().items()})
        self._decoder = ReferenceDecoder(network, facts, token_bytes)

    @property
    def languages(self) -> tuple[str, ...]:
        return self.facts.vocabulary.language_codes

    @property
    def batch_windows(self) -> int:
        return self._placement.batch_windows

    @property
    def detect_speech(self) -> SpeechDetector:
        return self._detector.detect

    def describe(self) -> Ready:
        vocabulary = self.facts.vocabulary
        return Ready(
            model=self._identity,
            device=self._placement.device.type,
            device_name=self._placement.device_name,
            compute_type=self._placement.compute_type,
            languages=self.languages,
            is_multilingual=vocabulary.is_multilingual,
            can_translate="translate" in vocabulary.tasks,
            has_word_timestamps=True,
            vad=self._detector.name,
            batch_windows=self.batch_windows,
            repairs=self.facts.repairs,
            reasons={**self._placement.reasons, "vad": self._detector.reason},
            versions={
                "python": platform.python_version(),
                "torch": torch.__version__,
                "transformers": transformers.__version__,
            },
        )

    def prompt_tokens(self, prompt: str) -> tuple[int, ...]:
        """The end of the prompt, as much as OpenAI's decoder takes: half the positions but one."""
        if not prompt.strip():
            return ()
        ids: list[int] = self._tokenizer.encode(f" {prompt.strip()}", add_special_tokens=False)
        # A prompt that spells a special token must not steer the decoder.
        text = [id_ for id_ in ids if id_ < self.facts.vocabulary.end_of_text]
        return tuple(text[-(self.network.config.max_target_positions // 2 - 1) :])

    @torch.inference_mode()
    def encode(self, windows: Sequence[npt.NDArray[np.float32]]) -> list[object]:
        """Each window becomes its encoder output, (1500, width)."""
        with _device_problems():
            features = self._log_mel(windows).to(self._placement.dtype)
            return list(self.network.model.encoder(features).last_hidden_state)

    @torch.inference_mode()
    def detect_language(self, encoded: Sequence[object]) -> list[dict[str, float]]:
        """From the logits after <|startoftranscript|> alone, over the languages only."""
        vocabulary = self.facts.vocabulary
        if not vocabulary.is_multilingual:
            return [{"en": 1.0} for _ in encoded]
        with _device_problems():
            outputs = torch.stack([_tensor(window) for window in encoded])
            start = torch.full(
                (len(outputs), 1), vocabulary.start_of_transcript, device=outputs.device
            )
            hidden = self.network.model.decoder(
                input_ids=start, encoder_hidden_states=outputs, use_cache=False
            ).last_hidden_state
            logits = self.network.proj_out(hidden[:, 0])  # (batch, vocabulary)
            ids = list(vocabulary.languages.values())
            probabilities = logits[:, ids].float().softmax(dim=-1).tolist()
        return [dict(zip(vocabulary.languages, row, strict=True)) for row in probabilities]

    @torch.inference_mode()
    def decode(self, rows: Sequence[DecodeRow]) -> list[Decoded]:
        with _device_problems():
            return self._decoder.decode(rows)


def _tensor(encoded: object) -> torch.Tensor:
    if not isinstance(encoded, torch.Tensor):
        raise TypeError("not an encoded window")
    return encoded


@contextmanager
def _device_problems() -> Iterator[None]:
    """Out of memory is mended by a smaller batch. Other CUDA errors leave the context broken."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise OutOfMemory(str(error)) from error
    except RuntimeError as error:
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        is_device_error = isinstance(error, torch.AcceleratorError) or any(
            sign in message for sign in ("CUDA error", "CUBLAS", "cuDNN", "CUDNN")
        )
        if is_device_error:
            raise FatalFailure("device_failed", f"The CUDA device failed: {message}") from error
        if "not enough memory" in message or "DefaultCPUAllocator" in message:
            raise OutOfMemory(message) from error
        raise
