"""A recording that is taken up again by another child: as if nothing had happened in between."""

import dataclasses

import numpy as np
import pytest
from conftest import put_pcm, read_wav, run_requests, segments_of, silence, tone, transcribe
from slow_models import WordByWord

from whisper_worker.fake_model import FakeModel
from whisper_worker.protocol import PcmGrown

SPEECH = np.concatenate([tone(20), silence(3), tone(12), silence(1)] * 4)


def windows_of(messages):
    return [message for message in messages if message.kind == "window"]


def said(windows):
    return [(window.index, window.start, window.end, window.segments) for window in windows]


@pytest.mark.parametrize("deltas", [False, True])
@pytest.mark.parametrize("windows_done", [1, 3, 7])
def test_the_rest_is_said_as_it_would_have_been_and_nothing_is_computed_twice(
    spool, windows_done, deltas
):
    path = put_pcm(spool, SPEECH)
    asked = transcribe(path, deltas=deltas)
    whole = run_requests(FakeModel(), spool, [asked])
    checkpoint = windows_of(whole)[windows_done - 1].checkpoint
    model = WordByWord()

    rest = run_requests(model, spool, [dataclasses.replace(asked, resume=checkpoint)])

    assert said(windows_of(rest)) == said(windows_of(whole)[windows_done:])
    assert [row.window.index for row in model.rows] == list(range(windows_done, whole[-1].windows))
    assert {delta.index for delta in rest if delta.kind == "delta"} == (
        {row.window.index for row in model.rows} if deltas else set()
    )


def test_the_figures_of_the_whole_are_those_of_both_parts(spool):
    asked = transcribe(put_pcm(spool, SPEECH))
    whole = run_requests(FakeModel(), spool, [asked])
    checkpoint = dataclasses.replace(
        windows_of(whole)[1].checkpoint,
        timings=dataclasses.replace(whole[-1].timings, decode_seconds=100.0),
    )

    done = run_requests(FakeModel(), spool, [dataclasses.replace(asked, resume=checkpoint)])[-1]

    same = {"timings": None}
    assert dataclasses.replace(done, **same) == dataclasses.replace(whole[-1], **same)
    assert (done.language, done.language_probability) == ("da", 0.9)
    assert 100 < done.timings.decode_seconds < 110


def test_what_is_done_already_is_done_at_once(spool):
    asked = transcribe(put_pcm(spool, SPEECH))
    whole = run_requests(FakeModel(), spool, [asked])
    last = windows_of(whole)[-1].checkpoint

    (done,) = run_requests(FakeModel(), spool, [dataclasses.replace(asked, resume=last)])

    assert (done.kind, done.windows) == ("done", whole[-1].windows)


def test_a_recording_that_still_grows_can_be_taken_up_too(spool):
    path = put_pcm(spool, SPEECH)
    whole = run_requests(FakeModel(), spool, [transcribe(path)])
    checkpoint = windows_of(whole)[1].checkpoint

    rest = run_requests(
        FakeModel(),
        spool,
        [
            transcribe(path, resume=checkpoint, pcm_samples=16_000, pcm_is_complete=False),
            *(PcmGrown(1, size, size == len(SPEECH)) for size in (400_000, len(SPEECH))),
        ],
    )

    assert said(windows_of(rest)) == said(windows_of(whole)[2:])


def test_repetitions_that_were_spent_stay_spent(spool):
    class Unsure(FakeModel):
        def _decode_row(self, row):
            decoded = super()._decode_row(row)
            return dataclasses.replace(decoded, attempts=len(row.ladder))

    path = put_pcm(spool, SPEECH)
    whole = run_requests(Unsure(), spool, [transcribe(path)])

    spent = [window.checkpoint.extra_attempts for window in windows_of(whole)]
    checkpoint = windows_of(whole)[4].checkpoint
    model = WordByWord()
    run_requests(model, spool, [transcribe(path, resume=checkpoint)])

    assert spent == sorted(spent)
    assert spent[4] >= 6
    assert [len(row.ladder) for row in model.rows] == [1] * (len(spent) - 5)


@pytest.mark.parametrize("changes", [{"samples": 1}, {"windows": 99}])
def test_where_the_recording_is_divided_otherwise_than_before_it_fails(spool, changes):
    asked = transcribe(put_pcm(spool, SPEECH))
    checkpoint = windows_of(run_requests(FakeModel(), spool, [asked]))[0].checkpoint
    other = dataclasses.replace(checkpoint, **changes)

    (failed,) = run_requests(FakeModel(), spool, [dataclasses.replace(asked, resume=other)])

    assert (failed.kind, failed.code) == ("failed", "internal")
    assert "divided otherwise" in failed.message


def test_while_much_is_heard_again_others_have_their_turns(spool):
    long_path = put_pcm(spool, np.concatenate([tone(20), silence(3)] * 40), "long.pcm")
    asked = transcribe(long_path)
    whole = run_requests(FakeModel(), spool, [asked])
    short = transcribe(put_pcm(spool, tone(2), "short.pcm"), id=2)
    resumed = dataclasses.replace(asked, resume=windows_of(whole)[-2].checkpoint)

    messages = run_requests(FakeModel(), spool, [resumed, short])

    assert [message.id for message in messages if message.kind == "window"] == [2, 1]


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_a_real_model_goes_on_with_the_same_words(tiny_da, spool, temperature):
    asked = transcribe(put_pcm(spool, read_wav("long")), temperature=temperature)
    whole = run_requests(tiny_da, spool, [asked])
    first, *others = windows_of(whole)

    rest = run_requests(tiny_da, spool, [dataclasses.replace(asked, resume=first.checkpoint)])

    assert len(others) >= 2
    assert [(s.text, s.tokens, s.temperature) for s in segments_of(rest)] == [
        (s.text, s.tokens, s.temperature) for s in segments_of(others)
    ]
    assert rest[-1].language_probability == whole[-1].language_probability
