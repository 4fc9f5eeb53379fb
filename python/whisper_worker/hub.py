"""From what MODEL and MODEL_REVISION say to a directory on disk: itself, cached, downloaded.

A model that is whole on this machine is not asked about on the Hub: a restart changes no weights
and needs no network.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from whisper_worker import hub_client
from whisper_worker.checkpoint import Checkpoint
from whisper_worker.failures import FatalFailure
from whisper_worker.hub_cache import CachedModel, in_cache
from whisper_worker.hub_client import HubFile, HubModel
from whisper_worker.hub_download import Download, Teller
from whisper_worker.hub_files import needed, weights_of
from whisper_worker.protocol import Loading

Send = Callable[[Loading], None]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_REVISION = re.compile(r"(?!.*\.\.)[A-Za-z0-9][\w./-]*")
_REPORT_SECONDS = 0.5
_WAYS_OUT = "Try the bundled model with `npm run demo`, or set MODEL=<directory> to one on disk."


def locate(model: str, send: Send, revision: str | None = None) -> Checkpoint:
    """The model's files, complete, on this machine."""
    directory = Path(model).expanduser()
    if directory.is_dir():
        return Checkpoint(model, directory.resolve(), None)
    try:
        cached = require_name(model, revision)
        snapshot = present(cached, revision)
        if snapshot is None:
            send(Loading("downloading", f"asking the Hub for {model}", None))
            snapshot = fetch(cached, revision, _LoadingTeller(model, send))
    except FatalFailure as failure:
        if failure.code != "model_unavailable":
            raise
        hint = _offline_hint(model, revision) if hub_client.is_offline() else ""
        raise FatalFailure(failure.code, f"{failure.message} {hint}{_WAYS_OUT}") from failure
    return Checkpoint(model, snapshot, snapshot.name[:7])


def require_name(model: str, revision: str | None) -> CachedModel:
    """Its place in the cache; FatalFailure when it cannot be a model of the Hub's."""
    if not _HUB_ID.fullmatch(model):
        raise FatalFailure(
            "model_unavailable",
            f"MODEL={model} is neither a directory here nor a name on the Hub.",
        )
    if revision is not None and not _REVISION.fullmatch(revision):
        raise FatalFailure(
            "model_unavailable",
            f"{revision} is no revision: a commit, a branch or a tag of {model} is one.",
        )
    return in_cache(hub_client.cache_directory(), model)


def present(cached: CachedModel, revision: str | None) -> Path | None:
    """The snapshot that is meant, when all of it is here."""
    commit = cached.commit_of(revision)
    return cached.snapshot(commit) if commit and cached.is_whole(commit) else None


def fetch(
    cached: CachedModel, revision: str | None, tell: Teller, *, is_thorough: bool = False
) -> Path:
    """Without a revision the commit that is pinned, or else the newest, which then is.

    The Hub is asked what a commit consists of unless that was asked before; and always what a
    branch or a tag means, because that is what naming one asks for.
    """
    commit = cached.commit_of(None) if revision is None else revision
    files = cached.listed(commit) if commit is not None else None
    if commit is not None and files is not None:
        hub = HubModel(cached.model, commit, tuple(HubFile(f.name, f.bytes, f.hash) for f in files))
    else:
        hub = hub_client.ask(cached.model, commit, needed)
    if not weights_of({file.name for file in hub.files}):
        raise FatalFailure(
            "model_unsupported",
            f"{cached.model} has no weights of transformers' (model.safetensors or "
            "pytorch_model.bin): CTranslate2, GGML and ONNX models do not work here.",
        )
    download = Download(hub, cached, tell, is_thorough=is_thorough)
    return download.run(named=commit or "main")


def _offline_hint(model: str, revision: str | None) -> str:
    at = f"@{revision}" if revision else ""
    return (
        f"Run `npm run model -- pull {model}{at}` once with HF_HUB_OFFLINE=0, or copy the model "
        "here (docs/models.md). "
    )


class _LoadingTeller:
    """Says over the protocol how far the whole of it is."""

    def __init__(self, model: str, send: Send) -> None:
        self._model = model
        self._send = send
        self._total = 0
        self._done: dict[str, int] = {}
        self._said_at = 0.0

    def plans(self, hub: HubModel, directory: Path, have: dict[str, int]) -> None:  # noqa: ARG002
        self._total = sum(file.bytes for file in hub.files)
        self._done = dict(have)
        self._say()

    def moves(self, file: HubFile, done: int) -> None:
        self._done[file.name] = done
        if time.monotonic() - self._said_at >= _REPORT_SECONDS:
            self._say()

    def checks(self, file: HubFile) -> None:
        """Seconds, of minutes."""

    def finishes(self, file: HubFile) -> None:
        self._done[file.name] = file.bytes

    def waits(self, reason: str, seconds: float) -> None:
        self._say(f", interrupted ({reason}), goes on in {seconds:.0f} s")

    def _say(self, remark: str = "") -> None:
        self._said_at = time.monotonic()
        done = sum(self._done.values())
        size = f"{done / 1e6:.0f} of {self._total / 1e6:.0f} MB"
        fraction = round(min(1.0, done / self._total), 4) if self._total else None
        self._send(Loading("downloading", f"{self._model}: {size}{remark}", fraction))
