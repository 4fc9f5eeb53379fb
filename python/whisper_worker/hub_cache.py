"""Where a model lies in the cache of Hugging Face's programs, and which commit of it is ours.

Beside what they keep (`blobs`, `refs`, `snapshots`) there are two things of our own: the list of
what a commit consists of, and the ref that pins the commit that a model without a revision means.
It asks nobody.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from whisper_worker.checkpoint import has_weights

# A ref and not a setting, so that it travels with the model. `refs/main` will not do: it moves
# whenever any program on this machine asks the Hub for the model.
PIN = "hviske-api"

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHORT = re.compile(r"[0-9a-f]{7,39}")


@dataclass(frozen=True)
class ListedFile:
    """What the Hub said of a file when it was asked."""

    name: str
    bytes: int
    hash: str


@dataclass(frozen=True)
class CachedModel:
    """One repository in the cache, whether or not anything of it is there."""

    model: str
    directory: Path

    def snapshot(self, commit: str) -> Path:
        return self.directory / "snapshots" / commit

    def blob(self, hash_: str) -> Path:
        return self.directory / "blobs" / hash_

    def part(self, hash_: str) -> Path:
        """Where a download goes until it is whole."""
        return self.directory / "blobs" / f"{hash_}.part"

    def lock(self, hash_: str) -> Path:
        """The Hub's own client takes the same one."""
        return self.directory.parent / ".locks" / self.directory.name / f"{hash_}.lock"

    def ref(self, name: str) -> str | None:
        try:
            commit = (self.directory / "refs" / name).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return None
        return commit if _COMMIT.fullmatch(commit) else None

    def write_ref(self, name: str, commit: str) -> None:
        if not _COMMIT.fullmatch(name) and self.ref(name) != commit:
            _write(self.directory / "refs" / name, commit)

    def commits(self) -> list[str]:
        """Of which anything is here."""
        folders = (self.directory / "snapshots", self.directory / "hviske-api")
        names = {path.name.removesuffix(".json") for folder in folders for path in _inside(folder)}
        return sorted(name for name in names if _COMMIT.fullmatch(name))

    def commit_of(self, revision: str | None) -> str | None:
        """The commit that is meant, if this machine knows. Without a revision: the pinned one."""
        if revision is None:
            main = self.ref("main")
            return self.ref(PIN) or (main if main and self.is_whole(main) else None)
        if _COMMIT.fullmatch(revision):
            return revision
        named = self.ref(revision)
        short = _SHORT.fullmatch(revision) is not None
        matching = [one for one in self.commits() if short and one.startswith(revision)]
        return named or (matching[0] if len(matching) == 1 else None)

    def listed(self, commit: str) -> tuple[ListedFile, ...] | None:
        """None: it was not we who fetched it."""
        content = _read_json(self._list(commit))
        files = content.get("files")
        if not isinstance(files, list):
            return None
        try:
            entries = cast(list[dict[str, object]], files)
            return tuple(
                ListedFile(str(one["name"]), int(str(one["bytes"])), str(one["hash"]))
                for one in entries
            )
        except (KeyError, TypeError, ValueError):
            return None

    def write_list(self, commit: str, files: Sequence[ListedFile]) -> None:
        if self.listed(commit) == tuple(files):
            return
        content = {
            "model": self.model,
            "commit": commit,
            "files": [{"name": f.name, "bytes": f.bytes, "hash": f.hash} for f in files],
        }
        _write(self._list(commit), json.dumps(content, indent=1))

    def is_whole(self, commit: str) -> bool:
        """By names and sizes; without a list of ours, by what a Whisper cannot do without."""
        snapshot = self.snapshot(commit)
        files = self.listed(commit)
        if files is None:
            return (snapshot / "config.json").is_file() and has_weights(snapshot)
        return all(size_of(snapshot / file.name) == file.bytes for file in files)

    def place(self, commit: str, name: str, hash_: str) -> None:
        """Make a blob that is whole appear under its name."""
        target = self.snapshot(commit) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        link = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
        try:
            link.symlink_to(os.path.relpath(self.blob(hash_), target.parent))
        except OSError:  # exFAT and its like know no links: then it lives there, and nowhere else
            os.replace(self.blob(hash_), target)
        else:
            os.replace(link, target)

    def _list(self, commit: str) -> Path:
        return self.directory / "hviske-api" / f"{commit}.json"


def in_cache(cache: Path, model: str) -> CachedModel:
    return CachedModel(model, cache / ("models--" + model.replace("/", "--")))


def all_in(cache: Path) -> list[CachedModel]:
    names = sorted(path.name for path in _inside(cache) if path.name.startswith("models--"))
    return [
        CachedModel(name.removeprefix("models--").replace("--", "/"), cache / name)
        for name in names
    ]


def size_of(path: Path) -> int | None:
    """None: it is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def _inside(folder: Path) -> Iterable[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _read_json(path: Path) -> dict[str, object]:
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast(dict[str, object], content) if isinstance(content, dict) else {}


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
