"""When a text goes in circles, and when people merely repeat themselves."""

import timeit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_worker.loops import MAX_PERIOD, MIN_LOOP_TOKENS, MIN_REPEATS, is_looping, loop_start

TOKENS = st.integers(0, 40)
SPEECH = list(range(1000, 1080))  # eighty tokens, none of them twice


def loop_length(period):
    return max(MIN_LOOP_TOKENS, MIN_REPEATS * period)


@pytest.mark.parametrize("period", [1, 2, 3, 5, 8, 13, 24])
def test_a_text_that_repeats_itself_long_enough_is_a_loop_wherever_the_circle_is_cut(period):
    circle = list(range(period))
    enough = loop_length(period)

    for length in range(enough, enough + period):
        said = (circle * enough)[:length]
        assert is_looping(SPEECH + said)
        assert loop_start(SPEECH + said) == len(SPEECH) + 2 * period


@pytest.mark.parametrize("period", [1, 2, 3, 5, 8, 13, 24])
def test_one_token_less_is_not_a_loop(period):
    said = (list(range(period)) * 40)[: loop_length(period) - 1]

    assert not is_looping(SPEECH + said)
    assert loop_start(SPEECH + said[:-1]) is None


@pytest.mark.parametrize("period", [1, 2, 3, 5, 8, 13, 24])
def test_a_loop_that_was_stopped_and_lost_its_last_token_still_has_its_start(period):
    said = (list(range(period)) * 40)[: loop_length(period)]

    assert is_looping(SPEECH + said)
    assert loop_start(SPEECH + said[:-1]) == len(SPEECH) + 2 * period


@pytest.mark.parametrize(
    "said",
    [
        [7] * 4,  # "to to to to"
        [7, 3] * 6,  # "nej, nej, nej, nej, nej, nej,"
        [7, 8, 3] * 8,  # "ja ja," eight times
        [20, 20, 20, 20, 14, 14, 14, 14],  # a phone number
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] * 3,  # a refrain, three times
        list(range(24)) * 3,
    ],
)
def test_people_who_repeat_themselves_are_heard_out(said):
    assert not is_looping(SPEECH + said)
    assert loop_start(SPEECH + said) is None


def test_a_circle_that_was_left_again_is_no_loop():
    assert not is_looping([7] * 60 + [8])
    assert loop_start([7] * 60 + [8]) is None


def test_a_text_that_is_nothing_but_a_loop_keeps_its_first_two_occurrences():
    assert loop_start([7, 8] * 20) == 4


def test_a_guard_finds_circles_that_are_too_long_to_stop_for():
    sentence = list(range(30))

    assert not is_looping(sentence * 5)
    assert loop_start(SPEECH + sentence * 5) == len(SPEECH) + 60


@settings(max_examples=300, deadline=None)
@given(st.lists(TOKENS, max_size=40), st.lists(TOKENS, min_size=1, max_size=24), st.integers(0, 12))
def test_what_stops_a_text_is_what_the_definition_says(before, circle, times):
    tokens = before + circle * times

    def repeats(period):
        tail = tokens[-loop_length(period) :]
        is_long = len(tail) == loop_length(period)
        return is_long and all(a == b for a, b in zip(tail, tail[period:], strict=False))

    assert is_looping(tokens) == any(repeats(period) for period in range(1, MAX_PERIOD + 1))
    assert is_looping(tuple(tokens)) == is_looping(tokens)


@settings(max_examples=300, deadline=None)
@given(st.lists(TOKENS, max_size=40), st.lists(TOKENS, min_size=1, max_size=24), st.integers(0, 12))
def test_every_loop_has_a_start_and_what_follows_it_is_only_repetition(before, circle, times):
    tokens = before + circle * times
    start = loop_start(tokens)

    assert start is not None or not is_looping(tokens)
    if start is not None:
        assert any(
            tokens[start:] == tokens[start - period : len(tokens) - period]
            and tokens[start - period : start] == tokens[start - 2 * period : start - period]
            for period in range(1, start // 2 + 1)
        )


@settings(max_examples=200, deadline=None)
@given(st.lists(TOKENS, min_size=1, max_size=200, unique_by=lambda token: token))
def test_a_text_without_repetition_is_never_a_loop(tokens):
    assert not is_looping(tokens)
    assert loop_start(tokens) is None


def test_asking_costs_microseconds_even_where_one_token_is_everywhere():
    typical = SPEECH * 2
    worst = [7, 8] * 100 + [7, 7, 9, 7]

    for tokens in (typical, worst):
        seconds = min(timeit.repeat(lambda t=tokens: is_looping(t), number=1000, repeat=5)) / 1000
        assert seconds < 200e-6  # about 1 and 20 µs on an idle core
