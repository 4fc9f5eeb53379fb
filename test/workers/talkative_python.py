"""The real worker in a process that prints when it is told to; nothing in it is changed.

SIGUSR1: a line that is no message, on the wire itself, as a library would that kept the pipe.
SIGUSR2: a line on what C takes for stdout, which must not reach the wire.

Called as Python is: `talkative_python.py -m whisper_worker …`.
"""

import os
import runpy
import signal
import sys
import threading

WIRE = os.dup(1)  # before the worker claims it
SIGNALS = {signal.SIGUSR1, signal.SIGUSR2}


def print_when_told() -> None:
    while True:
        told = signal.sigwait(SIGNALS)
        os.write(WIRE if told == signal.SIGUSR1 else 1, b"Downloading: 42%\n")


# All threads of this process inherit the mask: the signals reach nobody but the one that waits.
signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
threading.Thread(target=print_when_told, daemon=True).start()

module = sys.argv[2]
sys.argv = sys.argv[2:]
sys.path[0] = os.getcwd()
runpy.run_module(module, run_name="__main__", alter_sys=True)
