"""Windows on their way in: who goes first, and who steps meanwhile. With a clock of the test's."""

import queue

import numpy as np
import pytest
from conftest import final_answers, put_pcm, silence, tone, transcribe
from slow_models import WordByWord

from whisper_worker.failures import OutOfMemory
from whisper_worker.loop import Loop
from whisper_worker.protocol import Cancel, Shutdown

LONG, STEP, PIECE = 1, 0.1, 0.2


class InPieces(WordByWord):
    """Encodes one window at a time in so many pieces, and notes what it does in which order.

    `meanwhile` (what has just been done) → what Node sends now.
    """

    windows_per_encode = 1

    def __init__(self, pieces=5, meanwhile=lambda _doing: (), slots=8):
        super().__init__(slots, ends_after=lambda _window: 12)
        self.windows_per_encode = 1
        self.pieces = pieces
        self.meanwhile = meanwhile
        self.now = 0.0
        self.doings = []
        self.closed = []
        self.inbox = queue.SimpleQueue()

    def begin_encoding(self, windows):
        return Pass(self, windows)

    def do(self, *doing, seconds):
        self.now += seconds
        self.doings.append(doing)
        for request in self.meanwhile(doing):
            self.inbox.put(request)

    def step(self):
        self.do("step", seconds=STEP)
        return super().step()


class Pass:
    def __init__(self, model, windows):
        self.model, self.windows, self.done = model, windows, 0
        self.name = round(len(windows[0]) / 16_000)  # tests tell windows by their length

    def advance(self):
        self.done += 1
        self.model.do("piece", self.name, self.done, seconds=PIECE)
        return self.model.encode(self.windows) if self.done == self.model.pieces else None

    def close(self):
        self.model.closed.append(self.name)


def run(spool, model, *requests):
    messages, unanswered = [], {request.id for request in requests}
    meanwhile = model.meanwhile

    def ask(doing):
        sent = list(meanwhile(doing))
        unanswered.update(request.id for request in sent if request.kind == "transcribe")
        return sent

    def send(message):
        messages.append(message)
        if message.kind in ("done", "failed", "cancelled"):
            unanswered.discard(message.id)
            if not unanswered:
                model.inbox.put(Shutdown())

    model.meanwhile = ask
    for request in requests:
        model.inbox.put(request)
    Loop(model, model.inbox, send, spool, clock=lambda: model.now).run()
    assert model.free_slots == model.slots
    return messages


@pytest.fixture
def file(spool):
    """Five windows of about 20 s."""
    sound = np.concatenate([np.concatenate([tone(20), silence(3)])] * 5)
    return transcribe(put_pcm(spool, sound, "file.pcm"), LONG, language="da")


@pytest.fixture
def clip(spool):
    def make(id, seconds=2):
        path = put_pcm(spool, tone(seconds), f"clip-{id}.pcm")
        return transcribe(path, id, language="da")

    return make


def once(at, *requests):
    """Sends those after the first doing for which `at` is true."""
    waiting = list(requests)

    def meanwhile(doing):
        if not (waiting and at(doing)):
            return []
        sent = waiting[:]
        waiting.clear()
        return sent

    return meanwhile


def pieces_of(model, name=None):
    return [d[1:] for d in model.doings if d[0] == "piece" and name in (None, d[1])]


def in_second_window(number):
    """After that piece of the file's second window."""
    seen = []

    def at(doing):
        if doing[0] == "piece" and doing[1] > 15 and doing[2] == number:
            seen.append(doing)
        return len(seen) == 2

    return at


def test_a_newcomer_s_window_goes_before_the_rest_of_a_long_file_s_which_then_goes_on(
    spool, file, clip
):
    model = InPieces(meanwhile=once(in_second_window(2), clip(2)))

    messages = run(spool, model, file)

    assert {m.kind for m in final_answers(messages).values()} == {"done"}
    order = pieces_of(model)
    first = order.index((2, 1))
    assert [name for name, _ in order[first : first + 5]] == [2] * 5
    assert (order[first - 1][1], order[first + 5][1]) == (2, 3)
    assert len(order) == 6 * 5
    done = [message.id for message in messages if message.kind == "done"]
    assert done == [2, LONG]


def test_a_newcomer_does_not_interrupt_a_newcomer(spool, clip):
    model = InPieces(meanwhile=once(lambda doing: doing == ("piece", 2, 1), clip(3, seconds=4)))

    run(spool, model, clip(2))

    names = [name for name, _ in pieces_of(model)]
    assert names == [2] * 5 + [4] * 5


