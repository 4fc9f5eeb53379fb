"""One recording through its windows, with decodings that the test makes up."""

import numpy as np
import pytest
from conftest import silence, tone

from whisper_worker.energy_vad import energy_probabilities
from whisper_worker.guards import compression_ratio
from whisper_worker.protocol import DetectLanguage, Progress, Transcribe, WindowDone
from whisper_worker.recording import Recording
from whisper_worker.speech_model import Decoded, TimedWord

LOOP = " tak" * 60


def recording(pcm, language="da", temperature=0.0, words=False):
    request = Transcribe(1, "/spool/a", language, "transcribe", None, temperature, words)
    return Recording(request, pcm, energy_probabilities)


def decoded(text=" Hej.", avg_logprob=-0.2, no_speech_prob=0.01, words=None):
    tokens = tuple(range(len(text)))
    ratio = compression_ratio(text)
    return Decoded(text, tokens, avg_logprob, ratio, no_speech_prob, words)


def accept(subject, attempt, decoding):
    return subject.accept(attempt, subject.decode_row(attempt), decoding)


def two_windows():
    """Speech in two windows of one recording."""
    return np.concatenate([tone(16), silence(3), tone(2)])


def test_windows_leave_in_order_even_when_a_later_one_is_ready_first():
    subject = recording(two_windows())
    first, second = subject.attempts()

    accept(subject, second, decoded(" to"))
    assert list(subject.take_finished()) == []

    accept(subject, first, decoded(" en"))
    messages = list(subject.take_finished())
    assert [type(message) for message in messages] == [WindowDone, Progress] * 2
    assert [m.index for m in messages if isinstance(m, WindowDone)] == [0, 1]
    assert messages[3].windows_done == 2


def test_an_unsure_text_is_tried_again_at_a_higher_temperature_with_the_same_encoding():
    subject = recording(tone(2))
    (attempt,) = subject.attempts()
    attempt.encoded = "encoded once"

    again = accept(subject, attempt, decoded(avg_logprob=-1.5))

    assert again is attempt
    assert again.encoded == "encoded once"
    assert subject.decode_row(again).temperature == 0.4


def test_the_first_attempt_that_passes_is_taken():
    subject = recording(tone(2))
    (attempt,) = subject.attempts()

    accept(subject, attempt, decoded(LOOP, avg_logprob=-0.01))
    assert accept(subject, attempt, decoded(" Godt.", avg_logprob=-0.4)) is None

    window, _ = subject.take_finished()
    (segment,) = window.segments
    assert (segment.text, segment.temperature) == (" Godt.", 0.4)


def test_when_no_attempt_passes_the_surest_is_kept_and_the_ladder_ends():
    subject = recording(tone(2))
    (attempt,) = subject.attempts()

    accept(subject, attempt, decoded(" en", avg_logprob=-1.5))
    accept(subject, attempt, decoded(" to", avg_logprob=-1.1))
    assert accept(subject, attempt, decoded(" tre", avg_logprob=-1.9)) is None

    window, _ = subject.take_finished()
    (segment,) = window.segments
    assert (segment.text, segment.temperature, segment.avg_logprob) == (" to", 0.4, -1.1)


def test_a_temperature_that_was_asked_for_is_tried_once():
    subject = recording(tone(2), temperature=0.3)
    (attempt,) = subject.attempts()

    assert accept(subject, attempt, decoded(avg_logprob=-1.5)) is None

    window, _ = subject.take_finished()
    assert window.segments[0].temperature == 0.3


def test_a_text_where_nobody_spoke_is_left_out_and_reported():
    subject = recording(tone(2))
    (attempt,) = subject.attempts()

    accept(subject, attempt, decoded(" Tak fordi du så med", avg_logprob=-1.4, no_speech_prob=0.9))

    window, _ = subject.take_finished()
    report = subject.report()
    assert window.segments == ()
    assert [(d.reason, d.text) for d in report.dropped] == [("no_speech", " Tak fordi du så med")]
    assert (report.dropped[0].start, report.dropped[0].end) == (window.start, window.end)


def test_without_word_times_a_window_is_one_segment_from_first_to_last_speech():
    subject = recording(np.concatenate([silence(1), tone(2), silence(1), tone(1), silence(1)]))
    (attempt,) = subject.attempts()

    accept(subject, attempt, decoded(" Hej du."))

    window, _ = subject.take_finished()
    (segment,) = window.segments
    assert segment.words is None
    assert (segment.start, segment.end) == pytest.approx((1.0, 5.0), abs=0.05)
    assert window.start < segment.start
    assert segment.seek == int(window.start * 100)


def test_texts_and_tokens_of_segments_and_words_join_to_the_window_s():
    subject = recording(tone(6), words=True)
    (attempt,) = subject.attempts()
    texts = [" Toget", " kører.", " Vi", " venter", " her."]
    words = tuple(
        TimedWord(text, (2 * i, 2 * i + 1), i * 1.0, i + 1.0, 0.9) for i, text in enumerate(texts)
    )

    accept(subject, attempt, Decoded("".join(texts), tuple(range(10)), -0.1, 1.0, 0.0, words))

    window, _ = subject.take_finished()
    assert len(window.segments) == 2
    assert "".join(segment.text for segment in window.segments) == "".join(texts)
    assert [token for segment in window.segments for token in segment.tokens] == list(range(10))
    for segment in window.segments:
        assert "".join(word.word for word in segment.words) == segment.text
        assert segment.start == segment.words[0].start
        assert segment.end == segment.words[-1].end


def test_a_window_in_which_nothing_was_said_has_no_segments_and_is_not_called_dropped():
    subject = recording(tone(2))
    (attempt,) = subject.attempts()

    accept(subject, attempt, decoded(""))

    window, _ = subject.take_finished()
    assert window.segments == ()
    assert subject.report().dropped == ()


def test_silence_in_a_known_language_needs_no_model_at_all():
    subject = recording(silence(5))

    assert list(subject.attempts()) == []
    report = subject.report()
    assert (report.language, report.language_probability) == ("da", None)
    assert (report.windows, report.speech_seconds, report.duration_seconds) == (0, 0, 5)


def test_silence_in_an_unknown_language_is_heard_once_for_its_language():
    subject = recording(silence(40), language=None)

    (probe,) = subject.attempts()

    assert probe.is_probe
    assert (probe.window.start, probe.window.end) == (0, 30 * 16_000)
    subject.hear_language({"da": 0.8, "en": 0.2})
    assert subject.report().language == "da"


def test_a_language_is_detected_on_the_first_window_with_speech():
    pcm = np.concatenate([silence(20), tone(3), silence(20), tone(20)])
    subject = Recording(DetectLanguage(4, "/spool/a"), pcm, energy_probabilities)

    (probe,) = subject.attempts()

    assert probe.window.start / 16_000 == pytest.approx(19.75, abs=0.05)
    subject.hear_language({"en": 0.3, "da": 0.7})
    report = subject.report()
    assert (report.language, report.probability) == ("da", 0.7)
    assert [entry.language for entry in report.languages] == ["da", "en"]


def test_the_detected_language_s_probability_is_reported():
    subject = recording(tone(2), language=None)
    (attempt,) = subject.attempts()
    subject.hear_language({"da": 0.91, "en": 0.09})
    accept(subject, attempt, decoded())
    list(subject.take_finished())

    assert subject.report().language_probability == 0.91
