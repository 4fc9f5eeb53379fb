"""One recording through its windows, with decodings that the test makes up."""

import dataclasses

import numpy as np
import pytest
from conftest import detect_language, put_pcm, silence, tone, transcribe

from whisper_worker.audio import PcmFile
from whisper_worker.energy_vad import EnergyListener
from whisper_worker.guards import compression_ratio
from whisper_worker.protocol import Delta, Progress, WindowDone
from whisper_worker.recording import Recording
from whisper_worker.speech_detection import SpeechDetection
from whisper_worker.speech_model import Decoded, TimedWord

RATE = 16_000
SPELLING = {0: b" Tog", 1: b"et", 2: b" k\xc3", 3: b"\xb8rer.", 4: b" Vi", 5: b" ses"}
spell = SPELLING.__getitem__


@pytest.fixture
def recording(spool):
    """Makes a recording of these samples; `changes` make the request special."""

    def make(samples, request=transcribe, announced=None, prompt_tokens=(), **changes):
        path = put_pcm(spool, samples)
        if request is transcribe:
            changes = {"language": "da", "word_timestamps": False, **changes}
        asked = request(path, **changes)
        if announced is not None:
            asked = dataclasses.replace(asked, pcm_samples=announced, pcm_is_complete=False)
        pcm = PcmFile(path, spool, asked.pcm_samples, asked.pcm_is_complete)
        return Recording(asked, pcm, EnergyListener(), spell, prompt_tokens)

    return make


def decoded(text=" Hej.", avg_logprob=-0.2, no_speech_prob=0.01, words=None, **changes):
    tokens = tuple(range(len(text)))
    ratio = compression_ratio(text)
    return Decoded(text, tokens, avg_logprob, ratio, no_speech_prob, words, **changes)


def windows_of(subject):
    return [job.window for job in subject.jobs()]


def two_windows():
    """Speech in two windows of one recording."""
    return np.concatenate([tone(16), silence(3), tone(2)])


def test_windows_leave_in_order_even_when_a_later_one_is_ready_first(recording):
    subject = recording(two_windows())
    first, second = windows_of(subject)

    subject.accept(second, decoded(" to"))
    assert list(subject.take_messages()) == []

    subject.accept(first, decoded(" en"))
    messages = list(subject.take_messages())
    assert [type(message) for message in messages] == [WindowDone, Progress] * 2
    assert [m.index for m in messages if isinstance(m, WindowDone)] == [0, 1]
    assert messages[3].windows_done == 2


def test_what_was_asked_for_reaches_the_model(recording):
    subject = recording(
        tone(2), task="translate", language="de", word_timestamps=True, prompt_tokens=(5, 6)
    )
    (job,) = subject.jobs()
    job.encoded = "encoded once"

    row = subject.decode_row(job)

    assert (row.encoded, row.window) == ("encoded once", job.window)
    assert (row.language, row.task, row.prompt_tokens) == ("de", "translate", (5, 6))
    assert row.word_timestamps
    assert not row.timestamp_tokens
    assert not row.streams
    assert row.stops_loops


def test_an_unsure_text_is_tried_again_at_higher_temperatures(recording):
    subject = recording(tone(2))
    (job,) = subject.jobs()

    assert subject.decode_row(job).ladder == (0.0, 0.4, 0.8)


def test_a_temperature_that_was_asked_for_is_tried_once(recording):
    subject = recording(tone(2), temperature=0.3)
    (job,) = subject.jobs()

    assert subject.decode_row(job).ladder == (0.3,)


def test_a_client_that_wants_no_guards_gets_one_attempt_and_no_end_of_loops(recording):
    subject = recording(tone(2), guards=False)
    (job,) = subject.jobs()

    row = subject.decode_row(job)

    assert row.ladder == (0.0,)
    assert not row.stops_loops


def test_a_window_is_reported_with_the_temperature_it_was_decoded_at(recording):
    subject = recording(tone(2))
    (window,) = windows_of(subject)

    subject.accept(window, decoded(" Godt.", temperature=0.4, attempts=2))

    done, _ = subject.take_messages()
    assert [(s.text, s.temperature) for s in done.segments] == [(" Godt.", 0.4)]
    assert done.segments[0].avg_logprob == -0.2


