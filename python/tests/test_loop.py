"""The loop with the fake model, and with models that fail."""

import dataclasses
import queue

import numpy as np
import pytest
from conftest import (
    detect_language,
    final_answers,
    judged,
    put_pcm,
    run_requests,
    segments_of,
    silence,
    tone,
    transcribe,
)
from slow_models import WordByWord

from whisper_worker.energy_vad import EnergyListener
from whisper_worker.failures import FatalFailure, OutOfMemory
from whisper_worker.fake_model import FakeModel
from whisper_worker.loop import Loop
from whisper_worker.protocol import Cancel, PcmGrown, Shutdown
from whisper_worker.pulse import Pulse


def kinds(messages):
    return [message.kind for message in messages]


def windows_of(messages, request=1):
    return [m for m in messages if m.kind == "window" and m.id == request]


def untimed(windows):
    """Without what it took to compute them."""
    return [dataclasses.replace(window, checkpoint=None) for window in windows]


def words_said(messages, request=None):
    return [
        word.word
        for message in messages
        if message.kind == "window" and message.id in (request, request or message.id)
        for segment in message.segments
        for word in segment.words
    ]


def test_a_recording_becomes_windows_progress_and_done(spool):
    path = put_pcm(spool, np.concatenate([silence(1), tone(2), silence(1)]))

    messages = run_requests(FakeModel(), spool, [transcribe(path)])

    assert kinds(messages) == ["window", "progress", "done"]
    assert words_said(messages) == [" ord2", " ord3", " ord4", " ord5"]
    done = messages[-1]
    assert (done.language, done.language_probability, done.windows) == ("da", 0.9, 1)
    assert done.timings.waited_seconds >= 0


def test_a_long_recording_is_cut_and_every_half_second_is_said_once(spool):
    path = put_pcm(spool, np.concatenate([tone(70), silence(3), tone(40)]))

    messages = run_requests(FakeModel(), spool, [transcribe(path, language="da")])

    expected = [f" ord{n}" for n in [*range(140), *range(146, 226)]]
    assert words_said(messages) == expected
    assert {segment.temperature for segment in segments_of(messages)} == {0.0}
    windows = windows_of(messages)
    assert [window.index for window in windows] == list(range(len(windows)))
    assert len(windows) >= 4


def test_a_short_clip_is_done_before_a_long_recording_that_came_first(spool):
    long_path = put_pcm(spool, tone(300), "long.pcm")
    short_path = put_pcm(spool, tone(2), "short.pcm")

    messages = run_requests(
        FakeModel(), spool, [transcribe(long_path, id=1), transcribe(short_path, id=2)]
    )

    done = [message.id for message in messages if message.kind == "done"]
    assert done == [2, 1]


def test_a_short_clip_that_comes_later_enters_beside_the_windows_that_are_decoded(spool):
    long_path = put_pcm(spool, tone(300), "long.pcm")
    short_path = put_pcm(spool, tone(2), "short.pcm")
    model = WordByWord()

    messages = run_requests(
        model,
        spool,
        [transcribe(long_path, deltas=True)],
        answer=lambda m: [transcribe(short_path, id=2)] if is_first_delta(m) else [],
    )

    assert messages[0].kind == "delta"
    short_done = next(at for at, m in enumerate(messages) if m.kind == "done" and m.id == 2)
    assert not windows_of(messages[:short_done])


def is_first_delta(message):
    return message.kind == "delta" and message.text == " ord0"


def test_a_request_without_word_times_has_none(spool):
    path = put_pcm(spool, tone(2))

    messages = run_requests(FakeModel(), spool, [transcribe(path, word_timestamps=False)])

    (segment,) = segments_of(messages)
    assert segment.words is None


class Untouched(FakeModel):
    def encode(self, _windows):
        raise AssertionError("the model was called")


