"""A model's files on disk, looked through before anything heavy is imported.

A wrong directory or another kind of model is refused within a second, not after torch has loaded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from whisper_worker.failures import FatalFailure


@dataclass(frozen=True)
class Checkpoint:
    """A Whisper with weights and a tokenizer, as far as file names and config.json can tell."""

    model: str  # as the operator wrote it
    directory: Path
    revision: str | None  # short commit hash; None for a plain directory

    def read_json(self, name: str) -> dict[str, object]:
        """A settings file; empty when there is none."""
        return _read_json(self.directory / name)


def check(checkpoint: Checkpoint) -> Checkpoint:
    """The same checkpoint, or FatalFailure when it is not one that can be loaded."""
    directory = checkpoint.directory
    require_whisper(checkpoint)
    if not has_weights(directory):
        raise _unsupported(
            f"{directory} holds no complete weights (model.safetensors or pytorch_model.bin)."
        )
    # Without these files, transformers builds an empty tokenizer and says nothing.
    files = {path.name for path in directory.iterdir()}
    if "tokenizer.json" not in files and not {"vocab.json", "merges.txt"} <= files:
        raise _unsupported(
            f"{directory} holds no tokenizer (tokenizer.json, or vocab.json and merges.txt)."
        )
    return checkpoint


def require_whisper(checkpoint: Checkpoint) -> None:
    """FatalFailure when its config.json is another kind of model's."""
    kind = checkpoint.read_json("config.json").get("model_type")
    if kind is None:
        raise _unsupported(
            f"{checkpoint.directory} holds no model: no config.json with a model_type."
        )
    if kind != "whisper":
        raise _unsupported(
            f"{checkpoint.model} is a {kind} model. Only Whisper and its fine-tunes (model_type "
            "whisper) work here, such as syvai/hviske-v2. Hviske 5 and later are not Whisper."
        )


def has_weights(directory: Path) -> bool:
    """All the weights, as one file or as every shard that the index names."""
    if (directory / "model.safetensors").is_file():  # which transformers takes before any shards
        return True
    for index in ("model.safetensors.index.json", "pytorch_model.bin.index.json"):
        shards = _read_json(directory / index).get("weight_map")
        if isinstance(shards, dict):
            names = set(cast(dict[str, str], shards).values())
            return all((directory / name).is_file() for name in names)
    return (directory / "pytorch_model.bin").is_file()


def _read_json(path: Path) -> dict[str, object]:
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, OSError) as error:
        raise _unsupported(f"{path} cannot be read: {error}") from error
    return cast(dict[str, object], content) if isinstance(content, dict) else {}


def _unsupported(message: str) -> FatalFailure:
    return FatalFailure("model_unsupported", message)
