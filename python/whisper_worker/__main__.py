"""Arguments, a safe stdout, the choice of the model, the loop.

Exit status 0: asked to end. 3: said `fatal`.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from whisper_worker.failures import FatalFailure
from whisper_worker.loop import Loop
from whisper_worker.protocol import PROTOCOL_VERSION, Fatal, Hello, Loading, Ping
from whisper_worker.pulse import Pulse
from whisper_worker.speech_model import SpeechModel
from whisper_worker.stdio import (
    Inbox,
    Wire,
    claim_stdout,
    die_with_parent,
    leave_interrupts_to_parent,
    start_reader,
)
from whisper_worker.wire_format import ProtocolError

FATAL_STATUS = 3
# How long a batch that runs may delay the end. Large models on a CPU need half a minute for one;
# whoever ends us does not wait for it.
GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class Arguments:
    model: str
    revision: str | None
    device: str
    compute_type: str
    slots: int | None
    compile: bool
    no_graphs: bool
    require_gpu: bool
    spool_dir: Path
    fake: bool

    @property
    def gpu_asked_by(self) -> str | None:
        """The setting that a CPU is no answer to."""
        if self.require_gpu:
            return "REQUIRE_GPU=1"
        return "DEVICE=cuda" if self.device == "cuda" else None


def parse_arguments(arguments: Sequence[str] | None = None) -> Arguments:
    parser = argparse.ArgumentParser("whisper_worker", description=__doc__)
    parser.add_argument("--model", default="syvai/hviske-v2", help="a Hub id or a directory")
    parser.add_argument("--revision", help="of a Hub id: a commit, a branch or a tag")
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument(
        "--compute-type",
        choices=("auto", "bfloat16", "float16", "float32", "int8", "float8"),
        default="auto",
    )
    parser.add_argument("--slots", type=_slots, default=None, help="auto, or how many windows")
    parser.add_argument("--compile", action="store_true", help="fuse the decoder's small kernels")
    parser.add_argument("--no-graphs", action="store_true", help="no CUDA graphs")
    parser.add_argument("--require-gpu", action="store_true", help="fail where none can be used")
    parser.add_argument("--spool-dir", type=Path, required=True, help="where Node puts recordings")
    parser.add_argument("--fake", action="store_true", help="a deterministic model without weights")
    return Arguments(**vars(parser.parse_args(arguments)))


def _slots(value: str) -> int | None:
    """`auto` is None: the device decides."""
    if value == "auto":
        return None
    if int(value) < 1:
        raise argparse.ArgumentTypeError("at least one slot is needed")
    return int(value)


def choose_model(arguments: Arguments, wire: Wire) -> SpeechModel:
    """The only place that decides whether torch is imported at all."""
    if arguments.fake:
        from whisper_worker.fake_model import FakeModel

        return FakeModel()

    from whisper_worker.checkpoint import check
    from whisper_worker.hub import locate

    if arguments.gpu_asked_by is not None:
        # Before gigabytes are fetched for a machine that will not use them.
        wire.send(Loading("loading", "looking for the GPU", None))
        from whisper_worker.device import require_cuda

        require_cuda(arguments.gpu_asked_by)
    checkpoint = check(locate(arguments.model, wire.send, arguments.revision))
    wire.send(Loading("loading", "importing torch and transformers", None))
    from whisper_worker.loading import Wanted, load_model

    wanted = Wanted(
        arguments.device,
        arguments.compute_type,
        arguments.slots,
        compiles=arguments.compile,
        has_graphs=not arguments.no_graphs,
        gpu_asked_by=arguments.gpu_asked_by,
    )
    return load_model(checkpoint, wanted, wire.send)


Choose = Callable[[Arguments, Wire], SpeechModel]


def serve(arguments: Arguments, wire: Wire, stdin: BinaryIO, choose: Choose = choose_model) -> None:
    """From hello to the end of stdin."""
    wire.send(Hello(PROTOCOL_VERSION, os.getpid()))
    inbox = Inbox()
    pulse = Pulse()
    loops: list[Loop] = []

    def answer(ping: Ping) -> None:
        wire.send(pulse.pong(ping.id))

    def end_soon(problem: ProtocolError | None) -> None:
        timer = threading.Timer(GRACE_SECONDS, _end_now, (loops, wire, problem))
        timer.daemon = True
        timer.start()

    start_reader(stdin, inbox, when_pinged=answer, when_ended=end_soon)
    model = choose(arguments, wire)
    loop = Loop(model, inbox, wire.send, arguments.spool_dir, pulse)
    loops.append(loop)
    ready = model.describe()
    if ready.device == "cuda":
        from whisper_worker.gpu_memory import gpu_memory

        gpu_memory()  # torch asks the driver for the device's properties once: now, not in a pong
        pulse.gpu_memory = gpu_memory
    wire.send(ready)
    loop.run()


def _end_now(loops: Sequence[Loop], wire: Wire, problem: ProtocolError | None) -> None:
    """The main thread is still busy, in a batch or in loading: answer for it and go."""
    status = 0 if problem is None else FATAL_STATUS
    try:
        if problem is not None:
            wire.send(Fatal("protocol_error", str(problem)))
        else:
            for loop in loops:
                loop.abandon()
    finally:
        os._exit(status)  # also when Node is gone, and nobody hears the answers


def show_stacks() -> None:
    """Where every thread is, on stderr: when Node asks, and when a fault of C code ends us.

    Node asks before it kills a child that stands still. No Python has to run for the answer.
    """
    faulthandler.enable()
    if sys.platform != "win32":
        faulthandler.register(signal.SIGUSR2)


def main(choose: Choose = choose_model) -> int:
    arguments = parse_arguments()
    wire = Wire(claim_stdout())
    show_stacks()
    leave_interrupts_to_parent()
    die_with_parent()
    try:
        serve(arguments, wire, sys.stdin.buffer, choose)
    except BrokenPipeError:
        return 0  # Node is gone, so there is nobody left to tell
    except FatalFailure as failure:
        wire.send(Fatal(failure.code, failure.message))
        return FATAL_STATUS
    except Exception as error:
        traceback.print_exc()
        wire.send(Fatal("internal", f"{type(error).__name__}: {str(error)[:300]}"))
        return FATAL_STATUS
    return 0


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # Not sys.exit: at interpreter shutdown a reader thread inside readline() aborts the process,
    # and CUDA's own clean-up can hang.
    os._exit(status)
