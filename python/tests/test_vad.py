"""Probabilities to regions to windows: nothing lost, nothing doubled, nothing too long."""

from itertools import pairwise

import numpy as np
import pytest
from conftest import silence, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_worker.energy_vad import energy_probabilities
from whisper_worker.vad import (
    FRAME_SAMPLES,
    MAX_REGION_FRAMES,
    MAX_WINDOW_SAMPLES,
    PADDING_SAMPLES,
    PaddedRegion,
    Region,
    cut_windows,
    find_regions,
    pack_windows,
    pad_regions,
)

RATE = 16_000


def frames(*spans):
    """(seconds, probability) pairs as one block of probabilities."""
    return np.concatenate(
        [np.full(round(seconds * RATE / FRAME_SAMPLES), p, np.float32) for seconds, p in spans]
    )


def regions_in(*spans):
    probabilities = frames(*spans)
    return list(find_regions([probabilities], len(probabilities) * FRAME_SAMPLES))


def windows_of(*speech_seconds):
    """The windows for speech at these (start, end) seconds."""
    regions = [Region(int(start * RATE), int(end * RATE)) for start, end in speech_seconds]
    return list(pack_windows(pad_regions(regions, 10_000 * RATE)))


def seconds_of(window):
    return (window.start / RATE, window.end / RATE)


def test_speech_between_silences_is_one_region():
    (region,) = regions_in((1, 0.0), (2, 0.9), (1, 0.0))

    assert region.start / RATE == pytest.approx(1, abs=0.04)
    assert region.end / RATE == pytest.approx(3, abs=0.04)


def test_a_dip_that_stays_above_the_lower_threshold_does_not_end_speech():
    assert len(regions_in((1, 0.9), (1, 0.4), (1, 0.9), (1, 0.0))) == 1


def test_a_pause_of_a_tenth_of_a_second_does_not_end_speech():
    assert len(regions_in((1, 0.9), (0.1, 0.0), (1, 0.9), (1, 0.0))) == 1


def test_a_pause_of_half_a_second_ends_speech():
    assert len(regions_in((1, 0.9), (0.5, 0.0), (1, 0.9), (1, 0.0))) == 2


def test_a_click_is_not_speech():
    assert regions_in((1, 0.0), (0.06, 1.0), (1, 0.0)) == []


def test_speech_until_the_last_sample_ends_there():
    probabilities = frames((1, 0.9))

    (region,) = find_regions([probabilities], len(probabilities) * FRAME_SAMPLES - 100)

    assert region == Region(0, len(probabilities) * FRAME_SAMPLES - 100)


def test_endless_speech_is_cut_where_it_was_least_probable():
    probabilities = frames((60, 0.9))
    quietest = int(26.4 * RATE / FRAME_SAMPLES)
    probabilities[quietest] = 0.6

    regions = list(find_regions([probabilities], len(probabilities) * FRAME_SAMPLES))

    assert regions[0].end == regions[1].start == quietest * FRAME_SAMPLES


def test_what_is_left_after_a_cut_is_kept_however_short_it_is():
    longest = MAX_REGION_FRAMES
    probabilities = np.full(longest + 3, 0.9, np.float32)
    probabilities[longest - 1] = 0.6  # the cut leaves four frames, too short for a region

    regions = list(find_regions([probabilities], len(probabilities) * FRAME_SAMPLES))

    assert [region.end - region.start for region in regions] == [
        (longest - 1) * FRAME_SAMPLES,
        4 * FRAME_SAMPLES,
    ]


def test_blocks_do_not_matter():
    probabilities = frames((3, 0.9), (1, 0.1), (40, 0.8), (2, 0.0), (1, 0.9))
    length = len(probabilities) * FRAME_SAMPLES

    whole = list(find_regions([probabilities], length))
    in_blocks = list(find_regions(np.array_split(probabilities, 17), length))

    assert in_blocks == whole


def test_a_region_gets_air_on_both_sides():
    (window,) = windows_of((10, 12))

    assert seconds_of(window) == (9.75, 12.25)
    assert window.speech == (Region(10 * RATE, 12 * RATE),)


def test_air_ends_at_the_ends_of_the_recording():
    (region,) = pad_regions([Region(0, RATE)], RATE)

    assert region == PaddedRegion(0, RATE, Region(0, RATE))


