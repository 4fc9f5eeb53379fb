"""PROTOCOL.md as frozen dataclasses. How they become lines is wire_format.py's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from whisper_worker.failures import FailureCode, FatalCode
from whisper_worker.speech_detection import SpeechDetection

PROTOCOL_VERSION = 3

Task: TypeAlias = Literal["transcribe", "translate"]


@dataclass(frozen=True)
class Timings:
    waited_seconds: float
    vad_seconds: float
    encode_seconds: float
    decode_seconds: float


@dataclass(frozen=True)
class Checkpoint:
    """How far a recording has come with a window: with it, another child can go on after that."""

    windows: int  # done, this one included
    samples: int  # where it ends
    language: str
    language_probability: float | None
    extra_attempts: int
    timings: Timings


@dataclass(frozen=True)
class Transcribe:
    kind: ClassVar[str] = "transcribe"
    id: int
    pcm_path: str
    pcm_samples: int
    pcm_is_complete: bool
    language: str | None
    languages: tuple[str, ...] | None
    task: Task
    prompt: str | None
    keywords: tuple[str, ...]
    temperature: float
    word_timestamps: bool
    logprobs: bool
    deltas: bool
    guards: bool
    vad: SpeechDetection | None
    resume: Checkpoint | None


@dataclass(frozen=True)
class DetectLanguage:
    kind: ClassVar[str] = "detect_language"
    id: int
    pcm_path: str
    pcm_samples: int
    pcm_is_complete: bool


@dataclass(frozen=True)
class PcmGrown:
    """More of a recording is on disk. `samples` counts from its start and never shrinks."""

    kind: ClassVar[str] = "pcm"
    id: int
    samples: int
    is_complete: bool


@dataclass(frozen=True)
class Cancel:
    kind: ClassVar[str] = "cancel"
    id: int


@dataclass(frozen=True)
class Ping:
    kind: ClassVar[str] = "ping"
    id: int


@dataclass(frozen=True)
class Shutdown:
    kind: ClassVar[str] = "shutdown"


Request: TypeAlias = Transcribe | DetectLanguage | PcmGrown | Cancel | Ping | Shutdown


@dataclass(frozen=True)
class Hello:
    kind: ClassVar[str] = "hello"
    protocol: int
    pid: int


@dataclass(frozen=True)
class Loading:
    kind: ClassVar[str] = "loading"
    stage: Literal["downloading", "loading", "warming_up"]
    message: str
    fraction: float | None


@dataclass(frozen=True)
class ModelIdentity:
    id: str
    revision: str | None
    directory: str


@dataclass(frozen=True)
class Ready:
    kind: ClassVar[str] = "ready"
    model: ModelIdentity
    device: str
    device_name: str
    compute_type: str
    languages: tuple[str, ...]
    is_multilingual: bool
    can_translate: bool
    has_word_timestamps: bool
    vad: Literal["silero", "energy"]
    slots: int
    repairs: tuple[str, ...]
    reasons: Mapping[str, str]
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Word:
    word: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True)
class TokenLogprob:
    """`bytes` are exact; `token` is what they are alone, with U+FFFD for half a character."""

    token: str
    logprob: float
    bytes: tuple[int, ...]


@dataclass(frozen=True)
class Segment:
    seek: int
    start: float
    end: float
    text: str
    tokens: tuple[int, ...]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: tuple[Word, ...] | None
    logprobs: tuple[TokenLogprob, ...] | None


@dataclass(frozen=True)
class Delta:
    kind: ClassVar[str] = "delta"
    id: int
    index: int
    text: str


DropReason: TypeAlias = Literal["no_speech", "silence", "repetition", "subtitle_credit"]
WarningReason: TypeAlias = Literal["unsure", "repetition", "subtitle_credit", "silence"]


@dataclass(frozen=True)
class Dropped:
    """Text that a guard removed."""

    reason: DropReason
    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Warned:
    """Text that was kept although a guard doubts it."""

    reason: WarningReason
    start: float
    end: float
    text: str


@dataclass(frozen=True)
class WindowDone:
    kind: ClassVar[str] = "window"
    id: int
    index: int
    start: float
    end: float
    language: str
    segments: tuple[Segment, ...]
    dropped: tuple[Dropped, ...]
    warnings: tuple[Warned, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Progress:
    kind: ClassVar[str] = "progress"
    id: int
    processed_seconds: float
    duration_seconds: float
    windows_done: int


@dataclass(frozen=True)
class Done:
    kind: ClassVar[str] = "done"
    id: int
    duration_seconds: float
    speech_seconds: float
    language: str | None
    language_probability: float | None
    prompt_tokens: int
    windows: int
    timings: Timings


@dataclass(frozen=True)
class LanguageProbability:
    language: str
    probability: float


@dataclass(frozen=True)
class Detected:
    kind: ClassVar[str] = "detected"
    id: int
    language: str
    probability: float
    languages: tuple[LanguageProbability, ...]
    duration_seconds: float


@dataclass(frozen=True)
class Failed:
    kind: ClassVar[str] = "failed"
    id: int
    code: FailureCode
    message: str


@dataclass(frozen=True)
class Cancelled:
    kind: ClassVar[str] = "cancelled"
    id: int


@dataclass(frozen=True)
class GpuMemory:
    """Bytes: what this process keeps for itself, and what the device has."""

    reserved: int
    total: int


@dataclass(frozen=True)
class Pong:
    kind: ClassVar[str] = "pong"
    id: int
    turns: int
    is_working: bool
    steps: int
    rows: int
    requests: int
    windows_waiting: int
    gpu_memory: GpuMemory | None


@dataclass(frozen=True)
class Fatal:
    kind: ClassVar[str] = "fatal"
    code: FatalCode
    message: str


Message: TypeAlias = (
    Hello
    | Loading
    | Ready
    | Delta
    | WindowDone
    | Progress
    | Done
    | Detected
    | Failed
    | Cancelled
    | Pong
    | Fatal
)
