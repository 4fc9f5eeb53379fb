"""The loop with the fake model, and with models that fail."""

import queue

import numpy as np
import pytest
from conftest import put_pcm, run_requests, segments_of, silence, tone, transcribe

from whisper_worker.failures import FatalFailure, OutOfMemory
from whisper_worker.fake_model import FakeModel
from whisper_worker.loop import Loop
from whisper_worker.protocol import Cancel, DetectLanguage, Ping, Shutdown


def kinds(messages):
    return [message.kind for message in messages]


def answers(messages):
    """Final messages by id."""
    final = {"done", "detected", "failed", "cancelled", "pong"}
    return {message.id: message for message in messages if message.kind in final}


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
    windows = [message for message in messages if message.kind == "window"]
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


def test_a_request_without_word_times_has_none(spool):
    path = put_pcm(spool, tone(2))

    messages = run_requests(FakeModel(), spool, [transcribe(path, word_timestamps=False)])

    (segment,) = segments_of(messages)
    assert segment.words is None


def test_silence_is_done_without_windows(spool):
    path = put_pcm(spool, silence(3))

    messages = run_requests(
        FakeModel(), spool, [transcribe(path), transcribe(path, 2, language="de")]
    )

    assert kinds(messages) == ["done", "done"]
    assert {id_: m.language for id_, m in answers(messages).items()} == {1: "da", 2: "de"}


def test_detecting_a_language_answers_every_language_most_probable_first(spool):
    path = put_pcm(spool, tone(2))

    (detected,) = run_requests(FakeModel(), spool, [DetectLanguage(3, path)])

    assert (detected.language, detected.probability) == ("da", 0.9)
    assert [entry.language for entry in detected.languages] == ["da", "en", "de"]


def test_a_cancelled_request_is_answered_once_and_says_nothing_more(spool):
    path = put_pcm(spool, tone(60))

    messages = run_requests(FakeModel(), spool, [transcribe(path), Cancel(1), Cancel(1), Ping(2)])

    assert sorted(kinds(messages)) == ["cancelled", "pong"]


def test_cancelling_between_batches_stops_a_long_recording(spool):
    inbox = queue.SimpleQueue()
    messages = []

    class CancelledWhileDecoding(FakeModel):
        batch_windows = 1

        def decode(self, rows):
            inbox.put(Cancel(1))
            inbox.put(Shutdown())
            return super().decode(rows)

    inbox.put(transcribe(put_pcm(spool, tone(600))))
    Loop(CancelledWhileDecoding(), inbox, messages.append, spool).run()

    assert kinds(messages) == ["window", "progress", "cancelled"]


def test_ping_tells_what_is_open(spool):
    path = put_pcm(spool, tone(100))

    messages = run_requests(
        FakeModel(), spool, [transcribe(path), transcribe(path, 2), Ping(3), Cancel(1), Cancel(2)]
    )

    pong = answers(messages)[3]
    assert (pong.requests, pong.steps) == (2, 0)
    assert pong.windows_waiting >= 2


def test_an_unknown_language_is_refused_with_some_that_are_known(spool):
    path = put_pcm(spool, tone(1))

    (failed,) = run_requests(FakeModel(), spool, [transcribe(path, language="xx")])

    assert failed.code == "invalid_language"
    assert "'xx'" in failed.message
    assert "da" in failed.message


def test_a_recording_that_cannot_be_read_fails_alone(spool):
    good = put_pcm(spool, tone(1))

    messages = run_requests(
        FakeModel(), spool, [transcribe("/etc/hostname"), transcribe(good, 2, language="da")]
    )

    assert answers(messages)[1].code == "invalid_audio"
    assert answers(messages)[2].kind == "done"


def test_a_request_that_makes_the_model_fail_does_not_fail_its_neighbours(spool, capsys):
    path = put_pcm(spool, tone(2))

    messages = run_requests(
        FakeModel(),
        spool,
        [transcribe(path, id_, prompt="[[fail]]" if id_ == 2 else None) for id_ in (1, 2, 3, 4)],
    )

    final = answers(messages)
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


class Narrow(FakeModel):
    """Has room for so many windows at once, and remembers the batches it decoded."""

    def __init__(self, room):
        self.room = room
        self.decoded = []

    def encode(self, windows):
        if len(windows) > self.room:
            raise OutOfMemory("too many")
        return super().encode(windows)

    def decode(self, rows):
        self.decoded.append(len(rows))
        return super().decode(rows)


def test_a_batch_that_does_not_fit_is_halved_until_it_does_and_stays_small(spool):
    path = put_pcm(spool, tone(400))
    model = Narrow(room=1)

    messages = run_requests(model, spool, [transcribe(path, language="da")])

    assert words_said(messages) == [f" ord{n}" for n in range(800)]
    assert max(model.decoded) == 1


def test_a_window_that_does_not_fit_alone_fails_its_request(spool):
    path = put_pcm(spool, tone(2))

    (failed,) = run_requests(Narrow(room=0), spool, [transcribe(path)])

    assert failed.code == "out_of_memory"


def test_a_device_error_ends_the_loop(spool):
    class Broken(FakeModel):
        def encode(self, _windows):
            raise FatalFailure("device_failed", "CUDA error: an illegal memory access")

    path = put_pcm(spool, tone(2))

    with pytest.raises(FatalFailure) as caught:
        run_requests(Broken(), spool, [transcribe(path)])
    assert caught.value.code == "device_failed"


def test_a_detector_that_fails_fails_its_request_only(spool, capsys):
    class Deaf(FakeModel):
        @property
        def detect_speech(self):
            def detect(pcm):
                if len(pcm) > 50_000:
                    raise ValueError("cannot hear this")
                return FakeModel().detect_speech(pcm)

            return detect

    long_path, short_path = put_pcm(spool, tone(5), "l.pcm"), put_pcm(spool, tone(2), "s.pcm")

    messages = run_requests(Deaf(), spool, [transcribe(long_path), transcribe(short_path, 2)])

    assert answers(messages)[1].code == "internal"
    assert answers(messages)[2].kind == "done"
    assert "cannot hear this" in capsys.readouterr().err


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