def test_two_close_regions_share_the_air_between_them():
    first, second = pad_regions([Region(0, RATE), Region(RATE + 1000, 2 * RATE)], 3 * RATE)

    assert first.end == second.start == RATE + 500


def test_short_pauses_stay_inside_a_window():
    (window,) = windows_of((0, 5), (6, 10), (11, 20), (21, 28))

    assert seconds_of(window) == (0, 28.25)
    assert len(window.speech) == 4


def test_a_long_silence_ends_a_window_that_is_half_full():
    first, second = windows_of((0, 16), (19, 22))

    assert seconds_of(first) == (0, 16.25)
    assert seconds_of(second) == (18.75, 22.25)


def test_a_long_silence_does_not_end_a_window_that_has_just_begun():
    assert len(windows_of((0, 3), (6, 9))) == 1


def test_an_overfull_window_is_cut_at_its_longest_late_pause():
    first, second = windows_of((0, 10), (11.9, 18), (19, 25), (25.4, 29), (29.2, 33))

    assert first.speech[-1].end == 18 * RATE
    assert second.speech[0].start == 19 * RATE


def test_windows_come_before_the_recording_has_been_heard_to_its_end():
    heard = []

    def detect(_pcm):
        for second in range(3600):
            heard.append(second)
            yield frames((0.7, 0.9), (0.3, 0.0))

    windows = cut_windows(np.zeros(3600 * RATE, np.int16), detect)
    next(windows)

    assert len(heard) < 40


regions_strategy = st.lists(
    st.tuples(st.integers(0, 5 * RATE), st.integers(5 * FRAME_SAMPLES, 28 * RATE)),
    max_size=40,
)


@given(regions_strategy, st.integers(0, RATE))
@settings(max_examples=200, deadline=None)
def test_no_speech_is_lost_or_doubled_and_no_window_is_too_long(gaps_and_lengths, tail):
    regions, at = [], 0
    for gap, length in gaps_and_lengths:
        regions.append(Region(at + gap, at + gap + length))
        at += gap + length

    windows = list(pack_windows(pad_regions(regions, at + tail)))

    assert [region for window in windows for region in window.speech] == regions
    assert [window.index for window in windows] == list(range(len(windows)))
    for window in windows:
        assert window.start <= window.speech[0].start
        assert window.end >= window.speech[-1].end
        assert window.end - window.start <= MAX_WINDOW_SAMPLES
        assert window.speech[0].start - window.start <= PADDING_SAMPLES
    for before, after in pairwise(windows):
        assert before.end <= after.start


probability_lists = st.lists(
    st.tuples(st.integers(1, 400), st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.9, 1.0])), max_size=20
)


@given(probability_lists)
@settings(max_examples=200, deadline=None)
def test_every_window_of_any_probabilities_fits_the_model(runs):
    probabilities = np.concatenate(
        [np.zeros(0, np.float32), *(np.full(n, p, np.float32) for n, p in runs)]
    )
    pcm = np.zeros(len(probabilities) * FRAME_SAMPLES, np.int16)

    windows = list(cut_windows(pcm, lambda _pcm: [probabilities]))

    covered = np.zeros(len(pcm) + 1, int)
    for window in windows:
        assert 0 <= window.start < window.end <= len(pcm)
        assert window.end - window.start <= MAX_WINDOW_SAMPLES
        covered[window.start] += 1
        covered[window.end] -= 1
    assert covered.cumsum().max(initial=0) <= 1


def test_the_energy_detector_hears_a_tone_and_not_silence():
    pcm = np.concatenate([silence(2), tone(3), silence(2)])

    (window,) = cut_windows(pcm, energy_probabilities)

    assert window.speech[0].start / RATE == pytest.approx(2, abs=0.05)
    assert window.speech[-1].end / RATE == pytest.approx(5, abs=0.05)


def test_the_energy_detector_adapts_to_a_steady_background():
    noise = np.random.default_rng(1).normal(0, 60, 7 * RATE).astype("<i2")  # −55 dB
    pcm = noise.copy()
    pcm[2 * RATE : 5 * RATE] += tone(3, amplitude=3000)

    (window,) = cut_windows(pcm, energy_probabilities)

    assert window.speech[0].start / RATE == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("pcm", [silence(3), silence(0.1)])
def test_silence_has_no_windows(pcm):
    assert list(cut_windows(pcm, energy_probabilities)) == []
