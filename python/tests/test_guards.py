"""The numbers that tell speech from hallucination."""

import zlib
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_worker.guards import (
    as_warning,
    compression_ratio,
    is_silence,
    judge,
    needs_fallback,
    temperature_ladder,
)
from whisper_worker.protocol import Dropped, Warned
from whisper_worker.speech_model import Decoded, TimedWord
from whisper_worker.vad import Region, Window

ORIGIN = 100.0  # where the window begins, in seconds of the recording
CREDIT = " Danske tekster af Nicolai Winther."
SIGN_OFF = " Tak fordi du så med."


def decoded(text=" Toget kører klokken otte.", avg_logprob=-0.2, no_speech_prob=0.01):
    ratio = compression_ratio(text)
    return Decoded(text, (1, 2, 3), avg_logprob, ratio, no_speech_prob, None)


def window(*speech, seconds=20.0):
    """A window with speech at these (start, end), in seconds from its start."""
    regions = tuple(
        Region(round((ORIGIN + start) * 16_000), round((ORIGIN + end) * 16_000))
        for start, end in speech
    )
    return Window(3, round(ORIGIN * 16_000), round((ORIGIN + seconds) * 16_000), regions)


def words(text, start, end, probability=0.9, tokens_each=2):
    """The words of a text, as long as each other, from start to end."""
    texts = [f" {word}" for word in text.split()]
    step = (end - start) / len(texts)
    return tuple(
        TimedWord(
            word,
            tuple(hash_of(word) + part for part in range(tokens_each)),
            start + index * step,
            start + (index + 1) * step,
            probability,
            tuple(logprob_of(hash_of(word) + part) for part in range(tokens_each)),
        )
        for index, word in enumerate(texts)
    )


def hash_of(word):
    return zlib.crc32(word.encode()) % 10_000 * 4


def logprob_of(token):
    """Any number that tells tokens apart."""
    return -token / 1000


def heard(*runs, **figures):
    """A decoding whose words these are."""
    said = tuple(chain(*runs))
    text = "".join(word.text for word in said)
    tokens = tuple(token for word in said for token in word.tokens)
    logprobs = tuple(logprob_of(token) for token in tokens)
    ratio = compression_ratio(text)
    plain = Decoded(text, tokens, -0.2, ratio, 0.01, said, logprobs=logprobs)
    return replace(plain, **figures)


def reasons(reports):
    return [(report.reason, report.text) for report in reports]


def test_temperature_zero_means_a_ladder_and_any_other_is_an_order():
    assert temperature_ladder(0.0) == (0.0, 0.4, 0.8)
    assert temperature_ladder(0.3) == (0.3,)


def test_the_compression_ratio_is_of_utf_8_bytes():
    assert compression_ratio("æøå") == 6 / len(zlib.compress("æøå".encode()))
    assert compression_ratio("") == 0


def test_a_loop_compresses_well_and_speech_does_not():
    assert compression_ratio(" tak" * 50) > 2.4
    assert compression_ratio(" Toget kører klokken otte fra spor fem.") < 1.2


@pytest.mark.parametrize(
    ("attempt", "fails"),
    [
        (decoded(), False),
        (decoded(avg_logprob=-1.2), True),
        (decoded(text=" tak" * 50), True),
        (decoded(avg_logprob=-1.2, no_speech_prob=0.9), False),
        (replace(decoded(), has_looped=True), True),
    ],
)
def test_loops_and_unsure_texts_are_tried_again_unless_nobody_spoke(attempt, fails):
    assert needs_fallback(attempt) is fails


def test_only_an_unsure_text_where_nobody_spoke_is_silence():
    assert is_silence(decoded(avg_logprob=-1.2, no_speech_prob=0.9))
    assert not is_silence(decoded(avg_logprob=-0.3, no_speech_prob=0.9))
    assert not is_silence(decoded(avg_logprob=-1.2, no_speech_prob=0.3))


def test_what_people_say_is_kept_as_it_is():
    subject = heard(words("Toget kører klokken otte fra spor fem.", 0.2, 3.0))

    judgement = judge(subject, window((0.2, 3.0)))

    assert judgement.kept is subject
    assert (judgement.dropped, judgement.warnings) == ((), ())