def long_speech(minutes):
    """Many windows of speech."""
    return np.concatenate([tone(25), silence(5)] * (2 * minutes))


def attempts_in(subject, attempts):
    """How many attempts all windows cost together, when each takes as many as it may."""
    spent = 0
    for job in subject.jobs():
        ladder = subject.decode_row(job).ladder
        taken = min(attempts, len(ladder))
        spent += taken
        subject.accept(job.window, decoded(attempts=taken))
    return spent


def test_noise_cannot_multiply_what_a_recording_costs(recording):
    subject = recording(long_speech(20))

    spent = attempts_in(subject, attempts=3)

    windows = subject.report().windows or len(list(subject.take_messages())) // 2
    assert windows >= 40
    assert spent <= 1.25 * windows + 4 + 3


def test_a_short_recording_may_repeat_every_window(recording):
    subject = recording(two_windows())

    assert attempts_in(subject, attempts=3) == 6


def test_a_recording_that_needs_few_repetitions_gets_them_to_its_end(recording):
    subject = recording(long_speech(20))
    jobs = list(subject.jobs())

    for job in jobs[:-1]:
        subject.accept(job.window, decoded(attempts=2 if job.window.index % 8 == 0 else 1))

    assert len(subject.decode_row(jobs[-1]).ladder) == 3


def test_a_text_where_nobody_spoke_is_left_out_and_reported(recording):
    subject = recording(tone(2))
    (window,) = windows_of(subject)

    subject.accept(window, decoded(" Tak fordi du så med", avg_logprob=-1.4, no_speech_prob=0.9))

    done, _ = subject.take_messages()
    assert done.segments == ()
    assert [(d.reason, d.text) for d in done.dropped] == [("no_speech", " Tak fordi du så med")]
    assert (done.dropped[0].start, done.dropped[0].end) == (done.start, done.end)


def test_without_guards_that_text_is_kept_and_nothing_is_reported(recording):
    subject = recording(tone(2), guards=False)
    (window,) = windows_of(subject)

    subject.accept(window, decoded(" Tak fordi du så med", avg_logprob=-1.4, no_speech_prob=0.9))

    done, _ = subject.take_messages()
    assert [segment.text for segment in done.segments] == [" Tak fordi du så med"]
    assert (done.dropped, done.warnings) == ((), ())


def test_an_unsure_text_is_kept_and_doubted(recording):
    subject = recording(tone(2))
    (window,) = windows_of(subject)

    subject.accept(window, decoded(" Hm.", avg_logprob=-1.5, attempts=3))

    done, _ = subject.take_messages()
    (warned,) = done.warnings
    assert (warned.reason, warned.text) == ("unsure", " Hm.")
    assert [segment.text for segment in done.segments] == [" Hm."]


def test_without_word_times_a_window_is_one_segment_from_first_to_last_speech(recording):
    subject = recording(np.concatenate([silence(1), tone(2), silence(1), tone(1), silence(1)]))
    (window,) = windows_of(subject)

    subject.accept(window, decoded(" Hej du."))

    done, _ = subject.take_messages()
    (segment,) = done.segments
    assert segment.words is None
    assert (segment.start, segment.end) == pytest.approx((1.0, 5.0), abs=0.05)
    assert done.start < segment.start
    assert segment.seek == int(done.start * 100)


def test_texts_and_tokens_of_segments_and_words_join_to_the_window_s(recording):
    subject = recording(tone(6), word_timestamps=True)
    (window,) = windows_of(subject)
    texts = [" Toget", " kører.", " Vi", " venter", " her."]
    words = tuple(
        TimedWord(text, (2 * i, 2 * i + 1), i * 1.0, i + 1.0, 0.9) for i, text in enumerate(texts)
    )

    subject.accept(window, Decoded("".join(texts), tuple(range(10)), -0.1, 1.0, 0.0, words))

    done, _ = subject.take_messages()
    assert len(done.segments) == 2
    assert "".join(segment.text for segment in done.segments) == "".join(texts)
    assert [token for segment in done.segments for token in segment.tokens] == list(range(10))
    for segment in done.segments:
        assert "".join(word.word for word in segment.words) == segment.text
        assert segment.start == segment.words[0].start
        assert segment.end == segment.words[-1].end


