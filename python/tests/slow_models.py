"""The fake model at the pace of a real one: a word a step, window by window."""

from whisper_worker.fake_model import FakeModel
from whisper_worker.speech_model import Ended, Spoken


class WordByWord(FakeModel):
    """Every window says one more word in each step; one with few words leaves before the others.

    `ends_after` (window → steps) keeps a window in its slot for longer.
    """

    def __init__(self, slots=4, ends_after=lambda _window: 0):
        super().__init__()
        self.slots = slots
        self.windows_per_encode = slots
        self.rows = []  # every row that was ever started
        self.steps_inside = []  # for each step, which windows were in slots
        self._ends_after = ends_after
        self._ages = {}

    @property
    def free_slots(self):
        return self.slots - len(self._taken)

    def start(self, rows):
        super().start(rows)
        self.rows += rows
        self._ages |= {row.encoded: 0 for row in rows}

    def step(self):
        started = list(self._started.items())
        self.steps_inside.append([row.window for _, row in started])
        return [event for encoded, row in started for event in self._advance(encoded, row)]

    def _advance(self, encoded, row):
        decoded = self._decode_row(row)
        words = [f" {word}" for word in decoded.text.split()]
        age = self._ages[encoded]
        self._ages[encoded] += 1
        if row.streams and age < len(words):
            yield Spoken(encoded, words[age])
        if age >= max(len(words), self._ends_after(row.window)):
            self.release(encoded)
            yield Ended(encoded, decoded)