@pytest.mark.parametrize("has_words", [True, False])
def test_an_unsure_text_where_nobody_spoke_is_dropped_whole(has_words):
    subject = heard(words("Ja så", 0, 1), avg_logprob=-1.4, no_speech_prob=0.9)
    subject = subject if has_words else replace(subject, words=None)

    judgement = judge(subject, window((0, 1)))

    assert judgement.dropped == (Dropped("no_speech", ORIGIN, ORIGIN + 20, " Ja så"),)
    assert judgement.warnings == ()
    assert (judgement.kept.text, judgement.kept.tokens) == ("", ())
    assert judgement.kept.words == (() if has_words else None)


def test_a_window_without_text_has_nothing_to_judge():
    subject = decoded(text=" ", avg_logprob=-1.4, no_speech_prob=0.9)

    assert judge(subject, window((0, 1))).dropped == ()


# Subtitle credits


def test_a_credit_in_a_pause_is_dropped_word_for_word_and_the_speech_stays():
    speech = words("Så gik vi hjem.", 0.2, 2.0)
    subject = heard(speech, words(CREDIT, 4.0, 7.0))

    judgement = judge(subject, window((0.2, 2.0)))

    assert judgement.dropped == (Dropped("subtitle_credit", ORIGIN + 4, ORIGIN + 7, CREDIT),)
    assert judgement.kept.words == speech
    assert judgement.kept.text == " Så gik vi hjem."
    assert judgement.kept.tokens == tuple(token for word in speech for token in word.tokens)
    assert judgement.kept.compression_ratio == compression_ratio(" Så gik vi hjem.")


def test_a_credit_crammed_into_the_end_of_the_speech_is_dropped():
    subject = heard(words("Så gik vi hjem.", 0.2, 2.0), words(CREDIT, 2.0, 2.2))

    judgement = judge(subject, window((0.2, 2.1)))

    assert reasons(judgement.dropped) == [("subtitle_credit", CREDIT)]


def test_an_improbable_credit_is_dropped_though_it_lies_in_speech():
    subject = heard(words("Så gik vi hjem.", 0, 2), words(CREDIT, 2, 5, probability=0.3))

    judgement = judge(subject, window((0, 5)))

    assert reasons(judgement.dropped) == [("subtitle_credit", CREDIT)]
    assert judgement.kept.text == " Så gik vi hjem."


@pytest.mark.parametrize("probability", [0.9, 0.45])
def test_somebody_who_thanks_for_watching_is_kept_and_reported(probability):
    subject = heard(words("Så gik vi hjem.", 0, 2), words(SIGN_OFF, 2, 3.2, probability))

    judgement = judge(subject, window((0, 3.2)))

    assert judgement.kept is subject
    assert judgement.dropped == ()
    assert judgement.warnings == (Warned("subtitle_credit", ORIGIN + 2, ORIGIN + 3.2, SIGN_OFF),)


def test_a_pause_that_the_alignment_gave_to_a_spoken_word_is_no_evidence():
    thanks = words(SIGN_OFF, 0.2, 1.4)
    thanks = (*thanks[:-1], replace(thanks[-1], end=9.0))
    subject = heard(thanks, words("Vi ses i morgen.", 9, 10.5))

    judgement = judge(subject, window((0.2, 1.4), (9, 10.5)))

    assert judgement.kept is subject
    assert reasons(judgement.warnings) == [("subtitle_credit", SIGN_OFF)]


@pytest.mark.parametrize(
    ("speech", "figures", "is_dropped"),
    [
        ((0.2, 3.0), {}, False),
        ((0.2, 3.0), {"no_speech_prob": 0.7}, True),
        ((0.2, 3.0), {"avg_logprob": -1.1}, True),
        ((0.2, 0.6), {}, True),  # 34 characters in 0.4 s
    ],
)
def test_without_words_only_a_window_that_is_nothing_but_a_credit_can_be_dropped(
    speech, figures, is_dropped
):
    subject = replace(decoded(text=CREDIT), **figures)

    judgement = judge(subject, window(speech, seconds=4))

    report = ("subtitle_credit", CREDIT)
    assert reasons(judgement.dropped) == ([report] if is_dropped else [])
    assert reasons(judgement.warnings)[:1] == ([] if is_dropped else [report])
    assert judgement.kept.text == ("" if is_dropped else CREDIT)


