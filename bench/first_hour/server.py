"""The real server as a process of its own, as `npm start` starts it, and what is asked of it."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urlsplit
from urllib.request import urlopen

from bench.first_hour.plan import node
from bench.places import RECORDINGS, ROOT

_LISTENING = re.compile(r'"message":"listening".*"url":"([^"]+)"')
_MEMORY = ("hviske_engine_resident_memory_bytes", "hviske_gpu_memory_bytes")
_CHUNK = 1 << 20


class Server:
    """Use as a context manager: it is ready inside and has ended afterwards."""

    def __init__(self, model: str, device: str) -> None:
        self._spool = tempfile.TemporaryDirectory(prefix="first-hour-")
        surroundings = {
            "MODEL": model,
            "DEVICE": device,
            "HOST": "127.0.0.1",
            "PORT": "0",
            "DATA_DIR": self._spool.name,
            "JOIN_RETRIES": "off",  # the same clips again and again are no retries here
            "METRICS": "open",
            "API_KEYS": "",
        }
        self._process = subprocess.Popen(
            [node(), "src/main.ts"],
            cwd=ROOT,
            env={**os.environ, **surroundings},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = ""

    def __enter__(self) -> Self:
        log = self._process.stderr
        assert log is not None
        for line in log:
            found = _LISTENING.search(line)
            if found:
                self.url = found[1]
                break
            sys.stderr.write(line)
        else:
            self.__exit__()
            raise SystemExit("the server ended before it listened")
        threading.Thread(target=_pass_on, args=(log,), daemon=True).start()
        try:
            # a request made while the model loads waits for it
            self.transcribe(RECORDINGS / "silence.wav")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._spool.cleanup()

    def transcribe(self, recording: Path, **fields: str) -> dict[str, Any]:
        """Its answer. @raises RuntimeError with what a refusal said."""
        boundary = uuid.uuid4().hex
        head, tail = _around(recording, fields, boundary)
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port)
        headers = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "content-length": str(len(head) + recording.stat().st_size + len(tail)),
        }
        body = _body(recording, head, tail)
        connection.request("POST", "/v1/audio/transcriptions", body, headers)
        response = connection.getresponse()
        said = response.read().decode()
        connection.close()
        answer = json.loads(said)
        # an answer that took long has sent its headers before it was known how it would end
        if response.status != 200 or "error" in answer:
            raise RuntimeError(f"{recording.name}: {response.status} {said}")
        return answer

    def memory(self) -> dict[str, float]:
        """Bytes, by the names of the metrics."""
        with urlopen(f"{self.url}/metrics") as response:
            lines = response.read().decode().splitlines()
        told = [line.rsplit(" ", 1) for line in lines if line.startswith(_MEMORY)]
        return {name: float(value) for name, value in told}


def _pass_on(log: IO[str]) -> None:
    """Nobody may wait because a pipe is full. A line for each request would bury the rest."""
    for line in log:
        if '"level":"info"' not in line:
            sys.stderr.write(line)


def _around(recording: Path, fields: dict[str, str], boundary: str) -> tuple[bytes, bytes]:
    """What stands before and after the recording in a form."""
    told = {"model": "whisper-1", "language": "da", "response_format": "verbose_json", **fields}
    parts = [
        f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in told.items()
    ]
    parts.append(
        f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="{recording.name}"'
        "\r\ncontent-type: application/octet-stream\r\n\r\n"
    )
    return "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()


def _body(recording: Path, head: bytes, tail: bytes) -> Iterator[bytes]:
    yield head
    with recording.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
    yield tail
