"""What several test files need: the bundled model, the recordings, a loop that runs to its end."""

import json
import os
import queue
import wave
from pathlib import Path

import numpy as np
import pytest

# Tests share two busy cores with whatever else runs; spinning threads would only wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from whisper_worker.loop import Loop
from whisper_worker.protocol import DetectLanguage, Shutdown, Transcribe

REPOSITORY = Path(__file__).resolve().parents[2]
TINY_DA = REPOSITORY / "models" / "tiny-da"
AUDIO = REPOSITORY / "test" / "audio"
FINAL_KINDS = {"done", "detected", "failed", "cancelled", "pong"}


@pytest.fixture(scope="session")
def tiny_da():
    """The bundled model, loaded as the worker loads it."""
    return load(TINY_DA)


@pytest.fixture
def spool(tmp_path):
    directory = tmp_path / "spool"
    directory.mkdir()
    return directory


def load(directory, compute_type="auto", device="cpu", slots=None, send=lambda _message: None):
    """A model as the worker loads it."""
    from whisper_worker.checkpoint import check
    from whisper_worker.hub import locate
    from whisper_worker.loading import Wanted, load_model

    wanted = Wanted(device, compute_type, slots)
    return load_model(check(locate(str(directory), send)), wanted, send)


def load_network():
    """The bundled network alone. Slots leave hooks on theirs, so each file takes its own."""
    import torch
    from transformers import GenerationConfig, WhisperForConditionalGeneration

    network = WhisperForConditionalGeneration.from_pretrained(
        TINY_DA, dtype=torch.float32, attn_implementation="sdpa"
    ).eval()
    network.generation_config = GenerationConfig()
    return network


def token_bytes_of(model):
    from whisper_worker.tokens import TokenBytes

    return TokenBytes({id_: name for name, id_ in model._tokenizer.get_vocab().items()})


def read_wav(name):
    """int16 samples of a recording in test/audio."""
    with wave.open(str(AUDIO / f"{name}.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def read_truth(name):
    return json.loads((AUDIO / f"{name}.json").read_text(encoding="utf-8"))


def put_pcm(spool, samples, name="recording.pcm"):
    """Samples as Node leaves them in the spool; answers the path."""
    path = spool / name
    np.asarray(samples, "<i2").tofile(path)
    return str(path)


def transcribe(pcm_path, id=1, **changes):
    """A plain request for a recording that is complete; `changes` make it special."""
    plain = {
        **_whole(pcm_path),
        "language": None,
        "languages": None,
        "task": "transcribe",
        "prompt": None,
        "keywords": (),
        "temperature": 0.0,
        "word_timestamps": True,
        "logprobs": False,
        "deltas": False,
        "guards": True,
        "vad": None,
        "resume": None,
    }
    return Transcribe(id=id, pcm_path=pcm_path, **{**plain, **changes})


def detect_language(pcm_path, id=1):
    return DetectLanguage(id=id, pcm_path=pcm_path, **_whole(pcm_path))


def _whole(pcm_path):
    """What Node says of a file that it has written to its end."""
    samples = Path(pcm_path).stat().st_size // 2 if Path(pcm_path).exists() else 0
    return {"pcm_samples": samples, "pcm_is_complete": True}


def run_requests(model, spool, requests, answer=lambda _message: ()):
    """Every message until all the requests that carry an id of their own are answered.

    `answer` hears every message and may answer with more requests, as Node does.
    """
    inbox = queue.SimpleQueue()
    messages = []
    unanswered = set()

    def ask(request):
        if request.kind not in ("cancel", "pcm"):
            unanswered.add(request.id)
        inbox.put(request)

    def send(message):
        messages.append(message)
        for request in answer(message):
            ask(request)
        if message.kind in FINAL_KINDS:
            unanswered.discard(message.id)
            if not unanswered:
                inbox.put(Shutdown())

    for request in requests:
        ask(request)
    Loop(model, inbox, send, spool).run()
    return messages


def final_answers(messages):
    """Final messages by id."""
    return {message.id: message for message in messages if message.kind in FINAL_KINDS}


def judged(messages, how):
    """What guards have `dropped`, or have `warnings` about, in the order of the recording."""
    windows = [message for message in messages if message.kind == "window"]
    return tuple(judged for window in windows for judged in getattr(window, how))


def segments_of(messages):
    return [s for message in messages if message.kind == "window" for s in message.segments]


def tone(seconds, amplitude=8000):
    """Loud and steady: speech to an energy detector."""
    times = np.arange(int(seconds * 16_000)) / 16_000
    return (np.sin(2 * np.pi * 300 * times) * amplitude).astype("<i2")


def silence(seconds):
    return np.zeros(int(seconds * 16_000), "<i2")
