"""A recording heard from its start: windows as they become certain, piece by piece. numpy only.

One that is taken up again is heard from its start as well, since what the detector finds depends
on all that it has heard before; windows that are done are passed over. It knows no model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from whisper_worker.audio import SAMPLE_RATE, PcmFile
from whisper_worker.failures import WorkerFailure
from whisper_worker.protocol import Checkpoint
from whisper_worker.vad import Window, WindowCutter

# The detector's turn is short: the slots wait for it. Ten seconds of audio take some milliseconds.
_PIECE_SAMPLES = 10 * SAMPLE_RATE
_PIECES_PER_TURN = 12


class Hearing:
    """The windows after `resumed`, or all of them."""

    def __init__(self, pcm: PcmFile, cutter: WindowCutter, resumed: Checkpoint | None) -> None:
        # Nothing was found for two minutes: there is more to hear, at the next turn.
        self.is_listening = False
        self.seconds = 0.0  # that it took
        self.speech_samples = 0
        self.windows_found = 0
        self._pcm = pcm
        self._cutter = cutter
        self._resumed = resumed

    def windows(self) -> Iterator[Window | None]:
        """None: the recording has to grow first, or somebody else may have a turn (then
        `is_listening`)."""
        heard, pieces_in_a_row = 0, 0
        while True:
            is_complete = self._pcm.is_complete
            piece = self._pcm.read(heard, heard + _PIECE_SAMPLES)
            heard += len(piece)
            if len(piece):
                windows = self._find(lambda piece=piece: self._cutter.hear(piece))
                yield from windows
                pieces_in_a_row = 0 if windows else pieces_in_a_row + 1
                if pieces_in_a_row == _PIECES_PER_TURN:
                    self.is_listening, pieces_in_a_row = True, 0
                    yield None
                    self.is_listening = False
            elif is_complete:
                yield from self._find(self._cutter.finish)
                self._check_end()
                return
            else:
                yield None

    def _find(self, cut: Callable[[], list[Window]]) -> list[Window]:
        began = time.perf_counter()
        windows = cut()
        self.seconds += time.perf_counter() - began
        self.windows_found += len(windows)
        for window in windows:
            self.speech_samples += sum(region.end - region.start for region in window.speech)
        return [window for window in windows if self._is_new(window)]

    def _is_new(self, window: Window) -> bool:
        resumed = self._resumed
        if resumed is None or window.index >= resumed.windows:
            return True
        if window.index == resumed.windows - 1 and window.end != resumed.samples:
            raise _divided_otherwise()
        return False

    def _check_end(self) -> None:
        if self._resumed is not None and self.windows_found < self._resumed.windows:
            raise _divided_otherwise()


def _divided_otherwise() -> WorkerFailure:
    """Another detector than before: going on would repeat words, or lose some."""
    return WorkerFailure("internal", "The recording is divided otherwise than before.")
