"""whisper.cpp through pywhispercpp, or its own server when WHISPER_CPP_SERVER names one.

One request at a time: its server holds one mutex around the model, and so do we. Greedy, no
fallback, no timestamps, no context from window to window. Its server has no limit for tokens, so
lengths can be scripted only through the library.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.conversion import NotRun, to_ggml
from bench.jobs import Heard, Item, Job, Span
from bench.places import CACHE
from bench.subjects.progress import Books
from bench.subjects.sound import SAMPLE_RATE, window_sound
from bench.subjects.wire import Clock, Options, serve

_OPENAI_VOCABULARY = 51865  # below this, whisper.cpp takes a model for English only
_START_SECONDS = 120


class WhisperCpp:
    def load(self, model: Path, options: Options) -> dict[str, Any]:
        size = json.loads((model / "config.json").read_text())["vocab_size"]
        if size < _OPENAI_VOCABULARY:
            raise NotRun(
                f"whisper.cpp knows its special tokens by number, after OpenAI's 50,257 words; "
                f"{model.name} has {size} tokens in all"
            )
        self._threads = int(options["threads"])
        converted = to_ggml(model)
        server = os.environ.get("WHISPER_CPP_SERVER")
        if server:
            self._server: Server | None = Server(server, converted, self._threads)
            return {"whisper.cpp": f"server {server}"}
        self._server = None
        try:
            import _pywhispercpp
            from pywhispercpp.model import Model
        except ImportError as problem:
            raise NotRun(f"pywhispercpp is not installed: {problem}") from problem
        self._library: Any = _pywhispercpp
        self._model: Any = Model(
            str(converted),
            redirect_whispercpp_logs_to=None,
            context_params={"use_gpu": False, "flash_attn": bool(options.get("flash_attn", True))},
            n_threads=self._threads,
            language="da",
            no_timestamps=True,
            single_segment=True,
            no_context=True,
            print_progress=False,
            print_timestamps=False,
            suppress_blank=False,
            temperature=0.0,
            temperature_inc=0.0,
            greedy={"best_of": 1},
        )
        version = getattr(__import__("pywhispercpp.model").model, "__version__", "?")
        return {"pywhispercpp": version, "built_for": _pywhispercpp.whisper_print_system_info()}

    def configure(self, options: Options) -> None:
        """Nothing can be changed after loading."""

    def process(self) -> int:
        return os.getpid() if self._server is None else self._server.process

    def run(self, job: Job) -> list[Heard]:
        clock = Clock()
        books = Books(clock)
        for item in sorted(job.items, key=lambda item: item.arrival):
            clock.wait_until(item.arrival)
            arrived = clock() if job.mode == "in_turn" else item.arrival
            for index, window in enumerate(item.windows):
                text, tokens = self._transcribe(item, window)
                books.window_done(item, index, text, tokens, arrived)
        return books.heard

    def _transcribe(self, item: Item, window: Span) -> tuple[str, int | None]:
        sound = window_sound(item, window)
        if self._server is not None:
            if window.tokens is not None:
                raise NotRun("whisper.cpp's server cannot be told how many tokens a window has")
            return self._server.transcribe(sound), None
        # it counts from 0 and compares after the token: one less gives the scripted number
        limit = 0 if window.tokens is None else max(1, window.tokens - 1)
        segments = self._model.transcribe(sound, max_tokens=limit)
        tokens = sum(
            self._library.whisper_full_n_tokens(self._model._ctx, index)
            for index in range(len(segments))
        )
        return "".join(segment.text for segment in segments), tokens


class Server:
    """examples/server of whisper.cpp, on a free port of this machine."""

    def __init__(self, program: str, model: Path, threads: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}/inference"
        arguments = ["--host", "127.0.0.1", "--port", str(port), "-m", str(model)]
        arguments += ["-t", str(threads), "-l", "da", "-nt", "-nf", "-bo", "1", "--no-gpu"]
        self._child = subprocess.Popen(
            [program, *arguments], cwd=CACHE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        atexit.register(self._child.kill)
        self.process = self._child.pid
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(port):
            if self._child.poll() is not None or time.monotonic() > deadline:
                raise NotRun(f"{program} did not start")
            time.sleep(0.2)

    def transcribe(self, sound: np.ndarray) -> str:
        boundary = uuid.uuid4().hex
        body = b"".join(_multipart(boundary, _as_wav(sound)))
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")
        with urllib.request.urlopen(request, timeout=600) as answer:
            return str(json.loads(answer.read())["text"])


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError:
            return False
    return False


def _multipart(boundary: str, wav: bytes) -> Iterator[bytes]:
    fields = {"temperature": "0.0", "temperature_inc": "0.0", "response_format": "json"}
    for name, value in fields.items():
        yield f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        yield f"{value}\r\n".encode()
    name = b'Content-Disposition: form-data; name="file"; filename="a.wav"'
    yield b"--" + boundary.encode() + b"\r\n" + name + b"\r\n"
    yield b"Content-Type: audio/wav\r\n\r\n" + wav + f"\r\n--{boundary}--\r\n".encode()


def _as_wav(sound: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((sound * 32768.0).astype("<i2").tobytes())
    return buffer.getvalue()


if __name__ == "__main__":
    serve(WhisperCpp)
