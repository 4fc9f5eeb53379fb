"""The wire, held to the golden lines that vitest reads too."""

import dataclasses
import json

import pytest
from conftest import REPOSITORY

from whisper_worker import protocol
from whisper_worker.speech_detection import SPEECH_DETECTION_RANGES
from whisper_worker.wire_format import (
    MAX_LINE_BYTES,
    REQUEST_KINDS,
    ProtocolError,
    format_line,
    parse_line,
    parse_request,
)

GOLDEN = REPOSITORY / "test" / "protocol"
MESSAGE_KINDS = protocol.Message.__args__
PING = b'{"kind":"ping","id":4}'
NO_WISHES = dict.fromkeys(("threshold", "padding_ms", "silence_ms", "max_speech_seconds"))


def golden_lines(name):
    return (GOLDEN / name).read_bytes().splitlines()


@pytest.mark.parametrize("line", golden_lines("requests.jsonl"))
def test_every_golden_request_is_understood_and_would_be_said_the_same(line):
    request = parse_request(line)

    assert json.loads(format_line(request)) == json.loads(line)


@pytest.mark.parametrize("line", golden_lines("messages.jsonl"))
def test_every_golden_message_is_one_of_ours_and_is_said_the_same(line):
    message = parse_line(line, MESSAGE_KINDS)

    assert json.loads(format_line(message)) == json.loads(line)


def test_the_golden_lines_hold_every_kind_of_request_and_message():
    requests = {json.loads(line)["kind"] for line in golden_lines("requests.jsonl")}
    messages = {json.loads(line)["kind"] for line in golden_lines("messages.jsonl")}

    assert requests == {kind.kind for kind in REQUEST_KINDS}
    assert messages == {kind.kind for kind in MESSAGE_KINDS}


def test_a_line_is_utf_8_and_ends_with_its_only_newline():
    line = format_line(protocol.Failed(1, "invalid_audio", "blåbær\npå brød"))

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert "blåbær".encode() in line


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"hello", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"id":4}', "unknown kind None"),
        (b'{"kind":"sing","id":4}', "unknown kind 'sing'"),
        (b'{"kind":"ping"}', "missing fields"),
        (b'{"kind":"ping","id":4,"extra":1}', "unknown fields"),
        (b'{"kind":"ping","id":"4"}', "wrong value"),
        (b'{"kind":"ping","id":true}', "wrong value"),
        (b'{"kind":"ping","id":4.0}', "wrong value"),
        (b'{"kind":"ping","id":NaN}', "NaN is not JSON"),
        (b'{"kind":"ping","id":0}', "positive"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_line_that_is_not_protocol_is_refused_with_the_reason(line, complaint):
    with pytest.raises(ProtocolError, match=complaint):
        parse_request(line)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("task", "sing"),
        ("temperature", 1.5),
        ("temperature", -0.1),
        ("temperature", None),
        ("pcm_samples", -1),
        ("pcm_samples", 16.0),
        ("pcm_is_complete", None),
        ("deltas", 1),
        ("guards", "yes"),
        ("languages", []),
        ("languages", "da"),
        ("languages", ["da", 5]),
        ("keywords", None),
        ("keywords", [None]),
        ("logprobs", None),
        ("vad", {"threshold": 0.5}),
        ("vad", {**NO_WISHES, "threshold": 1.01}),
        ("vad", {**NO_WISHES, "threshold": -0.01}),
        ("vad", {**NO_WISHES, "padding_ms": 5001}),
        ("vad", {**NO_WISHES, "padding_ms": "300"}),
        ("vad", {**NO_WISHES, "silence_ms": 4001}),
        ("vad", {**NO_WISHES, "max_speech_seconds": 4.9}),
        ("vad", {**NO_WISHES, "max_speech_seconds": 29.1}),
    ],
)
def test_a_transcription_with_an_impossible_value_is_refused(field, value):
    body = json.loads(golden_lines("requests.jsonl")[0])

    with pytest.raises(ProtocolError):
        parse_request(json.dumps({**body, field: value}).encode())


@pytest.mark.parametrize("end", [0, 1])
def test_every_wish_for_the_speech_detector_may_be_as_low_and_as_high_as_it_gets(end):
    body = json.loads(golden_lines("requests.jsonl")[0])
    wishes = {name: bounds[end] for name, bounds in SPEECH_DETECTION_RANGES.items()}

    request = parse_request(json.dumps({**body, "vad": wishes}).encode())

    assert dataclasses.asdict(request.vad) == wishes


@pytest.mark.parametrize("kind", ["detect_language", "pcm"])
def test_a_recording_of_fewer_than_no_samples_is_refused(kind):
    (line,) = (line for line in golden_lines("requests.jsonl") if json.loads(line)["kind"] == kind)
    body = json.loads(line)
    field = "samples" if kind == "pcm" else "pcm_samples"

    with pytest.raises(ProtocolError):
        parse_request(json.dumps({**body, field: -1}).encode())


def test_a_line_of_more_than_16_mib_is_refused():
    with pytest.raises(ProtocolError, match="longer than"):
        parse_request(PING + b" " * MAX_LINE_BYTES)


def test_a_number_that_json_does_not_know_is_never_sent():
    with pytest.raises(ValueError, match="not JSON compliant"):
        format_line(protocol.Progress(1, float("nan"), 2.0, 1))
