"""What subtitlers leave behind: found at the edges of a text, and held back while it grows."""

import timeit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_worker.credits import credit_start, find_credits, may_become_credit

CREDITS = [
    "Danske tekster af Nicolai Winther",
    "Danske tekster af Jesper Buhl Scandinavian Text Service 2018",
    "Undertekster af Ai-Media.",
    "Undertekster: Anna B. Hansen",
    "Tekstet af Hanne",
    "Oversat af J. Buhl.",
    "Tak fordi du så med.",
    "Tak, fordi I så med!",
    "Tak for at du har set med.",
    "www.btsubtitles.com",
    "Scandinavian Text Service 2018",
    "Teksting av Nicolai Winther",
    "Takk for at du så på!",
    "Undertexter från Amara.org-gemenskapen",
    "Svensktextning.nu",
    "Tack för att ni tittade!",
    "Subtitles by the Amara.org community",
    "Thanks for watching!",
    "Thank you for watching.",
    "Please like and subscribe.",
]
SPEECH = [
    "Vi laver danske tekster af høj kvalitet.",
    "Tekster af høj kvalitet er vigtige.",
    "Tekster er svære.",
    "Jeg vil bare sige tak fordi du så med i går.",
    "Tak.",
    "Tak for det.",
    "Tak fordi du kom.",
    "Den er oversat af Klaus Rifbjerg.",
    "The subtitles by themselves were not the problem.",
    "Thank you.",
    "okay thanks for watching the demo earlier today",
    "Kan du slå undertekster til?",
    "Undertekster: det er svært.",
    "Det kostede 20 kr. Og så gik vi hjem.",
    "og så tog vi hjem",
    "",
]


def found(text):
    return [text[start:end] for start, end in find_credits(text)]


@pytest.mark.parametrize("credit", CREDITS)
def test_a_known_phrase_is_found_alone_first_and_last_in_any_case(credit):
    sentence = credit if credit[-1] in ".!" else credit + "."

    assert found(" " + credit) == [credit]
    assert found(f" {sentence} Så er vi her.") == [sentence]
    assert found(f" Så gik vi hjem. {credit}") == [credit]
    assert found(f" {credit.upper()}") == [credit.upper()]
    assert found(f" {credit.lower()}") == [credit.lower()]


@pytest.mark.parametrize("speech", SPEECH)
def test_people_who_speak_of_subtitles_are_not_credits(speech):
    assert found(speech) == []
    assert found(f" Hej. {speech}") == []


def test_several_credits_in_a_row_are_all_found():
    text = " Så gik vi hjem. Tak fordi du så med. Danske tekster af Nicolai Winther"

    assert found(text) == ["Tak fordi du så med.", "Danske tekster af Nicolai Winther"]
    assert found(" Tak fordi du så med. " * 2) == ["Tak fordi du så med."] * 2


def test_in_a_text_without_capitals_and_full_stops_a_whole_phrase_ends_the_text():
    assert found(" og så tog vi hjem danske tekster af nicolai winther") == [
        "danske tekster af nicolai winther"
    ]
    assert found(" og så tog vi hjem tak fordi du så med") == ["tak fordi du så med"]
    assert found(" vi læste danske tekster af kendte forfattere") == []


def test_a_credit_between_two_sentences_is_not_looked_for():
    assert found(" Hej med jer. Tak fordi du så med. Og velkommen.") == []


def test_a_capital_begins_a_sentence_where_the_full_stop_is_missing():
    assert found(" Så gik vi hjem Danske tekster af Jesper Buhl") == [
        "Danske tekster af Jesper Buhl"
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" Så gik vi hjem.", " Så gik vi hjem."),
        (" Så gik vi hjem. D", " Så gik vi hjem. "),
        (" Så gik vi hjem. Danske", " Så gik vi hjem. "),
        (" Så gik vi hjem. Danske ", " Så gik vi hjem. "),
        (" Så gik vi hjem. Danske tekster af Nicolai Wi", " Så gik vi hjem. "),
        (" Så gik vi hjem. Danske tekster af Nicolai Winther.", " Så gik vi hjem. "),
        (" Så gik vi hjem. Danske penge", " Så gik vi hjem. Danske penge"),
        (" Så gik vi hjem. Danske tekster af høj", " Så gik vi hjem. Danske tekster af høj"),
        (" Tak fordi du så med. Og nu", " Tak fordi du så med. Og nu"),
        (" Tak fordi du så med. Danske te", " "),
        (" Jeg siger tak for", " Jeg siger tak for"),
        ("", ""),
    ],
)
def test_only_the_end_that_may_be_a_credit_is_held_back(text, shown):
    assert text[: credit_start(text)] == shown
    assert may_become_credit(text) is (shown != text)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(SPEECH), max_size=2),
    st.lists(st.sampled_from(CREDITS), min_size=1, max_size=2),
    st.booleans(),
)
def test_nothing_of_a_last_credit_is_shown_before_it_is_known(speech, credits, is_lower):
    text = " " + " ".join(speech + credits)
    text = text.lower() if is_lower else text
    spans = find_credits(text)
    start = len(text)
    for span in reversed(spans):
        if text[span[1] : start].strip():
            break
        start = span[0]

    for length in range(start + 1, len(text) + 1):
        assert credit_start(text[:length]) <= start


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80), st.lists(st.sampled_from(CREDITS + SPEECH), max_size=3))
def test_any_text_has_spans_in_order_that_do_not_overlap(text, sentences):
    text = " ".join([text, *sentences])
    edges = [edge for span in find_credits(text) for edge in span]

    assert edges == sorted(edges)
    assert 0 <= credit_start(text) <= len(text)


def test_a_long_text_is_only_looked_at_from_its_end():
    text = " Toget kører klokken otte." * 400

    seconds = min(timeit.repeat(lambda: may_become_credit(text), number=200, repeat=5)) / 200

    assert seconds < 500e-6  # about 10 µs on an idle core
    assert text[: credit_start(text + " Danske tekster af N")] == text
