"""A whole worker over real pipes, for tests."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict

from conftest import FINAL_KINDS, REPOSITORY

_DEADLINE_SECONDS = 120


class WorkerProcess:
    """Started as Node starts it. Killed when a test hangs, so that reading a line always ends."""

    def __init__(self, spool, *arguments, **environment):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "whisper_worker", "--spool-dir", str(spool), *arguments],
            cwd=REPOSITORY / "python",
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._killer = threading.Timer(_DEADLINE_SECONDS, self.process.kill)
        self._killer.start()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._killer.cancel()
        self.process.kill()
        self.process.communicate()

    def say(self, request):
        self.say_line(json.dumps({"kind": request.kind, **asdict(request)}))

    def say_line(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def hear(self):
        """The next message, as the JSON it is."""
        line = self.process.stdout.readline()
        assert line, "the worker has ended, or was killed after its deadline"
        return json.loads(line)

    def hear_until(self, *kinds):
        messages = [self.hear()]
        while messages[-1]["kind"] not in kinds:
            messages.append(self.hear())
        return messages

    def answer(self, request):
        """Say a request and hear everything until its final message."""
        self.say(request)
        return self.hear_until(*FINAL_KINDS)

    def end(self):
        """Close stdin; answers the rest of what was said and the exit status."""
        rest, _ = self.process.communicate()
        return [json.loads(line) for line in rest.splitlines()], self.process.returncode
