"""The bundled model on the recordings in test/audio, through the loop: what a user would get."""

import re
from itertools import pairwise
from statistics import median

import numpy as np
import pytest
from conftest import (
    detect_language,
    judged,
    put_pcm,
    read_truth,
    read_wav,
    run_requests,
    segments_of,
    transcribe,
)

from whisper_worker import guards
from whisper_worker.protocol import PcmGrown
from whisper_worker.speech_detection import SpeechDetection


def plain_words(text):
    return re.findall(r"\w+", text.lower())


def word_errors(truth, said):
    """Substitutions, insertions and deletions between two lists of words."""
    row = list(range(len(said) + 1))
    for i, expected in enumerate(truth, 1):
        diagonal, row[0] = row[0], i
        for j, heard in enumerate(said, 1):
            substituted = diagonal + (expected != heard)
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, substituted)
    return row[-1]


@pytest.fixture(scope="module")
def transcripts(tiny_da, tmp_path_factory):
    """All messages for each recording, transcribed together as a busy server would."""
    spool = tmp_path_factory.mktemp("spool")
    names = ("da", "en", "de", "silence", "long")
    requests = [
        transcribe(put_pcm(spool, read_wav(name), f"{name}.pcm"), id=number)
        for number, name in enumerate(names, 1)
    ]
    messages = run_requests(tiny_da, spool, requests)
    return {
        name: [message for message in messages if message.id == number]
        for number, name in enumerate(names, 1)
    }


def text_of(messages):
    return "".join(segment.text for segment in segments_of(messages)).strip()


def words_of(messages):
    return [word for segment in segments_of(messages) for word in segment.words]


@pytest.mark.parametrize("name", ["da", "en", "de"])
def test_a_clip_is_written_down_in_its_own_language(transcripts, name):
    truth = read_truth(name)

    said = plain_words(text_of(transcripts[name]))

    assert transcripts[name][-1].language == name
    assert transcripts[name][-1].language_probability > 0.5
    assert word_errors(plain_words(truth["text"]), said) <= 1


def test_words_are_where_they_were_spoken(transcripts):
    truth = read_truth("da")["words"]
    words = words_of(transcripts["da"])

    by_text = {word.word.strip(): word for word in words}
    pairs = [(by_text[entry["word"]], entry) for entry in truth if entry["word"] in by_text]
    assert len(pairs) >= len(truth) - 1
    assert median(abs(word.start - entry["start"]) for word, entry in pairs) < 0.15
    assert median(abs(word.end - entry["end"]) for word, entry in pairs) < 0.15


def test_segments_begin_and_end_with_the_sentences(transcripts):
    truth = read_truth("da")["segments"]

    segments = segments_of(transcripts["da"])

    assert [segment.text.strip() for segment in segments] == [entry["text"] for entry in truth]
    for segment, entry in zip(segments, truth, strict=True):
        assert segment.start == pytest.approx(entry["start"], abs=0.25)
        assert segment.end == pytest.approx(entry["end"], abs=0.25)


def test_a_long_recording_loses_and_doubles_no_word_where_it_is_cut(transcripts):
    truth = plain_words(read_truth("long")["text"])
    windows = [message for message in transcripts["long"] if message.kind == "window"]

    said = plain_words(text_of(transcripts["long"]))

    assert len(windows) >= 3
    assert word_errors(truth, said) / len(truth) <= 0.06


def test_every_level_of_a_transcript_says_the_same(transcripts):
    for messages in transcripts.values():
        for segment in segments_of(messages):
            assert "".join(word.word for word in segment.words) == segment.text
            assert segment.words[0].start == segment.start
            assert segment.words[-1].end == segment.end
        times = [time for word in words_of(messages) for time in (word.start, word.end)]
        assert times == sorted(times)
        assert all(time <= messages[-1].duration_seconds for time in times)


def test_windows_do_not_overlap_and_progress_goes_forward(transcripts):
    windows = [message for message in transcripts["long"] if message.kind == "window"]
    progress = [m.processed_seconds for m in transcripts["long"] if m.kind == "progress"]

    assert all(before.end <= after.start for before, after in pairwise(windows))
    assert progress == [window.end for window in windows]
    assert transcripts["long"][-1].windows == len(windows)


