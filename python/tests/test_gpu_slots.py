"""The slots on a GPU: graphs, look-ahead and moved rows change when, not what is computed.

The look-ahead is tried on the CPU too, where it needs no device: only the order of events differs.
"""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import TINY_DA, load, read_truth, read_wav
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import WhisperConfig, WhisperForConditionalGeneration

from whisper_worker import model as model_module
from whisper_worker import slots as slots_module
from whisper_worker.slot_decoding import SlotDecoder
from whisper_worker.speech_model import DecodeRow, Ended
from whisper_worker.step_graphs import round_up_rows
from whisper_worker.vad import Region, Window

RATE = 16_000
gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
on_gpu = [pytest.param("cuda", marks=gpu)]
anywhere = ["cpu", *on_gpu]


def spoken(count, seed=0):
    """`count` runs of one to three whole sentences: windows that end at different steps.

    Whole, because half a word is a near tie between two tokens, which rounding decides.
    """
    sound = read_wav("long").astype(np.float32) / 32768
    sentences = read_truth("long")["segments"]
    random = np.random.default_rng(seed)
    pieces = []
    for _ in range(count):
        first = random.integers(0, len(sentences))
        last = min(first + random.integers(0, 3), len(sentences) - 1)
        air_before, air_after = random.uniform(0.05, 0.2, 2)
        start = sentences[first]["start"] - air_before
        end = sentences[last]["end"] + air_after
        pieces.append(sound[int(start * RATE) : int(end * RATE)])
    return pieces


def decode(model, pieces, ladder=(0.0,), words=False, stamped=False):
    """Tokens and words of each piece. A piece enters as soon as a slot is free, in order."""
    waiting = list(enumerate(pieces))
    inside, decoded = {}, {}
    while waiting or inside:
        while waiting and len(inside) < model.slots:
            index, samples = waiting.pop(0)
            (encoded,) = model.encode([samples])
            # The start decides the seed: every piece gets a noise of its own.
            window = Window(index, index * RATE, index * RATE + len(samples), whole(samples, index))
            row = DecodeRow(
                encoded, window, "da", "transcribe", (), ladder, words, timestamp_tokens=stamped
            )
            model.start([row])
            inside[encoded] = index
        for event in model.step():
            if isinstance(event, Ended):
                decoded[inside.pop(event.encoded)] = event.decoded
    return [decoded[index] for index in range(len(pieces))]


def whole(samples, index):
    return (Region(index * RATE, index * RATE + len(samples)),)


def tokens(decoded):
    return [one.tokens for one in decoded]


def without_graphs(monkeypatch):
    """The same sizes of steps, each run as it is."""

    def plain(step, slots):
        def advance(count, past, *, is_hot, is_stamped):
            rows = round_up_rows(count, slots)
            return step(rows, past, is_hot=is_hot, is_stamped=is_stamped)[:, :count]

        advance.problem = None  # as StepGraphs says when all sizes were captured
        return advance

    monkeypatch.setattr(slots_module, "StepGraphs", plain)


def with_look_ahead(monkeypatch, steps):
    def make(slots, facts, token_bytes, look_ahead):  # noqa: ARG001 - what this replaces
        return SlotDecoder(slots, facts, token_bytes, look_ahead=steps)

    monkeypatch.setattr(model_module, "SlotDecoder", make)


KINDS = {
    "greedy": {},
    "words": {"words": True},
    "timestamps": {"stamped": True},
    "hot": {"ladder": (0.6,)},
    "hot timestamps": {"ladder": (0.6,), "stamped": True},
}


class Calls(TorchDispatchMode):
    """What torch is asked to do, and which of it a graph cannot hold."""

    # views, and what does nothing at inference
    FREE = ("view", "slice", "transpose", "unsqueeze", "select", "unflatten", "reshape", "dropout")
    # these read the device's memory on the host
    WAITS = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "item")

    def __init__(self):
        super().__init__()
        self.kernels = Counter()
        self.forbidden = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        tensors = [x for x in tree_leaves((args, kwargs, result)) if isinstance(x, torch.Tensor)]
        if name in self.WAITS or any(tensor.device.type != "meta" for tensor in tensors):
            self.forbidden.append(name)
        if name not in self.FREE:
            self.kernels[name] += 1
        return result


