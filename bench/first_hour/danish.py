"""Word errors of some models on the same recordings, with a prompt and without.

    .venv/bin/python -m bench.first_hour.danish --models syvai/hviske-v2 RyeAI/edda-v0.2-large \\
        --recordings DIR

DIR holds recordings of your own beside their texts: meeting.wav and meeting.txt. Without it the
synthesised ones of test/audio are heard, which say little about people. The prompt is the first
words of the text itself: if that does not help, no prompt does.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench.decode_roofline import table
from bench.first_hour.figures import keep
from bench.first_hour.server import Server
from bench.places import RECORDINGS
from bench.recordings import word_error_rate

_PROMPT_WORDS = 20


def main() -> None:
    parser = argparse.ArgumentParser("bench.first_hour.danish", description=__doc__)
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--recordings", type=Path)
    options = parser.parse_args()
    heard = _recordings(options.recordings)
    figures: list[dict[str, object]] = []
    for model in options.models:
        with Server(model, options.device) as server:
            for name, prompts in (("without", False), ("with", True)):
                pairs = [(text, _hear(server, path, text, prompts)) for path, text in heard]
                each = {
                    path.name: round(word_error_rate([pair]), 4)
                    for (path, _), pair in zip(heard, pairs, strict=True)
                }
                together = round(word_error_rate(pairs), 4)
                figures.append(
                    {"model": model, "prompt": name, "word_error_rate": together, "each": each}
                )
                keep(figures)
    body = [
        (str(one["model"]), str(one["prompt"]), str(one["word_error_rate"]), str(one["each"]))
        for one in figures
    ]
    print(table(("model", "prompt", "word errors", "each"), body))


def _hear(server: Server, path: Path, text: str, prompts: bool) -> str:
    prompt = {"prompt": " ".join(text.split()[:_PROMPT_WORDS])} if prompts else {}
    return str(server.transcribe(path, **prompt)["text"])


def _recordings(directory: Path | None) -> list[tuple[Path, str]]:
    if directory is None:
        return [
            (
                RECORDINGS / f"{name}.wav",
                json.loads((RECORDINGS / f"{name}.json").read_text())["text"],
            )
            for name in ("da", "long")
        ]
    texts = sorted(directory.glob("*.txt"))
    found = [
        (path, text.read_text("utf-8"))
        for text in texts
        for path in sorted(directory.glob(f"{text.stem}.*"))
        if path.suffix != ".txt"
    ]
    if not found:
        raise SystemExit(f"{directory} holds no recording beside a .txt of the same name")
    return found


if __name__ == "__main__":
    main()
