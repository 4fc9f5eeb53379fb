"""Windows on their way into slots."""

import pytest
from conftest import detect_language, put_pcm, tone, transcribe
from slow_models import WordByWord

from whisper_worker.admission import Admission, admit
from whisper_worker.audio import PcmFile
from whisper_worker.energy_vad import EnergyListener
from whisper_worker.recording import Recording


@pytest.fixture
def first_job(spool):
    """Makes the first window of a recording."""
    path = put_pcm(spool, tone(2))

    def make(request=transcribe, **changes):
        asked = request(path, **changes)
        pcm = PcmFile(path, spool, asked.pcm_samples, asked.pcm_is_complete)
        recording = Recording(asked, pcm, EnergyListener(), spell=lambda _token: b"")
        return next(recording.jobs())

    return make


class Counting(WordByWord):
    """Remembers how many windows each call was about."""

    def __init__(self, fails_at=None):
        super().__init__()
        self.calls = []
        self._fails_at = fails_at

    def _count(self, method, windows):
        self.calls.append((method, len(windows)))
        if method == self._fails_at:
            raise ValueError(f"{method} failed")

    def encode(self, windows):
        self._count("encode", windows)
        return super().encode(windows)

    def detect_language(self, encoded):
        self._count("detect_language", encoded)
        return super().detect_language(encoded)

    def start(self, rows):
        super().start(rows)
        self._count("start", rows)


def test_windows_of_several_requests_are_encoded_and_begun_together(first_job):
    model = Counting()
    jobs = [first_job(language="da"), first_job(language="de")]

    admit(model, jobs)

    assert model.calls == [("encode", 2), ("start", 2)]
    assert [row.language for row in model.rows] == ["da", "de"]
    assert all(job.encoded is not None for job in jobs)
    assert all(job.recording.encode_seconds > 0 for job in jobs)


def test_only_open_languages_are_heard(first_job):
    model = Counting()
    jobs = [first_job(language="de"), first_job(language=None)]

    admit(model, jobs)

    assert model.calls == [("encode", 2), ("detect_language", 1), ("start", 2)]
    assert [row.language for row in model.rows] == ["de", "da"]


def test_a_probe_leaves_at_once_and_is_not_decoded(first_job):
    model = Counting()
    probe, text = first_job(request=detect_language), first_job(language="da")

    admit(model, [probe, text])

    assert probe.encoded is None
    assert probe.recording.language == "da"
    assert [row.encoded for row in model.rows] == [text.encoded]
    assert model.free_slots == model.slots - 1


@pytest.mark.parametrize("method", ["encode", "detect_language", "start"])
def test_when_anything_fails_no_window_has_a_slot_and_all_can_be_admitted_again(first_job, method):
    model = Counting(fails_at=method)
    jobs = [first_job(language=None), first_job(language="da"), first_job(request=detect_language)]

    with pytest.raises(ValueError, match=f"{method} failed"):
        admit(model, jobs)

    assert model.free_slots == model.slots
    assert [job.encoded for job in jobs] == [None] * 3
    again = Counting()
    for job in jobs:
        admit(again, [job])
    assert len(again.rows) == 2


def test_a_request_that_is_given_up_on_its_way_in_leaves_the_others_of_its_pass(first_job):
    model = Counting()
    given_up, wanted = first_job(language="da", id=1), first_job(language="de", id=2)
    admission = Admission(model, [given_up, wanted])

    assert not admission.abandon(1)
    assert admission.advance()

    assert [row.language for row in model.rows] == ["de"]
    assert (given_up.encoded, admission.jobs) == (None, [wanted])
    assert model.free_slots == model.slots - 1


def test_a_pass_that_nobody_wants_any_more_is_over_also_before_it_has_begun(first_job):
    model = Counting()
    admission = Admission(model, [first_job(language="da", id=1), first_job(id=2)])

    assert [admission.abandon(1), admission.abandon(2)] == [False, True]
    assert model.calls == []


def test_only_a_pass_without_newcomers_gives_way(first_job):
    model = Counting()
    old, new = first_job(id=1), first_job(id=2)

    assert Admission(model, [old], served_before={1}).gives_way
    assert not Admission(model, [old, new], served_before={1}).gives_way
    assert not Admission(model, [new]).gives_way
