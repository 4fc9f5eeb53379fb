"""Words to lines of a subtitle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_worker.segments import (
    MAX_SEGMENT_CHARACTERS,
    MAX_SEGMENT_SECONDS,
    split_into_segments,
)
from whisper_worker.speech_model import TimedWord


def words(text, seconds_per_word=0.4, pauses=()):
    """The words of a text; `pauses` holds pairs of a word's number and the pause before it."""
    made, at = [], 0.0
    for number, word in enumerate(text.split()):
        at += dict(pauses).get(number, 0.0)
        made.append(TimedWord(f" {word}", (number,), at, at + seconds_per_word, 0.9))
        at += seconds_per_word
    return made


def lines(segments):
    return ["".join(word.text for word in segment).strip() for segment in segments]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Toget kører. Vi venter.", ["Toget kører.", "Vi venter."]),
        ("Kommer du? Ja! Godt.", ["Kommer du?", "Ja!", "Godt."]),
        ('Han sagde "Nej." Hun gik.', ['Han sagde "Nej."', "Hun gik."]),
        ("Vi ses kl. otte den 3. maj i 2026.", ["Vi ses kl. otte den 3. maj i 2026."]),
        ("uden tegn og store bogstaver", ["uden tegn og store bogstaver"]),
        ("", []),
    ],
)
def test_a_sentence_is_a_segment(text, expected):
    assert lines(split_into_segments(words(text))) == expected


def test_a_pause_splits_where_there_is_no_punctuation():
    spoken = words("vi tager toget så spiser vi", pauses=[(3, 0.7)])

    assert lines(split_into_segments(spoken)) == ["vi tager toget", "så spiser vi"]


def test_a_short_pause_does_not_split():
    assert len(split_into_segments(words("vi tager toget", pauses=[(1, 0.5)]))) == 1


def test_endless_speech_is_split_at_its_longest_pauses():
    spoken = words("ord " * 60, pauses=[(30, 0.5)])

    segments = split_into_segments(spoken)

    assert 30 in {segment[0].tokens[0] for segment in segments}


def test_a_comma_is_a_better_place_than_the_middle_of_a_phrase():
    spoken = words("ord " * 9 + "ord, " + "ord " * 12)

    first, *_ = split_into_segments(spoken)

    assert first[-1].text == " ord,"


@given(st.lists(st.tuples(st.text(max_size=12), st.floats(0, 3), st.floats(0, 3)), max_size=60))
def test_every_word_is_in_exactly_one_segment_and_no_segment_is_too_long(drawn):
    spoken, at = [], 0.0
    for number, (text, pause, length) in enumerate(drawn):
        spoken.append(TimedWord(f" {text}", (number,), at + pause, at + pause + length, 0.9))
        at += pause + length

    segments = split_into_segments(spoken)

    assert [word for segment in segments for word in segment] == spoken
    for segment in segments:
        if len(segment) > 1:
            assert segment[-1].end - segment[0].start <= MAX_SEGMENT_SECONDS
            assert sum(len(word.text) for word in segment) <= MAX_SEGMENT_CHARACTERS