def test_silence_is_done_without_windows_and_without_touching_the_model(spool):
    path = put_pcm(spool, silence(100))

    messages = run_requests(
        Untouched(), spool, [transcribe(path), transcribe(path, 2, language="de")]
    )

    assert kinds(messages) == ["done", "done"]
    assert {m.id: (m.language, m.windows) for m in messages} == {1: (None, 0), 2: ("de", 0)}
    assert all(m.language_probability is None for m in messages)
    assert all((m.duration_seconds, m.speech_seconds) == (100, 0) for m in messages)


def test_speech_after_minutes_of_silence_is_found_without_anybody_asking(spool):
    path = put_pcm(spool, np.concatenate([silence(200), tone(2)]))

    messages = run_requests(FakeModel(), spool, [transcribe(path)])

    assert kinds(messages) == ["window", "progress", "done"]
    assert words_said(messages) == [" ord400", " ord401", " ord402", " ord403"]


def test_detecting_a_language_answers_every_language_most_probable_first(spool):
    path = put_pcm(spool, tone(2))

    (detected,) = run_requests(FakeModel(), spool, [detect_language(path, 3)])

    assert (detected.language, detected.probability) == ("da", 0.9)
    assert [entry.language for entry in detected.languages] == ["da", "en", "de"]


def test_the_language_of_silence_is_guessed_from_its_beginning(spool):
    path = put_pcm(spool, silence(40))

    (detected,) = run_requests(FakeModel(), spool, [detect_language(path)])

    assert (detected.language, detected.duration_seconds) == ("da", 40)


def test_detecting_languages_leaves_the_slots_free(spool):
    path = put_pcm(spool, tone(2))
    model = WordByWord(slots=2)

    messages = run_requests(
        model, spool, [detect_language(path, 1), transcribe(path, 2), detect_language(path, 3)]
    )

    assert {m.kind for m in final_answers(messages).values()} == {"done", "detected"}
    assert model.free_slots == 2


def test_a_cancelled_request_is_answered_once_and_says_nothing_more(spool):
    path = put_pcm(spool, tone(60))

    messages = run_requests(FakeModel(), spool, [transcribe(path), Cancel(1), Cancel(1)])

    assert kinds(messages) == ["cancelled"]


def test_cancelling_between_steps_stops_a_long_recording(spool):
    inbox = queue.SimpleQueue()
    messages = []

    class CancelledWhileDecoding(FakeModel):
        slots = 1
        windows_per_encode = 1

        def step(self):
            inbox.put(Cancel(1))
            inbox.put(Shutdown())
            return super().step()

    inbox.put(transcribe(put_pcm(spool, tone(600))))
    Loop(CancelledWhileDecoding(), inbox, messages.append, spool).run()

    assert kinds(messages) == ["window", "progress", "cancelled"]


def test_a_request_that_is_cancelled_inside_the_slots_frees_them_for_the_next_step(spool):
    long_path = put_pcm(spool, tone(100), "long.pcm")
    short_path = put_pcm(spool, tone(1), "short.pcm")
    model = WordByWord(slots=2)

    messages = run_requests(
        model,
        spool,
        [transcribe(long_path, language="da", deltas=True)],
        answer=lambda m: [Cancel(1), transcribe(short_path, 2)] if is_first_delta(m) else [],
    )

    assert kinds(messages) == ["delta", "cancelled", "window", "progress", "done"]
    assert len(model.steps_inside[0]) == 2
    assert all(len(inside) == 1 for inside in model.steps_inside[1:])
    assert model.free_slots == 2


class Observed:
    """What the pulse told whenever the loop said something."""

    def __init__(self, spool, model):
        self.pulse = Pulse()
        self.inbox = queue.SimpleQueue()
        self.pongs = []
        self.loop = Loop(model, self.inbox, self.note, spool, self.pulse)

    def note(self, message):
        self.pongs.append((message.kind, self.pulse.pong(9)))
        if message.kind in ("done", "cancelled"):
            self.inbox.put(Shutdown())

    def run(self, *requests):
        for request in requests:
            self.inbox.put(request)
        self.loop.run()