def said_with_logprobs(*parts):
    """A decoding of words, (text, tokens) each; token n has the log-probability -n/10."""
    words = tuple(
        TimedWord(text, tokens, i * 1.0, i + 1.0, 0.9, tuple(-token / 10 for token in tokens))
        for i, (text, tokens) in enumerate(parts)
    )
    tokens = tuple(token for word in words for token in word.tokens)
    logprobs = tuple(-token / 10 for token in tokens)
    text = "".join(word.text for word in words)
    return Decoded(text, tokens, -0.2, 1.0, 0.0, words, logprobs=logprobs)


SENTENCES = ((" Toget", (0, 1)), (" kører.", (2, 3)), (" Vi", (4,)), (" ses", (5,)))


@pytest.mark.parametrize("has_words", [True, False])
def test_each_segment_tells_how_sure_its_tokens_were_in_bytes_that_join_to_its_text(
    recording, has_words
):
    subject = recording(tone(4), word_timestamps=has_words, logprobs=True)
    (window,) = windows_of(subject)
    decoded_ = said_with_logprobs(*SENTENCES)

    subject.accept(
        window, dataclasses.replace(decoded_, words=decoded_.words if has_words else None)
    )

    done, _ = subject.take_messages()
    assert len(done.segments) == (2 if has_words else 1)
    for segment in done.segments:
        assert [entry.logprob for entry in segment.logprobs] == [-t / 10 for t in segment.tokens]
        joined = bytes(byte for entry in segment.logprobs for byte in entry.bytes)
        assert joined == segment.text.encode()
    entries = [entry.token for segment in done.segments for entry in segment.logprobs]
    assert entries == [" Tog", "et", " k\ufffd", "\ufffdrer.", " Vi", " ses"]


def test_who_did_not_ask_is_not_told_how_sure_the_tokens_were(recording):
    subject = recording(tone(4), word_timestamps=True)
    (window,) = windows_of(subject)

    subject.accept(window, said_with_logprobs(*SENTENCES))

    done, _ = subject.take_messages()
    assert [segment.logprobs for segment in done.segments] == [None, None]


def test_a_token_that_is_certain_is_not_more_than_certain(recording):
    subject = recording(tone(4), logprobs=True)
    (window,) = windows_of(subject)

    subject.accept(window, Decoded(" Tog", (0,), 0.0, 1.0, 0.0, None, logprobs=(1e-6,)))

    done, _ = subject.take_messages()
    assert [entry.logprob for entry in done.segments[0].logprobs] == [0.0]


def test_of_what_a_guard_drops_no_token_is_told(recording):
    subject = recording(np.concatenate([tone(2), silence(3)]), word_timestamps=True, logprobs=True)
    (window,) = windows_of(subject)
    in_speech = said_with_logprobs((" Toget", (0, 1)), (" kører.", (2, 3))).words
    far_off = TimedWord(" Vi", (4,), 4.5, 4.9, 0.1, (-2.3,))
    whole = said_with_logprobs((" Toget", (0, 1)), (" kører.", (2, 3)), (" Vi", (4,)))

    subject.accept(window, dataclasses.replace(whole, words=(*in_speech, far_off)))

    done, _ = subject.take_messages()
    (dropped,) = done.dropped
    assert dropped.text == " Vi"
    assert [e.token for s in done.segments for e in s.logprobs] == [
        " Tog",
        "et",
        " k\ufffd",
        "\ufffdrer.",
    ]
    assert all(len(segment.logprobs) == len(segment.tokens) for segment in done.segments)


def test_a_window_in_which_nothing_was_said_has_no_segments_and_is_not_called_dropped(recording):
    subject = recording(tone(2))
    (window,) = windows_of(subject)

    subject.accept(window, decoded(""))

    done, _ = subject.take_messages()
    assert done.segments == ()
    assert done.dropped == ()


@pytest.mark.parametrize("language", ["da", None])
def test_silence_needs_no_model_at_all(recording, language):
    subject = recording(silence(5), language=language)

    assert list(subject.jobs()) == []
    report = subject.report()
    assert (report.language, report.language_probability) == (language, None)
    assert (report.windows, report.speech_seconds, report.duration_seconds) == (0, 0, 5)


