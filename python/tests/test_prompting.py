"""Keywords and prompt share what the decoder reads; with characters for tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_worker.prompting import tell

ROOM = 40


def told(prompt="", keywords=(), room=ROOM):
    return "".join(map(chr, tell(prompt, keywords, lambda text: tuple(map(ord, text)), room)))


@pytest.mark.parametrize(
    ("prompt", "keywords", "expected"),
    [
        ("", [], ""),
        ("  ", ["", " "], ""),
        ("Vi ses.", [], " Vi ses."),
        ("", ["Åse"], " Åse."),
        (" Vi ses. ", ["Åse", " Jens\n Peter ", ""], " Åse, Jens Peter. Vi ses."),
    ],
)
def test_keywords_are_a_sentence_before_the_prompt(prompt, keywords, expected):
    assert told(prompt, keywords) == expected


def test_of_a_long_prompt_the_end_is_told():
    assert told("0123456789" * 10) == "0123456789" * 4


def test_keywords_that_do_not_fit_are_left_out_and_the_prompt_keeps_half():
    prompt, keywords = "0123456789" * 10, ["Kirsten"] * 20

    assert told(prompt, keywords) == " Kirsten, Kirsten." + "89" + "0123456789" * 2


def test_a_long_prompt_does_not_push_the_keywords_out():
    assert told("0123456789" * 10, ["Åse"]).startswith(" Åse.")


def test_what_the_prompt_leaves_is_for_keywords():
    assert told("Kort.", ["Kirsten"] * 20) == " Kirsten, Kirsten, Kirsten. Kort."


def test_a_keyword_that_is_too_long_for_itself_does_not_keep_the_others_out():
    assert told("", ["x" * 50, "Åse", "Søren"]) == " Åse, Søren."


def test_special_tokens_that_are_spelled_in_keywords_are_not_listed():
    assert told("", ["<|en|>", "Åse", "<|0.00|>Jens<|x"]) == " Åse, Jens<|x."


TEXTS = st.text("ab ", max_size=60)


@given(TEXTS, st.lists(TEXTS, max_size=8), st.integers(8, 60))
def test_neither_takes_more_than_half_from_the_other(prompt, keywords, room):
    said = told(prompt, keywords, room)
    whole_prompt = f" {prompt.strip()}" if prompt.strip() else ""
    listed, full_stop, end = said.rpartition(".")

    assert len(said) <= room
    assert whole_prompt.endswith(end)
    assert len(end) >= min(len(whole_prompt), room // 2)
    if full_stop:
        written = [" ".join(keyword.split()) for keyword in keywords]
        assert set(listed.removeprefix(" ").split(", ")) <= set(written)
    fits = any(k.strip() and len(" ".join(k.split())) + 2 <= room // 2 for k in keywords)
    assert bool(full_stop) or not fits
