"""What is handed out of windows that are still being decoded."""

from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_worker.deltas import Deltas

PIECES = [
    " Toget",
    " kører",
    " klokken",
    " otte.",
    " Tak",
    " Danske",
    " tekster",
    " af",
    " Åse.",
    " ",
]


def test_what_has_been_said_is_not_said_again():
    deltas = Deltas()
    deltas.hear(0, " Toget")
    assert deltas.take(0, holds_back=False) == " Toget"

    deltas.hear(0, " kører")

    assert deltas.take(0, holds_back=False) == " kører"
    assert deltas.take(0, holds_back=False) == ""
    assert deltas.take_rest(0, " Toget kører nu.") == " nu."


def test_windows_are_told_apart():
    deltas = Deltas()

    deltas.hear(0, " en")
    deltas.hear(1, " to")

    assert deltas.take(1, holds_back=False) == " to"
    assert deltas.take(0, holds_back=False) == " en"


def test_of_a_window_that_was_never_heard_all_is_left():
    assert Deltas().take_rest(3, " alt") == " alt"


def test_what_may_become_a_credit_waits_until_it_is_something_else():
    deltas = Deltas()
    deltas.hear(0, " Vi ses. Danske")
    assert deltas.take(0, holds_back=True) == " Vi ses."

    deltas.hear(0, " tog kører til tiden")

    assert deltas.take(0, holds_back=True).startswith(" Danske tog")


def test_the_space_before_a_held_back_word_is_held_back_with_it():
    deltas = Deltas()

    deltas.hear(0, " Danske tekster")

    assert deltas.take(0, holds_back=True) == ""
    assert deltas.said(0) == 0


def test_a_window_that_begins_again_is_heard_again_and_not_said_again():
    deltas = Deltas()
    deltas.hear(0, " en to")
    deltas.take(0, holds_back=False)

    deltas.begin_again(0)
    deltas.hear(0, " en")
    assert deltas.take(0, holds_back=False) == ""
    assert deltas.said(0) == len(" en to")
    deltas.hear(0, " to tre")

    assert deltas.take(0, holds_back=False) == " tre"


@settings(derandomize=True, deadline=None)
@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=20),
    takes=st.sets(st.integers(0, 20)),
    restarts=st.sets(st.integers(0, 20), max_size=2),
    holds_back=st.booleans(),
)
def test_however_it_is_asked_the_parts_join_to_the_text(pieces, takes, restarts, holds_back):
    deltas = Deltas()
    said = ""
    for at, piece in enumerate(pieces):
        if at in restarts:
            deltas.begin_again(0)
            for earlier in pieces[:at]:
                deltas.hear(0, earlier)
        deltas.hear(0, piece)
        if at in takes:
            said += deltas.take(0, holds_back=holds_back)
            assert deltas.said(0) == len(said)

    text = "".join(pieces)
    assert text.startswith(said)
    assert said + deltas.take_rest(0, text) == text