def test_where_only_the_language_is_wanted_silence_is_heard_once_for_it(recording):
    subject = recording(silence(40), request=detect_language)

    (probe,) = subject.jobs()

    assert probe.is_probe
    assert (probe.window.start, probe.window.end) == (0, 30 * RATE)
    subject.hear_language({"da": 0.8, "en": 0.2})
    assert subject.report().language == "da"


def test_a_language_is_detected_on_the_first_window_with_speech(recording):
    pcm = np.concatenate([silence(20), tone(3), silence(20), tone(20)])
    subject = recording(pcm, request=detect_language)

    (probe,) = subject.jobs()

    assert probe.window.start / RATE == pytest.approx(19.75, abs=0.05)
    subject.hear_language({"en": 0.3, "da": 0.7})
    report = subject.report()
    assert (report.language, report.probability) == ("da", 0.7)
    assert [entry.language for entry in report.languages] == ["da", "en"]


def test_the_first_window_decides_on_the_language_before_others_follow(recording):
    subject = recording(two_windows(), language=None)
    jobs = subject.jobs()

    first = next(jobs)
    assert first.window.index == 0
    assert next(jobs) is None
    subject.hear_language({"da": 0.91, "en": 0.09})

    assert next(jobs).window.index == 1
    assert subject.decode_row(first).language == "da"


def test_the_detected_language_s_probability_is_reported(recording):
    subject = recording(tone(2), language=None)
    job = next(subject.jobs())
    subject.hear_language({"da": 0.91, "en": 0.09})
    subject.accept(job.window, decoded())
    list(subject.take_messages())

    assert subject.report().language_probability == 0.91


@pytest.mark.parametrize(
    ("candidates", "language", "probability"),
    [(("de", "en"), "en", 0.2), (("de",), "de", 0.1), (("en", "da", "en"), "da", 0.7)],
)
def test_the_language_is_the_most_probable_candidate_as_probable_as_among_all(
    recording, candidates, language, probability
):
    subject = recording(tone(2), language=None, languages=candidates)
    job = next(subject.jobs())
    subject.hear_language({"da": 0.7, "en": 0.2, "de": 0.1})
    subject.accept(job.window, decoded())
    list(subject.take_messages())

    report = subject.report()
    assert (report.language, report.language_probability) == (language, probability)
    assert subject.decode_row(job).language == language


def test_candidates_are_no_language_of_silence(recording):
    subject = recording(silence(5), language=None, languages=("de", "en"))

    assert list(subject.jobs()) == []
    assert subject.report().language is None


def test_how_much_a_window_was_told_is_reported(recording):
    subject = recording(two_windows(), prompt_tokens=(5, 6, 7))
    for window in windows_of(subject):
        subject.accept(window, decoded())
    list(subject.take_messages())

    assert subject.report().prompt_tokens == 3


def test_where_no_window_was_decoded_none_was_told_anything(recording):
    subject = recording(silence(5), prompt_tokens=(5, 6, 7))

    assert list(subject.jobs()) == []
    assert subject.report().prompt_tokens == 0


def test_a_request_may_have_its_recording_divided_in_its_own_way(recording):
    pcm = np.concatenate([tone(20), silence(1), tone(20)])
    wish = SpeechDetection(None, 1000, None, 10)

    windows = windows_of(recording(pcm, vad=wish))

    assert len(windows_of(recording(pcm))) == 2
    assert len(windows) >= 4
    assert all(window.end - window.start <= 12 * RATE for window in windows)


# Recordings that are still being written.


def test_windows_of_a_growing_recording_come_as_soon_as_they_are_certain(recording):
    pcm = np.concatenate([tone(16), silence(24), tone(5)])
    subject = recording(pcm, announced=10 * RATE)
    jobs = subject.jobs()
    assert next(jobs) is None

    subject.grow(35 * RATE, is_complete=False)
    assert next(jobs).window.index == 0
    assert next(jobs) is None
    assert subject.duration_seconds == 35

    subject.grow(45 * RATE, is_complete=True)
    assert [job.window.index for job in jobs] == [1]