def test_the_pulse_tells_what_is_open_and_that_somebody_works(spool):
    path = put_pcm(spool, tone(100))
    observed = Observed(spool, FakeModel())

    observed.run(transcribe(path), transcribe(path, 2))

    kind, pong = observed.pongs[0]
    assert (kind, pong.requests, pong.is_working) == ("window", 2, True)
    assert pong.windows_waiting >= 2


def test_the_pulse_counts_the_steps_and_the_turns_of_the_loop(spool):
    model = WordByWord()
    observed = Observed(spool, model)

    observed.run(transcribe(put_pcm(spool, tone(2))))

    kind, pong = observed.pongs[-1]
    assert kind == "done"
    assert pong.steps == len(model.steps_inside) == 5  # four words, the end
    assert pong.turns == 4  # the fifth is not over yet
    assert pong.rows == sum(len(inside) for inside in model.steps_inside)
    assert observed.pulse.turns == 5


def test_who_waits_for_a_recording_to_grow_does_not_work(spool):
    path = put_pcm(spool, tone(2))
    observed = Observed(spool, FakeModel())
    told = []

    class Patient(queue.SimpleQueue):
        def get(self, block=True):
            if block and not told:
                told.append(observed.pulse.pong(9))
                self.put(Cancel(1))
            return super().get(block)

    observed.inbox = observed.loop._inbox = Patient()
    observed.run(transcribe(path, pcm_samples=100, pcm_is_complete=False))

    assert [(pong.is_working, pong.requests) for pong in told] == [(False, 0)]


def test_an_unknown_language_is_refused_with_some_that_are_known(spool):
    path = put_pcm(spool, tone(1))

    (failed,) = run_requests(FakeModel(), spool, [transcribe(path, language="xx")])

    assert failed.code == "invalid_language"
    assert "'xx'" in failed.message
    assert "da" in failed.message


def test_an_unknown_candidate_is_refused_unless_the_language_is_named(spool):
    path = put_pcm(spool, tone(1))
    candidates = ("da", "xx")

    messages = run_requests(
        FakeModel(),
        spool,
        [
            transcribe(path, 1, languages=candidates),
            transcribe(path, 2, languages=candidates, language="de"),
        ],
    )

    final = final_answers(messages)
    assert (final[1].kind, final[1].code) == ("failed", "invalid_language")
    assert "'xx'" in final[1].message
    assert (final[2].kind, final[2].language) == ("done", "de")


def test_the_model_is_told_of_keywords_and_prompt_in_every_window(spool):
    path = put_pcm(spool, np.concatenate([tone(20), silence(3), tone(20)]))
    model = WordByWord()
    asked = transcribe(path, prompt="Vi ses.", keywords=("Åse", "Søren"), language="da")

    messages = run_requests(model, spool, [asked])

    told = ["".join(map(chr, row.prompt_tokens)) for row in model.rows]
    assert told == [" Åse, Søren. Vi ses."] * 2
    assert messages[-1].prompt_tokens == len(told[0])


def test_a_recording_that_cannot_be_read_fails_alone(spool):
    good = put_pcm(spool, tone(1))

    messages = run_requests(
        FakeModel(), spool, [transcribe("/etc/hostname"), transcribe(good, 2, language="da")]
    )

    assert final_answers(messages)[1].code == "invalid_audio"
    assert final_answers(messages)[2].kind == "done"


def test_a_request_that_makes_the_model_fail_does_not_fail_its_neighbours(spool, capsys):
    path = put_pcm(spool, tone(2))

    messages = run_requests(
        FakeModel(),
        spool,
        [transcribe(path, id_, prompt="[[fail]]" if id_ == 2 else None) for id_ in (1, 2, 3, 4)],
    )

    final = final_answers(messages)
    assert {id_: m.kind for id_, m in final.items()} == {
        1: "done",
        2: "failed",
        3: "done",
        4: "done",
    }
    assert final[2].code == "internal"
    assert "the prompt told the fake model to fail" in capsys.readouterr().err


