"""The Python half of `npm run model`: one question, answered in JSON lines on stdout.

`src/models/` asks, and words the answers.
Exit status 0: answered. 3: said `failed`. 130: interrupted; what has come stays.
"""

# pyright: basic
from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from whisper_worker import hub_client
from whisper_worker.failures import FatalFailure
from whisper_worker.hub import fetch, present, require_name
from whisper_worker.hub_cache import PIN, CachedModel, all_in, size_of
from whisper_worker.hub_client import HubFile, HubModel
from whisper_worker.hub_download import hash_of
from whisper_worker.model_facts import facts_of
from whisper_worker.stdio import claim_stdout, die_with_parent

_REPORT_SECONDS = 0.25


class Speaker:
    """Writes the lines; as a Teller, those of a download."""

    def __init__(self) -> None:
        self._wire = claim_stdout()
        self._said_at = 0.0

    def say(self, kind: str, **content: object) -> None:
        self._wire.write(json.dumps({"kind": kind, **content}).encode() + b"\n")

    def plans(self, hub: HubModel, directory: Path, have: dict[str, int]) -> None:
        files = [
            {"name": file.name, "bytes": file.bytes, "have": have[file.name]} for file in hub.files
        ]
        self.say("plan", model=hub.model, commit=hub.commit, directory=str(directory), files=files)

    def moves(self, file: HubFile, done: int) -> None:
        now = time.monotonic()
        if done == file.bytes or now - self._said_at >= _REPORT_SECONDS:
            self._said_at = now
            self.say("moved", name=file.name, done=done)

    def checks(self, file: HubFile) -> None:
        self.say("checking", name=file.name)

    def finishes(self, file: HubFile) -> None:
        self.say("finished", name=file.name)

    def waits(self, reason: str, seconds: float) -> None:
        self.say("waiting", reason=reason, seconds=seconds)


def pull(speaker: Speaker, model: str, revision: str | None) -> None:
    if Path(model).expanduser().is_dir():
        raise FatalFailure("model_unavailable", f"{model} is a directory here: nothing to pull.")
    cached = require_name(model, revision)
    snapshot = fetch(cached, revision, speaker, is_thorough=True)
    speaker.say("model", **_described(cached, snapshot), pinned=cached.ref(PIN))


def describe(speaker: Speaker, model: str, revision: str | None) -> None:
    """All that `use` wants to know: cheap, and nothing is hashed."""
    directory = Path(model).expanduser()
    if directory.is_dir():
        facts = dataclasses.asdict(facts_of(model, directory))
        speaker.say(
            "model",
            **{"model": model, "commit": None, "directory": str(directory.resolve())},
            **{"bytes": _bytes_in(directory), "pinned": None, "is_listed": False},
            **facts,
        )
        return
    cached = require_name(model, revision)
    speaker.say("model", **_described(cached, _present(cached, revision)), pinned=cached.ref(PIN))


def verify(speaker: Speaker, model: str, revision: str | None) -> None:
    """`describe`, after every byte has been compared with what the Hub said when it was asked."""
    if not Path(model).expanduser().is_dir():
        cached = require_name(model, revision)
        commit = cached.commit_of(revision)
        if commit is not None:
            for name, problem in _problems(speaker, cached, commit):
                speaker.say("damaged", name=name, problem=problem)
            if cached.snapshot(commit).is_dir():
                said = _described(cached, cached.snapshot(commit))
                return speaker.say("model", **said, pinned=cached.ref(PIN))
    return describe(speaker, model, revision)


def list_models(speaker: Speaker, directories: list[str], revision: str | None, used: str) -> None:
    """In the cache, in these directories, and where HF_HOME is: volumes hold both."""
    for cached in all_in(hub_client.cache_directory()):
        commit_used = cached.commit_of(revision if cached.model == used else None)
        for commit in cached.commits():
            is_used = (cached.model, commit) == (used, commit_used)
            speaker.say("found", **_found(cached, commit), is_used=is_used)
    places = [Path(place).expanduser() for place in directories]
    configs = {path for place in places for path in place.glob("*/config.json")}
    for directory in sorted({path.parent.resolve() for path in configs}):
        speaker.say(
            "found",
            model=str(directory),
            commit=None,
            bytes=_bytes_in(directory),
            total=None,
            is_whole=not facts_of(str(directory), directory).problems,
            is_used=directory == Path(used).expanduser().resolve(),
        )


