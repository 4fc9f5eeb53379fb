"""How sure each token was, on the bundled model: bytes that join to the text, and the figures."""

import dataclasses

import pytest
from conftest import put_pcm, read_wav, run_requests, segments_of, transcribe
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_worker.assembly import build_segments
from whisper_worker.decoded_text import SaidTokens, assemble, time_words
from whisper_worker.vad import Region, Window

WINDOW = Window(0, 0, 29 * 16_000, (Region(0, 29 * 16_000),))
NAMES = ("da", "en", "de", "long")


@pytest.fixture(scope="module", params=[True, False], ids=["words", "no words"])
def transcripts(request, tiny_da, tmp_path_factory):
    """Messages of each recording: those of who did not ask, and those of who did."""
    spool = tmp_path_factory.mktemp("spool")
    paths = [put_pcm(spool, read_wav(name), f"{name}.pcm") for name in NAMES]
    return [
        [
            run_requests(
                tiny_da, spool, [transcribe(path, word_timestamps=request.param, logprobs=asks)]
            )
            for asks in (False, True)
        ]
        for path in paths
    ]


def bytes_of(entries):
    return bytes(byte for entry in entries for byte in entry.bytes)


def test_to_ask_changes_nothing_else(transcripts):
    for without, asked in transcripts:
        bare = [dataclasses.replace(s, logprobs=None) for s in segments_of(asked)]
        assert bare == segments_of(without)


def test_there_is_one_for_each_token_and_their_bytes_are_the_text(transcripts, tiny_da):
    for _, asked in transcripts:
        for segment in segments_of(asked):
            assert len(segment.logprobs) == len(segment.tokens)
            assert bytes_of(segment.logprobs) == segment.text.encode()
            for token, entry in zip(segment.tokens, segment.logprobs, strict=True):
                assert entry.token == tiny_da._tokenizer.decode([token])
                assert entry.logprob <= 0


def test_with_the_end_of_the_text_they_average_to_the_window_s_figure(transcripts):
    """OpenAI's avg_logprob: the end counts in the sum and in the length. It is no token of ours."""
    for _, asked in transcripts:
        for window in (message for message in asked if message.kind == "window"):
            sure = [entry.logprob for s in window.segments for entry in s.logprobs]
            (average,) = {segment.avg_logprob for segment in window.segments}
            end = average * (len(sure) + 1) - sum(sure)
            rounding = 0.5e-4 * (len(sure) + 1) + 1e-4
            assert -1 < end <= rounding


def decoded(model, tokens, has_words):
    """What the model would have said with these tokens."""
    logprobs = tuple(-index / 100 for index in range(len(tokens)))
    words = None
    if has_words:
        starts = [0.1 * index for index in range(len(tokens) + 1)]
        words = time_words(tokens, logprobs, starts, "da", model._token_bytes)
    end = model.facts.vocabulary.end_of_text
    return assemble(SaidTokens(tokens, logprobs, -0.1, 0.0), model._token_bytes, end, words)


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=80), st.booleans())
def test_any_text_comes_back_from_the_bytes_of_its_tokens(tiny_da, text, has_words):
    tokens = tuple(tiny_da._encode_text(f" {text}"))

    segments = build_segments(WINDOW, decoded(tiny_da, tokens, has_words), tiny_da.spell)

    for segment in segments:
        assert bytes_of(segment.logprobs) == segment.text.encode()
    entries = [entry for segment in segments for entry in segment.logprobs]
    assert [entry.logprob for entry in entries] == [-i / 100 for i in range(len(entries))]


@settings(max_examples=200, deadline=None)
@given(st.data(), st.booleans())
def test_bytes_that_are_no_text_are_told_as_they_are(tiny_da, data, has_words):
    text_tokens = st.integers(0, tiny_da.facts.vocabulary.end_of_text - 1)
    tokens = tuple(data.draw(st.lists(text_tokens, min_size=1, max_size=30)))

    segments = build_segments(WINDOW, decoded(tiny_da, tokens, has_words), tiny_da.spell)

    for segment in segments:
        assert bytes_of(segment.logprobs).decode(errors="replace") == segment.text
        assert bytes_of(segment.logprobs) == b"".join(map(tiny_da.spell, segment.tokens))