def test_a_request_that_failed_says_nothing_more(spool, capsys):
    path = put_pcm(spool, tone(300))

    messages = run_requests(FakeModel(), spool, [transcribe(path, prompt="[[fail]]")])

    assert kinds(messages) == ["failed"]
    assert capsys.readouterr().err


def test_a_text_that_cannot_be_judged_fails_its_request_only(spool, capsys):
    class Mumbling(FakeModel):
        def _decode_row(self, row):
            decoded = super()._decode_row(row)
            return decoded if row.language == "da" else dataclasses.replace(decoded, text=None)

    path = put_pcm(spool, tone(2))

    messages = run_requests(
        Mumbling(), spool, [transcribe(path, 1, language="de"), transcribe(path, 2, language="da")]
    )

    assert final_answers(messages)[1].code == "internal"
    assert final_answers(messages)[2].kind == "done"
    assert capsys.readouterr().err


def test_a_step_that_fails_fails_what_is_inside_and_the_loop_goes_on(spool, capsys):
    class FailsOnce(WordByWord):
        has_failed = False

        def step(self):
            if not self.has_failed:
                self.has_failed = True
                raise ValueError("a step failed")
            return super().step()

    path = put_pcm(spool, tone(2))
    model = FailsOnce()

    messages = run_requests(
        model,
        spool,
        [transcribe(path, 1), transcribe(path, 2)],
        answer=lambda m: [transcribe(path, 3)] if m.kind == "failed" and m.id == 2 else [],
    )

    final = final_answers(messages)
    assert [(final[id_].kind, final[id_].code) for id_ in (1, 2)] == [("failed", "internal")] * 2
    assert final[3].kind == "done"
    assert model.free_slots == model.slots
    assert "a step failed" in capsys.readouterr().err


class Narrow(WordByWord):
    """Has room for so many windows at once."""

    def __init__(self, room):
        super().__init__()
        self.room = room

    def encode(self, windows):
        if len(windows) > self.room - len(self._taken):
            raise OutOfMemory("too many")
        return super().encode(windows)


def test_windows_that_do_not_fit_together_enter_in_parts_and_fewer_slots_are_used_from_then_on(
    spool,
):
    path = put_pcm(spool, tone(400))
    model = Narrow(room=1)

    messages = run_requests(model, spool, [transcribe(path, language="da")])

    assert words_said(messages) == [f" ord{n}" for n in range(800)]
    assert max(len(inside) for inside in model.steps_inside) == 1


def test_windows_that_have_to_enter_again_keep_their_order(spool):
    path = put_pcm(spool, tone(400))
    model = Narrow(room=1)

    run_requests(model, spool, [transcribe(path, language="da")])

    started = [row.window.index for row in model.rows]
    assert started == list(range(len(started)))


def test_a_window_that_does_not_fit_alone_fails_its_request(spool):
    path = put_pcm(spool, tone(2))

    (failed,) = run_requests(Narrow(room=0), spool, [transcribe(path)])

    assert failed.code == "out_of_memory"


class Exhausted(WordByWord):
    """Has no memory for a step with more than `room` windows, which it notices at its third."""

    def __init__(self, room):
        super().__init__()
        self.room = room

    def step(self):
        if len(self._started) > self.room and len(self.steps_inside) >= 3:
            raise OutOfMemory("in a step")
        return super().step()


@pytest.mark.parametrize("deltas", [False, True])
def test_a_step_without_memory_is_taken_again_with_fewer_windows_and_nothing_is_said_twice(
    spool, deltas
):
    path = put_pcm(spool, tone(200))
    model = Exhausted(room=1)

    messages = run_requests(model, spool, [transcribe(path, language="da", deltas=deltas)])

    expected = [f" ord{n}" for n in range(400)]
    assert words_said(messages) == expected
    assert "".join(m.text for m in messages if m.kind == "delta") == "".join(expected * deltas)
    assert messages[-1].kind == "done"


