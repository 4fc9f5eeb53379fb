"""Finding a model: the real client of the Hub against a Hub of ours, and against none."""

import json
import os
import subprocess
import sys
import threading

import httpx2
import pytest
from conftest import REPOSITORY
from hub_server import COMMIT, MODEL, hub_with
from huggingface_hub import scan_cache_dir, snapshot_download

from whisper_worker import hub, hub_client
from whisper_worker.failures import FatalFailure

NOBODY_LISTENS = "http://127.0.0.1:9"
FILES = {
    "config.json": b'{"model_type": "whisper"}',
    "tokenizer.json": b"{}",
    "model.safetensors": bytes(300_000),
    "pytorch_model.bin": bytes(300_000),
    "flax_model.msgpack": b"unwanted",
    "README.md": b"---\nlicense: mit\n---\n",
}
SCRIPT = """
import json, sys
from whisper_worker.failures import FatalFailure
from whisper_worker.hub import locate
said = []
try:
    found = locate(sys.argv[1], said.append, *sys.argv[2:])
    result = {"directory": str(found.directory), "revision": found.revision}
except FatalFailure as failure:
    result = {"code": failure.code, "message": failure.message}
print(json.dumps({**result, "said": [(m.stage, m.fraction) for m in said]}))
"""


@pytest.fixture
def locate(tmp_path):
    """`locate` in a process of its own: the client reads its environment once, when imported."""

    def run(model, endpoint, *revision, **environment):
        settings = {"HF_HOME": str(tmp_path / "cache"), "HF_ENDPOINT": endpoint, **environment}
        result = subprocess.run(
            [sys.executable, "-c", SCRIPT, model, *revision],
            cwd=REPOSITORY / "python",
            env={**os.environ, **settings},
            capture_output=True,
            timeout=60,
            check=True,
        )
        return json.loads(result.stdout.splitlines()[-1])

    return run


def test_a_model_is_downloaded_once_without_what_nobody_needs_and_then_found_offline(locate):
    with hub_with(FILES) as endpoint:
        downloaded = locate(MODEL, endpoint)

    assert sorted(os.listdir(downloaded["directory"])) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert downloaded["revision"] == COMMIT[:7]
    assert downloaded["said"][0] == ["downloading", None]
    assert any(fraction is not None for _, fraction in downloaded["said"])

    again = locate(MODEL, NOBODY_LISTENS)
    assert again == {**downloaded, "said": []}


def test_pickled_weights_are_taken_only_where_there_are_no_safetensors(locate):
    files = {name: data for name, data in FILES.items() if name != "model.safetensors"}

    with hub_with(files) as endpoint:
        downloaded = locate(MODEL, endpoint)

    assert "pytorch_model.bin" in os.listdir(downloaded["directory"])


def test_an_interrupted_download_is_not_taken_for_a_model(locate):
    with hub_with(FILES) as endpoint:
        directory = locate(MODEL, endpoint)["directory"]
        os.unlink(f"{directory}/model.safetensors")

        assert "model.safetensors" in os.listdir(locate(MODEL, endpoint)["directory"])


def test_a_model_that_the_hub_does_not_have_is_told(locate):
    with hub_with(FILES) as endpoint:
        failure = locate("acme/other", endpoint)

    assert failure["code"] == "model_unavailable"
    assert "no such model on the Hub" in failure["message"]


@pytest.mark.parametrize(
    ("endpoint", "environment", "reason"),
    [
        (NOBODY_LISTENS, {}, "the Hub cannot be reached at http://127.0.0.1:9"),
        ("http://hub.invalid", {}, "the Hub cannot be reached at http://hub.invalid"),
        (NOBODY_LISTENS, {"HF_HUB_OFFLINE": "1"}, f"npm run model -- pull {MODEL}` once"),
    ],
)
def test_without_a_hub_the_operator_is_told_the_ways_out(locate, endpoint, environment, reason):
    failure = locate(MODEL, endpoint, **environment)

    assert failure["code"] == "model_unavailable"
    assert reason in failure["message"]
    assert "npm run demo" in failure["message"]
    assert "MODEL=<directory>" in failure["message"]


