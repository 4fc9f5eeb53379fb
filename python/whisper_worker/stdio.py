"""The two pipes to Node: one writer, one reader thread; and the end of the parent.

Knows lines, not what a request means.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO, TypeAlias

from whisper_worker.protocol import (
    Cancel,
    DetectLanguage,
    Message,
    PcmGrown,
    Ping,
    Shutdown,
    Transcribe,
)
from whisper_worker.wire_format import MAX_LINE_BYTES, ProtocolError, format_line, parse_request

LoopRequest: TypeAlias = Transcribe | DetectLanguage | PcmGrown | Cancel
Inbox = queue.SimpleQueue[LoopRequest | Shutdown | ProtocolError]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def claim_stdout() -> BinaryIO:
    """Take stdout for the protocol; from here on, a stray print() goes to stderr.

    torch, transformers and CUDA libraries all print, some of them from C, so it is
    the file descriptor that has to move, not just sys.stdout.
    """
    sys.stdout.flush()
    wire = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return wire


class Wire:
    """The only writer of messages. Lines never mix, whichever thread speaks."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        line = memoryview(format_line(message))
        with self._lock:
            # An unbuffered pipe may take a part of a long line.
            while line:
                line = line[self._stream.write(line) :]


WhenPinged = Callable[[Ping], None]
WhenEnded = Callable[[ProtocolError | None], None]


def read_requests(
    stream: BinaryIO, inbox: Inbox, when_pinged: WhenPinged, when_ended: WhenEnded
) -> None:
    """Feed the inbox until stdin ends, somebody says shutdown, or a line is not protocol.

    `when_ended` is called after the last item is in the inbox. Both are called on this thread: a
    ping asks whether the process lives, and is not kept waiting by a step that takes long.
    """
    problem: ProtocolError | None = None
    try:
        while line := stream.readline(MAX_LINE_BYTES + 1):
            request = parse_request(line)
            if isinstance(request, Ping):
                when_pinged(request)
                continue
            inbox.put(request)
            if isinstance(request, Shutdown):
                break
        else:
            inbox.put(Shutdown())
    except ProtocolError as error:
        problem = error
        inbox.put(error)
    except OSError:  # nobody hears the answer to a ping any more
        inbox.put(Shutdown())
    when_ended(problem)


def start_reader(
    stream: BinaryIO, inbox: Inbox, when_pinged: WhenPinged, when_ended: WhenEnded
) -> None:
    arguments = (stream, inbox, when_pinged, when_ended)
    threading.Thread(target=read_requests, args=arguments, name="stdin", daemon=True).start()


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, however the parent dies.

    The end of stdin says the same, but not while another process holds a copy of the pipe's
    other end. Elsewhere than on Linux the end of stdin has to do.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before the call above took effect; then nobody will tell us.
    if os.getppid() != parent:
        os._exit(0)


def leave_interrupts_to_parent() -> None:
    """Ctrl-C reaches the whole process group; it is Node that decides how to shut down."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
