"""What is asked of the Hub: a model's list of files, and the bytes of one from a place on.

The only importer of huggingface_hub: it brings addresses, tokens, proxies and errors. Its own
download is not used: it begins a broken file again from its first byte (docs/decisions/0065).
"""

# pyright: basic
from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

# Before huggingface_hub is imported, which reads them once. Its own defaults, said aloud: a Hub
# that does not answer must not delay the answer "there is no model".
os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "10")
os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", "10")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import httpx2  # the Hub's client's own: its errors come through as they are
from filelock import Timeout
from huggingface_hub import HfApi, constants, get_hf_file_metadata, get_token, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import ModelInfo, RepoSibling
from huggingface_hub.utils import WeakFileLock, build_hf_headers, get_session, hf_raise_for_status

from whisper_worker.failures import FatalFailure

Result = TypeVar("Result")

_ASK_SECONDS = 20.0
_ASK_AGAIN_AFTER_SECONDS = (1.0, 4.0)
_LONGEST_ASKED_SECONDS = 30.0
_LOCK_SECONDS = 10.0
_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_SHA1 = re.compile(r"[0-9a-f]{40}")
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class HubFile:
    """One file of a model, and what its bytes must hash to."""

    name: str
    bytes: int
    hash: str  # sha256 of a large file, git's sha1 of a small one: also the name of its blob

    @property
    def is_sha256(self) -> bool:
        return _SHA256.fullmatch(self.hash) is not None


@dataclass(frozen=True)
class HubModel:
    model: str
    commit: str
    files: tuple[HubFile, ...]


def cache_directory() -> Path:
    return Path(constants.HF_HUB_CACHE).expanduser()


def home_directory() -> Path:
    return Path(constants.HF_HOME).expanduser()


def is_offline() -> bool:
    return constants.is_offline_mode()


def ask(
    model: str,
    revision: str | None,
    is_wanted: Callable[[set[str]], set[str]],
    wait: Callable[[float], None] = time.sleep,
) -> HubModel:
    """What the Hub has at that revision (None: the newest) of the files that are wanted.

    One that is busy is asked again; one that cannot be reached is told at once.
    """
    for seconds in (*_ASK_AGAIN_AFTER_SECONDS, None):
        try:
            return _answer(model, revision, is_wanted)
        except Exception as error:
            if seconds is None or not (isinstance(error, HfHubHTTPError) and is_passing(error)):
                raise unavailable(model, error, revision) from error
            asked = asked_to_wait(error)
            wait(seconds if asked is None else min(asked, _LONGEST_ASKED_SECONDS))
    raise AssertionError("the last try answers or raises")


def _answer(
    model: str, revision: str | None, is_wanted: Callable[[set[str]], set[str]]
) -> HubModel:
    if is_offline():
        raise OfflineModeIsEnabled("HF_HUB_OFFLINE is set")
    info = _within(_ASK_SECONDS, lambda: _info(model, revision))
    if info.sha is None:
        raise ValueError("its answer names no commit")
    siblings = {file.rfilename: file for file in info.siblings or []}
    wanted = sorted(is_wanted(set(siblings)))
    files = tuple(_file(model, info.sha, siblings[name]) for name in wanted)
    return HubModel(model, info.sha, files)


def _info(model: str, revision: str | None) -> ModelInfo:
    return HfApi().model_info(model, revision=revision, timeout=10, files_metadata=True)


def _file(model: str, commit: str, sibling: RepoSibling) -> HubFile:
    lfs, size = sibling.lfs, sibling.size
    hashed = lfs.sha256 if lfs is not None else sibling.blob_id
    if hashed is None or size is None:  # a mirror that tells less than the Hub
        found = get_hf_file_metadata(hf_hub_url(model, sibling.rfilename, revision=commit))
        hashed, size = found.etag, found.size
    is_hash = _SHA256.fullmatch(hashed or "") or _GIT_SHA1.fullmatch(hashed or "")
    if size is None or hashed is None or not is_hash:
        raise ValueError(f"its answer names no size and checksum of {sibling.rfilename}")
    return HubFile(sibling.rfilename, size, hashed)


