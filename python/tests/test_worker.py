"""The whole process over real pipes: with the fake model, and with the bundled one."""

import signal

import numpy as np
import pytest
from conftest import TINY_DA, detect_language, put_pcm, read_wav, silence, tone, transcribe
from worker_process import WorkerProcess

from whisper_worker.protocol import Cancel, PcmGrown, Ping, Shutdown


@pytest.fixture
def fake(spool):
    with WorkerProcess(spool, "--fake") as worker:
        worker.hear_until("ready")
        yield worker


def test_the_first_line_is_hello_with_the_protocol_and_the_process(spool):
    with WorkerProcess(spool, "--fake") as worker:
        assert worker.hear() == {"kind": "hello", "protocol": 3, "pid": worker.process.pid}
        assert worker.hear()["kind"] == "ready"


def test_the_end_of_stdin_ends_the_worker_with_status_0(fake):
    assert fake.end() == ([], 0)


def test_a_recording_is_transcribed_while_it_is_still_being_written(fake, spool):
    path = put_pcm(spool, np.concatenate([tone(16), silence(24), tone(5)]))
    fake.say(transcribe(path, id=1, pcm_samples=35 * 16_000, pcm_is_complete=False))

    fake.hear_until("window")
    fake.say(PcmGrown(1, 45 * 16_000, is_complete=True))

    done = fake.hear_until("done", "failed")[-1]
    assert (done["kind"], done["duration_seconds"]) == ("done", 45.0)


def test_deltas_cross_the_wire_before_their_window(fake, spool):
    path = put_pcm(spool, tone(2))

    messages = fake.answer(transcribe(path, deltas=True))

    kinds = [message["kind"] for message in messages]
    assert kinds[0] == "delta"
    assert kinds[-3:] == ["window", "progress", "done"]
    assert "".join(m["text"] for m in messages if m["kind"] == "delta") == " ord0 ord1 ord2 ord3"


@pytest.mark.parametrize("slots", ["auto", "3"])
def test_the_number_of_slots_is_an_argument(spool, slots):
    with WorkerProcess(spool, "--fake", "--slots", slots) as worker:
        assert worker.hear_until("ready", "fatal")[-1]["kind"] == "ready"


@pytest.mark.parametrize("slots", ["0", "-1", "many"])
def test_a_number_of_slots_that_makes_no_sense_is_refused(spool, slots):
    with WorkerProcess(spool, "--fake", "--slots", slots) as worker:
        assert worker.end() == ([], 2)


def test_shutdown_ends_the_worker_with_status_0(fake):
    fake.say(Shutdown())

    assert fake.process.wait() == 0


def test_ping_is_answered_in_the_middle_of_a_step_that_takes_long(fake, spool):
    fake.say(transcribe(put_pcm(spool, tone(5)), prompt="[[sleep 60]]"))
    while fake.answer(Ping(8))[-1]["requests"] == 0:
        pass  # it has not been read yet

    (pong,) = fake.answer(Ping(9))

    assert (pong["kind"], pong["id"], pong["requests"]) == ("pong", 9, 1)
    assert (pong["is_working"], pong["turns"], pong["steps"]) == (True, 0, 0)


def test_it_says_where_it_stands_when_asked_and_goes_on(fake, spool):
    fake.say(transcribe(put_pcm(spool, tone(5)), prompt="[[sleep 60]]"))
    while fake.answer(Ping(8))[-1]["requests"] == 0:
        pass  # it has not been read yet

    fake.process.send_signal(signal.SIGUSR2)

    while b"loop.py" not in (line := fake.process.stderr.readline()):
        assert line, "it ended without a word"
    assert fake.answer(Ping(9))[-1]["id"] == 9


def test_a_request_can_be_cancelled_while_it_is_decoded(fake, spool):
    path = put_pcm(spool, tone(600))
    fake.say(transcribe(path, prompt="[[sleep 0.05]]"))
    fake.hear_until("window")

    fake.say(Cancel(1))

    assert fake.hear_until("cancelled", "done")[-1] == {"kind": "cancelled", "id": 1}
    assert fake.answer(Ping(2))[-1]["requests"] == 0


