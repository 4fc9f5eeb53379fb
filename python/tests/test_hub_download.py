"""A download on its way: the Hub is a function, the clock only counts, the disk is real."""

import errno
import hashlib
import shutil
from contextlib import contextmanager
from types import SimpleNamespace

import httpx2
import pytest

from whisper_worker import hub_client, hub_download
from whisper_worker.failures import FatalFailure
from whisper_worker.hub_cache import PIN, in_cache
from whisper_worker.hub_client import HubFile, HubModel
from whisper_worker.hub_download import Download

CONTENT = bytes(range(256)) * 1000
HASH = hashlib.sha256(CONTENT).hexdigest()
WEIGHTS = HubFile("model.safetensors", len(CONTENT), HASH)
HUB = HubModel("acme/tiny", "a" * 40, (WEIGHTS,))


class Listener:
    """Hears and forgets, but for the waits."""

    def __init__(self):
        self.waited = []

    def plans(self, hub, directory, have): ...
    def moves(self, file, done): ...
    def checks(self, file): ...
    def finishes(self, file): ...
    def waits(self, _reason, seconds):
        self.waited.append(seconds)


@pytest.fixture
def hub(monkeypatch):
    """Answers in turn: how many bytes come before the connection breaks, or an error; then all."""
    answers, starts = [], []

    @contextmanager
    def open_stream(_hub, _name, start):
        starts.append(start)
        answer = answers.pop(0) if answers else None
        if isinstance(answer, Exception):
            raise answer

        def chunks():
            end = None if answer is None else start + answer
            yield CONTENT[start:end]
            if answer is not None:
                raise httpx2.ReadError("broken")

        yield start, chunks()

    monkeypatch.setattr(hub_client, "open_stream", open_stream)
    return SimpleNamespace(answers=answers, starts=starts)


def run(tmp_path, **how):
    listener, waited = Listener(), []
    cached = in_cache(tmp_path, HUB.model)
    try:
        return Download(HUB, cached, listener, wait=waited.append, **how).run(), waited
    except FatalFailure as failure:
        return failure.message, waited


def test_a_connection_that_brought_something_is_replaced_at_once(tmp_path, hub):
    hub.answers += [1000, 2000, 3000]

    snapshot, waited = run(tmp_path)

    assert (snapshot / WEIGHTS.name).read_bytes() == CONTENT
    assert hub.starts == [0, 1000, 3000, 6000]
    assert waited == []


def test_one_that_brought_nothing_is_waited_for_longer_and_longer_until_something_comes(
    tmp_path, hub
):
    broken = httpx2.ConnectError("no route")
    hub.answers += [1000, *[broken] * 7, 5, *[broken] * 8]

    said, waited = run(tmp_path)

    assert "broke off (ConnectError: no route). Start again: it goes on where it stopped." in said
    assert waited == [1, 2, 4, 8, 16, 30, 30] * 2
    assert run(tmp_path)[0].name == HUB.commit
    assert hub.starts[-1] == 1005


def test_a_hub_that_never_answers_is_given_up_after_seconds(tmp_path, hub):
    hub.answers += [httpx2.ConnectTimeout("slow")] * 4

    assert run(tmp_path)[1] == [1, 2, 4]


def test_a_hub_that_says_how_long_to_wait_is_obeyed_within_reason(tmp_path, hub, monkeypatch):
    monkeypatch.setattr(hub_client, "asked_to_wait", lambda _error: 600.0)
    hub.answers += [httpx2.ReadTimeout("busy")]

    assert run(tmp_path)[1] == [120]


def test_a_file_that_ends_before_its_end_is_not_asked_for_for_ever(tmp_path, monkeypatch):
    @contextmanager
    def open_stream(_hub, _name, start):
        yield start, iter(())

    monkeypatch.setattr(hub_client, "open_stream", open_stream)

    assert "ended before its end" in run(tmp_path)[0]


def test_a_disk_without_room_is_told_before_anything_is_fetched(tmp_path, hub, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: SimpleNamespace(free=100_000_000))

    said, _ = run(tmp_path)

    assert "acme/tiny needs 0 MB more on the disk of" in said
    assert "where 100 MB are free. Make room, or set HF_HOME" in said
    assert hub.starts == []


def test_a_disk_that_is_full_in_the_middle_is_no_broken_connection(tmp_path, hub):
    hub.answers += [OSError(errno.ENOSPC, "No space left on device")]

    said, waited = run(tmp_path)

    assert "is full. Make room and start again" in said
    assert waited == []


def test_what_was_fetched_already_is_not_hashed_at_a_start_but_when_it_is_looked_at(tmp_path, hub):
    snapshot, _ = run(tmp_path)
    weights = snapshot / WEIGHTS.name
    weights.write_bytes(bytes(len(CONTENT)))

    run(tmp_path)
    assert weights.read_bytes() != CONTENT
    run(tmp_path, is_thorough=True)
    assert weights.read_bytes() == CONTENT
    assert hub.starts == [0, 0]


def test_a_part_that_is_too_long_is_begun_again(tmp_path, hub):
    part = in_cache(tmp_path, HUB.model).part(HASH)
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT + b"more")

    assert (run(tmp_path)[0] / WEIGHTS.name).read_bytes() == CONTENT
    assert hub.starts == [0]


def test_a_file_system_without_links_holds_the_files_themselves(tmp_path, hub, monkeypatch):
    def no_links(*_arguments):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.symlink_to", no_links)

    snapshot, _ = run(tmp_path)

    assert (snapshot / WEIGHTS.name).read_bytes() == CONTENT
    assert not (snapshot / WEIGHTS.name).is_symlink()
    assert in_cache(tmp_path, HUB.model).is_whole(HUB.commit)
    run(tmp_path, is_thorough=True)
    assert hub.starts == [0]


def test_a_pin_moves_only_where_nothing_whole_is_pinned(tmp_path, hub):
    cached = in_cache(tmp_path, HUB.model)
    cached.write_ref(PIN, "b" * 40)

    run(tmp_path)

    assert cached.ref(PIN) == HUB.commit
    other = HubModel(HUB.model, "c" * 40, HUB.files)
    Download(other, cached, Listener()).run("main")
    assert (cached.ref(PIN), cached.ref("main")) == (HUB.commit, other.commit)
    assert hub.starts == [0]


def test_git_s_own_checksum_is_reckoned_as_git_does(tmp_path):
    path = tmp_path / "empty"
    path.touch()

    assert hub_download.hash_of(path, is_sha256=False) == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("GET https://cdn.example/f?X-Amz-Signature=abc HTTP", "GET https://cdn.example/f?… HTTP"),
        ("http://me:word@proxy:3128 refused", "http://…@proxy:3128 refused"),
        ("Bearer hf_secret", "Bearer …"),
    ],
)
def test_what_is_told_holds_no_secrets(monkeypatch, text, told):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")

    assert hub_client.without_secrets(text) == told
