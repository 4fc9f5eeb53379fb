"""Word times: in order, inside speech, never absurd."""

from hypothesis import given
from hypothesis import strategies as st

from whisper_worker.speech_model import TimedWord
from whisper_worker.vad import Region, Window
from whisper_worker.word_times import place_words

RATE = 16_000


def window(start, end, *speech):
    regions = tuple(Region(int(first * RATE), int(last * RATE)) for first, last in speech)
    return Window(0, int(start * RATE), int(end * RATE), regions)


def placed(spans, in_window):
    words = [TimedWord(f" ord{i}", (i,), *span, 0.9) for i, span in enumerate(spans)]
    return [(word.start, word.end) for word in place_words(words, in_window)]


def test_times_count_from_the_start_of_the_recording():
    assert placed([(1.0, 1.4)], window(100, 110, (100, 110))) == [(101.0, 101.4)]


def test_the_first_word_does_not_begin_in_the_silence_before_it():
    assert placed([(0.0, 1.2)], window(0, 5, (0.9, 4))) == [(0.84, 1.2)]


def test_a_pause_belongs_to_no_word():
    spans = [(0.5, 1.0), (1.0, 3.2), (3.2, 3.6)]

    times = placed(spans, window(0, 5, (0.5, 1.4), (3.0, 4.0)))

    assert times == [(0.5, 1.0), (1.0, 1.46), (3.2, 3.6)]


def test_a_word_that_was_given_the_pause_before_it_starts_after_the_pause():
    times = placed([(0.5, 1.3), (1.3, 3.5)], window(0, 5, (0.5, 1.4), (3.0, 4.0)))

    assert times[1] == (2.94, 3.5)


def test_a_word_in_the_middle_of_a_pause_is_moved_to_the_nearest_speech():
    times = placed([(1.0, 1.4), (2.7, 2.9)], window(0, 5, (1.0, 1.4), (3.0, 4.0)))

    assert times[1] == (2.94, 2.94)


def test_a_word_that_lasts_absurdly_long_ends_earlier():
    times = placed([(0, 0.3), (0.3, 0.6), (0.6, 5.0)], window(0, 6, (0, 6)))

    assert times[2][0] == 0.6
    assert times[2][1] <= 1.5


def test_a_long_compound_may_last_longer_than_two_usual_words():
    words = [
        TimedWord(" i", (1,), 0.0, 0.2, 0.9),
        TimedWord(" en", (2,), 0.2, 0.4, 0.9),
        TimedWord(" sygeforsikringsgruppe", (3,), 0.4, 2.0, 0.9),
    ]

    assert place_words(words, window(0, 4, (0, 4)))[2].end == 2.0


spans_strategy = st.lists(
    st.tuples(st.floats(0, 29), st.floats(0, 29)).map(lambda pair: tuple(sorted(pair))),
    max_size=20,
)
speech_strategy = st.lists(st.floats(0, 29), min_size=2, max_size=8, unique=True).map(sorted)


@given(spans_strategy, speech_strategy)
def test_whatever_the_alignment_says_times_are_in_order_and_inside_the_window(spans, edges):
    speech = list(zip(edges[::2], edges[1::2], strict=False))

    times = placed(sorted(spans), window(0, 29.5, *speech))

    last = 0.0
    for start, end in times:
        assert last <= start <= end <= 29.5
        last = end
