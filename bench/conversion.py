"""The same weights in the formats of the peers: CTranslate2's, and ggml by whisper.cpp's script.

Made once and kept under .cache; what cannot be made is told in the words of who failed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.places import CACHE


class NotRun(Exception):
    """This system cannot be measured here; the message says why."""


def model_identity(model: Path) -> str:
    """Changes when the weights or the settings change, without reading gigabytes."""
    parts: list[str] = []
    for name in ("config.json", "generation_config.json", "tokenizer.json", "model.safetensors"):
        path = model / name
        digest = hashlib.sha256()
        with path.open("rb") as file:
            digest.update(file.read(1 << 20))
        parts.append(f"{name}:{path.stat().st_size}:{digest.hexdigest()}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def to_ctranslate2(model: Path) -> Path:
    """Full precision on disk; CTranslate2 quantises when it loads."""
    target = CACHE / "ctranslate2" / f"{model.name}-{model_identity(model)}"
    if (target / "model.bin").is_file():
        return target
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [
        str(Path(sys.executable).with_name("ct2-transformers-converter")),
        *("--model", str(model), "--output_dir", str(target)),
        *("--copy_files", "tokenizer.json", "preprocessor_config.json"),
    ]
    _run(command, "ct2-transformers-converter")
    return target


def to_ggml(model: Path) -> Path:
    """Through models/convert-h5-to-ggml.py of the whisper.cpp that WHISPER_CPP_DIR names."""
    ready = os.environ.get("WHISPER_CPP_MODEL")
    if ready:
        return Path(ready)
    target = CACHE / "ggml" / f"{model.name}-{model_identity(model)}"
    converted = target / "ggml-model.bin"
    if converted.is_file():
        return converted
    directory = os.environ.get("WHISPER_CPP_DIR")
    if directory is None:
        raise NotRun("WHISPER_CPP_DIR is not set: no whisper.cpp sources, so no conversion")
    script = Path(directory) / "models" / "convert-h5-to-ggml.py"
    if not script.is_file():
        raise NotRun(f"{script} is not there")
    if not (model / "vocab.json").is_file():
        raise NotRun(f"{model.name} has no vocab.json, which convert-h5-to-ggml.py reads")
    target.mkdir(parents=True, exist_ok=True)
    filters = _write_mel_filters(model, target)
    _run([sys.executable, str(script), str(model), str(filters), str(target)], script.name)
    return converted


def _write_mel_filters(model: Path, target: Path) -> Path:
    """The conversion wants OpenAI's file of mel filters; transformers computes the same numbers."""
    import numpy as np
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor.from_pretrained(model)
    bins = extractor.feature_size
    assets = target / "whisper" / "assets"
    assets.mkdir(parents=True, exist_ok=True)
    filters = np.asarray(extractor.mel_filters, dtype=np.float32).T  # (bins, frequencies)
    named: dict[str, Any] = {f"mel_{bins}": filters}
    np.savez(assets / "mel_filters.npz", **named)
    return target


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise NotRun(f"{name} failed: {lines[-1] if lines else f'status {done.returncode}'}")
