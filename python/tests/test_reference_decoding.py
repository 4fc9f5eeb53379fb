"""Decoding through the base generate(), held to Whisper's own generate() and to eager attention."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import TINY_DA, load_network, read_wav, token_bytes_of
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

from whisper_worker.audio import to_float
from whisper_worker.reference_decoding import ReferenceDecoder
from whisper_worker.scoring import FinishedText, Scorer
from whisper_worker.speech_model import DecodeRow
from whisper_worker.tokens import TokenBytes
from whisper_worker.vad import Region, Window
from whisper_worker.vocabulary import decoder_prefix

RATE = 16_000


@pytest.fixture(scope="module")
def clips():
    """Four recordings of different lengths and languages."""
    long = read_wav("long")
    return [read_wav("da"), read_wav("en"), long[: 20 * RATE], read_wav("de")]


@pytest.fixture(scope="module")
def network():
    return load_network()


@pytest.fixture(scope="module")
def encoded(tiny_da, network, clips):
    """Encoder outputs: (1500, width) each."""
    with torch.inference_mode():
        features_ = tiny_da._log_mel([to_float(clip) for clip in clips])
        return list(network.model.encoder(features_).last_hidden_state)


@pytest.fixture(scope="module")
def decode(tiny_da, network):
    """Rows → what the reference decodes."""
    reference = ReferenceDecoder(network, tiny_da.facts, token_bytes_of(tiny_da))
    return torch.inference_mode()(reference.decode)


@pytest.fixture(scope="module")
def whisper():
    """The same checkpoint as transformers users have it."""
    return WhisperForConditionalGeneration.from_pretrained(TINY_DA, dtype=torch.float32).eval()


def row(encoding, clip, **changes):
    window = Window(0, 0, len(clip), (Region(0, len(clip)),))
    plain = DecodeRow(encoding, window, "da", "transcribe", (), (0.0,), word_timestamps=False)
    return dataclasses.replace(plain, **changes)


def features(clip):
    extractor = WhisperFeatureExtractor(feature_size=128)
    return extractor(to_float(clip), sampling_rate=RATE, return_tensors="pt").input_features


def test_the_tokens_are_those_of_whisper_s_own_generate(decode, whisper, clips, encoded):
    settings = whisper.generation_config
    first_timestamp = settings.no_timestamps_token_id + 1
    timestamps = range(first_timestamp, whisper.config.vocab_size)
    with torch.inference_mode():
        theirs = [
            whisper.generate(
                features(clip),
                language="da",
                task="transcribe",
                num_beams=1,
                suppress_tokens=[*settings.suppress_tokens, *timestamps],
            )[0].tolist()
            for clip in clips
        ]

    ours = decode([row(e, clip) for e, clip in zip(encoded, clips, strict=True)])

    end = settings.eos_token_id
    assert [list(decoded.tokens) for decoded in ours] == [
        [token for token in tokens if token != end] for tokens in theirs
    ]
    assert any(len(decoded.tokens) > 40 for decoded in ours)


def test_rows_of_a_mixed_batch_say_what_they_say_alone(tiny_da, decode, clips, encoded):
    prompt = tiny_da.prompt_tokens("Peter og Søren")
    rows = [
        row(encoded[0], clips[0], word_timestamps=True),
        row(encoded[1], clips[1], language="en"),
        row(encoded[2], clips[2], prompt_tokens=prompt, word_timestamps=True),
        row(encoded[3], clips[3], language="de", ladder=(0.8,)),
        row(encoded[0], clips[0], ladder=(0.4,)),
        row(encoded[1], clips[1], language="en", timestamp_tokens=True),
        row(encoded[2], clips[2], prompt_tokens=prompt[:3]),
    ]

    together = decode(rows)

    for single, decoded in zip(rows, together, strict=True):
        (alone,) = decode([single])
        assert alone.tokens == decoded.tokens
        assert alone.avg_logprob == pytest.approx(decoded.avg_logprob, abs=1e-3)
        assert (alone.words is None) == (decoded.words is None)
        assert [w.start for w in alone.words or ()] == [w.start for w in decoded.words or ()]


def test_a_temperature_samples_and_the_same_window_samples_the_same(decode, clips, encoded):
    hot = row(encoded[0], clips[0], ladder=(10.0,))  # the model is too sure of itself for less
    later = dataclasses.replace(hot.window, start=RATE, end=hot.window.end + RATE)

    first, again = decode([hot]), decode([hot])
    (other_window,) = decode([dataclasses.replace(hot, window=later)])

    assert first == again
    assert other_window.tokens != first[0].tokens


def test_log_probabilities_and_their_average_are_openai_s(tiny_da, decode, whisper, clips, encoded):
    """Sum over tokens and end, of the tokens that were allowed, divided by tokens plus one."""
    (decoded,) = decode([row(encoded[0], clips[0])])
    facts = tiny_da.facts
    prefix = decoder_prefix(facts.vocabulary, "da", "transcribe", ())
    ids = [*prefix, *decoded.tokens, facts.vocabulary.end_of_text]

    with torch.no_grad():
        logits = whisper(
            input_features=features(clips[0]), decoder_input_ids=torch.tensor([ids])
        ).logits[0]
    no_speech = logits[0].softmax(-1)[facts.vocabulary.no_speech].item()
    logits[:, list(facts.suppressed)] = -torch.inf
    logits[len(prefix) - 1, list(facts.begin_suppressed)] = -torch.inf
    logprobs = logits.log_softmax(-1)
    *sure, end = [logprobs[at - 1, ids[at]].item() for at in range(len(prefix), len(ids))]
    total = sum(sure) + end

    assert decoded.logprobs == pytest.approx(sure, abs=1e-4)
    assert decoded.avg_logprob == pytest.approx(total / (len(decoded.tokens) + 1), abs=1e-4)
    assert decoded.no_speech_prob == pytest.approx(no_speech, abs=1e-5)


def eager_attention(encoding, ids, heads, frames):
    """The cross-attention as transformers shows it, normalised as openai/whisper does."""
    eager = WhisperForConditionalGeneration.from_pretrained(
        TINY_DA, dtype=torch.float32, attn_implementation="eager"
    )
    with torch.inference_mode():
        attentions = eager.eval()(
            encoder_outputs=(encoding[None],),
            decoder_input_ids=torch.tensor([ids]),
            output_attentions=True,
        ).cross_attentions
    weights = torch.stack([attentions[layer][0, head] for layer, head in heads])[..., :frames]
    weights = weights / weights.sum(-1, keepdim=True)  # softmax over the real audio only
    weights = (weights - weights.mean(1, keepdim=True)) / weights.std(1, keepdim=True, correction=0)
    padded = torch.nn.functional.pad(weights, (3, 3), mode="reflect")
    return padded.unfold(-1, 7, 1).median(-1).values.mean(0)


def test_the_alignment_equals_eager_attention_while_the_model_stays_on_sdpa(
    tiny_da, decode, network, clips, encoded
):
    facts = tiny_da.facts
    (decoded,) = decode([row(encoded[0], clips[0], word_timestamps=True)])
    prefix = decoder_prefix(facts.vocabulary, "da", "transcribe", ())
    frames = -(-len(clips[0]) // 320)

    with torch.inference_mode():
        (score,) = Scorer(network, facts).score(
            encoded[0][None], [FinishedText(prefix, decoded.tokens, True, frames, True)]
        )

    # Without end-of-text: the slots end there, so nobody knows what it would listen to.
    ids = [*prefix, *decoded.tokens]
    expected = eager_attention(encoded[0], ids, facts.alignment_heads, frames)
    assert score.attention.shape == (len(decoded.tokens) + 1, frames)
    assert np.abs(score.attention - expected[len(prefix) - 1 :].numpy()).max() < 1e-3
    assert network.config._attn_implementation == "sdpa"
    assert not any(module._forward_hooks for module in network.modules())


def test_a_row_that_does_not_stop_is_ended_by_the_length_of_its_speech(
    tiny_da, network, clips, encoded
):
    facts = tiny_da.facts
    end = facts.vocabulary.end_of_text
    endless = dataclasses.replace(facts, suppressed=(*facts.suppressed, end))
    token_bytes = TokenBytes({})
    window = Window(0, 0, RATE, (Region(0, RATE // 2),))

    with torch.inference_mode():
        (decoded,) = ReferenceDecoder(network, endless, token_bytes).decode(
            [row(encoded[0], clips[0], window=window)]
        )

    assert len(decoded.tokens) == 16 + 12 // 2
    assert np.isfinite(decoded.avg_logprob)


def test_timestamp_tokens_are_as_sure_as_the_rules_leave_them(decode, clips, encoded):
    (decoded,) = decode([row(encoded[0], clips[0], timestamp_tokens=True)])

    assert np.isfinite(decoded.avg_logprob)
    assert -0.5 < decoded.avg_logprob < 0


def test_words_join_to_the_text_and_their_tokens_to_the_tokens(decode, clips, encoded):
    rows = [
        row(encoding, clip, word_timestamps=True)
        for encoding, clip in zip(encoded, clips, strict=True)
    ]

    for decoded in decode(rows):
        assert "".join(word.text for word in decoded.words) == decoded.text
        assert tuple(t for word in decoded.words for t in word.tokens) == decoded.tokens
        assert all(0 < word.probability <= 1 for word in decoded.words)
        assert all(word.start <= word.end for word in decoded.words)