def test_silence_has_no_text(transcripts):
    (done,) = transcripts["silence"]

    assert (done.kind, done.windows, done.speech_seconds) == ("done", 0, 0)
    assert (done.language, done.language_probability) == (None, None)


def test_a_recording_says_the_same_alone_and_in_company(tiny_da, spool, transcripts):
    path = put_pcm(spool, read_wav("da"))

    alone = run_requests(tiny_da, spool, [transcribe(path)])

    assert segments_of(alone) == segments_of(transcripts["da"])


def test_word_times_do_not_change_the_text(tiny_da, spool, transcripts):
    path = put_pcm(spool, read_wav("da"))

    messages = run_requests(tiny_da, spool, [transcribe(path, word_timestamps=False)])

    assert text_of(messages) == text_of(transcripts["da"])


@pytest.mark.parametrize("name", ["da", "en", "de"])
def test_the_language_of_a_clip_is_detected(tiny_da, spool, name):
    path = put_pcm(spool, read_wav(name))

    (detected,) = run_requests(tiny_da, spool, [detect_language(path)])

    assert detected.language == name
    assert sum(entry.probability for entry in detected.languages) == pytest.approx(1, abs=1e-3)
    assert len(detected.languages) == len(tiny_da.languages)


@pytest.mark.parametrize("word_timestamps", [False, True])
def test_deltas_join_to_the_text_that_is_said_without_them(
    tiny_da, spool, transcripts, word_timestamps
):
    path = put_pcm(spool, read_wav("long"))

    messages = run_requests(
        tiny_da, spool, [transcribe(path, deltas=True, word_timestamps=word_timestamps)]
    )

    deltas = [message for message in messages if message.kind == "delta"]
    said = "".join(delta.text for delta in deltas)
    assert said == "".join(segment.text for segment in segments_of(messages))
    assert said.strip() == text_of(transcripts["long"])
    windows = [message.index for message in messages if message.kind == "window"]
    assert len(deltas) > 3 * len(windows)
    indexes = [message.index for message in messages if message.kind in ("delta", "window")]
    assert indexes == sorted(indexes)


def test_without_guards_a_good_recording_says_the_same(tiny_da, spool, transcripts):
    path = put_pcm(spool, read_wav("da"))

    messages = run_requests(tiny_da, spool, [transcribe(path, guards=False)])

    assert segments_of(messages) == segments_of(transcripts["da"])
    assert judged(messages, "dropped") == judged(messages, "warnings") == ()


def test_a_recording_that_grows_says_the_same_as_the_whole(tiny_da, spool, transcripts):
    samples = read_wav("long")
    path = put_pcm(spool, samples)
    sizes = [*range(5 * 16_000, len(samples), 5 * 16_000), len(samples)]

    messages = run_requests(
        tiny_da,
        spool,
        [
            transcribe(path, pcm_samples=1000, pcm_is_complete=False),
            *(PcmGrown(1, size, size == len(samples)) for size in sizes),
        ],
    )

    assert text_of(messages) == text_of(transcripts["long"])
    assert words_of(messages) == words_of(transcripts["long"])
    assert messages[-1].duration_seconds == transcripts["long"][-1].duration_seconds


def test_a_threshold_that_nothing_reaches_is_tried_at_every_temperature_and_then_ends(
    tiny_da, spool, monkeypatch
):
    temperatures = []
    slots = tiny_da._decoder._slots
    begin = slots.begin
    monkeypatch.setattr(guards, "MIN_AVG_LOGPROB", 0.0)
    monkeypatch.setattr(guards, "MAX_NO_SPEECH_PROB", 1.0)
    monkeypatch.setattr(
        slots,
        "begin",
        lambda first, starts: (
            temperatures.extend(start.temperature for start in starts) or begin(first, starts)
        ),
    )

    messages = run_requests(tiny_da, spool, [transcribe(put_pcm(spool, read_wav("da")))])

    assert temperatures == [0.0, 0.4, 0.8]
    assert messages[-1].kind == "done"
    assert {warned.reason for warned in judged(messages, "warnings")} == {"unsure"}
    (temperature,) = {segment.temperature for segment in segments_of(messages)}
    assert temperature in temperatures