@pytest.mark.parametrize("piece_seconds", [0.31, 4, 33])
def test_a_growing_recording_is_cut_like_a_complete_one(recording, piece_seconds):
    pcm = np.concatenate([long_speech(2), tone(50), silence(1), tone(3)])
    whole = windows_of(recording(pcm))
    subject = recording(pcm, announced=0)

    jobs, windows = subject.jobs(), []
    piece = int(piece_seconds * RATE)
    for size in [*range(piece, len(pcm), piece), len(pcm)]:
        subject.grow(size, is_complete=size == len(pcm))
        while (job := next(jobs, None)) is not None:
            windows.append(job.window)

    assert windows == whole
    assert len(windows) >= 5


def test_hours_of_silence_are_heard_two_minutes_at_a_turn(recording):
    subject = recording(np.concatenate([silence(270), tone(3)]))
    jobs = subject.jobs()

    turns = []
    while (job := next(jobs)) is None:
        turns.append(subject.is_listening)

    assert turns == [True, True]
    assert job.window.start / RATE == pytest.approx(269.75, abs=0.05)


# Text while it is decoded.


def texts(messages):
    return [message.text for message in messages if isinstance(message, Delta)]


def test_only_the_first_window_that_is_not_done_is_said_aloud(recording):
    subject = recording(two_windows(), deltas=True)
    first, second = windows_of(subject)

    subject.hear(second, " To")
    assert list(subject.take_messages()) == []
    subject.hear(first, " En")
    assert texts(subject.take_messages()) == [" En"]

    subject.accept(first, decoded(" En"))
    assert texts(subject.take_messages()) == [" To"]
    subject.accept(second, decoded(" To tre"))
    assert texts(subject.take_messages()) == [" tre"]


def test_a_window_that_was_never_said_aloud_is_a_delta_when_it_ends(recording):
    subject = recording(tone(2), deltas=True)
    (window,) = windows_of(subject)

    subject.accept(window, decoded(" Hej."))

    delta, done, _ = subject.take_messages()
    assert (delta.index, delta.text) == (0, " Hej.")
    assert done.segments[0].text == " Hej."


def test_a_window_that_loses_its_slot_does_not_say_everything_twice(recording):
    subject = recording(tone(2), deltas=True)
    (window,) = windows_of(subject)
    subject.hear(window, " En to")
    assert texts(subject.take_messages()) == [" En to"]

    subject.begin_again(window)
    subject.hear(window, " En")
    subject.hear(window, " to tre")
    said = texts(subject.take_messages())
    subject.accept(window, decoded(" En to tre fire"))

    assert said == [" tre"]
    assert texts(subject.take_messages()) == [" fire"]


def test_a_credit_is_not_said_before_it_is_certain_that_it_stays(recording):
    subject = recording(tone(2), deltas=True)
    (window,) = windows_of(subject)

    subject.hear(window, " Vi ses. Danske tekster")

    assert texts(subject.take_messages()) == [" Vi ses."]


@pytest.mark.parametrize("beginning", ["", " Vi ses."])
def test_a_credit_that_was_made_up_is_dropped_though_the_rest_was_said_aloud(recording, beginning):
    subject = recording(np.concatenate([tone(2), silence(3)]), deltas=True, word_timestamps=True)
    (window,) = windows_of(subject)
    pieces = [*beginning.split(), "Danske", "tekster", "af", "Jesper", "Buhl"]
    first = len(beginning.split())
    words = tuple(
        TimedWord(f" {piece}", (at,), 0.5 * at, 0.5 * at + 0.5, 0.9)
        if at < first
        else TimedWord(f" {piece}", (at,), 2.0 + 0.02 * at, 2.02 + 0.02 * at, 0.1)
        for at, piece in enumerate(pieces)
    )
    said = []
    for word in words:
        subject.hear(window, word.text)
        said += texts(subject.take_messages())

    text = "".join(word.text for word in words)
    subject.accept(window, Decoded(text, tuple(range(len(words))), -1.2, 1.0, 0.1, words))

    (*_, done, _) = messages = list(subject.take_messages())
    assert "".join([*said, *texts(messages)]) == beginning
    assert "".join(segment.text for segment in done.segments) == beginning
    assert [dropped.reason for dropped in done.dropped] == ["subtitle_credit"]


def test_without_guards_nothing_is_held_back(recording):
    subject = recording(tone(2), deltas=True, guards=False)
    (window,) = windows_of(subject)

    subject.hear(window, " Vi ses. Danske tekster")

    assert texts(subject.take_messages()) == [" Vi ses. Danske tekster"]
