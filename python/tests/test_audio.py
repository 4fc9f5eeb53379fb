"""The PCM file in the spool."""

import resource

import numpy as np
import pytest
from conftest import put_pcm

from whisper_worker.audio import PcmFile, to_float
from whisper_worker.failures import WorkerFailure


def everything(pcm):
    return pcm.read(0, len(pcm)).tolist()


def test_the_samples_are_those_of_the_file(spool):
    pcm = PcmFile(put_pcm(spool, np.arange(-1000, 1000)), spool, 2000, is_complete=True)

    assert everything(pcm) == list(range(-1000, 1000))
    assert pcm.read(10, 12).tolist() == [-990, -989]


def test_an_odd_last_byte_is_left_out(spool):
    path = spool / "odd.pcm"
    path.write_bytes(bytes(4001))

    assert len(PcmFile(str(path), spool, 2000, is_complete=True)) == 2000


def test_what_has_not_been_announced_is_not_read(spool):
    pcm = PcmFile(put_pcm(spool, np.arange(5000)), spool, 3000, is_complete=False)

    assert len(pcm) == 3000
    assert pcm.read(2990, 4000).tolist() == list(range(2990, 3000))
    assert not pcm.is_complete


def test_a_recording_grows_as_more_of_it_is_announced(spool):
    path = put_pcm(spool, np.arange(2000))
    pcm = PcmFile(path, spool, 2000, is_complete=False)
    early = pcm.read(0, 2000)
    put_pcm(spool, np.arange(5000))

    pcm.grow(4000, is_complete=False)
    pcm.grow(4000, is_complete=False)
    pcm.grow(5000, is_complete=True)

    assert everything(pcm) == list(range(5000))
    assert pcm.is_complete
    assert early.tolist() == list(range(2000))


def test_a_recording_may_begin_with_nothing(spool):
    pcm = PcmFile(put_pcm(spool, []), spool, 0, is_complete=False)
    assert everything(pcm) == []

    put_pcm(spool, np.arange(1600))
    pcm.grow(1600, is_complete=True)

    assert everything(pcm) == list(range(1600))


def test_a_recording_that_is_complete_already_when_it_is_said_to_be_grows_no_more(spool):
    pcm = PcmFile(put_pcm(spool, np.arange(2000)), spool, 2000, is_complete=False)

    pcm.grow(2000, is_complete=True)

    assert pcm.is_complete
    assert len(pcm) == 2000


@pytest.mark.parametrize("samples", [0, 1, 1599])
def test_less_than_a_tenth_of_a_second_is_refused_with_the_length(spool, samples):
    path = put_pcm(spool, np.zeros(samples))

    with pytest.raises(WorkerFailure, match=r"at least 0\.1 seconds") as caught:
        PcmFile(path, spool, samples, is_complete=True)
    assert caught.value.code == "invalid_audio"


def test_too_little_is_refused_only_when_no_more_will_come(spool):
    pcm = PcmFile(put_pcm(spool, np.zeros(1599)), spool, 1599, is_complete=False)

    with pytest.raises(WorkerFailure, match=r"at least 0\.1 seconds"):
        pcm.grow(1599, is_complete=True)


def test_a_tenth_of_a_second_is_enough(spool):
    path = put_pcm(spool, np.zeros(1600))

    assert len(PcmFile(path, spool, 1600, is_complete=True)) == 1600


@pytest.mark.parametrize("announced", [2001, 1_000_000])
def test_more_than_is_on_disk_is_a_bug_of_ours_and_not_the_client_s(spool, announced):
    path = put_pcm(spool, np.zeros(2000))
    pcm = PcmFile(path, spool, 2000, is_complete=False)

    with pytest.raises(WorkerFailure, match="shorter on disk") as opened:
        PcmFile(path, spool, announced, is_complete=False)
    with pytest.raises(WorkerFailure, match="shorter on disk") as grown:
        pcm.grow(announced, is_complete=False)

    assert opened.value.code == grown.value.code == "internal"


def test_a_recording_cannot_shrink(spool):
    pcm = PcmFile(put_pcm(spool, np.zeros(4000)), spool, 4000, is_complete=False)

    with pytest.raises(WorkerFailure, match="shorter"):
        pcm.grow(3000, is_complete=True)


def test_a_file_that_is_not_there_is_refused(spool):
    with pytest.raises(WorkerFailure, match="not in the spool") as caught:
        PcmFile(str(spool / "gone.pcm"), spool, 1600, is_complete=True)
    assert caught.value.code == "invalid_audio"


def test_a_path_outside_the_spool_is_refused(spool, tmp_path):
    outside = put_pcm(tmp_path, np.zeros(16_000))

    for path in (outside, str(spool / ".." / "recording.pcm")):
        with pytest.raises(WorkerFailure, match="outside the spool"):
            PcmFile(path, spool, 16_000, is_complete=True)


def test_a_link_out_of_the_spool_is_refused(spool, tmp_path):
    outside = put_pcm(tmp_path, np.zeros(16_000))
    (spool / "link.pcm").symlink_to(outside)

    with pytest.raises(WorkerFailure, match="outside the spool"):
        PcmFile(str(spool / "link.pcm"), spool, 16_000, is_complete=True)


def test_full_scale_is_one():
    assert to_float(np.array([-32768, 0, 16384], "<i2")).tolist() == [-1.0, 0.0, 0.5]


def test_what_was_read_is_not_kept_in_memory(tmp_path):
    """Ten hours are more than a gigabyte; the machine may have less."""
    seconds = 3000
    path = tmp_path / "long.pcm"
    path.write_bytes(bytes(seconds * 32_000))
    pcm = PcmFile(str(path), tmp_path, seconds * 16_000, True)
    before = _resident_file_pages()

    for second in range(0, seconds, 10):
        assert not pcm.read(second * 16_000, (second + 10) * 16_000).any()

    assert _resident_file_pages() - before < 4_000_000


def _resident_file_pages() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[2]) * resource.getpagesize()
