"""What the product itself hears in a recording: the worker, over its real pipes.

transcriber.py asks transformers; this asks whisper_worker, whose windows are cut elsewhere. A
fixture has to be right for both.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np

from recordings import Recording
from transcriber import normalise, word_errors
from windows import Audio

_PYTHON_DIRECTORY = Path(__file__).resolve().parent.parent


class Listener:
    """One worker process, asked one recording at a time (PROTOCOL.md); a context manager."""

    def __init__(self, model_directory: Path) -> None:
        self._spool = tempfile.TemporaryDirectory()
        arguments = ["--model", str(model_directory.resolve()), "--device", "cpu"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "whisper_worker", *arguments, "--spool-dir", self._spool.name],
            cwd=_PYTHON_DIRECTORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._next_id = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # the end of its stdin ends it
        self._spool.cleanup()

    def count_mistakes(self, recording: Recording) -> int:
        """Wrong, missing and additional words in the transcript of the whole recording."""
        written = self._transcribe(recording.audio, recording.language)
        return word_errors(normalise(recording.text), normalise(written))

    def _transcribe(self, audio: Audio, language: str) -> str:
        path = Path(self._spool.name) / "recording.pcm"
        path.write_bytes(np.round(audio * 32767).astype("<i2").tobytes())
        request = {
            "kind": "transcribe",
            "id": self._next_id,
            "pcm_path": str(path),
            "pcm_samples": len(audio),
            "pcm_is_complete": True,
            "language": language,
            "languages": None,
            "task": "transcribe",
            "prompt": None,
            "keywords": [],
            "temperature": 0,
            "word_timestamps": True,
            "logprobs": False,
            "deltas": False,
            "guards": True,
            "vad": None,
        }
        self._next_id += 1
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read_text()

    def _read_text(self) -> str:
        """The windows' texts up to `done`. Raises RuntimeError when the worker gives up."""
        text = ""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message: dict[str, Any] = json.loads(line)
            if message["kind"] == "window":
                text += "".join(segment["text"] for segment in message["segments"])
            elif message["kind"] == "done":
                return text
            elif message["kind"] in ("failed", "fatal"):
                raise RuntimeError(message["message"])
        raise RuntimeError("the worker ended without an answer")
