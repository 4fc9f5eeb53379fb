"""The PCM file in the spool."""

import numpy as np
import pytest
from conftest import put_pcm

from whisper_worker.audio import map_pcm, to_float
from whisper_worker.failures import WorkerFailure


def test_the_samples_are_those_of_the_file(spool):
    path = put_pcm(spool, np.arange(-1000, 1000))

    assert map_pcm(path, spool).tolist() == list(range(-1000, 1000))


def test_an_odd_last_byte_is_left_out(spool):
    path = spool / "odd.pcm"
    path.write_bytes(bytes(4001))

    assert len(map_pcm(str(path), spool)) == 2000


@pytest.mark.parametrize("samples", [0, 1, 1599])
def test_less_than_a_tenth_of_a_second_is_refused_with_the_length(spool, samples):
    path = put_pcm(spool, np.zeros(samples))

    with pytest.raises(WorkerFailure, match=r"at least 0\.1 seconds") as caught:
        map_pcm(path, spool)
    assert caught.value.code == "invalid_audio"


def test_a_tenth_of_a_second_is_enough(spool):
    assert len(map_pcm(put_pcm(spool, np.zeros(1600)), spool)) == 1600


def test_a_file_that_is_not_there_is_refused(spool):
    with pytest.raises(WorkerFailure, match="not in the spool"):
        map_pcm(str(spool / "gone.pcm"), spool)


def test_a_path_outside_the_spool_is_refused(spool, tmp_path):
    outside = put_pcm(tmp_path, np.zeros(16_000))

    for path in (outside, str(spool / ".." / "recording.pcm")):
        with pytest.raises(WorkerFailure, match="outside the spool"):
            map_pcm(path, spool)


def test_a_link_out_of_the_spool_is_refused(spool, tmp_path):
    outside = put_pcm(tmp_path, np.zeros(16_000))
    (spool / "link.pcm").symlink_to(outside)

    with pytest.raises(WorkerFailure, match="outside the spool"):
        map_pcm(str(spool / "link.pcm"), spool)


def test_full_scale_is_one():
    assert to_float(np.array([-32768, 0, 16384], "<i2")).tolist() == [-1.0, 0.0, 0.5]
