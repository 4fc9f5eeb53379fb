"""A loaded Whisper as the loop sees it: windows in slots. Knows no requests."""

# pyright: basic
from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
import transformers
from transformers import WhisperForConditionalGeneration, WhisperTokenizer

from whisper_worker.compiling import compiler_problems
from whisper_worker.detector import ChosenDetector
from whisper_worker.device import Placement
from whisper_worker.encoder_pass import encode
from whisper_worker.failures import FatalFailure, OutOfMemory
from whisper_worker.mel import LogMel
from whisper_worker.pieces import Pieces, run_for, run_to_end
from whisper_worker.prompting import tell
from whisper_worker.protocol import ModelIdentity, Ready
from whisper_worker.repair import GenerationFacts
from whisper_worker.slot_decoding import SlotDecoder
from whisper_worker.slot_text import EncodedWindow
from whisper_worker.slots import Slots
from whisper_worker.speech_listener import SpeechListener
from whisper_worker.speech_model import DecodeRow, EncoderPass, Ended, Spoken
from whisper_worker.tokens import TokenBytes
from whisper_worker.vad import Window

# One window keeps a GB10 busy for 35 ms (computed, CUDA_NOTES.md), and every row waits for it.
_CUDA_WINDOWS_PER_ENCODE = 2
# On a CPU a pass takes a second (whisper-small's shape) to a quarter of a minute, and may be
# stopped after each layer. Layers that are quicker than this go together.
_CPU_PIECE_SECONDS = 0.05


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
        has_graphs: bool = True,
        compiles: bool = False,
    ) -> None:
        self.network = network
        self._tokenizer = tokenizer
        self._log_mel = log_mel
        self.facts = facts
        self._placement = placement
        self._identity = identity
        self._detector = detector
        names = {id_: name for name, id_ in tokenizer.get_vocab().items()}
        self._token_bytes = TokenBytes(names)
        self._slots = Slots(
            network,
            facts,
            placement.slots,
            has_graphs=has_graphs,
            compiles=compiles,
            cross_dtype=placement.cross_dtype,
        )
        if compiles:
            placement.reasons["compile"] = "asked for: the decoder's steps"
        is_cuda = placement.device.type == "cuda"
        self._decoder = SlotDecoder(
            self._slots, facts, self._token_bytes, look_ahead=1 if is_cuda else 0
        )
        # A CPU encodes two windows no faster than one after the other.
        self.windows_per_encode = _CUDA_WINDOWS_PER_ENCODE if is_cuda else 1
        # A GPU's whole pass is shorter than one layer on most CPUs.
        self._piece_seconds = math.inf if is_cuda else _CPU_PIECE_SECONDS

    @property
    def languages(self) -> tuple[str, ...]:
        return self.facts.vocabulary.language_codes

    @property
    def slots(self) -> int:
        return self._placement.slots

    @property
    def token_limit(self) -> Callable[[Window, int], int]:
        """Window and length of its prefix → the most tokens it may say. Benchmarks set it."""
        return self._decoder.token_limit

    @token_limit.setter
    def token_limit(self, limit: Callable[[Window, int], int]) -> None:
        self._decoder.token_limit = limit

    def listen(self) -> SpeechListener:
        return self._detector.listen()

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
            slots=self.slots,
            repairs=self.facts.repairs,
            reasons={**self._placement.reasons, "vad": self._detector.reason},
            versions={
                "python": platform.python_version(),
                "torch": torch.__version__,
                "transformers": transformers.__version__,
            },
        )

    def prompt_tokens(self, prompt: str, keywords: Sequence[str] = ()) -> tuple[int, ...]:
        """As many as OpenAI's decoder takes: half the positions but one."""
        room = self.network.config.max_target_positions // 2 - 1
        return tell(prompt, keywords, self._encode_text, room)

    def _encode_text(self, text: str) -> list[int]:
        """Without special tokens, even where the text spells some."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return [id_ for id_ in ids if id_ < self.facts.vocabulary.end_of_text]

    def spell(self, token: int) -> bytes:
        return self._token_bytes[token]

    @torch.inference_mode()
    def encode(self, windows: Sequence[npt.NDArray[np.float32]]) -> list[object]:
        """One pass of the encoder at once."""
        with _device_problems():
            return run_to_end(self._encode(windows))

    def begin_encoding(self, windows: Sequence[npt.NDArray[np.float32]]) -> EncoderPass:
        return _EncoderPass(self._encode(windows), self._piece_seconds)

    def _encode(self, windows: Sequence[npt.NDArray[np.float32]]) -> Pieces[list[object]]:
        """The keys and values that a pass of the encoder gives go straight into slots."""
        if len(windows) > self._decoder.free_slots:
            raise ValueError(f"{len(windows)} windows, {self._decoder.free_slots} free slots")
        features = self._log_mel(windows).to(self._placement.dtype)
        outputs = yield from encode(self.network.model.encoder, features)
        return [*(yield from self._decoder.taking([*outputs]))]

    @torch.inference_mode()
    def rehearse(self) -> None:
        """Take the common steps once, while nobody waits for them."""
        with _device_problems(), compiler_problems():
            problem = self._slots.rehearse()
        if problem is not None:
            self._placement.reasons["cuda_graphs"] = f"some steps run without: {problem}"

    @torch.inference_mode()
    def detect_language(self, encoded: Sequence[object]) -> list[Mapping[str, float]]:
        """From the logits after <|startoftranscript|> alone, over the languages only."""
        vocabulary = self.facts.vocabulary
        if not vocabulary.is_multilingual:
            return [{"en": 1.0} for _ in encoded]
        with _device_problems():
            logits = self._decoder.language_logits([_encoded(window) for window in encoded])
            ids = list(vocabulary.languages.values())
            probabilities = logits[:, ids].softmax(dim=-1).tolist()
        return [dict(zip(vocabulary.languages, row, strict=True)) for row in probabilities]

    @torch.inference_mode()
    def start(self, rows: Sequence[DecodeRow]) -> None:
        with _device_problems():
            self._decoder.start(rows)

    @torch.inference_mode()
    def step(self) -> list[Spoken | Ended]:
        with _device_problems():
            return self._decoder.step()

    def release(self, encoded: object) -> None:
        self._decoder.release(_encoded(encoded))


class _EncoderPass:
    """Not the generator itself: inference mode belongs to each piece, not to what runs between."""

    def __init__(self, pieces: Pieces[list[object]], piece_seconds: float) -> None:
        self._pieces = pieces
        self._piece_seconds = piece_seconds

    @torch.inference_mode()
    def advance(self) -> list[object] | None:
        with _device_problems():
            return run_for(self._piece_seconds, self._pieces)

    def close(self) -> None:
        self._pieces.close()


def _encoded(window: object) -> EncodedWindow:
    if not isinstance(window, EncodedWindow):
        raise TypeError("not an encoded window")
    return window


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