def test_without_words_a_credit_after_speech_is_kept_with_it_and_reported():
    text = " Så gik vi hjem." + CREDIT
    subject = decoded(text=text, no_speech_prob=0.7)

    judgement = judge(subject, window((0.2, 0.4)))

    assert judgement.kept is subject
    assert judgement.warnings == (Warned("subtitle_credit", ORIGIN, ORIGIN + 20, text),)


# Silence


def test_improbable_words_far_from_all_speech_are_dropped():
    speech = words("Så gik vi hjem.", 0, 2)
    subject = heard(speech, words("og nu", 4, 6, probability=0.45), words("Farvel.", 8, 9))

    judgement = judge(subject, window((0, 2), (8, 9)))

    assert judgement.dropped == (Dropped("silence", ORIGIN + 4, ORIGIN + 6, " og nu"),)
    assert judgement.kept.text == " Så gik vi hjem. Farvel."


def test_probable_words_far_from_all_speech_are_kept_and_reported():
    subject = heard(words("Så gik vi hjem.", 0, 2), words("og nu", 4, 6))

    judgement = judge(subject, window((0, 2)))

    assert judgement.kept is subject
    assert reasons(judgement.warnings) == [("silence", " og nu")]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (2.4, 3.4),  # its middle is 0.9 s from speech
        (1.9, 9.0),  # it begins in speech: the pause was given to it
        (3.0, 12.1),  # it ends in speech
    ],
)
def test_a_word_near_speech_is_not_in_silence_however_improbable(start, end):
    subject = heard(words("Så gik vi", 0, 2), words("hjem", start, end, probability=0.1))

    judgement = judge(subject, window((0, 2), (12, 13)))

    assert judgement.kept is subject
    assert judgement.warnings == ()


# Repetition


def looping(attempts=3, probability=0.9, seconds=16.0):
    return heard(
        words("Så gik vi hjem", 0, 2),
        words("og så " * 20, 2, 2 + seconds, probability),
        has_looped=True,
        attempts=attempts,
    )


def test_of_a_loop_that_no_temperature_got_out_of_the_first_two_occurrences_stay():
    subject = looping()

    judgement = judge(subject, window((0, 18)))

    assert judgement.kept.text == " Så gik vi hjem og så og så"
    assert reasons(judgement.dropped) == [("repetition", " og så" * 18)]
    assert judgement.dropped[0].start == ORIGIN + 3.6
    assert judgement.warnings == ()


def test_a_repetition_that_was_decoded_once_and_may_have_been_said_is_kept_and_reported():
    subject = looping(attempts=1)

    judgement = judge(subject, window((0, 18)))

    assert judgement.kept is subject
    assert reasons(judgement.warnings) == [("repetition", " og så" * 18)]


def test_a_repetition_that_nobody_could_say_so_fast_is_dropped():
    judgement = judge(looping(attempts=1, seconds=1.0), window((0, 3)))

    assert reasons(judgement.dropped) == [("repetition", " og så" * 18)]


@pytest.mark.parametrize("cuts_last_token", [True, False])
def test_a_loop_is_cut_at_a_word_also_where_a_token_is_missing_at_its_end(cuts_last_token):
    said = words("Så gik vi hjem", 0, 2) + words("og så " * 8, 2, 9)
    if cuts_last_token:
        said = (*said[:-1], replace(said[-1], text=" s", tokens=said[-1].tokens[:1]))

    judgement = judge(heard(said, has_looped=True, attempts=3), window((0, 9)))

    assert judgement.kept.text == " Så gik vi hjem og så og så"


def test_a_repetitive_text_without_words_or_without_a_loop_at_its_end_is_kept_and_reported():
    without_words = decoded(text=" tak" * 50)
    inside = heard(words("tak " * 50, 0, 10), words("Så gik vi hjem.", 10, 12))

    for subject in (without_words, inside):
        judgement = judge(replace(subject, attempts=3), window((0, 12)))
        assert judgement.kept.text == subject.text
        assert reasons(judgement.warnings) == [("repetition", subject.text)]


