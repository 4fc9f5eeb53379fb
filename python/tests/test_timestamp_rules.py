"""Whisper's timestamp rules, against transformers' own."""

from types import SimpleNamespace

import pytest
import torch
from transformers.generation.logits_process import WhisperTimeStampLogitsProcessor

from whisper_worker.timestamp_rules import TimestampRules

SLOTS = 6
VOCABULARY = 240
END_OF_TEXT = 150
NO_TIMESTAMPS = 163
BEGIN = 164
PREFIX = 4


def rules(max_initial_index=50, slots=SLOTS):
    return TimestampRules(
        slots=slots,
        vocabulary_size=VOCABULARY,
        timestamp_begin=BEGIN,
        no_timestamps=NO_TIMESTAMPS,
        end_of_text=END_OF_TEXT,
        max_initial_index=max_initial_index,
        device="cpu",
    )


def reference(max_initial_index=50):
    config = SimpleNamespace(
        no_timestamps_token_id=NO_TIMESTAMPS,
        eos_token_id=END_OF_TEXT,
        bos_token_id=END_OF_TEXT,
        max_initial_timestamp_index=max_initial_index,
    )
    return WhisperTimeStampLogitsProcessor(config, begin_index=PREFIX)


def some_logits(generator, rows):
    """Logits of all kinds: text likelier, time likelier, some tokens suppressed, some ties."""
    logits = torch.randn(rows, VOCABULARY, generator=generator) * 2
    logits[:, BEGIN:] += torch.randn(rows, 1, generator=generator) * 4
    logits[torch.rand(rows, VOCABULARY, generator=generator) < 0.2] = float("-inf")
    return logits.round() if torch.rand((), generator=generator) < 0.2 else logits


def some_tokens(generator, rows):
    """Text, timestamps in any order, specials and ends of text."""
    text = torch.randint(0, BEGIN, (rows,), generator=generator)
    times = torch.randint(BEGIN, VOCABULARY, (rows,), generator=generator)
    return torch.where(torch.rand(rows, generator=generator) < 0.5, times, text)


@pytest.mark.parametrize("max_initial_index", [None, 0, 50, 500])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_step_of_every_sequence_equals_transformers(max_initial_index, dtype):
    generator = torch.Generator().manual_seed(1)
    expected = reference(max_initial_index)

    for _ in range(25):
        subject = rules(max_initial_index)
        subject.reset(slice(None))
        sequences = torch.randint(0, VOCABULARY, (SLOTS, PREFIX), generator=generator)
        for _ in range(8):
            logits = some_logits(generator, SLOTS).to(dtype)
            wanted = expected(sequences, logits)
            assert torch.equal(subject.apply(logits), wanted)
            tokens = some_tokens(generator, SLOTS)
            subject.observe(tokens)
            sequences = torch.cat([sequences, tokens[:, None]], dim=1)


def test_sequences_that_follow_the_rules_equal_transformers():
    generator = torch.Generator().manual_seed(2)
    subject, expected = rules(), reference()

    for _ in range(20):
        subject.reset(slice(None))
        sequences = torch.zeros(SLOTS, PREFIX, dtype=torch.int64)
        for _ in range(12):
            logits = some_logits(generator, SLOTS)
            wanted = expected(sequences, logits)
            assert torch.equal(subject.apply(logits), wanted)
            tokens = wanted.argmax(-1)
            subject.observe(tokens)
            sequences = torch.cat([sequences, tokens[:, None]], dim=1)


def test_rows_begin_at_different_steps_and_some_have_no_rules():
    generator = torch.Generator().manual_seed(3)
    subject, expected = rules(), reference()
    histories = [[0] * PREFIX for _ in range(SLOTS)]
    has_rules = [False] * SLOTS

    for _ in range(120):
        row = int(torch.randint(0, SLOTS, (), generator=generator))
        if torch.rand((), generator=generator) < 0.3:
            has_rules[row] = bool(torch.rand((), generator=generator) < 0.6)
            subject.reset([row], is_enabled=has_rules[row])
            histories[row] = [0] * PREFIX
        logits = some_logits(generator, SLOTS)
        wanted = [
            expected(torch.tensor([history]), logits[i : i + 1])[0] if has_rules[i] else logits[i]
            for i, history in enumerate(histories)
        ]
        assert torch.equal(subject.apply(logits.clone()), torch.stack(wanted))
        tokens = some_tokens(generator, SLOTS)
        subject.observe(tokens)
        for history, token in zip(histories, tokens.tolist(), strict=True):
            history.append(token)


def test_a_bucket_of_rows_leaves_the_other_slots_as_they_are():
    generator = torch.Generator().manual_seed(4)
    subject = rules()
    subject.reset([0, 1, 4], is_enabled=True)
    logits = some_logits(generator, 3)

    subject.apply(logits[:2])
    subject.observe(torch.tensor([BEGIN + 3, 7]))
    subject.apply(logits[2:], slice(4, 5))
    subject.observe(torch.tensor([BEGIN + 9]), slice(4, 5))

    assert subject.has_begun.tolist() == [True, True, False, False, True, False]
    assert subject.last_timestamp.tolist()[0::4] == [BEGIN + 3, BEGIN + 9]
    assert subject.enabled.tolist() == [True, True, False, False, True, False]


def test_rows_are_enabled_one_by_one_by_a_tensor():
    subject = rules()

    subject.reset(torch.tensor([1, 3]), is_enabled=torch.tensor([True, False]))

    assert subject.enabled.tolist() == [False, True, False, False, False, False]


def test_rows_without_rules_may_say_everything():
    logits = some_logits(torch.Generator().manual_seed(5), SLOTS)

    assert torch.equal(rules().apply(logits.clone()), logits)


def test_everything_happens_in_place_so_that_a_graph_can_replay_it():
    subject = rules()
    tensors = (
        subject.enabled,
        subject.has_begun,
        subject.last_is_timestamp,
        subject.penultimate_is_timestamp,
        subject.last_timestamp,
    )
    addresses = [tensor.data_ptr() for tensor in tensors]
    logits = torch.zeros(SLOTS, VOCABULARY)

    subject.reset(slice(None))
    assert subject.apply(logits) is logits
    subject.observe(torch.full((SLOTS,), BEGIN))

    names = ("enabled", "has_begun", "last_is_timestamp", "penultimate_is_timestamp")
    assert [getattr(subject, n).data_ptr() for n in (*names, "last_timestamp")] == addresses
    assert logits[0, 0] == float("-inf")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_captured_graph_replays_the_rules():
    generator = torch.Generator().manual_seed(6)
    on_cpu = rules()
    on_gpu = TimestampRules(
        slots=SLOTS,
        vocabulary_size=VOCABULARY,
        timestamp_begin=BEGIN,
        no_timestamps=NO_TIMESTAMPS,
        end_of_text=END_OF_TEXT,
        max_initial_index=50,
        device="cuda",
    )
    logits = torch.zeros(SLOTS, VOCABULARY, device="cuda")
    tokens = torch.zeros(SLOTS, dtype=torch.int64, device="cuda")
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        on_gpu.apply(logits)
        on_gpu.observe(tokens)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        on_gpu.apply(logits)
        on_gpu.observe(tokens)
    on_gpu.reset([0, 2, 3])
    on_cpu.reset([0, 2, 3])

    for _ in range(10):
        fresh, said = some_logits(generator, SLOTS), some_tokens(generator, SLOTS)
        logits.copy_(fresh)
        tokens.copy_(said)
        graph.replay()
        assert torch.equal(logits.cpu(), on_cpu.apply(fresh))
        on_cpu.observe(said)
