"""From what the operator wrote in MODEL to a directory on disk: itself, cached, downloaded."""

# pyright: basic
from __future__ import annotations

import io
import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeVar

# Before huggingface_hub is imported, which reads them once. Its own defaults, said aloud: a Hub
# that does not answer must not delay the answer "there is no model".
os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "10")
os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", "10")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from tqdm.auto import tqdm

from whisper_worker.checkpoint import Checkpoint, has_weights
from whisper_worker.failures import FatalFailure
from whisper_worker.protocol import Loading

Send = Callable[[Loading], None]
Result = TypeVar("Result")

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_ASK_SECONDS = 20.0
_REPORT_SECONDS = 0.5
_SMALL_FILES = ["*.json", "*.txt"]
_SAFETENSORS = ["model.safetensors", "model-*-of-*.safetensors"]
_PICKLED = ["pytorch_model.bin", "pytorch_model-*-of-*.bin"]
_WAYS_OUT = "Try the bundled model with `npm run demo`, or set MODEL=<directory> to one on disk."


def locate(model: str, send: Send) -> Checkpoint:
    """The model's files, complete, on this machine."""
    directory = Path(model).expanduser()
    if directory.is_dir():
        return Checkpoint(model, directory.resolve(), None)
    if not _HUB_ID.fullmatch(model):
        raise FatalFailure(
            "model_unavailable",
            f"MODEL={model} is neither a directory here nor a name on the Hub. {_WAYS_OUT}",
        )
    snapshot = _cached(model) or _download(model, send)
    return Checkpoint(model, snapshot, snapshot.name[:7])


def _cached(model: str) -> Path | None:
    """A complete snapshot in the cache. It is not checked for news, so it starts offline."""
    try:
        found = snapshot_download(model, local_files_only=True, allow_patterns=_SMALL_FILES)
    except Exception:  # LocalEntryNotFoundError, or a damaged cache: downloading mends both
        return None
    snapshot = Path(found)
    return snapshot if has_weights(snapshot) else None


def _download(model: str, send: Send) -> Path:
    send(Loading("downloading", f"asking the Hub for {model}", None))
    sizes = _ask_hub(model)
    has_safetensors = any(_is_one_of(name, _SAFETENSORS) for name in sizes)
    patterns = [*_SMALL_FILES, *(_SAFETENSORS if has_safetensors else _PICKLED)]
    byte_count = sum(size for name, size in sizes.items() if _is_one_of(name, patterns))
    bar = _reporting_bar(model, byte_count, send)
    try:
        return Path(snapshot_download(model, allow_patterns=patterns, tqdm_class=bar))
    except Exception as error:
        raise FatalFailure(
            "model_unavailable",
            f"The download of {model} broke off ({_first_line(error)}). Start again: it goes on "
            f"where it stopped. {_WAYS_OUT}",
        ) from error


def _is_one_of(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _ask_hub(model: str) -> dict[str, int]:
    """The model's files and their sizes in bytes."""
    try:
        info = _within(
            _ASK_SECONDS, lambda: HfApi().model_info(model, timeout=10, files_metadata=True)
        )
    except GatedRepoError as error:
        raise FatalFailure(
            "model_unavailable",
            f"{model} is gated: accept its terms on huggingface.co and set HF_TOKEN. {_WAYS_OUT}",
        ) from error
    except RepositoryNotFoundError as error:
        raise FatalFailure(
            "model_unavailable",
            f"There is no directory {model}, and no such model on the Hub (or it is private: "
            f"set HF_TOKEN). {_WAYS_OUT}",
        ) from error
    except Exception as error:
        raise FatalFailure(
            "model_unavailable",
            f"{model} is not a directory here, not in the cache, and the Hub cannot be reached "
            f"({_first_line(error)}). {_WAYS_OUT}",
        ) from error
    return {file.rfilename: file.size or 0 for file in info.siblings or []}


def _within(seconds: float, ask: Callable[[], Result]) -> Result:
    """The answer, or TimeoutError: name servers and retries do not know about our deadline."""
    answers: list[Result] = []
    problems: list[Exception] = []

    def run() -> None:
        try:
            answers.append(ask())
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


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__


def _reporting_bar(model: str, byte_count: int, send: Send) -> type[tqdm]:
    """A progress bar that speaks the protocol instead of drawing.

    The Hub's client has one bar for bytes from the network and one for bytes on disk, and lets
    their totals grow; the furthest bar against the known size is the truth.
    """
    lock = threading.Lock()
    said_at = 0.0
    furthest = 0

    class ReportingBar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - tqdm's own
            super().__init__(*args, **{**kwargs, "file": _Nowhere(), "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            drawn = super().update(n)
            if self.unit == "B":
                report(int(self.n))
            return drawn

    def report(done: int) -> None:
        nonlocal said_at, furthest
        with lock:
            furthest = max(furthest, done)
            if time.monotonic() - said_at < _REPORT_SECONDS or not byte_count:
                return
            said_at = time.monotonic()
            size = f"{furthest / 1e6:.0f} of {byte_count / 1e6:.0f} MB"
            fraction = min(1.0, furthest / byte_count)
            send(Loading("downloading", f"{model}: {size}", round(fraction, 4)))

    return ReportingBar


class _Nowhere(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)
