"""A long file through the real server while clips come, word times against the truth, and memory.

    .venv/bin/python -m bench.first_hour.real_server --model syvai/hviske-v2 --device cuda

The recordings are the synthesised ones of test/audio, which know when each word was said.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
import wave
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.first_hour.figures import keep
from bench.first_hour.plan import node
from bench.first_hour.server import Server
from bench.places import RECORDINGS, ROOT
from bench.recordings import word_error_rate

_CLIPS = ("da.wav", "en.wav", "de.wav")


def main() -> None:
    options = _parse()
    with Server(options.model, options.device) as server, tempfile.TemporaryDirectory() as spool:
        figures: dict[str, Any] = {"memory_before": server.memory()}
        figures["word_times"] = _word_times(server)
        long_file = _repeat(RECORDINGS / "long.wav", options.hours * 3600, Path(spool))
        figures["clips_alone"] = _load(server, options, Path(spool)).wait_for_figures()
        beside = _load(server, options, Path(spool))
        figures["long"] = _hear_long(server, long_file)
        figures["clips_beside_long"] = beside.wait_for_figures()
        figures["memory_after"] = server.memory()
    keep(figures)
    print(json.dumps(figures, indent=1, ensure_ascii=False))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench.first_hour.real_server", description=__doc__)
    parser.add_argument("--model", default="syvai/hviske-v2")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--hours", type=float, default=3)
    parser.add_argument("--seconds", type=float, default=20, help="of clips, for each number")
    parser.add_argument("--at-once", default="1,4,10")
    return parser.parse_args()


def _word_times(server: Server) -> dict[str, Any]:
    """Of each recording: word errors, and how far the words' starts are from the truth."""
    found: dict[str, Any] = {}
    for name in ("da", "long"):
        truth = json.loads((RECORDINGS / f"{name}.json").read_text("utf-8"))
        fields = {"timestamp_granularities[]": "word"}
        said = server.transcribe(RECORDINGS / f"{name}.wav", **fields)
        off = start_errors(truth["words"], said["words"])
        found[name] = {
            "word_error_rate": round(word_error_rate([(truth["text"], said["text"])]), 4),
            "words_compared": len(off),
            "median_start_error_seconds": round(median(off), 3) if off else None,
            "greatest_start_error_seconds": round(max(off), 3) if off else None,
            "text": said["text"][:300],
        }
    return found


def start_errors(truth: Sequence[dict[str, Any]], said: Sequence[dict[str, Any]]) -> list[float]:
    """Seconds between the starts of words that both have, in order; letters alone count."""
    errors: list[float] = []
    place = 0
    for word in truth:
        for index in range(place, len(said)):
            if _letters(said[index]["word"]) == _letters(word["word"]):
                errors.append(abs(said[index]["start"] - word["start"]))
                place = index + 1
                break
    return errors


def _letters(word: str) -> str:
    return "".join(letter for letter in word.lower() if letter.isalnum())


def _repeat(recording: Path, seconds: float, spool: Path) -> Path:
    """It over and over, until it is at least so long."""
    path = spool / "long-file.wav"
    with wave.open(str(recording)) as source, wave.open(str(path), "wb") as target:
        target.setparams(source.getparams())
        once = source.readframes(source.getnframes())
        for _ in range(max(1, round(seconds * source.getframerate() / source.getnframes()))):
            target.writeframes(once)
    return path


def _hear_long(server: Server, recording: Path) -> dict[str, Any]:
    began = time.monotonic()
    said = server.transcribe(recording)
    seconds = time.monotonic() - began
    return {
        "audio_seconds": said["duration"],
        "seconds": round(seconds, 1),
        "times_real_time": round(said["duration"] / seconds, 1),
        "segments": len(said["segments"]),
    }


class _Load:
    """bench/load beside something else."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path) -> None:
        self._process = process
        self._out = out

    def wait_for_figures(self) -> Any:
        if self._process.wait() != 0:
            raise SystemExit(f"bench/load ended with {self._process.returncode}")
        return json.loads(self._out.read_text("utf-8"))["results"]


def _load(server: Server, options: argparse.Namespace, spool: Path) -> _Load:
    out = spool / f"load-{time.monotonic_ns()}.json"
    command = [node(), "bench/load/main.ts", "--url", f"{server.url}/v1", "--out", str(out)]
    command += ["--concurrency", options.at_once, "--seconds", str(options.seconds)]
    for clip in _CLIPS:
        command += ["--file", str(RECORDINGS / clip)]
    return _Load(subprocess.Popen(command, cwd=ROOT), out)


if __name__ == "__main__":
    main()
