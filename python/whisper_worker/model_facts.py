"""What can be said of a model from its files alone: weights, settings, licence, what is wrong.

No torch: a file of gigabytes is known by its header, and what would be repaired by the settings.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, cast

from whisper_worker.checkpoint import Checkpoint, check
from whisper_worker.failures import FatalFailure
from whisper_worker.hub_files import weights_of
from whisper_worker.repair import Shape, settle

_MAX_HEADER_BYTES = 100_000_000  # the format's own limit
_LICENCE = re.compile(r"^license:[ \t]*['\"]?([\w.+-]+)", re.MULTILINE)
_LICENCE_NAME = re.compile(r"^license_name:[ \t]*['\"]?([\w.+-]+)", re.MULTILINE)
_BASE = re.compile(r"^base_model:\s*(?:-\s*)?['\"]?([\w./-]+)", re.MULTILINE)


@dataclass(frozen=True)
class Weights:
    parameters: int
    dtypes: dict[str, int]  # F16 → how many parameters


@dataclass
class ModelFacts:
    """What is not known is None."""

    parameters: int | None = None
    dtypes: dict[str, int] = field(default_factory=dict[str, int])
    shape: dict[str, object] = field(default_factory=dict[str, object])
    generation: dict[str, object] = field(default_factory=dict[str, object])
    repairs: list[str] = field(default_factory=list[str])
    licence: str | None = None
    base: str | None = None
    problems: list[str] = field(default_factory=list[str])


def facts_of(model: str, directory: Path) -> ModelFacts:
    """Also of a model that is damaged or no Whisper: then `problems` says so."""
    checkpoint = Checkpoint(model, directory, None)
    facts = ModelFacts()
    facts.licence, facts.base = _card(directory)
    try:
        check(checkpoint)
        config = checkpoint.read_json("config.json")
        facts.shape = {name: config[name] for name in _SHAPE if name in config}
        facts.generation = checkpoint.read_json("generation_config.json")
        facts.repairs = list(
            settle(facts.generation, token_ids(checkpoint), _shape(config)).repairs
        )
    except FatalFailure as failure:
        facts.problems.append(failure.message)
    except (KeyError, TypeError, ValueError) as error:
        facts.problems.append(f"a settings file is not as it should be: {error!r}")
    _add_weights(facts, directory)
    return facts


_SHAPE = ("encoder_layers", "decoder_layers", "d_model", "num_mel_bins", "vocab_size")


def _shape(config: Mapping[str, object]) -> Shape:
    size, layers, heads = (
        int(str(config[name]))
        for name in ("vocab_size", "decoder_layers", "decoder_attention_heads")
    )
    return Shape(size, layers, heads)


def _add_weights(facts: ModelFacts, directory: Path) -> None:
    found: list[Weights] = []
    names = weights_of({path.name for path in directory.iterdir()})
    for name in sorted(name for name in names if name.endswith(".safetensors")):
        path = directory / name
        try:
            found.append(read_weights(path))
        except (OSError, ValueError) as error:
            facts.problems.append(f"{path.name} cannot be read: {error}")
    if found:
        facts.parameters = sum(weights.parameters for weights in found)
        counted: Counter[str] = Counter()
        for weights in found:
            counted.update(weights.dtypes)
        facts.dtypes = dict(counted)


def read_weights(path: Path) -> Weights:
    """From the header, which must describe the file to its last byte; else ValueError."""
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        if not 2 <= header_bytes <= _MAX_HEADER_BYTES:
            raise ValueError("it has no safetensors header")
        header = cast(dict[str, Any], json.loads(file.read(header_bytes)))
    tensors = [tensor for name, tensor in header.items() if name != "__metadata__"]
    try:
        end = max((int(tensor["data_offsets"][1]) for tensor in tensors), default=0)
        dtypes: Counter[str] = Counter()
        for tensor in tensors:
            dtypes[str(tensor["dtype"])] += prod(int(side) for side in tensor["shape"])
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError("its safetensors header is not as it should be") from error
    wanted, size = 8 + header_bytes + end, path.stat().st_size
    if size != wanted:
        raise ValueError(f"it is {size} bytes long, its header describes {wanted}")
    return Weights(sum(dtypes.values()), dict(dtypes))


def token_ids(checkpoint: Checkpoint) -> dict[str, int]:
    """Token → id, as transformers would read them, without its minute of imports."""
    tokenizer = cast(dict[str, Any], checkpoint.read_json("tokenizer.json"))
    ids = {
        **cast(dict[str, int], tokenizer.get("model", {}).get("vocab", {})),
        **{token["content"]: token["id"] for token in tokenizer.get("added_tokens", [])},
    }
    if not tokenizer:
        ids.update(cast(dict[str, int], checkpoint.read_json("vocab.json")))
        ids.update(cast(dict[str, int], checkpoint.read_json("added_tokens.json")))
        settings = cast(dict[str, Any], checkpoint.read_json("tokenizer_config.json"))
        added = cast(dict[str, Any], settings.get("added_tokens_decoder", {}))
        ids.update({token["content"]: int(id_) for id_, token in added.items()})
    return ids


def _card(directory: Path) -> tuple[str | None, str | None]:
    """Licence and base model, as the head of the model's card names them."""
    try:
        card = (directory / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None, None
    head = card.split("\n---", 1)[0] if card.startswith("---") else ""
    licence, base = _LICENCE.search(head), _BASE.search(head)
    if licence is not None and licence[1] == "other":
        licence = _LICENCE_NAME.search(head) or licence
    return licence and licence[1], base and base[1]
