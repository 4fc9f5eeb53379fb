"""Speech with exact word times, from espeak-ng through ctypes. Knows nothing of windows or models.

Needs libespeak-ng.so.1 (Debian: `apt-get install libespeak-ng1`). The library keeps global state,
so one process speaks one sentence at a time; `speak_all` uses several processes.
"""

import ctypes
import functools
import itertools
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

SAMPLE_RATE = 16_000
_ESPEAK_VOICES = {"da": "da", "en": "en-us", "de": "de"}
_SYNCHRONOUS_OUTPUT, _UTF8 = 2, 1
_RATE, _PITCH, _PITCH_RANGE = 1, 3, 4
_EVENT_LIST_END, _EVENT_WORD = 0, 1
_AUDIBLE_AMPLITUDE = 0.01
_TAIL_SECONDS = 0.08


@dataclass(frozen=True)
class VoiceSetting:
    """How espeak-ng speaks: a variant ("" is the plain voice) and its rate and pitch."""

    variant: str
    rate_words_per_minute: int
    pitch: int = 50
    pitch_range: int = 50


@dataclass(frozen=True)
class Utterance:
    """One spoken sentence. Word i is `text.split()[i]`, from starts[i] to ends[i] in seconds."""

    language: str
    text: str
    variant: str
    audio: npt.NDArray[np.int16]  # (samples,) at 16 kHz
    starts: tuple[float, ...]
    ends: tuple[float, ...]

    @property
    def duration_seconds(self) -> float:
        """From the first sample to the last audible one; `audio` has a short tail after it."""
        return self.ends[-1]


TRAINED_VARIANTS = ("", "+m3", "+m4", "+f2")
# m1's formants (97 % of the plain voice's) lie between m3 (96 %) and the plain voice, its pitch
# between m4 and m3; it is never trained on. Evaluation and test/audio speak with it.
HELD_OUT_SETTING = VoiceSetting("+m1", rate_words_per_minute=163, pitch=48)


def draw_setting(rng: random.Random) -> VoiceSetting:
    """A random voice setting of those the model is trained on."""
    variant, rate = rng.choice(TRAINED_VARIANTS), rng.randint(145, 190)
    return VoiceSetting(variant, rate, pitch=rng.randint(40, 60), pitch_range=rng.randint(40, 60))


def speak(language: str, text: str, setting: VoiceSetting) -> Utterance | None:
    """The sentence as speech, or None where espeak-ng did not report a start for every word."""
    engine = _engine()
    audio, start_by_position = engine.synthesize(
        text, _ESPEAK_VOICES[language] + setting.variant, setting
    )
    starts: list[float] = []
    position = 1  # espeak counts characters from one
    for word in text.split():
        if position not in start_by_position:
            return None
        starts.append(start_by_position[position] / engine.sample_rate)
        position += len(word) + 1
    audible = np.flatnonzero(np.abs(audio) > _AUDIBLE_AMPLITUDE)
    end = float(audible[-1]) / SAMPLE_RATE if len(audible) else 0.0
    if any(a >= b for a, b in zip(starts, [*starts[1:], end], strict=True)):
        return None
    audio = audio[: int((end + _TAIL_SECONDS) * SAMPLE_RATE)]
    samples = np.round(audio * 32767).astype(np.int16)
    return Utterance(language, text, setting.variant, samples, tuple(starts), (*starts[1:], end))


def speak_all(
    requests: Sequence[tuple[str, str, VoiceSetting]], processes: int = 2
) -> list[Utterance]:
    """Speaks (language, text, setting) requests in order, leaving out what cannot be timed.

    espeak-ng's flutter and breath go on from one sentence to the next, so that the same sentence
    differs by a few samples with what was spoken before it. Each share of the requests therefore
    has a fresh process of its own: the same requests always give the same sound.
    """
    with ExitStack() as stack:
        pools = [stack.enter_context(ProcessPoolExecutor(1)) for _ in range(processes)]
        shares = [pool.submit(_speak_share, requests[i::processes]) for i, pool in enumerate(pools)]
        rounds = itertools.zip_longest(*(share.result() for share in shares))
        return [utterance for spoken in rounds for utterance in spoken if utterance is not None]


def _speak_share(requests: Sequence[tuple[str, str, VoiceSetting]]) -> list[Utterance | None]:
    return [speak(*request) for request in requests]


class _EventId(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    )


class _Event(ctypes.Structure):
    """espeak_EVENT of espeak-ng/speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class _Engine:
    """The loaded library and the buffers that its callback fills."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libespeak-ng.so.1")
        self.sample_rate = self._library.espeak_Initialize(_SYNCHRONOUS_OUTPUT, 0, None, 0)
        self._chunks: list[npt.NDArray[np.int16]] = []
        self._start_by_position: dict[int, int] = {}
        self._callback = _Callback(self._receive)  # kept: ctypes would free it
        self._library.espeak_SetSynthCallback(self._callback)

    def synthesize(
        self, text: str, voice: str, setting: VoiceSetting
    ) -> tuple[npt.NDArray[np.float32], dict[int, int]]:
        """(audio (samples,) at 16 kHz, word start in engine samples by character position)."""
        self._chunks.clear()
        self._start_by_position = {}
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice}")
        self._library.espeak_SetParameter(_RATE, setting.rate_words_per_minute, 0)
        self._library.espeak_SetParameter(_PITCH, setting.pitch, 0)
        self._library.espeak_SetParameter(_PITCH_RANGE, setting.pitch_range, 0)
        data = text.encode() + b"\0"
        size = ctypes.c_size_t(len(data))
        self._library.espeak_Synth(data, size, 0, 0, 0, _UTF8, None, None)
        audio = np.concatenate(self._chunks).astype(np.float32) / 32768
        resampled = resample_poly(audio, SAMPLE_RATE, self.sample_rate).astype(np.float32)
        return np.clip(resampled, -1, 1), self._start_by_position

    def _receive(self, samples: ctypes.Array, count: int, events: ctypes.Array) -> int:
        if count > 0 and samples:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        for event in _until_end(events):
            if event.type == _EVENT_WORD:
                self._start_by_position.setdefault(event.text_position, event.sample)
        return 0


def _until_end(events: ctypes.Array) -> Iterator[_Event]:
    """The events before the one that ends the list."""
    for index in itertools.count():
        if events[index].type == _EVENT_LIST_END:
            return
        yield events[index]


@functools.cache
def _engine() -> _Engine:
    return _Engine()
