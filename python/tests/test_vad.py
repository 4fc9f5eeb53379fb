"""Probabilities to regions to windows: nothing lost, nothing doubled, nothing too long."""

from itertools import cycle, pairwise

import numpy as np
import pytest
from conftest import silence, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_worker.division import USUAL, Division, division_for
from whisper_worker.energy_vad import EnergyListener
from whisper_worker.speech_detection import SPEECH_DETECTION_RANGES, SpeechDetection
from whisper_worker.speech_listener import FRAME_SAMPLES, hear_all
from whisper_worker.speech_regions import PaddedRegion, Region, RegionFinder, RegionPadder
from whisper_worker.vad import WindowCutter, WindowPacker, cut_windows

RATE = 16_000


class Reader:
    """Listens to nothing: reads the probabilities of the frames from a list."""

    def __init__(self, probabilities):
        self._unread = probabilities
        self._sample_count = 0

    def hear(self, samples):
        self._sample_count += len(samples)
        return self._read(self._sample_count // FRAME_SAMPLES)

    def finish(self):
        return self._read(-(-self._sample_count // FRAME_SAMPLES))

    def _read(self, count):
        self._sample_count -= count * FRAME_SAMPLES
        read, self._unread = self._unread[:count], self._unread[count:]
        return read


def frames(*spans):
    """(seconds, probability) pairs as one block of probabilities."""
    return np.concatenate(
        [np.full(round(seconds * RATE / FRAME_SAMPLES), p, np.float32) for seconds, p in spans]
    )


def find_regions(probabilities, division=USUAL):
    """In frames."""
    finder = RegionFinder(division)
    found = [*map(finder.hear, probabilities.tolist()), finder.finish()]
    return [region for region in found if region]


def regions_in(*spans, **wishes):
    return find_regions(frames(*spans), divided(**wishes))


def divided(**wishes):
    """The division of a request that asks for this alone."""
    return division_for(SpeechDetection(**{**dict.fromkeys(SPEECH_DETECTION_RANGES), **wishes}))


def pad_regions(regions, sample_count):
    padder = RegionPadder()
    padded = [region for speech in regions for region in padder.hear(speech)]
    return padded + padder.finish(sample_count)


def pack_windows(regions):
    packer = WindowPacker()
    return [window for region in regions for window in packer.hear(region)] + packer.finish()


def windows_of(*speech_seconds):
    """The windows for speech at these (start, end) seconds."""
    regions = [Region(int(start * RATE), int(end * RATE)) for start, end in speech_seconds]
    return pack_windows(pad_regions(regions, 10_000 * RATE))


def in_pieces(samples, lengths):
    """Cut at these lengths, again and again."""
    at = 0
    for length in cycle(lengths):
        if at >= len(samples):
            return
        yield samples[at : at + length]
        at += length


def cut_in_pieces(listener, pcm, lengths, division=USUAL):
    cutter = WindowCutter(listener, division)
    windows = [window for piece in in_pieces(pcm, lengths) for window in cutter.hear(piece)]
    return windows + cutter.finish()


def seconds_of(window):
    return (window.start / RATE, window.end / RATE)


def test_speech_between_silences_is_one_region():
    (region,) = regions_in((1, 0.0), (2, 0.9), (1, 0.0))

    assert region.start * FRAME_SAMPLES / RATE == pytest.approx(1, abs=0.04)
    assert region.end * FRAME_SAMPLES / RATE == pytest.approx(3, abs=0.04)


def test_a_dip_that_stays_above_the_lower_threshold_does_not_end_speech():
    assert len(regions_in((1, 0.9), (1, 0.4), (1, 0.9), (1, 0.0))) == 1


def test_a_pause_of_a_tenth_of_a_second_does_not_end_speech():
    assert len(regions_in((1, 0.9), (0.1, 0.0), (1, 0.9), (1, 0.0))) == 1


def test_a_pause_of_half_a_second_ends_speech():
    assert len(regions_in((1, 0.9), (0.5, 0.0), (1, 0.9), (1, 0.0))) == 2


def test_a_click_is_not_speech():
    assert regions_in((1, 0.0), (0.06, 1.0), (1, 0.0)) == []


def test_speech_until_the_last_sample_ends_there():
    pcm = np.zeros(31 * FRAME_SAMPLES - 100, np.int16)

    (window,) = cut_windows(pcm, Reader(np.full(31, 0.9, np.float32)))

    assert window.speech == (Region(0, len(pcm)),)
    assert window.end == len(pcm)


def test_endless_speech_is_cut_where_it_was_least_probable():
    probabilities = frames((60, 0.9))
    quietest = int(26.4 * RATE / FRAME_SAMPLES)
    probabilities[quietest] = 0.6

    regions = find_regions(probabilities)

    assert regions[0].end == regions[1].start == quietest


def test_what_is_left_after_a_cut_is_kept_however_short_it_is():
    longest = USUAL.max_region_frames
    probabilities = np.full(longest + 3, 0.9, np.float32)
    probabilities[longest - 1] = 0.6  # the cut leaves four frames, too short otherwise

    regions = find_regions(probabilities)

    assert [region.end - region.start for region in regions] == [longest - 1, 4]


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


def test_the_first_windows_of_a_long_recording_come_before_the_rest_has_been_heard():
    class Counter(Reader):
        sample_count = 0

        def hear(self, samples):
            self.sample_count += len(samples)
            return super().hear(samples)

    listener = Counter(np.tile(frames((0.7, 0.9), (0.3, 0.0)), 3600))

    next(cut_windows(np.zeros(3600 * RATE, np.int16), listener))

    assert listener.sample_count <= 60 * RATE


def test_a_half_full_window_is_there_as_soon_as_the_silence_after_it_is_long():
    cutter = WindowCutter(Reader(frames((20, 0.9), (60, 0.0))))
    cutter.hear(np.zeros(20 * RATE, np.int16))

    early = cutter.hear(np.zeros(RATE, np.int16))
    (window,) = cutter.hear(np.zeros(3 * RATE // 2, np.int16))

    assert early == []
    assert window.end / RATE == pytest.approx(20.25, abs=0.04)


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

    windows = pack_windows(pad_regions(regions, at + tail))

    assert [region for window in windows for region in window.speech] == regions
    assert [window.index for window in windows] == list(range(len(windows)))
    for window in windows:
        assert window.start <= window.speech[0].start
        assert window.end >= window.speech[-1].end
        assert window.end - window.start <= USUAL.max_window_samples
        assert window.speech[0].start - window.start <= USUAL.padding_samples
    for before, after in pairwise(windows):
        assert before.end <= after.start


probability_lists = st.lists(
    st.tuples(st.integers(1, 400), st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.9, 1.0])), max_size=20
)


piece_lengths = st.lists(st.integers(500, 40 * RATE), min_size=1, max_size=4)


@given(probability_lists, st.integers(0, FRAME_SAMPLES - 1), piece_lengths)
@settings(max_examples=200, deadline=None)
def test_every_window_of_any_probabilities_fits_the_model_however_it_was_fed(runs, lack, lengths):
    probabilities = np.concatenate(
        [np.zeros(0, np.float32), *(np.full(n, p, np.float32) for n, p in runs)]
    )
    pcm = np.zeros(max(0, len(probabilities) * FRAME_SAMPLES - lack), np.int16)

    windows = list(cut_windows(pcm, Reader(probabilities)))

    assert cut_in_pieces(Reader(probabilities), pcm, lengths) == windows
    covered = np.zeros(len(pcm) + 1, int)
    for window in windows:
        assert 0 <= window.start < window.end <= len(pcm)
        assert window.end - window.start <= USUAL.max_window_samples
        covered[window.start] += 1
        covered[window.end] -= 1
    assert covered.cumsum().max(initial=0) <= 1


# What a request asks of the division.


def test_who_asks_for_what_is_usual_gets_what_is_usual():
    usual = {"threshold": 0.5, "padding_ms": 250, "silence_ms": 160, "max_speech_seconds": 29}

    assert division_for(None) == divided() == divided(**usual) == Division()
    assert Division().full_enough_samples == 15 * RATE
    assert Division().cut_search_frames == 5 * RATE // FRAME_SAMPLES


@pytest.mark.parametrize(("threshold", "regions"), [(0, 1), (0.25, 1), (0.26, 0), (1, 0)])
def test_from_the_threshold_on_a_stretch_is_speech(threshold, regions):
    assert len(regions_in((1, 0.25), threshold=threshold)) == regions


@pytest.mark.parametrize(("threshold", "silence"), [(0.9, 0.75), (0.1, 0.01), (0.005, 0.005)])
def test_speech_ends_a_little_below_the_threshold(threshold, silence):
    division = divided(threshold=threshold)

    assert division.silence_threshold == pytest.approx(silence)
    assert division.silence_threshold <= division.speech_threshold


@pytest.mark.parametrize(("silence_ms", "regions"), [(0, 2), (480, 2), (600, 1), (4000, 1)])
def test_a_silence_of_the_length_that_was_asked_for_divides_speech(silence_ms, regions):
    found = regions_in((1, 0.9), (0.512, 0.0), (1, 0.9), silence_ms=silence_ms)

    assert len(found) == regions


def test_a_pause_that_is_too_short_to_divide_speech_is_where_it_is_cut_all_the_same():
    wishes = {"silence_ms": 4000, "max_speech_seconds": 10}

    first, second = regions_in((8, 0.9), (3, 0.0), (5, 0.9), **wishes)

    assert first.end * FRAME_SAMPLES / RATE == pytest.approx(8, abs=0.04)
    assert second.start * FRAME_SAMPLES / RATE == pytest.approx(11, abs=0.04)


@pytest.mark.parametrize("padding_ms", [0, 100, 2000])
def test_a_window_begins_and_ends_with_the_padding_that_was_asked_for(padding_ms):
    pcm = np.zeros(9 * RATE, np.int16)
    probabilities = frames((4, 0.0), (1, 0.9), (4, 0.0))

    (window,) = cut_in_pieces(Reader(probabilities), pcm, [RATE], divided(padding_ms=padding_ms))

    (speech,) = window.speech
    assert speech.start - window.start == window.end - speech.end == padding_ms * RATE // 1000


def test_no_more_speech_is_heard_at_once_than_was_asked_for():
    pcm = np.zeros(60 * RATE, np.int16)
    division = divided(max_speech_seconds=10)

    windows = cut_in_pieces(Reader(frames((60, 0.9))), pcm, [7 * RATE], division)

    assert [window.end for window in windows[:-1]] == [window.start for window in windows[1:]]
    assert all(window.end - window.start <= 10.5 * RATE for window in windows)
    assert 6 <= len(windows) <= 9  # cut between 5 and 10 s: at the quietest frame of the half


def test_short_sentences_still_share_a_window_that_is_as_long_as_was_asked_for():
    pcm = np.zeros(30 * RATE, np.int16)
    heard = frames(*[(1.5, 0.9), (0.5, 0.0)] * 15)

    windows = cut_in_pieces(Reader(heard), pcm, [RATE], divided(max_speech_seconds=8))

    assert all(len(window.speech) >= 2 for window in windows[:-1])
    assert all(window.end - window.start <= 8.5 * RATE for window in windows)


wishes = st.builds(
    SpeechDetection,
    **{name: st.none() | st.floats(*ends) for name, ends in SPEECH_DETECTION_RANGES.items()},
)


@given(probability_lists, st.integers(0, FRAME_SAMPLES - 1), piece_lengths, wishes)
@settings(max_examples=500, deadline=None)
def test_whatever_is_asked_for_windows_fit_and_all_speech_is_in_one(runs, lack, lengths, asked):
    probabilities = np.concatenate(
        [np.zeros(0, np.float32), *(np.full(n, p, np.float32) for n, p in runs)]
    )
    pcm = np.zeros(max(0, len(probabilities) * FRAME_SAMPLES - lack), np.int16)
    division = division_for(asked)

    windows = cut_in_pieces(Reader(probabilities), pcm, lengths, division)

    assert windows == cut_in_pieces(Reader(probabilities), pcm, [len(pcm) or 1], division)
    for window in windows:
        assert 0 <= window.start < window.end <= len(pcm)
        assert window.end - window.start <= division.max_window_samples <= 29.5 * RATE
        for region in window.speech:
            assert window.start <= region.start < region.end <= window.end
    assert all(before.end <= after.start for before, after in pairwise(windows))
    found = [region for window in windows for region in window.speech]
    expected = find_regions(probabilities, division)
    assert [region.start for region in found] == [r.start * FRAME_SAMPLES for r in expected]
    for region in expected:
        assert region.end - region.start <= division.max_region_frames
        heard = probabilities[region.start : region.end]
        assert max(heard.tolist()) >= division.silence_threshold


@given(piece_lengths, st.integers(0, 70 * RATE))
@settings(max_examples=30, deadline=None)
def test_how_the_energy_detector_is_fed_does_not_matter(lengths, sample_count):
    noise = np.random.default_rng(1).normal(0, 60, 70 * RATE).astype("<i2")
    pcm = (noise + np.tile(np.concatenate([tone(3), silence(4)]), 10))[:sample_count]
    listener = EnergyListener()

    heard = [listener.hear(piece) for piece in in_pieces(pcm, lengths)]
    probabilities = np.concatenate([*heard, listener.finish()])

    assert len(probabilities) == -(-sample_count // FRAME_SAMPLES)
    assert np.array_equal(probabilities, np.concatenate(list(hear_all(pcm, EnergyListener()))))


def test_the_energy_detector_hears_a_tone_and_not_silence():
    pcm = np.concatenate([silence(2), tone(3), silence(2)])

    (window,) = cut_windows(pcm, EnergyListener())

    assert window.speech[0].start / RATE == pytest.approx(2, abs=0.05)
    assert window.speech[-1].end / RATE == pytest.approx(5, abs=0.05)


def test_the_energy_detector_adapts_to_a_steady_background():
    noise = np.random.default_rng(1).normal(0, 60, 7 * RATE).astype("<i2")  # −55 dB
    pcm = noise.copy()
    pcm[2 * RATE : 5 * RATE] += tone(3, amplitude=3000)

    (window,) = cut_windows(pcm, EnergyListener())

    assert window.speech[0].start / RATE == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("pcm", [silence(3), silence(0.1), silence(0)])
def test_silence_has_no_windows(pcm):
    assert list(cut_windows(pcm, EnergyListener())) == []
