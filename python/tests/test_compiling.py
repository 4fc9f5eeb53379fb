"""COMPILE=on for real, on one small layer: a compiled step says what the plain one says."""

import copy
import os
import shutil
from types import SimpleNamespace

import pytest
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from whisper_worker.compiling import compiler_problems
from whisper_worker.cross_attention import use_products
from whisper_worker.failures import FatalFailure
from whisper_worker.linears import has_onednn, pack_linears
from whisper_worker.slots import RowStart, Slots

CPU = torch.device("cpu")
VOCABULARY, END = 200, 100
HEADS = ((0, 1),)
needs_compiler = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None, reason="needs a C++ compiler"
)


def small_network(dtype):
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=VOCABULARY,
        num_mel_bins=80,
        d_model=64,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        decoder_ffn_dim=128,
        begin_suppress_tokens=None,
        pad_token_id=END,
        bos_token_id=END,
        eos_token_id=END,
        attn_implementation="sdpa",
    )
    network = WhisperForConditionalGeneration(config).to(dtype).eval()
    for parameter in network.parameters():
        parameter.data.mul_(8)  # so that tokens differ clearly
    return network


def make_slots(network, compute_type, *, compiles):
    packed = copy.deepcopy(network)
    pack_linears(packed, compute_type, CPU)
    use_products(packed)
    vocabulary = SimpleNamespace(
        no_timestamps=150, end_of_text=END, start_of_transcript=101, no_speech=149
    )
    facts = SimpleNamespace(
        vocabulary=vocabulary, alignment_heads=HEADS, suppressed=(1, 2), begin_suppressed=(END,)
    )
    return Slots(packed, facts, 4, compiles=compiles)


@torch.inference_mode()
def say(slots, dtype, sizes):
    """Four rows begin and take steps of those sizes; what is said, how surely, and the queries."""
    torch.manual_seed(1)
    for slot in range(4):
        slots.fill(slot, torch.randn(1500, 64).to(dtype))
    start = RowStart((101, 6, 150), 0, 0.0, 7, timestamp_tokens=False)
    slots.begin(0, [start] * 4)
    said = [slots.step(rows, past, is_hot=False, is_stamped=False) for rows, past in sizes]
    together = torch.cat(said, dim=1)
    return together[0].tolist(), together[1], slots.queries(0, len(start.prefix) + len(sizes))


def both(compute_type):
    """Slots of the same network twice: its steps plain, its steps compiled."""
    network = small_network(torch.bfloat16 if compute_type == "bfloat16" else torch.float32)
    return [make_slots(network, compute_type, compiles=compiles) for compiles in (False, True)]


@needs_compiler
@pytest.mark.parametrize("compute_type", ["float32", "bfloat16", "int8"])
def test_a_compiled_step_says_what_the_plain_one_says(compute_type):
    if compute_type == "bfloat16" and not has_onednn("bfloat16"):
        pytest.skip("this CPU has no bfloat16 in oneDNN")
    plain, compiled = both(compute_type)
    dtype = torch.bfloat16 if compute_type == "bfloat16" else torch.float32
    sizes = [(2, 64)] * 8
    before = variants()

    wanted = say(plain, dtype, sizes)
    found = say(compiled, dtype, sizes)

    assert variants() > before
    assert found[0] == wanted[0]
    rough = 1e-4 if compute_type == "float32" else 0.1
    torch.testing.assert_close(found[1:], wanted[1:], atol=rough, rtol=rough)


@needs_compiler
def test_what_was_rehearsed_is_not_compiled_again():
    plain, compiled = both("float32")
    with torch.inference_mode():
        assert compiled.rehearse() is None
    before = variants()
    sizes = [(rows, past) for rows in (1, 2, 3, 4) for past in (64, 128, 320, 448)]

    assert say(compiled, torch.float32, sizes)[0] == say(plain, torch.float32, sizes)[0]
    assert variants() == before


def variants():
    """How many graphs have been compiled since the process began."""
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]


def test_what_cannot_be_compiled_is_told_to_the_operator():
    with pytest.raises(FatalFailure, match="COMPILE=off does without") as caught:  # noqa: SIM117
        with compiler_problems():
            raise torch._dynamo.exc.TorchDynamoException("No compiler.\nMore lines.")

    assert caught.value.code == "device_unavailable"
