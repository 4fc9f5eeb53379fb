"""A Node that has gone mad: whatever it sends is a request or a protocol error."""

import io
import json
import queue

from conftest import REPOSITORY
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from whisper_worker.protocol import Request, Shutdown
from whisper_worker.stdio import read_requests
from whisper_worker.wire_format import ProtocolError, format_line, parse_request

GOLDEN = (REPOSITORY / "test" / "protocol" / "requests.jsonl").read_bytes().splitlines()
FIELDS = sorted({name for line in GOLDEN for name in json.loads(line)})

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
noise = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [b"", b"{", b"[" * 2000, b"null", b"1e999", b'{"kind":NaN}', b'"\\ud800"', b"9" * 6000]
    ),
    values.map(lambda value: json.dumps(value).encode()),
)


def parsed(line):
    try:
        return parse_request(line)
    except ProtocolError:
        return None


@seed(2026)
@settings(max_examples=500, deadline=None, database=None)
@given(noise)
def test_any_line_is_a_request_or_a_protocol_error(line):
    request = parsed(line)

    assert request is None or isinstance(request, Request)


@seed(2026)
@settings(max_examples=500, deadline=None, database=None)
@given(st.sampled_from(GOLDEN), st.sampled_from(FIELDS), values)
def test_a_request_with_one_field_changed_is_refused_or_means_what_it_says(line, field, value):
    message = json.loads(line) | {field: value}

    request = parsed(json.dumps(message).encode())

    if request is not None:
        assert json.loads(format_line(request)) == message


@seed(2026)
@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(st.one_of(noise, st.sampled_from(GOLDEN)), max_size=6))
def test_the_reader_always_ends_and_says_so_last(lines):
    inbox = queue.SimpleQueue()
    ended = []

    read_requests(io.BytesIO(b"\n".join(lines)), inbox, lambda _ping: None, ended.append)

    items = [inbox.get_nowait() for _ in range(inbox.qsize())]
    assert len(ended) == 1
    assert isinstance(items[-1], Shutdown | ProtocolError)
    assert not any(isinstance(item, Shutdown | ProtocolError) for item in items[:-1])