def test_slots_come_back_when_the_memory_has(spool):
    path = put_pcm(spool, tone(900))
    model = Exhausted(room=1)
    inbox = queue.SimpleQueue()
    messages = []

    def send(message):
        messages.append(message)
        if message.kind == "window" and message.index == 5:
            model.room = 4  # whoever had taken the memory has gone
        if message.kind == "done":
            inbox.put(Shutdown())

    inbox.put(transcribe(path, language="da"))
    Loop(model, inbox, send, spool).run()

    inside = [len(windows) for windows in model.steps_inside]
    assert max(inside[200:1000]) == 1
    assert max(inside[1200:]) > 1
    assert words_said(messages) == [f" ord{n}" for n in range(1800)]


def test_a_step_without_memory_for_a_single_window_fails_its_request(spool):
    path = put_pcm(spool, tone(20))

    (*_, failed) = run_requests(Exhausted(room=0), spool, [transcribe(path)])

    assert (failed.kind, failed.code) == ("failed", "out_of_memory")


@pytest.mark.parametrize("method", ["encode", "detect_language", "start", "step"])
def test_a_device_error_ends_the_loop(spool, method):
    def fail(*_arguments):
        raise FatalFailure("device_failed", "CUDA error: an illegal memory access")

    broken = type("Broken", (FakeModel,), {method: fail})()
    path = put_pcm(spool, tone(2))

    with pytest.raises(FatalFailure) as caught:
        run_requests(broken, spool, [transcribe(path)])
    assert caught.value.code == "device_failed"


class CannotHearLoudness(EnergyListener):
    def hear(self, samples):
        if len(samples) and samples.max() > 20_000:
            raise ValueError("cannot hear this")
        return super().hear(samples)


class Deaf(FakeModel):
    def listen(self):
        return CannotHearLoudness()


def test_a_detector_that_fails_fails_its_request_only(spool, capsys):
    loud, quiet = put_pcm(spool, tone(5, 30_000), "l.pcm"), put_pcm(spool, tone(2), "q.pcm")

    messages = run_requests(Deaf(), spool, [transcribe(loud), transcribe(quiet, 2)])

    assert final_answers(messages)[1].code == "internal"
    assert final_answers(messages)[2].kind == "done"
    assert "cannot hear this" in capsys.readouterr().err


def test_a_detector_that_fails_late_frees_the_slots_of_its_request(spool, capsys):
    late = put_pcm(spool, np.concatenate([tone(100), tone(100, 30_000)]))
    model = Deaf()

    messages = run_requests(model, spool, [transcribe(late, language="da")])

    assert final_answers(messages)[1].code == "internal"
    assert not model._taken
    assert capsys.readouterr().err


def test_an_id_that_is_in_use_is_a_protocol_error(spool):
    path = put_pcm(spool, tone(2))

    with pytest.raises(FatalFailure) as caught:
        run_requests(FakeModel(), spool, [transcribe(path), transcribe(path)])
    assert caught.value.code == "protocol_error"


def test_shutdown_answers_what_is_open_with_cancelled(spool):
    inbox = queue.SimpleQueue()
    messages = []
    for item in (transcribe(put_pcm(spool, tone(2)), 5), Shutdown()):
        inbox.put(item)

    Loop(FakeModel(), inbox, messages.append, spool).run()

    assert [(message.kind, message.id) for message in messages] == [("cancelled", 5)]


# Recordings that are still being written.

GROWING = np.concatenate([tone(16), silence(24), tone(5)])


def test_a_window_of_a_recording_that_still_grows_is_sent_before_the_recording_is_complete(spool):
    path = put_pcm(spool, GROWING)
    early = transcribe(path, pcm_samples=35 * 16_000, pcm_is_complete=False)

    messages = run_requests(
        FakeModel(),
        spool,
        [early],
        answer=lambda m: [PcmGrown(1, len(GROWING), True)] if m.kind == "progress" else [],
    )

    assert kinds(messages) == ["window", "progress", "window", "progress", "done"]
    assert messages[1].duration_seconds == 35
    assert messages[-1].duration_seconds == 45
    assert words_said(messages) == [f" ord{n}" for n in [*range(32), *range(80, 90)]]