def test_a_revision_is_found_again_by_the_name_and_the_digits_that_it_was_asked_for_by(locate):
    with hub_with(FILES) as endpoint:
        downloaded = locate(MODEL, endpoint, "v1")

    for revision in ("v1", COMMIT, COMMIT[:7]):
        again = locate(MODEL, NOBODY_LISTENS, revision)
        assert again["directory"] == downloaded["directory"]
    # The first is pinned, whatever it was called.
    assert locate(MODEL, NOBODY_LISTENS)["directory"] == downloaded["directory"]
    assert "code" in locate(MODEL, NOBODY_LISTENS, "v2")
    assert "is no revision" in locate(MODEL, NOBODY_LISTENS, "../../etc")["message"]


def test_a_mirror_that_tells_no_checksums_in_its_list_tells_them_file_by_file(locate):
    with hub_with(FILES, is_terse=True) as endpoint:
        downloaded = locate(MODEL, endpoint)

    assert "model.safetensors" in os.listdir(downloaded["directory"])


def test_a_model_that_another_program_has_fetched_is_taken_as_it_is(locate, tmp_path):
    repository = tmp_path / "cache" / "hub" / "models--acme--tiny"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    (snapshot / "config.json").write_bytes(FILES["config.json"])

    assert "code" in locate(MODEL, NOBODY_LISTENS)
    (snapshot / "model.safetensors").write_bytes(FILES["model.safetensors"])
    assert locate(MODEL, NOBODY_LISTENS)["directory"] == str(snapshot)


def test_hugging_face_s_own_programs_find_what_we_fetch(locate, tmp_path):
    with hub_with(FILES) as endpoint:
        downloaded = locate(MODEL, endpoint)

    cache = tmp_path / "cache" / "hub"
    found = scan_cache_dir(cache)
    assert found.warnings == []
    (revision,) = next(iter(found.repos)).revisions
    assert (revision.commit_hash, revision.refs) == (COMMIT, {"main", "hviske-api"})
    theirs = snapshot_download(MODEL, cache_dir=cache, local_files_only=True)
    assert theirs == downloaded["directory"]


def test_a_model_without_weights_of_transformers_is_refused(locate):
    files = {name: data for name, data in FILES.items() if "model" not in name}

    with hub_with({**files, "model.bin": b"CTranslate2"}) as endpoint:
        failure = locate(MODEL, endpoint)

    assert failure["code"] == "model_unsupported"
    assert "CTranslate2" in failure["message"]


@pytest.mark.parametrize("model", ["./missing", "/no/such/directory", "a/b/c", "hviske", "~/gone"])
def test_a_path_that_is_not_there_is_not_looked_for_on_the_hub(model):
    said = []

    with pytest.raises(FatalFailure, match="neither a directory here nor a name") as caught:
        hub.locate(model, said.append)
    assert caught.value.code == "model_unavailable"
    assert said == []


def test_a_directory_is_taken_as_it_is(tmp_path):
    found = hub.locate(str(tmp_path), lambda _message: None)

    assert (found.directory, found.revision) == (tmp_path, None)


def test_a_hub_that_is_busy_is_asked_again_and_given_up_in_the_end(monkeypatch):
    class Busy(hub_client.HfHubHTTPError):
        def __init__(self, status, headers):
            request = httpx2.Request("GET", "http://hub/api?X-Amz-Signature=abc")
            response = httpx2.Response(status, headers=headers, request=request)
            super().__init__(f"HTTP {status} for {request.url}", response=response)

    answers = [Busy(503, {}), Busy(429, {"Retry-After": "600"}), Busy(503, {})]
    waited = []
    monkeypatch.setattr(hub_client, "_info", lambda *_: (_ for _ in ()).throw(answers.pop(0)))

    with pytest.raises(FatalFailure, match="HTTP 503 for http://hub/api") as caught:
        hub_client.ask(MODEL, None, set, waited.append)

    assert waited == [1, 30]
    assert "abc" not in caught.value.message


def test_a_question_that_is_never_answered_is_given_up():
    silence = threading.Event()
    try:
        with pytest.raises(TimeoutError, match="no answer"):
            hub_client._within(0.01, silence.wait)
    finally:
        silence.set()
