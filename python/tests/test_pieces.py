"""Computations that can be stopped between two pieces."""

from itertools import count

from whisper_worker.pieces import run_for, run_to_end


def three_pieces():
    yield
    yield
    return "done"


def test_run_to_its_end_it_answers_its_result():
    assert run_to_end(three_pieces()) == "done"


def test_pieces_go_on_until_the_time_is_over_and_then_where_they_were():
    pieces, clock = three_pieces(), count().__next__  # every look at the clock takes a second

    assert run_for(2, pieces, clock) is None
    assert run_for(2, pieces, clock) == "done"


def test_there_is_always_at_least_one_piece():
    pieces = three_pieces()

    assert [run_for(0, pieces, lambda: 0.0) for _ in range(3)] == [None, None, "done"]