@pytest.fixture(scope="module")
def large_v3_slots():
    """The real decoder's shape on torch's meta device: shapes without memory, on any machine."""
    end = 50257
    config = WhisperConfig(
        vocab_size=51866,
        num_mel_bins=128,
        d_model=1280,
        encoder_layers=1,
        decoder_layers=32,
        encoder_attention_heads=20,
        decoder_attention_heads=20,
        decoder_ffn_dim=5120,
        begin_suppress_tokens=None,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        attn_implementation="sdpa",
    )
    with torch.device("meta"):
        network = WhisperForConditionalGeneration(config).to(torch.bfloat16).eval()
    vocabulary = SimpleNamespace(
        no_timestamps=50364, end_of_text=end, start_of_transcript=50258, no_speech=50363
    )
    heads = ((7, 0), (10, 17), (12, 18), (13, 12), (16, 1), (17, 14), (19, 11), (21, 4), (24, 1))
    facts = SimpleNamespace(
        vocabulary=vocabulary,
        alignment_heads=(*heads, (25, 6)),
        suppressed=(1, 2),
        begin_suppressed=(220, end),
    )
    return slots_module.Slots(network, facts, 16)


@pytest.mark.parametrize("is_hot", [False, True])
@pytest.mark.parametrize("is_stamped", [False, True])
def test_a_step_never_asks_the_host(large_v3_slots, is_hot, is_stamped):
    """What a graph needs, as far as it can be seen without a GPU."""
    with torch.inference_mode(), Calls() as calls:
        large_v3_slots.step(16, 128, is_hot=is_hot, is_stamped=is_stamped)

    assert calls.forbidden == []
    # CUDA_NOTES.md names the number: what a graph saves Python and the driver.
    assert 700 <= calls.kernels.total() <= 850


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("device", on_gpu)
def test_a_graph_says_what_its_step_says(device, kind, monkeypatch):
    pieces = spoken(24)
    graphs = load(TINY_DA, device=device, compute_type="float32", slots=6)
    without_graphs(monkeypatch)
    plain = load(TINY_DA, device=device, compute_type="float32", slots=6)

    assert decode(graphs, pieces, **KINDS[kind]) == decode(plain, pieces, **KINDS[kind])


@pytest.mark.parametrize("device", on_gpu)
def test_most_steps_are_replays(device, monkeypatch):
    captured = []
    capture = slots_module.StepGraphs._capture

    def counting(self, *sizes, **kinds):
        captured.append(sizes)
        return capture(self, *sizes, **kinds)

    monkeypatch.setattr(slots_module.StepGraphs, "_capture", counting)
    model = load(TINY_DA, device=device, compute_type="float32", slots=6)
    decode(model, spoken(24))

    assert captured
    assert len(captured) == len(set(captured))  # each size once


@pytest.mark.parametrize("kind", ["words", "hot timestamps"])
@pytest.mark.parametrize("device", anywhere)
def test_looking_ahead_changes_nothing_that_is_said(device, kind, monkeypatch):
    pieces = spoken(9)
    with_look_ahead(monkeypatch, 1)
    ahead = load(TINY_DA, device=device, compute_type="float32", slots=3)
    with_look_ahead(monkeypatch, 0)
    at_once = load(TINY_DA, device=device, compute_type="float32", slots=3)

    assert tokens(decode(ahead, pieces, **KINDS[kind])) == tokens(
        decode(at_once, pieces, **KINDS[kind])
    )


@pytest.mark.parametrize("device", anywhere)
def test_a_window_given_up_in_flight_leaves_no_trace_in_its_slot(device, monkeypatch):
    with_look_ahead(monkeypatch, 1)
    model = load(TINY_DA, device=device, compute_type="float32", slots=2)
    first, second, third = spoken(3)
    expected = tokens(decode(model, [third]))

    for samples in (first, second):
        (encoded,) = model.encode([samples])
        window = Window(0, 0, len(samples), whole(samples, 0))
        model.start([DecodeRow(encoded, window, "da", "transcribe", (), (0.0,), False)])
        for _ in range(3):
            model.step()
        model.release(encoded)  # a step of it is under way

    assert tokens(decode(model, [third])) == expected


@pytest.mark.parametrize("compute_type", ["float32", "bfloat16"])
@pytest.mark.parametrize("device", on_gpu)
def test_one_window_in_a_hundred_may_differ_from_the_cpu(device, compute_type):
    pieces = spoken(200)
    here = tokens(decode(load(TINY_DA, compute_type=compute_type, slots=8), pieces))
    there = tokens(decode(load(TINY_DA, device=device, compute_type=compute_type, slots=8), pieces))

    differing = [index for index in range(len(pieces)) if here[index] != there[index]]
    assert len(differing) <= len(pieces) // 100, differing


@pytest.mark.parametrize("device", on_gpu)
def test_memory_stands_still_once_all_sizes_have_been_seen(device):
    model = load(TINY_DA, device=device, compute_type="bfloat16", slots=6)
    pieces = spoken(24)
    decode(model, pieces, words=True)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()

    for _ in range(5):
        decode(model, pieces, words=True)
    torch.cuda.synchronize()

    assert torch.cuda.memory_allocated() <= before + 1_000_000