def test_a_window_that_has_begun_is_not_passed_by_newcomers_for_ever(spool, file, clip):
    clips = [clip(id) for id in range(2, 22)]
    model = InPieces(slots=24, meanwhile=once(in_second_window(1), *clips))

    run(spool, model, file)

    names = [name for name, _ in pieces_of(model)]
    suspended = names.index(2)
    goes_on = next(at for at, name in enumerate(names) if at > suspended and name != 2)
    assert goes_on - suspended == 8 * 5


@pytest.mark.parametrize("pieces_done", [1, 4])
def test_cancelling_between_two_pieces_gives_the_pass_up(spool, file, clip, pieces_done):
    model = InPieces(meanwhile=once(in_second_window(pieces_done), Cancel(LONG), clip(2)))

    messages = run(spool, model, file)

    assert {id: m.kind for id, m in final_answers(messages).items()} == {1: "cancelled", 2: "done"}
    assert len(model.closed) == 1
    assert [name for name, _ in pieces_of(model)[-5:]] == [2] * 5


def test_cancelling_a_newcomer_that_interrupted_lets_the_other_go_on(spool, file, clip):
    at_file, at_clip = in_second_window(2), lambda doing: doing == ("piece", 2, 3)
    first, second = once(at_file, clip(2)), once(at_clip, Cancel(2))
    model = InPieces(meanwhile=lambda doing: [*first(doing), *second(doing)])

    messages = run(spool, model, file)

    assert {id: m.kind for id, m in final_answers(messages).items()} == {1: "done", 2: "cancelled"}
    assert model.closed == [2]
    order = pieces_of(model)
    assert order[order.index((2, 3)) + 1][1] == 3


def test_the_windows_of_a_lone_file_are_encoded_before_they_are_decoded_together(spool, file):
    model = InPieces(pieces=5)

    run(spool, model, file)

    kinds = [doing[0] for doing in model.doings]
    last_piece = max(at for at, kind in enumerate(kinds) if kind == "piece")
    assert kinds[:last_piece].count("step") == 4  # one after each window that has entered


def test_in_a_pass_that_takes_long_the_rows_do_not_stand_still(spool, file):
    model = InPieces(pieces=100)

    run(spool, model, file)

    kinds = "".join(doing[0][0] for doing in model.doings)
    longest = max(map(len, kinds[kinds.index("s") :].split("s")))
    assert 2 < longest * PIECE / STEP <= 48 + PIECE / STEP


def test_while_somebody_short_is_decoded_a_file_s_pass_takes_no_more_time_than_the_steps(
    spool, file, clip
):
    model = InPieces(meanwhile=once(in_second_window(2), clip(2)))

    run(spool, model, file)

    entered = model.doings.index(("piece", 2, 5))
    beside = [doing[0] for doing in model.doings[entered + 1 :]][: 12 + 6]
    assert beside.count("step") * STEP >= beside.count("piece") * PIECE - 1e-9 > 0
    assert "piece piece" not in " ".join(beside)


class FailsLate(InPieces):
    """Fails in the third piece of the first window of that length."""

    def __init__(self, name, error, **others):
        super().__init__(**others)
        self.name, self.error = name, error

    def do(self, *doing, seconds):
        super().do(*doing, seconds=seconds)
        if self.error and doing[0] == "piece" and doing[1:] == (self.name, 3):
            error, self.error = self.error, None
            raise error


def test_a_pass_that_fails_between_its_pieces_fails_its_request_alone(spool, file, clip, capsys):
    model = FailsLate(2, ValueError("no"), meanwhile=once(in_second_window(2), clip(2)))

    messages = run(spool, model, file)

    assert {id: m.kind for id, m in final_answers(messages).items()} == {1: "done", 2: "failed"}
    assert "ValueError: no" in capsys.readouterr().err


def test_a_pass_without_memory_begins_again_when_others_have_left(spool, file, clip, capsys):
    model = FailsLate(2, OutOfMemory("full"), meanwhile=once(in_second_window(2), clip(2)))

    messages = run(spool, model, file)

    assert {m.kind for m in final_answers(messages).values()} == {"done"}
    assert len(pieces_of(model, 2)) == 3 + 5
    assert "out of memory" in capsys.readouterr().err