def test_the_end_of_stdin_answers_what_is_open_even_when_a_batch_takes_long(fake, spool):
    path = put_pcm(spool, tone(5))
    fake.say(transcribe(path, id=3, prompt="[[sleep 60]]"))

    messages, status = fake.end()

    assert messages == [{"kind": "cancelled", "id": 3}]
    assert status == 0


@pytest.mark.parametrize("line", ["nonsense", '{"kind":"sing"}', '{"kind":"ping","id":1,"x":2}'])
def test_a_line_that_is_not_protocol_is_fatal_with_status_3(fake, line):
    fake.say_line(line)

    (message,), status = fake.end()
    assert (message["kind"], message["code"]) == ("fatal", "protocol_error")
    assert status == 3


def test_when_nobody_listens_any_more_it_ends_even_when_a_batch_takes_long(fake, spool):
    fake.say(transcribe(put_pcm(spool, tone(5)), prompt="[[sleep 60]]"))

    fake.process.stdout.close()
    fake.process.stdin.close()

    assert fake.process.wait() == 0
    fake.process.stdin = fake.process.stdout = None


def test_a_line_that_is_not_protocol_is_fatal_even_when_a_batch_takes_long(fake, spool):
    fake.say(transcribe(put_pcm(spool, tone(5)), prompt="[[sleep 60]]"))

    fake.say_line("nonsense")

    assert fake.hear_until("fatal")[-1]["code"] == "protocol_error"
    assert fake.process.wait() == 3


def test_the_fake_model_crashes_when_its_prompt_says_so(fake, spool):
    fake.say(transcribe(put_pcm(spool, tone(1)), prompt="[[crash]]"))

    assert fake.process.wait() == 9


def test_wrong_arguments_leave_the_wire_empty(spool):
    with WorkerProcess(spool, "--device", "abacus") as worker:
        assert worker.end() == ([], 2)


def test_a_directory_that_is_not_there_is_told_with_the_way_out(spool):
    with WorkerProcess(spool, "--model", "./no/such/directory") as worker:
        fatal = worker.hear_until("fatal", "ready")[-1]

        assert fatal["code"] == "model_unavailable"
        assert "npm run demo" in fatal["message"]
        assert "MODEL=<directory>" in fatal["message"]
        assert worker.process.wait() == 3


def test_a_device_that_is_not_there_is_told(spool):
    arguments = ("--model", str(TINY_DA), "--device", "cuda")
    with WorkerProcess(spool, *arguments, CUDA_VISIBLE_DEVICES="") as worker:
        fatal = worker.hear_until("fatal", "ready")[-1]

        assert fatal["code"] == "device_unavailable"
        assert worker.process.wait() == 3


def test_the_bundled_model_serves_a_whole_session(spool):
    danish, english = (put_pcm(spool, read_wav(name), f"{name}.pcm") for name in ("da", "en"))
    with WorkerProcess(spool, "--model", str(TINY_DA), "--device", "cpu") as worker:
        greeting = worker.hear_until("ready")
        assert [message["kind"] for message in greeting[:2]] == ["hello", "loading"]

        transcript = worker.answer(transcribe(danish, id=1, language="da"))
        assert [message["kind"] for message in transcript] == ["window", "progress", "done"]
        detected = worker.answer(detect_language(english, 2))[-1]
        assert detected["language"] == "en"
        assert sum(entry["probability"] for entry in detected["languages"]) == pytest.approx(1)
        translated = worker.answer(transcribe(danish, id=3, task="translate", prompt="Hej Søren"))
        assert translated[-1]["kind"] == "done"
        tokens = [
            len(segment["tokens"])
            for message in transcript + translated
            if message["kind"] == "window"
            for segment in message["segments"]
        ]
        # A step a token; detecting a language takes none.
        assert worker.answer(Ping(4))[-1]["steps"] == sum(tokens)

        worker.say(Shutdown())
        assert worker.process.wait() == 0