def _found(cached: CachedModel, commit: str) -> dict[str, Any]:
    snapshot, files = cached.snapshot(commit), cached.listed(commit)
    if files is None:
        here = _bytes_in(snapshot)
    else:
        here = sum(_here(cached, snapshot / file.name, file.hash) for file in files)
    return {
        "model": cached.model,
        "commit": commit,
        "bytes": here,
        "total": None if files is None else sum(file.bytes for file in files),
        "is_whole": cached.is_whole(commit),
    }


def _here(cached: CachedModel, path: Path, hash_: str) -> int:
    sizes = (size_of(path), size_of(cached.blob(hash_)), size_of(cached.part(hash_)))
    return next((size for size in sizes if size is not None), 0)


def _described(cached: CachedModel, snapshot: Path) -> dict[str, Any]:
    files = cached.listed(snapshot.name)
    facts = facts_of(cached.model, snapshot)
    return {
        "model": cached.model,
        "commit": snapshot.name,
        "directory": str(snapshot),
        "bytes": _bytes_in(snapshot),
        "is_listed": files is not None,
        **dataclasses.asdict(facts),
    }


def _bytes_in(directory: Path) -> int:
    return sum(size_of(path) or 0 for path in directory.iterdir() if path.is_file())


def _present(cached: CachedModel, revision: str | None) -> Path:
    snapshot = present(cached, revision)
    if snapshot is None:
        at = f"@{revision}" if revision else ""
        raise FatalFailure(
            "model_unavailable",
            f"{cached.model}{at} is not whole on this machine. `npm run model -- pull "
            f"{cached.model}{at}` fetches what is missing.",
        )
    return snapshot


def _problems(speaker: Speaker, cached: CachedModel, commit: str) -> Iterator[tuple[str, str]]:
    snapshot = cached.snapshot(commit)
    for name, byte_count, hash_ in _expected(cached, commit):
        size = size_of(snapshot / name)
        if size is None:
            yield name, "missing"
        elif byte_count is not None and size != byte_count:
            yield name, f"{size} bytes instead of {byte_count}"
        else:
            speaker.say("checking", name=name)
            if hash_of(snapshot / name, is_sha256=len(hash_) == 64) != hash_:
                yield name, "its checksum is not the one that the Hub named"


def _expected(cached: CachedModel, commit: str) -> list[tuple[str, int | None, str]]:
    """What we noted down; of another program's download the names of the blobs: their hashes."""
    files = cached.listed(commit)
    if files is not None:
        return [(file.name, file.bytes, file.hash) for file in files]
    links = [path for path in sorted(cached.snapshot(commit).iterdir()) if path.is_symlink()]
    hashes = {path.name: path.readlink().name for path in links}
    return [(name, None, hash_) for name, hash_ in hashes.items() if len(hash_) in (40, 64)]


def _interrupt(*_: object) -> None:
    """Once: a terminal sends it to us and to Node, which hands it on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser("model_command", description=__doc__)
    parser.add_argument("verb", choices=("pull", "describe", "verify", "list"))
    parser.add_argument("names", nargs="*", help="a model; of `list`: directories of models")
    parser.add_argument("--revision")
    parser.add_argument("--used", default="", help="of `list`: the model of the settings")
    arguments = parser.parse_args()
    speaker = Speaker()
    die_with_parent()
    signal.signal(signal.SIGINT, _interrupt)
    # What the Hub's client remarks is for those who wrote it; what fails is said by us.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        if arguments.verb == "list":
            places = [*arguments.names, str(hub_client.home_directory())]
            list_models(speaker, places, arguments.revision, arguments.used)
        else:
            verb = {"pull": pull, "describe": describe, "verify": verify}[arguments.verb]
            verb(speaker, arguments.names[0], arguments.revision)
    except FatalFailure as failure:
        speaker.say("failed", code=failure.code, message=failure.message)
        return 3
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 130  # nobody listens any more
    return 0


if __name__ == "__main__":
    status = main()
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.flush()
    # A question that is never answered is a thread that would keep us.
    os._exit(status)