@pytest.mark.parametrize("piece_seconds", [0.7, 10, 31])
def test_how_a_recording_grew_has_no_influence_on_what_is_said(spool, piece_seconds):
    pcm = np.concatenate([GROWING, silence(2), tone(40), GROWING])
    path = put_pcm(spool, pcm)
    piece = int(piece_seconds * 16_000)
    sizes = [*range(0, len(pcm), piece), len(pcm)]

    whole = run_requests(FakeModel(), spool, [transcribe(path)])
    grown = run_requests(
        FakeModel(),
        spool,
        [
            transcribe(path, pcm_samples=0, pcm_is_complete=False),
            *(PcmGrown(1, size, size == len(pcm)) for size in sizes),
        ],
    )

    assert untimed(windows_of(grown)) == untimed(windows_of(whole))
    assert grown[-1].duration_seconds == whole[-1].duration_seconds
    assert grown[-1].speech_seconds == whole[-1].speech_seconds


def test_others_are_served_while_a_recording_waits_to_grow(spool):
    waiting = put_pcm(spool, GROWING, "waiting.pcm")
    short = put_pcm(spool, tone(2), "short.pcm")

    messages = run_requests(
        WordByWord(slots=1),
        spool,
        [
            transcribe(waiting, pcm_samples=16_000, pcm_is_complete=False),
            transcribe(short, 2),
        ],
        answer=lambda m: [Cancel(1)] if m.kind == "done" else [],
    )

    assert kinds(messages) == ["window", "progress", "done", "cancelled"]


def test_a_recording_that_grows_by_nothing_and_is_complete_is_done(spool):
    path = put_pcm(spool, tone(3))

    messages = run_requests(
        FakeModel(),
        spool,
        [transcribe(path, pcm_is_complete=False), PcmGrown(1, 48_000, True)],
    )

    assert kinds(messages) == ["window", "progress", "done"]


def test_the_language_of_a_growing_recording_is_detected_when_there_is_speech(spool):
    path = put_pcm(spool, np.concatenate([silence(2), tone(2)]))

    (detected,) = run_requests(
        FakeModel(),
        spool,
        [
            dataclasses.replace(detect_language(path), pcm_samples=16_000, pcm_is_complete=False),
            PcmGrown(1, 64_000, True),
        ],
    )

    assert (detected.kind, detected.language, detected.duration_seconds) == ("detected", "da", 4)


def test_news_of_a_request_that_is_not_open_are_ignored(spool):
    path = put_pcm(spool, tone(2))

    messages = run_requests(
        FakeModel(),
        spool,
        [PcmGrown(9, 1, True), transcribe(path), Cancel(1), PcmGrown(1, 32_000, True)],
    )

    assert kinds(messages) == ["cancelled"]


def test_a_recording_that_turns_out_too_short_is_refused(spool):
    path = put_pcm(spool, tone(0.09))

    (failed,) = run_requests(
        FakeModel(),
        spool,
        [
            transcribe(path, pcm_samples=100, pcm_is_complete=False),
            PcmGrown(1, 1440, is_complete=True),
        ],
    )

    assert (failed.kind, failed.code) == ("failed", "invalid_audio")


@pytest.mark.parametrize("is_there_at_first", [False, True])
def test_samples_that_were_announced_and_are_not_on_disk_fail_the_request(spool, is_there_at_first):
    path = put_pcm(spool, tone(2))
    first = 32_000 if is_there_at_first else 32_001
    requests = [transcribe(path, pcm_samples=first, pcm_is_complete=False)]

    (failed,) = run_requests(FakeModel(), spool, [*requests, PcmGrown(1, 32_001, False)])

    assert (failed.kind, failed.code) == ("failed", "internal")


# Text while it is decoded.


