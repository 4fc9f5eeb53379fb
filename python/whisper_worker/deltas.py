"""What has been said aloud of windows that are still being decoded. Pure.

Text is handed out in the order of the recording and never taken back.
"""

from __future__ import annotations

from whisper_worker.credits import credit_start


class Deltas:
    """One recording's windows by index."""

    def __init__(self) -> None:
        self._heard: dict[int, str] = {}
        self._said: dict[int, int] = {}  # characters of it that have been handed out

    def hear(self, index: int, text: str) -> None:
        """More text of a window. It stays in the window's final text, unless a guard objects."""
        self._heard[index] = self._heard.get(index, "") + text

    def take(self, index: int, *, holds_back: bool) -> str:
        """What can be said now. What may become a subtitler's credit waits for its end."""
        heard = self._heard.get(index, "")
        said = self.said(index)
        # The space in front of a word goes with it: a word that has begun cannot be dropped.
        sayable = heard[: credit_start(heard)].rstrip() if holds_back else heard
        end = max(said, len(sayable))
        self._said[index] = end
        return heard[said:end]

    def begin_again(self, index: int) -> None:
        """A window is decoded once more from its start. What has been said is not repeated."""
        self._heard.pop(index, None)

    def said(self, index: int) -> int:
        """How many characters of a window have been handed out."""
        return self._said.get(index, 0)

    def take_rest(self, index: int, text: str) -> str:
        """The window's final text, without what has been said; the window is forgotten."""
        self._heard.pop(index, None)
        return text[self._said.pop(index, 0) :]
