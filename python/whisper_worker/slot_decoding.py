"""What the rows of the slots mean: whose text each is, when it ends, what follows.

The host half of continuous batching. A window takes a slot, is decoded at its first temperature,
again at the next one when its text fails the checks (its keys stay where they are: nothing is
encoded twice), is aligned, and leaves. It knows no requests: rows come and go.
"""

# pyright: basic
from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from whisper_worker.decoded_text import (
    SaidTokens,
    assemble,
    most_tokens,
    token_limit,
)
from whisper_worker.guards import needs_fallback
from whisper_worker.loops import is_looping
from whisper_worker.on_its_way import OnItsWay
from whisper_worker.pieces import Pieces, run_to_end
from whisper_worker.repair import GenerationFacts
from whisper_worker.sampling import row_seed
from whisper_worker.slot_alignment import Heard, Listened, SlotAligner
from whisper_worker.slot_text import Attempt, EncodedWindow, SlotText, neighbours
from whisper_worker.slots import FirstToken, RowStart, Slots
from whisper_worker.speech_model import DecodeRow, Ended, Spoken
from whisper_worker.streaming_text import StreamingText
from whisper_worker.tokens import TokenBytes
from whisper_worker.vad import Window
from whisper_worker.vocabulary import decoder_prefix

_TOKENS_BETWEEN_LOOP_CHECKS = 8


@dataclass(frozen=True)
class _Flight:
    """A step that has been started on the device."""

    texts: tuple[tuple[int, SlotText, int], ...]  # row, text, epoch
    result: OnItsWay