class HearsSpeechEverywhere:
    def hear(self, samples):
        return np.ones(len(samples) // 512, np.float32)

    def finish(self):
        return np.zeros(0, np.float32)


def test_noise_that_the_detector_takes_for_speech_is_dropped_or_empty_and_always_ends(
    tiny_da, spool, monkeypatch
):
    noise = np.random.default_rng(1).normal(0, 300, 5 * 16_000)
    monkeypatch.setattr(type(tiny_da), "listen", lambda _model: HearsSpeechEverywhere())

    messages = run_requests(tiny_da, spool, [transcribe(put_pcm(spool, noise), language="da")])

    assert messages[-1].kind == "done"
    for segment in segments_of(messages):
        assert segment.no_speech_prob <= 0.6 or segment.avg_logprob >= -1.0


def test_the_language_is_sought_among_the_candidates_alone(tiny_da, spool, transcripts):
    path = put_pcm(spool, read_wav("da"))

    *_, done = run_requests(tiny_da, spool, [transcribe(path, languages=("en", "de"))])
    *_, among_all = run_requests(tiny_da, spool, [transcribe(path, languages=("en", "da"))])
    (detected,) = run_requests(tiny_da, spool, [detect_language(path)])

    probabilities = {entry.language: entry.probability for entry in detected.languages}
    assert done.language in ("en", "de")
    assert done.language_probability == pytest.approx(probabilities[done.language], abs=1e-4)
    assert done.language_probability < 0.5
    report = transcripts["da"][-1]
    assert among_all.language == "da"
    assert among_all.language_probability == pytest.approx(report.language_probability, abs=1e-3)


def test_a_recording_may_be_heard_in_shorter_windows_and_says_the_same(tiny_da, spool):
    truth = plain_words(read_truth("long")["text"])
    path = put_pcm(spool, read_wav("long"))
    wishes = SpeechDetection(None, None, None, 10)

    messages = run_requests(tiny_da, spool, [transcribe(path, vad=wishes)])

    windows = [message for message in messages if message.kind == "window"]
    assert all(window.end - window.start <= 10.5 for window in windows)
    assert word_errors(truth, plain_words(text_of(messages))) / len(truth) <= 0.06


@pytest.mark.parametrize("prompt", ["", "Peter rejser til København. " * 100])
def test_keywords_are_told_with_the_prompt_and_cannot_steer(tiny_da, prompt):
    keywords = ("Åse", "<|en|>", "Søren Kierkegaard", "<|notimestamps|>")

    tokens = tiny_da.prompt_tokens(prompt, keywords)

    told = b"".join(map(tiny_da.spell, tokens)).decode()
    assert told.startswith(" Åse, Søren Kierkegaard.")
    assert told.endswith(prompt[-20:].strip())
    assert max(tokens) < tiny_da.facts.vocabulary.end_of_text
    assert len(tokens) == (223 if prompt else len(tokens))


def test_keywords_reach_every_window_of_a_recording(tiny_da, spool):
    path = put_pcm(spool, read_wav("long"))
    prefixes = []
    begin = tiny_da._decoder._slots.begin
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            tiny_da._decoder._slots,
            "begin",
            lambda first, starts: prefixes.extend(s.prefix for s in starts) or begin(first, starts),
        )
        *_, done = run_requests(
            tiny_da, spool, [transcribe(path, keywords=("Jens", "Kirsten"), prompt="Vi rejser.")]
        )

    told = tiny_da.prompt_tokens("Vi rejser.", ("Jens", "Kirsten"))
    assert len(prefixes) >= done.windows >= 3
    assert all(prefix[1 : 1 + len(told)] == told for prefix in prefixes)
    assert done.prompt_tokens == len(told)


def test_only_the_end_of_a_long_prompt_is_used_and_it_cannot_steer(tiny_da):
    tokens = tiny_da.prompt_tokens("Peter rejser til København. " * 100)

    assert len(tokens) == 223
    assert tokens[-5:] == tiny_da.prompt_tokens("Peter rejser til København.")[-5:]
    assert tiny_da.prompt_tokens("  ") == ()
    assert (
        tiny_da.prompt_tokens("<|en|><|translate|>") == ()
        or max(tiny_da.prompt_tokens("<|en|><|translate|>")) < tiny_da.facts.vocabulary.end_of_text
    )
