"""Brings a model's files into the cache: what broke off goes on, what is whole is checked.

It decides what is fetched when, and how often it is tried; `hub_client` knows the Hub, `hub_cache`
the places.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from whisper_worker import hub_client
from whisper_worker.checkpoint import Checkpoint, require_whisper
from whisper_worker.failures import FatalFailure
from whisper_worker.hub_cache import PIN, CachedModel, ListedFile, size_of
from whisper_worker.hub_client import HubFile, HubModel

Wait = Callable[[float], None]

# Without a byte in between: a minute and a half, with the waits below; seven seconds when there
# never was one.
_TRIES = 8
_FIRST_TRIES = 4
_LONGEST_WAIT_SECONDS = 30.0
_LONGEST_ASKED_WAIT_SECONDS = 120.0
_SPARE_BYTES = 100_000_000


class Teller(Protocol):
    """Who hears how it goes."""

    def plans(self, hub: HubModel, directory: Path, have: dict[str, int]) -> None: ...
    def moves(self, file: HubFile, done: int) -> None: ...
    def checks(self, file: HubFile) -> None: ...
    def finishes(self, file: HubFile) -> None: ...
    def waits(self, reason: str, seconds: float) -> None: ...


class Download:
    """One model at one commit, on its way into the cache."""

    def __init__(
        self,
        hub: HubModel,
        cached: CachedModel,
        tell: Teller,
        *,
        is_thorough: bool = False,
        wait: Wait = time.sleep,
    ) -> None:
        """`is_thorough`: what is there is hashed too, and fetched again when it is damaged."""
        self._hub = hub
        self._cached = cached
        self._tell = tell
        self._is_thorough = is_thorough
        self._wait = wait
        self._has_heard = False

    def run(self, named: str | None = None) -> Path:
        """The snapshot, whole. `named`: the branch or tag that meant this commit."""
        try:
            return self._run(named)
        except OSError as error:
            raise self._not_written(error) from error

    def _run(self, named: str | None) -> Path:
        cached, commit = self._cached, self._hub.commit
        cached.write_list(commit, [ListedFile(f.name, f.bytes, f.hash) for f in self._hub.files])
        have = {file.name: self._have(file) for file in self._hub.files}
        self._tell.plans(self._hub, cached.snapshot(commit), have)
        self._require_room(sum(f.bytes for f in self._hub.files) - sum(have.values()))
        pinned = cached.ref(PIN)
        if pinned is None:
            cached.write_ref(PIN, commit)
        # The smallest first: that it is no Whisper is found out before the weights are paid for.
        for file in sorted(self._hub.files, key=lambda file: (file.bytes, file.name)):
            self._bring(file)
            if file.name == "config.json":
                require_whisper(Checkpoint(cached.model, cached.snapshot(commit), commit[:7]))
        if pinned is not None and not cached.is_whole(pinned):
            cached.write_ref(PIN, commit)
        if named is not None:
            cached.write_ref(named, commit)
        return cached.snapshot(commit)

    def _target(self, file: HubFile) -> Path:
        return self._cached.snapshot(self._hub.commit) / file.name

    def _have(self, file: HubFile) -> int:
        """How many of its bytes need not be fetched."""
        blob = self._cached.blob(file.hash)
        if file.bytes in (size_of(self._target(file)), size_of(blob)):
            return file.bytes
        return min(size_of(self._cached.part(file.hash)) or 0, file.bytes)

    def _require_room(self, byte_count: int) -> None:
        place = self._cached.directory
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        if byte_count > 0 and byte_count + _SPARE_BYTES > free:
            raise FatalFailure(
                "model_unavailable",
                f"{self._hub.model} needs {_size(byte_count)} more on the disk of {place}, where "
                f"{_size(free)} are free. Make room, or set HF_HOME to a directory elsewhere.",
            )

    def _bring(self, file: HubFile) -> None:
        def waits(seconds: float) -> None:
            self._tell.waits(f"another process is fetching {file.name}", seconds)

        with hub_client.alone_with(self._cached.lock(file.hash), waits):
            target, blob = self._target(file), self._cached.blob(file.hash)
            if self._is_good(file, target):
                return self._tell.finishes(file)
            target.unlink(missing_ok=True)
            if not self._is_good(file, blob):
                blob.unlink(missing_ok=True)
                self._fetch(file)
            self._cached.place(self._hub.commit, file.name, file.hash)
        return self._tell.finishes(file)

    def _is_good(self, file: HubFile, path: Path) -> bool:
        if size_of(path) != file.bytes:
            return False
        if not self._is_thorough:
            return True
        self._tell.checks(file)
        return hash_of(path, file.is_sha256) == file.hash

    def _fetch(self, file: HubFile) -> None:
        part = self._cached.part(file.hash)
        part.parent.mkdir(parents=True, exist_ok=True)
        for is_last_try in (False, True):
            part.touch()
            self._fill(file, part)
            self._tell.checks(file)
            if hash_of(part, file.is_sha256) == file.hash:
                _flush(part)
                os.replace(part, self._cached.blob(file.hash))
                return
            part.unlink()
            if not is_last_try:
                self._tell.waits(f"{file.name} arrived damaged and is fetched again", 0)
        raise FatalFailure(
            "model_unavailable",
            f"{file.name} of {self._hub.model} arrived damaged twice: its checksum is not the one "
            "that the Hub names. A proxy may be changing it.",
        )

    def _fill(self, file: HubFile, part: Path) -> None:
        """Until all bytes are there, however often the connection breaks."""
        failures = 0
        while (have := size_of(part) or 0) != file.bytes:
            if have > file.bytes:
                part.unlink()
            problem: Exception = TimeoutError(f"{file.name} ended before its end")
            try:
                self._append(file, part, have if have < file.bytes else 0)
            except Exception as error:
                if not hub_client.is_of_the_hub(error):
                    raise  # of the disk, which `run` tells; or a bug
                if not hub_client.is_passing(error):
                    raise hub_client.unavailable(
                        self._hub.model, error, self._hub.commit
                    ) from error
                problem = error
            grown = (size_of(part) or 0) > have
            failures = 0 if grown else failures + 1
            if failures == (_TRIES if self._has_heard else _FIRST_TRIES):
                raise self._broke_off(problem) from problem
            if size_of(part) != file.bytes:
                self._pause(problem, failures)

    def _append(self, file: HubFile, part: Path, start: int) -> None:
        with hub_client.open_stream(self._hub, file.name, start) as (begin, chunks):
            done = begin
            # Unbuffered: what has come is on the disk, whatever becomes of us.
            with part.open("r+b" if part.exists() else "w+b", buffering=0) as out:
                out.seek(begin)
                out.truncate()
                for chunk in chunks:
                    self._has_heard = True
                    rest = memoryview(chunk)
                    while rest:
                        rest = rest[out.write(rest) :]
                    done += len(chunk)
                    self._tell.moves(file, done)

    def _pause(self, problem: Exception, failures: int) -> None:
        """Not at all after a connection that brought something."""
        asked = hub_client.asked_to_wait(problem)
        usual = min(_LONGEST_WAIT_SECONDS, 2.0 ** (failures - 1)) if failures else 0.0
        seconds = usual if asked is None else min(asked, _LONGEST_ASKED_WAIT_SECONDS)
        self._tell.waits(hub_client.reason_of(problem), seconds)
        if seconds:
            self._wait(seconds)

    def _broke_off(self, error: Exception) -> FatalFailure:
        return FatalFailure(
            "model_unavailable",
            f"The download of {self._hub.model} broke off ({hub_client.reason_of(error)}). Start "
            "again: it goes on where it stopped.",
        )

    def _not_written(self, error: OSError) -> FatalFailure:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            what = "is full. Make room and start again: it goes on where it stopped"
        else:
            what = f"cannot be written ({error.strerror or error}). Let us write there"
        directory = self._cached.directory.parent
        return FatalFailure(
            "model_unavailable", f"{directory} {what}, or set HF_HOME to another directory."
        )


def hash_of(path: Path, is_sha256: bool) -> str:
    """As the Hub reckons it: sha256, or git's own for files that are kept in git itself."""
    with path.open("rb") as file:
        if is_sha256:
            return hashlib.file_digest(file, "sha256").hexdigest()
        content = file.read()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _flush(path: Path) -> None:
    """A file must not get its name before its bytes are on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _size(byte_count: int) -> str:
    return f"{byte_count / 1e9:.2f} GB" if byte_count >= 1e9 else f"{byte_count / 1e6:.0f} MB"