def deltas_of(messages, index=None):
    wanted = [m for m in messages if m.kind == "delta" and index in (None, m.index)]
    return "".join(message.text for message in wanted)


def text_of(messages):
    return "".join(segment.text for segment in segments_of(messages))


def test_text_is_said_while_it_is_decoded_and_the_window_repeats_it(spool):
    path = put_pcm(spool, tone(2))

    messages = run_requests(WordByWord(), spool, [transcribe(path, deltas=True)])

    assert kinds(messages) == [*["delta"] * 4, "window", "progress", "done"]
    assert deltas_of(messages) == text_of(messages) == " ord0 ord1 ord2 ord3"


def test_who_did_not_ask_for_deltas_hears_none(spool):
    path = put_pcm(spool, tone(2))

    messages = run_requests(WordByWord(), spool, [transcribe(path)])

    assert kinds(messages) == ["window", "progress", "done"]


@pytest.mark.parametrize(
    "ends_after",
    [
        lambda _window: 0,
        lambda window: 200 - 20 * window.index,  # the first window ends last
        lambda window: 90 * (window.index % 2),
    ],
    ids=["in order", "the other way round", "every second one late"],
)
@pytest.mark.parametrize("guards", [False, True])
def test_deltas_come_in_the_order_of_the_recording_whichever_window_ends_first(
    spool, ends_after, guards
):
    path = put_pcm(spool, np.concatenate([tone(20), silence(3)] * 6))
    model = WordByWord(slots=8, ends_after=ends_after)

    messages = run_requests(
        model, spool, [transcribe(path, language="da", deltas=True, guards=guards)]
    )

    windows = windows_of(messages)
    assert [window.index for window in windows] == list(range(6))
    assert deltas_of(messages) == text_of(messages)
    indexes = [m.index for m in messages if m.kind in ("delta", "window")]
    assert indexes == sorted(indexes)
    for at, message in enumerate(messages):
        if message.kind == "window":
            said = deltas_of(messages[:at], message.index)
            assert said == "".join(segment.text for segment in message.segments)


class Doubtful(WordByWord):
    """Its texts have this to them."""

    def __init__(self, **figures):
        super().__init__()
        self.figures = figures

    def _decode_row(self, row):
        return dataclasses.replace(super()._decode_row(row), **self.figures)


def test_what_has_been_said_aloud_is_not_taken_back_but_doubted(spool):
    path = put_pcm(spool, tone(2))
    model = Doubtful(no_speech_prob=0.9, avg_logprob=-1.5)

    silent = run_requests(model, spool, [transcribe(path)])
    messages = run_requests(model, spool, [transcribe(path, deltas=True)])

    assert [dropped.reason for dropped in judged(silent, "dropped")] == ["no_speech"]
    assert text_of(messages) == deltas_of(messages) == " ord0 ord1 ord2 ord3"
    assert judged(messages, "dropped") == ()
    assert {warned.reason for warned in judged(messages, "warnings")} == {"unsure"}


@pytest.mark.parametrize("deltas", [False, True])
def test_without_guards_everything_the_model_said_is_kept_and_nothing_is_doubted(spool, deltas):
    path = put_pcm(spool, tone(2))
    model = Doubtful(no_speech_prob=0.9, avg_logprob=-1.5, has_looped=True)

    messages = run_requests(model, spool, [transcribe(path, guards=False, deltas=deltas)])

    assert text_of(messages) == " ord0 ord1 ord2 ord3"
    assert judged(messages, "dropped") == judged(messages, "warnings") == ()
    assert [row.ladder for row in model.rows] == [(0.0,)]
    assert not any(row.stops_loops for row in model.rows)


def test_with_guards_there_is_a_ladder_and_loops_are_stopped(spool):
    path = put_pcm(spool, tone(2))
    model = WordByWord()

    run_requests(model, spool, [transcribe(path)])

    (row,) = model.rows
    assert row.ladder == (0.0, 0.4, 0.8)
    assert row.stops_loops