class SlotDecoder:
    """`look_ahead` steps are started before the first of them is read: 1 keeps a GPU busy while
    the host reads; on a CPU there is nobody to keep busy."""

    def __init__(
        self, slots: Slots, facts: GenerationFacts, token_bytes: TokenBytes, look_ahead: int
    ) -> None:
        self._slots = slots
        self._facts = facts
        self._token_bytes = token_bytes
        self._aligner = SlotAligner(slots, facts.vocabulary, token_bytes)
        self._look_ahead = look_ahead
        self._places: list[EncodedWindow | None] = [None] * slots.count
        self._texts: dict[EncodedWindow, SlotText] = {}
        self._flights: deque[_Flight] = deque()
        # Texts that are whole, and whose slots are free, but whose words are not timed yet.
        self._leaving: list[tuple[SlotText, Attempt, Heard | None]] = []
        self._events: list[Spoken | Ended] = []
        # Window and length of the prefix → the most tokens it may say.
        self.token_limit: Callable[[Window, int], int] = self._limit_by_speech

    def _limit_by_speech(self, window: Window, prefix_length: int) -> int:
        return token_limit(window, prefix_length, self._slots.positions_available)

    @property
    def free_slots(self) -> int:
        return self._places.count(None)

    def take(self, encoder_outputs: Sequence[torch.Tensor]) -> list[EncodedWindow]:
        """Each output, (1500, width), takes the lowest free slot; all of them or none."""
        return run_to_end(self.taking(encoder_outputs))

    def taking(self, encoder_outputs: Sequence[torch.Tensor]) -> Pieces[list[EncodedWindow]]:
        """The same in pieces. Steps may go on between them: what is not begun is nobody's row."""
        taken: list[EncodedWindow] = []
        try:
            for output in encoder_outputs:
                slot = self._places.index(None)
                taken.append(EncodedWindow(slot))
                self._places[slot] = taken[-1]
                yield from self._slots.filling(slot, output)
        except BaseException:
            for encoded in taken:
                self.release(encoded)
            raise
        return taken

    def release(self, encoded: EncodedWindow) -> None:
        """Free a slot, whatever is in it."""
        self._texts.pop(encoded, None)
        self._leaving = [leaving for leaving in self._leaving if leaving[0].encoded is not encoded]
        self._free(encoded)

    def _free(self, encoded: EncodedWindow) -> None:
        if encoded.slot is not None:
            self._places[encoded.slot] = None
            encoded.slot = None

    def language_logits(self, encoded: Sequence[EncodedWindow]) -> torch.Tensor:
        """What follows <|startoftranscript|> in each window: (windows, vocabulary)."""
        rows = [self._slots.first_logits(_slot(window), 1)[0] for window in encoded]
        return torch.stack(rows)

    def start(self, rows: Sequence[DecodeRow]) -> None:
        texts = [self._make_text(row) for row in rows]
        firsts: dict[SlotText, FirstToken] = {}
        for group in neighbours(texts):
            starts = [self._row_start(text) for text in group]
            heard = self._slots.begin(group[0].slot, starts)
            firsts.update(zip(group, heard, strict=True))
        for text, first in firsts.items():
            self._texts[text.encoded] = text
            self._begin_text(text, first)

    def _make_text(self, row: DecodeRow) -> SlotText:
        if not isinstance(row.encoded, EncodedWindow):
            raise TypeError("a window has to be encoded before it is decoded")
        prefix = decoder_prefix(
            self._facts.vocabulary,
            row.language,
            row.task,
            row.prompt_tokens,
            timestamp_tokens=row.timestamp_tokens,
        )
        wanted = self.token_limit(row.window, len(prefix))
        limit = most_tokens(len(prefix), self._slots.positions_available, wanted)
        return SlotText(row.encoded, row, prefix, limit)

    def _row_start(self, text: SlotText) -> RowStart:
        return RowStart(
            prefix=text.prefix,
            start_of_transcript=text.prefix.index(self._facts.vocabulary.start_of_transcript),
            temperature=text.temperature,
            seed=row_seed(text.row.window.start, text.rung),
            timestamp_tokens=text.row.timestamp_tokens,
        )

    def _begin_text(self, text: SlotText, first: FirstToken) -> None:
        """The prefix of this rung has been read, and a first token chosen."""
        text.epoch += 1
        text.tokens, text.logprobs = [], []
        text.launched = len(text.prefix)
        text.no_speech_prob = first.no_speech_prob
        text.stream = StreamingText(text.row, self._token_bytes) if text.row.streams else None
        said = self._hear(text, first.token, first.logprob)
        if said is not None:
            self._end([(text, said)])

    def step(self) -> list[Spoken | Ended]:
        """Start a step for all rows, hear what the oldest step under way has said."""
        if self._texts:
            self._flights.append(self._launch())
        else:
            self._flights.clear()
        self._finish_leaving()  # while the device is busy with the step
        while len(self._flights) > self._look_ahead:
            self._land(self._flights.popleft())
        if self._look_ahead == 0 or not self._texts:
            self._finish_leaving()
        events, self._events = self._events, []
        return events

    def _launch(self) -> _Flight:
        self._close_gaps()
        texts = sorted(self._texts.values(), key=lambda text: text.slot)
        for text in texts:
            text.launched += 1
        result = self._slots.step(
            texts[-1].slot + 1,
            max(text.launched for text in texts),
            is_hot=any(text.temperature > 0 for text in texts),
            is_stamped=any(text.row.timestamp_tokens for text in texts),
        )
        return _Flight(
            tuple((text.slot, text, text.epoch) for text in texts),
            OnItsWay(result),
        )

    def _close_gaps(self) -> None:
        """Rows move down into empty slots below them: an empty one costs as much as a full one."""
        texts = sorted(self._texts.values(), key=lambda text: -text.slot)
        rows = self._slots.rows_computed
        if rows(texts[0].slot + 1) == rows(len(texts)):
            return  # moving would save nothing
        for text in texts:
            gap = self._places.index(None) if None in self._places else self._slots.count
            if gap > text.slot:
                break
            self._slots.move(text.slot, gap, text.launched)
            self._places[text.slot], self._places[gap] = None, text.encoded
            text.encoded.slot = gap

    def _land(self, flight: _Flight) -> None:
        """Hear a step. Rows that left or began anew since it was started are not concerned."""
        tokens, logprobs = flight.result.wait().tolist()
        ended: list[tuple[SlotText, SaidTokens]] = []
        for row, text, epoch in flight.texts:
            if self._texts.get(text.encoded) is text and text.epoch == epoch:
                said = self._hear(text, int(tokens[row]), logprobs[row])
                if said is not None:
                    ended.append((text, said))
        self._end(ended)

    def _hear(self, text: SlotText, token: int, logprob: float) -> SaidTokens | None:
        """One more token of a text; answers the whole of it when that was the end."""
        if len(text.tokens) >= text.limit:
            return text.said(None)
        if token == self._facts.vocabulary.end_of_text:
            return text.said(logprob)
        text.tokens.append(token)
        text.logprobs.append(logprob)
        is_time_to_check = len(text.tokens) % _TOKENS_BETWEEN_LOOP_CHECKS == 0
        if text.row.stops_loops and is_time_to_check and is_looping(text.tokens):
            # The decoder has not read the last token yet, so nobody knows where it ends.
            text.tokens.pop()
            text.logprobs.pop()
            return text.said(None, has_looped=True)
        if text.stream is not None:
            news = text.stream.hear(token, logprob, text.no_speech_prob)
            if news:
                self._events.append(Spoken(text.encoded, news))
        return None

    def _end(self, ended: Sequence[tuple[SlotText, SaidTokens]]) -> None:
        """Texts that pass, or have no rung left, leave their slots; the others go on."""
        for text, said in ended:
            attempt = self._judge(text, said)
            if attempt is not None:
                self._leaving.append((text, attempt, self._listen(text, attempt)))
                self._texts.pop(text.encoded)
                self._free(text.encoded)

    def _listen(self, text: SlotText, attempt: Attempt) -> Heard | None:
        if attempt.queries is None:
            return None
        listened = Listened(text.row, text.slot, text.prefix, attempt.said, attempt.queries)
        return self._aligner.listen(listened)

    def _finish_leaving(self) -> None:
        """Time the words of texts that have left their slots, all together."""
        leaving, self._leaving = self._leaving, []
        heard = [listener for *_, listener in leaving if listener is not None]
        words = iter(self._aligner.time_words(heard))
        for text, attempt, listener in leaving:
            timed = None if listener is None else next(words)
            decoded = replace(attempt.decoded, words=timed, attempts=text.rung + 1)
            self._events.append(Ended(text.encoded, decoded))

    def _judge(self, text: SlotText, said: SaidTokens) -> Attempt | None:
        """The attempt to keep. None: the next temperature has been started."""
        attempt = self._make_attempt(text, said)
        if not (said.has_looped or needs_fallback(attempt.decoded)):
            return attempt  # what passes is taken, however sure a loop before it was
        if text.stream is not None and text.stream.has_spoken:
            return attempt  # what has been said aloud stands
        if text.best is None or attempt.said.avg_logprob > text.best.said.avg_logprob:
            text.best = attempt
        if text.rung + 1 == len(text.row.ladder):
            return text.best
        text.rung += 1
        (first,) = self._slots.begin(text.slot, [self._row_start(text)])
        self._begin_text(text, first)
        return None

    def _make_attempt(self, text: SlotText, said: SaidTokens) -> Attempt:
        decoded = assemble(said, self._token_bytes, self._facts.vocabulary.end_of_text)
        queries = None
        if text.row.word_timestamps:
            # A copy: the next rung overwrites them, and this one may still be the best.
            queries = self._slots.queries(text.slot, len(text.prefix) + len(said.tokens))
        return Attempt(said, decoded, queries)


def _slot(encoded: EncodedWindow) -> int:
    if encoded.slot is None:
        raise ValueError("the window has left its slot")
    return encoded.slot
