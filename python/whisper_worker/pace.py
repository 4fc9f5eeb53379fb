"""How the encoder and the decoder share the time. Pure: counts seconds, knows no windows.

Three kinds of turns. While somebody waits for a short answer, the passes of others take no more
time than the steps that they delay. Otherwise windows are encoded first and decoded together, as
every step reads all weights; a step now and then keeps the rows from standing still. And whoever
has just entered is stepped at once.
"""

from __future__ import annotations

_SMOOTHED_STEPS = 8
# A step now and then costs a read of all weights for few rows: with one in 16 step times of
# encoding, 10 clips at once took 5 % longer in float32; with one in 48, no longer.
_STEP_TIMES_WITHOUT_STEP = 48


class Pace:
    def __init__(self) -> None:
        self._step_seconds = 0.0  # of the last ones, smoothed: a GPU's come in fits and starts
        self._since_step = 0.0  # seconds of encoding
        self._lead = 0.0  # seconds of encoding that somebody short still has to get in steps

    def encoded(self, seconds: float, *, delays_somebody_short: bool) -> None:
        """A piece of the encoder has been computed."""
        self._since_step += seconds
        self._lead = self._lead + seconds if delays_somebody_short else 0.0

    def stepped(self, seconds: float) -> None:
        before = self._step_seconds or seconds
        self._step_seconds = before + (seconds - before) / _SMOOTHED_STEPS
        self._since_step = 0.0
        self._lead = max(0.0, self._lead - seconds)

    @property
    def encoder_leads(self) -> bool:
        """It has had more than its half; this concerns those whom somebody short waits for."""
        return self._lead > 0.0

    @property
    def is_step_due(self) -> bool:
        """The rows have stood still for long."""
        return self._since_step >= _STEP_TIMES_WITHOUT_STEP * self._step_seconds
