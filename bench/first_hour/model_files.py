"""What a model's own files say, and what the worker had to repair: the questions about hviske-v2.

    .venv/bin/python -m bench.first_hour.model_files syvai/hviske-v2

Downloads the model where it is not there yet, as the worker does. Reads no weights, only what
stands before them.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from bench.first_hour.figures import keep
from bench.places import WORKER_PACKAGE

sys.path.insert(0, str(WORKER_PACKAGE))

_SHAPE = ("d_model", "encoder_layers", "decoder_layers", "num_mel_bins", "vocab_size", "dtype")


def main() -> None:
    parser = argparse.ArgumentParser("bench.first_hour.model_files", description=__doc__)
    parser.add_argument("model")
    model = parser.parse_args().model
    from whisper_worker.checkpoint import check
    from whisper_worker.hub import locate

    checkpoint = check(locate(model, lambda _message: None))
    found = facts(checkpoint.directory)
    keep({"model": model, "revision": checkpoint.revision, **found})
    print(f"{model} at {checkpoint.revision}")
    for name, value in found.items():
        shown = json.dumps(value, ensure_ascii=False)
        print(f"{name}: {shown if len(shown) < 2000 else shown[:2000] + ' …'}")


def facts(directory: Path) -> dict[str, Any]:
    config = _read(directory / "config.json")
    extractor = _read(directory / "preprocessor_config.json")
    return {
        "files": {path.name: path.stat().st_size for path in sorted(directory.iterdir())},
        "config": {name: config.get(name, config.get(f"torch_{name}")) for name in _SHAPE},
        "numbers": dict(_number_formats(directory)),
        "feature_size": extractor.get("feature_size"),
        "generation_config": _read(directory / "generation_config.json"),
        **_settled(directory, config),
        "licence": _licence(directory),
    }


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def _number_formats(directory: Path) -> Counter[str]:
    """How many tensors there are in each format, from the heads of the safetensors files."""
    found: Counter[str] = Counter()
    for path in directory.glob("*.safetensors"):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            head = json.loads(file.read(length))
        found.update(tensor["dtype"] for name, tensor in head.items() if name != "__metadata__")
    return found


def _settled(directory: Path, config: dict[str, Any]) -> dict[str, Any]:
    from transformers import WhisperTokenizer
    from whisper_worker.repair import Shape, settle

    tokenizer = WhisperTokenizer.from_pretrained(directory, local_files_only=True)
    shape = Shape(config["vocab_size"], config["decoder_layers"], config["decoder_attention_heads"])
    settings = _read(directory / "generation_config.json")
    vocabulary = tokenizer.get_vocab()
    repairs = settle(settings, vocabulary, shape).repairs
    return {"tokens": len(vocabulary), "repairs": list(repairs)}


def _licence(directory: Path) -> str:
    """The model card's own line; the worker downloads no cards, so it may not be here."""
    card = directory / "README.md"
    if not card.is_file():
        return "no model card here; it is on the model's page on the Hub"
    lines = card.read_text("utf-8").splitlines()
    return next((line for line in lines if line.startswith("license:")), "the card names none")


if __name__ == "__main__":
    main()
