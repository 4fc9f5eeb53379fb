"""Our worker as the server runs it: a child that speaks PROTOCOL.md over its pipes.

All that a request needs is inside what is measured: the pipe, speech detection, mel, segments.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.conversion import NotRun
from bench.jobs import Heard, Item, Job
from bench.places import BENCH, SPOOL, WORKER_PACKAGE, WORKER_PYTHON
from bench.subjects.wire import Clock, Options, serve

_SAMPLE_RATE = 16_000
_START_SECONDS = 300
_SILENT_SECONDS = 900  # longest wait for any message before the round is given up
_FINAL = {"done", "failed", "cancelled"}


@dataclass
class _Open:
    """A request that is being answered."""

    item: Item
    arrived: float
    texts: list[str] = field(default_factory=list)
    windows: list[tuple[int, int]] = field(default_factory=list)
    tokens: int = 0


class Ours:
    def load(self, model: Path, options: Options) -> dict[str, Any]:
        self._is_scripted = bool(options["script"])
        arguments = [str(WORKER_PYTHON), str(BENCH / "ours_worker.py")]
        arguments += ["--script"] if self._is_scripted else []
        arguments += ["--model", str(model), "--device", options.get("device", "cpu")]
        arguments += ["--compute-type", options["compute_type"], "--spool-dir", str(SPOOL)]
        arguments += ["--slots", str(options.get("slots", "auto"))]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", **options.get("environment", {})}
        self._child = subprocess.Popen(
            arguments,
            cwd=WORKER_PACKAGE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self._messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self._next_id = 1
        return self._wait_until_ready()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._messages.put(json.loads(line))
        self._messages.put(None)

    def _wait_until_ready(self) -> dict[str, Any]:
        while True:
            message = self._next_message(_START_SECONDS)
            match message["kind"]:
                case "hello" if message["protocol"] != 3:
                    raise NotRun(f"the worker speaks protocol {message['protocol']}, not 3")
                case "fatal":
                    raise NotRun(f"{message['code']}: {message['message']}")
                case "ready":
                    wanted = ("compute_type", "slots", "vad", "reasons", "versions", "device_name")
                    return {name: message[name] for name in wanted}

    def _next_message(self, seconds: float) -> dict[str, Any]:
        try:
            message = self._messages.get(timeout=seconds)
        except queue.Empty as silence:
            raise TimeoutError(f"the worker said nothing for {seconds:.0f} s") from silence
        if message is None:
            raise RuntimeError(f"the worker ended with status {self._child.wait()}")
        return message

    def configure(self, options: Options) -> None:
        """It has no settings that are chosen for a workload."""

    def process(self) -> int:
        return self._child.pid

    def run(self, job: Job) -> list[Heard]:
        clock = Clock()
        if job.mode == "in_turn":
            return [heard for item in job.items for heard in self._together([item], clock, clock())]
        return self._together(job.items, clock)

    def _together(
        self, items: Sequence[Item], clock: Clock, started: float | None = None
    ) -> list[Heard]:
        """Each item is sent at its time and answered whenever it is done."""
        waiting: dict[int, _Open] = {}
        first = self._next_id
        self._next_id += len(items)
        for offset, item in enumerate(items):
            arrived = item.arrival if started is None else started
            waiting[first + offset] = _Open(item, arrived)
        sender = threading.Thread(target=self._send_all, args=(dict(waiting), clock), daemon=True)
        sender.start()
        heard: list[Heard] = []
        while waiting:
            message = self._next_message(_SILENT_SECONDS)
            request = waiting.get(message.get("id", 0))
            if request is None:
                continue
            if message["kind"] == "window":
                _note(request, message)
            elif message["kind"] in _FINAL:
                if message["kind"] != "done":
                    raise RuntimeError(f"the worker answered {message}")
                heard.append(_finish(waiting.pop(message["id"]), clock()))
        return heard

    def _send_all(self, requests: dict[int, _Open], clock: Clock) -> None:
        for id_, request in sorted(requests.items(), key=lambda pair: pair[1].arrived):
            clock.wait_until(request.arrived)
            self._send(
                {
                    "kind": "transcribe",
                    "id": id_,
                    "pcm_path": request.item.path,
                    "pcm_samples": request.item.samples,
                    "pcm_is_complete": True,
                    "language": "da",
                    "languages": None,
                    "task": "transcribe",
                    "prompt": None,
                    "keywords": [],
                    "temperature": 0,
                    "word_timestamps": False,
                    "logprobs": False,
                    "deltas": False,
                    "guards": False,
                    "vad": None,
                    "resume": None,
                }
            )

    def _send(self, message: dict[str, Any]) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(message).encode() + b"\n")
        self._child.stdin.flush()


def _note(request: _Open, message: dict[str, Any]) -> None:
    start, end = (round(message[side] * _SAMPLE_RATE) for side in ("start", "end"))
    request.windows.append((start, end))
    for segment in message["segments"]:
        request.texts.append(segment["text"])
        request.tokens += len(segment["tokens"])


def _finish(request: _Open, finished: float) -> Heard:
    planned = [(window.start, window.end) for window in request.item.windows]
    return Heard(
        name=request.item.name,
        arrived=request.arrived,
        finished=finished,
        text="".join(request.texts).strip(),
        tokens=request.tokens,
        windows=len(request.windows),
        has_other_windows=planned != request.windows,
    )


if __name__ == "__main__":
    serve(Ours)
