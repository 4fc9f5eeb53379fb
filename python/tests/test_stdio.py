"""The two pipes: what may reach the wire, and how the child learns that it should end."""

import io
import json
import os
import queue
import select
import signal
import subprocess
import sys

import pytest
from conftest import REPOSITORY

from whisper_worker.protocol import Cancel, Cancelled, Failed, Ping, Shutdown
from whisper_worker.stdio import Wire, read_requests
from whisper_worker.wire_format import ProtocolError, format_line

PYTHON = REPOSITORY / "python"


def run_python(script, **options):
    return subprocess.run(
        [sys.executable, "-c", script], cwd=PYTHON, capture_output=True, timeout=60, **options
    )


def test_neither_a_print_nor_a_write_from_c_reaches_the_wire():
    script = """
import ctypes, os, subprocess, sys
from whisper_worker.protocol import Cancelled
from whisper_worker.stdio import Wire, claim_stdout
wire = Wire(claim_stdout())
print("a print")
os.write(1, b"a write\\n")
libc = ctypes.CDLL(None)
libc.puts(b"a puts")
libc.fflush(None)
subprocess.run(["echo", "a child"], check=True)
wire.send(Cancelled(7))
"""
    result = run_python(script)

    assert json.loads(result.stdout) == {"kind": "cancelled", "id": 7}
    for stray in (b"a print", b"a write", b"a puts", b"a child"):
        assert stray in result.stderr


def test_a_line_longer_than_the_pipe_takes_at_once_arrives_whole():
    class Narrow(io.RawIOBase):
        def __init__(self):
            self.received = b""

        def write(self, data):
            self.received += bytes(data[:1000])
            return min(1000, len(data))

    narrow = Narrow()
    message = Failed(1, "internal", "æ" * 5000)

    Wire(narrow).send(message)

    assert narrow.received == format_line(message)


def read_all(data, when_pinged=lambda _ping: None):
    inbox = queue.SimpleQueue()
    ended = []
    read_requests(io.BytesIO(data), inbox, when_pinged, ended.append)
    items = []
    while not inbox.empty():
        items.append(inbox.get())
    assert len(ended) == 1
    return items


def test_the_end_of_stdin_means_shutdown():
    assert read_all(b'{"kind":"cancel","id":4}\n') == [Cancel(4), Shutdown()]


def test_a_ping_is_answered_by_who_reads_and_never_reaches_the_inbox():
    pinged = []

    items = read_all(b'{"kind":"ping","id":4}\n{"kind":"cancel","id":1}\n', pinged.append)

    assert pinged == [Ping(4)]
    assert items == [Cancel(1), Shutdown()]


def test_a_ping_that_nobody_waits_for_any_more_is_the_end():
    def answer(_ping):
        raise BrokenPipeError

    assert read_all(b'{"kind":"ping","id":4}\n{"kind":"cancel","id":1}\n', answer) == [Shutdown()]


def test_nothing_is_read_after_shutdown():
    lines = b'{"kind":"shutdown"}\n{"kind":"cancel","id":4}\n'

    assert read_all(lines) == [Shutdown()]


def test_reading_stops_at_the_first_line_that_is_not_protocol():
    items = read_all(b'{"kind":"cancel","id":4}\nnonsense\n{"kind":"cancel","id":5}\n')

    assert items[0] == Cancel(4)
    assert isinstance(items[1], ProtocolError)
    assert len(items) == 2


def test_the_wire_writes_exactly_one_line_per_message():
    buffer = io.BytesIO()
    wire = Wire(buffer)

    wire.send(Cancelled(1))
    wire.send(Cancelled(2))

    assert buffer.getvalue() == b'{"kind":"cancelled","id":1}\n{"kind":"cancelled","id":2}\n'


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_the_child_dies_with_its_parent_even_while_its_stdin_stays_open(tmp_path):
    read_end, write_end = os.pipe()
    script = f"""
import subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-m", "whisper_worker", "--fake", "--spool-dir", {str(tmp_path)!r}],
    stdin={read_end}, stdout=subprocess.PIPE)
child.stdout.readline()
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=PYTHON, stdout=subprocess.PIPE, pass_fds=[read_end]
    )
    try:
        handle = os.pidfd_open(int(parent.stdout.readline()))

        parent.send_signal(signal.SIGKILL)

        ended, _, _ = select.select([handle], [], [], 10)
        assert ended == [handle]
        os.close(handle)
    finally:
        parent.kill()
        parent.communicate()
        os.close(read_end)
        os.close(write_end)
