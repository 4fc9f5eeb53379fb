"""Which files of a repository are needed: one set of weights, settings, card and licence."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SMALL = re.compile(r"[^/]+\.(json|txt)")
# Left by training, and indices of weights that are not taken.
_NOT_SMALL = re.compile(r"(trainer_state|training_args|.*_results)\.json|.*\.index(\.\w+)?\.json")
_TERMS = re.compile(r"README\.md|(LICENSE|LICENCE|NOTICE|USE_POLICY)[^/]*")

# In the order in which transformers looks for them; variants such as model.fp32-… match none.
_WEIGHTS = (
    (re.compile(r"model\.safetensors"), None),
    (re.compile(r"model-\d+-of-\d+\.safetensors"), "model.safetensors.index.json"),
    (re.compile(r"pytorch_model\.bin"), None),
    (re.compile(r"pytorch_model-\d+-of-\d+\.bin"), "pytorch_model.bin.index.json"),
)


def needed(names: Iterable[str]) -> set[str]:
    """All of these that a server needs; without weights when there are none."""
    there = set(names)
    small = {name for name in there if _SMALL.fullmatch(name) and not _NOT_SMALL.fullmatch(name)}
    terms = {name for name in there if _TERMS.fullmatch(name)}
    return small | terms | weights_of(there)


def weights_of(there: set[str]) -> set[str]:
    for pattern, index in _WEIGHTS:
        found = {name for name in there if pattern.fullmatch(name)}
        if found:
            return found | ({index} & there if index else set())
    return set()