@contextmanager
def open_stream(hub: HubModel, name: str, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
    """The bytes of a file, and where they begin: at `start`, or at 0 where ranges are not known."""
    url = hf_hub_url(hub.model, name, revision=hub.commit)
    # Ranges of a compressed answer would be ranges of something else.
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if start > 0:
        headers["Range"] = f"bytes={start}-"
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
        hf_raise_for_status(response)
        is_rest = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        # As they come: what waits in a buffer is lost when the connection breaks.
        yield start if is_rest else 0, response.iter_raw()


@contextmanager
def alone_with(lock: Path, when_waiting: Callable[[float], None]) -> Iterator[None]:
    """Whoever else fetches the same file, the Hub's own client too, comes before or after."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(WeakFileLock(lock, timeout=_LOCK_SECONDS))
                break
            except Timeout:
                when_waiting(_LOCK_SECONDS)
        yield


def is_of_the_hub(error: Exception) -> bool:
    """Not of the disk: the Hub's own errors are OSErrors too."""
    return isinstance(error, HfHubHTTPError | OfflineModeIsEnabled | httpx2.HTTPError)


def is_passing(error: Exception) -> bool:
    """Whether the same question may be answered a little later."""
    if isinstance(error, HfHubHTTPError):
        return error.response is not None and error.response.status_code in _TRY_AGAIN
    # An address is signed for an hour; the next question gets a new one.
    return isinstance(error, httpx2.TransportError)


def asked_to_wait(error: Exception) -> float | None:
    """Seconds, when the answer names them."""
    response = error.response if isinstance(error, HfHubHTTPError) else None
    said = response.headers.get("Retry-After", "") if response is not None else ""
    return float(said) if said.isdigit() else None


def unavailable(model: str, error: Exception, revision: str | None = None) -> FatalFailure:
    """What is wrong, and what mends it."""
    return FatalFailure("model_unavailable", _explain(model, revision, error))


def _explain(model: str, revision: str | None, error: Exception) -> str:
    response = error.response if isinstance(error, HfHubHTTPError) else None
    status = response.status_code if response is not None else None
    if isinstance(error, OfflineModeIsEnabled):
        return f"{model} is not whole on this machine, and HF_HUB_OFFLINE forbids asking the Hub."
    if isinstance(error, GatedRepoError):
        return (
            f"{model} is gated: accept its terms on huggingface.co/{model}, then set HF_TOKEN to a "
            f"token of that account{_which_token()}."
        )
    if isinstance(error, RevisionNotFoundError):
        return (
            f"The Hub has {model}, but no revision {revision} of it. "
            f"`npm run model -- pull {model}@main` takes the newest."
        )
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"There is no such model on the Hub as {model}, or it is private: then set HF_TOKEN"
            f"{_which_token()}."
        )
    if isinstance(error, EntryNotFoundError):
        return f"The Hub lists a file of {model} that it does not have: {reason_of(error)}"
    if status in (401, 403):
        return (
            f"The Hub does not let us have {model} (HTTP {status}): set HF_TOKEN to a token that "
            "may read it, or unset one that is no longer good."
        )
    if isinstance(error, httpx2.ProxyError):
        return (
            f"The proxy in HTTPS_PROXY or HTTP_PROXY does not let us through ({reason_of(error)})."
        )
    where = without_secrets(constants.ENDPOINT)
    if isinstance(error, httpx2.TransportError | TimeoutError):
        return (
            f"{model} is not whole on this machine, and the Hub cannot be reached at "
            f"{where} ({reason_of(error)})."
        )
    return f"{model} could not be had from {where} ({reason_of(error)})."


def _which_token() -> str:
    return " (the one that is set is not allowed to)" if get_token() else ""


def reason_of(error: BaseException) -> str:
    text = without_secrets(str(error)).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__


def without_secrets(text: str) -> str:
    """Addresses of files are signed, those of proxies hold passwords, and a token is a token."""
    token = get_token()
    if token:
        text = text.replace(token, "…")
    text = re.sub(r"(https?://[^\s'\"?]*)\?[^\s'\"]*", r"\1?…", text)
    return re.sub(r"://[^/\s@]+@", "://…@", text)


def _within(seconds: float, ask_it: Callable[[], Result]) -> Result:
    """The answer, or TimeoutError: name servers and retries do not know about our deadline."""
    answers: list[Result] = []
    problems: list[Exception] = []

    def run() -> None:
        try:
            answers.append(ask_it())
        except Exception as error:
            problems.append(error)

    thread = threading.Thread(target=run, name="hub", daemon=True)
    thread.start()
    thread.join(seconds)
    if problems:
        raise problems[0]
    if not answers:
        raise TimeoutError(f"no answer within {seconds:.0f} seconds")
    return answers[0]
