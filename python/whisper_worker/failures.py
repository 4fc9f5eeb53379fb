"""What can go wrong in a way that somebody outside can act on.

Everything else is a bug and stays an ordinary exception.
"""

from __future__ import annotations

from typing import Literal

FailureCode = Literal["invalid_audio", "invalid_language", "out_of_memory", "internal"]
FatalCode = Literal[
    "model_unavailable",
    "model_unsupported",
    "device_unavailable",
    "device_failed",
    "protocol_error",
    "internal",
]


class WorkerFailure(Exception):
    """One request fails. `message` is shown to the client: what was wrong, what is allowed."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code: FailureCode = code
        self.message = message


class FatalFailure(Exception):
    """The whole child must end. `message` is one line for the operator: what to do."""

    def __init__(self, code: FatalCode, message: str) -> None:
        # One line, because it travels in one log line and one health answer.
        self.message = " ".join(message.split())
        super().__init__(self.message)
        self.code: FatalCode = code


class OutOfMemory(Exception):
    """The device had no room for this batch. The loop tries again with a smaller one."""