def test_a_credit_in_a_loop_is_cut_to_two_and_those_are_judged_as_credits():
    speech = words("Så gik vi hjem.", 0, 2)
    subject = heard(speech, words(CREDIT * 8, 4, 18), has_looped=True, attempts=3)

    judgement = judge(subject, window((0, 2)))

    assert judgement.kept.words == speech
    assert reasons(judgement.dropped) == [
        ("subtitle_credit", CREDIT),
        ("subtitle_credit", CREDIT),
        ("repetition", CREDIT * 6),
    ]


# Unsure, and what has been said already


def test_a_text_that_stays_improbable_after_every_attempt_is_kept_and_reported():
    subject = replace(decoded(avg_logprob=-1.3), attempts=3)

    judgement = judge(subject, window((0, 3)))

    assert judgement.kept is subject
    assert judgement.warnings == (Warned("unsure", ORIGIN, ORIGIN + 20, subject.text),)


def test_nothing_is_unsure_where_nothing_is_left():
    judgement = judge(decoded(text=CREDIT, avg_logprob=-1.3), window((0, 3)))

    assert judgement.kept.text == ""
    assert judgement.warnings == ()


def test_what_has_been_streamed_is_doubted_and_not_taken_back():
    subject = heard(words(CREDIT, 4, 6), words("Så gik vi hjem.", 8, 10), words(CREDIT, 12, 14))

    judgement = judge(subject, window((8, 10)), said=len(CREDIT))

    assert judgement.kept.text == CREDIT + " Så gik vi hjem."
    assert reasons(judgement.warnings) == [("subtitle_credit", CREDIT), ("silence", CREDIT)]
    assert reasons(judgement.dropped) == [("subtitle_credit", CREDIT)]


def test_a_streamed_text_where_nobody_spoke_becomes_unsure():
    subject = decoded(text=" Ja så", avg_logprob=-1.4, no_speech_prob=0.9)

    judgement = judge(subject, window((0, 1)), said=3)

    assert judgement.kept is subject
    assert reasons(judgement.warnings) == [("unsure", " Ja så")]
    assert as_warning(Dropped("no_speech", 1, 2, " Ja")) == Warned("unsure", 1, 2, " Ja")


# For every text

SENTENCES = ["Så gik vi hjem.", CREDIT, SIGN_OFF, "ja ja", "og så " * 20, "Farvel"]
RUNS = st.lists(
    st.tuples(
        st.sampled_from(SENTENCES),
        st.floats(0, 4),  # a pause before it
        st.floats(0, 4),  # its length
        st.floats(0, 1),  # its probability
    ),
    max_size=5,
)
SPEECH = st.lists(st.tuples(st.floats(0, 18), st.floats(0.2, 5)), max_size=3)


@settings(max_examples=300, deadline=None)
@given(RUNS, SPEECH, st.booleans(), st.integers(1, 3), st.floats(-2, 0), st.integers(0, 40))
def test_nothing_is_lost_text_words_and_tokens_agree_and_what_was_said_stays(
    runs, speech, has_looped, attempts, avg_logprob, said
):
    at, pieces = 0.0, []
    for text, pause, length, probability in runs:
        pieces.append(words(text, at + pause, at + pause + length, probability))
        at += pause + length
    subject = heard(*pieces, has_looped=has_looped, attempts=attempts, avg_logprob=avg_logprob)
    regions = [(start, start + length) for start, length in speech]

    judgement = judge(subject, window(*regions, seconds=30), said=said)

    kept = judgement.kept
    assert kept.text == "".join(word.text for word in kept.words)
    assert kept.tokens == tuple(token for word in kept.words for token in word.tokens)
    assert kept.logprobs == tuple(map(logprob_of, kept.tokens))
    assert kept.text.startswith(subject.text[:said])
    parts = [kept.text, *(report.text for report in judgement.dropped)]
    assert sorted("".join(parts)) == sorted(subject.text)
    for report in (*judgement.dropped, *judgement.warnings):
        assert ORIGIN <= report.start <= report.end <= ORIGIN + 30


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4), st.floats(0.6, 1))
def test_probable_words_at_a_speaking_pace_inside_speech_are_never_dropped(sentences, probability):
    text = " ".join(sentences)
    seconds = len(text) / 20
    subject = heard(words(text, 0, seconds, probability))

    judgement = judge(subject, window((0, seconds), seconds=seconds))

    assert judgement.kept is subject
    assert judgement.dropped == ()
