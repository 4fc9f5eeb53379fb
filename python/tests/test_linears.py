"""Faster linear layers: the same outputs, the same tokens, and no layer forgotten."""

import copy

import pytest
import torch
from conftest import TINY_DA
from torch import nn
from transformers import WhisperForConditionalGeneration

from whisper_worker import linears
from whisper_worker.failures import FatalFailure
from whisper_worker.linears import Float8Linear, Int8Linear, OneDnnLinear, pack_linears, to_float8

CPU = torch.device("cpu")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
needs_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN"
)
INT8_ENGINES = [e for e in ("fbgemm", "qnnpack") if e in torch.backends.quantized.supported_engines]


@pytest.fixture(scope="module")
def plain():
    return WhisperForConditionalGeneration.from_pretrained(
        TINY_DA, dtype=torch.float32, local_files_only=True
    ).eval()


@pytest.fixture
def network(plain):
    """A copy that a test may pack."""
    return copy.deepcopy(plain)


def linear(inputs=128, outputs=512, bias=True):
    torch.manual_seed(0)
    layer = nn.Linear(inputs, outputs, bias=bias)
    return layer.requires_grad_(False)


def rows(count=7, width=128):
    torch.manual_seed(1)
    # Every row has a loudness of its own.
    return torch.randn(count, width) * torch.logspace(-2, 2, count)[:, None]


@torch.inference_mode()
def greedy(network, steps=12):
    """Tokens of three windows of noise, without a cache, as plainly as can be."""
    torch.manual_seed(2)
    encoded = network.model.encoder(torch.randn(3, 128, 3000) * 0.3).last_hidden_state
    ids = torch.tensor([[1281]]).repeat(3, 1)
    for _ in range(steps):
        hidden = network.model.decoder(input_ids=ids, encoder_hidden_states=encoded)
        chosen = network.proj_out(hidden.last_hidden_state[:, -1:]).argmax(-1)
        ids = torch.cat([ids, chosen], dim=1)
    return ids.tolist()


def relative_error(found, wanted):
    return float((found - wanted).norm() / wanted.norm())


@needs_onednn
def test_packed_float32_says_the_same_tokens(plain, network):
    said = pack_linears(network, "float32", CPU)

    assert "float32" in said
    assert greedy(network) == greedy(plain)


@needs_onednn
def test_every_linear_layer_is_packed_and_the_embedding_stays(plain, network):
    count = sum(type(module) is nn.Linear for module in network.modules())

    said = pack_linears(network, "float32", CPU)

    assert said.startswith(f"{count} layers")
    assert not any(type(module) is nn.Linear for module in network.modules())
    embedding = network.model.decoder.embed_tokens.weight
    assert torch.equal(embedding, plain.model.decoder.embed_tokens.weight)
    hidden = torch.randn(2, 1, 128)
    assert torch.allclose(network.proj_out(hidden), hidden @ embedding.T, atol=1e-4)


@needs_onednn
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
def test_a_packed_row_does_not_depend_on_how_many_there_are(dtype, bias):
    if dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this CPU has no bfloat16 in oneDNN")
    packed = OneDnnLinear(linear(bias=bias).to(dtype))
    inputs = rows(32).to(dtype)

    together = packed(inputs)

    for count in (1, 2, 5, 8):
        assert torch.equal(packed(inputs[:count]), together[:count])


def test_nothing_in_a_packed_network_waits_for_gradients(network):
    pack_linears(network, "float32", CPU)

    assert not network.model.encoder(torch.zeros(1, 128, 3000)).last_hidden_state.requires_grad


@pytest.mark.parametrize("compute_type", ["float32", "bfloat16", "int8"])
def test_hooks_on_a_projection_still_hear_what_it_says(network, compute_type):
    pack_linears(network.to(torch.float32), compute_type, CPU)
    projection = network.model.decoder.layers[0].encoder_attn.q_proj
    heard = []
    projection.register_forward_hook(lambda _module, _inputs, output: heard.append(output.shape))

    projection(torch.randn(2, 3, 128))

    assert heard == [(2, 3, 128)]


def test_without_onednn_the_layers_stay_plain(network, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)

    assert pack_linears(network, "float32", CPU) == "plain"
    assert type(network.proj_out) is nn.Linear


def test_float16_stays_plain(network):
    assert pack_linears(network, "float16", CPU) == "plain"


@pytest.mark.parametrize("engine", INT8_ENGINES)
@pytest.mark.parametrize("bias", [True, False])
def test_int8_is_near_the_exact_result_however_loud_a_row_is(engine, bias):
    exact = linear(bias=bias)
    packed = Int8Linear(exact, engine)

    for row in rows():
        assert relative_error(packed(row[None]), exact(row[None])) < 0.02


@pytest.mark.skipif("fbgemm" not in INT8_ENGINES, reason="this torch has no FBGEMM")
def test_an_int8_row_does_not_depend_on_its_neighbours():
    packed = Int8Linear(linear(), "fbgemm")
    inputs = rows(32)

    together = packed(inputs)

    for index in range(32):
        assert torch.equal(packed(inputs[index : index + 1]), together[index : index + 1])


@pytest.mark.parametrize("engine", INT8_ENGINES)
def test_a_row_of_zeros_becomes_the_bias_in_int8(engine):
    exact = linear()
    packed = Int8Linear(exact, engine)

    assert torch.allclose(packed(torch.zeros(1, 2, 128))[0, 0], exact.bias, atol=1e-6)


@pytest.mark.skipif("fbgemm" not in INT8_ENGINES, reason="this torch has no FBGEMM")
@pytest.mark.parametrize("adds_in_32_bits", [True, False])
def test_the_largest_int8_products_do_not_overflow(monkeypatch, adds_in_32_bits):
    if adds_in_32_bits and not linears._adds_in_32_bits():
        pytest.skip("this CPU has no VNNI")
    monkeypatch.setattr(linears, "_adds_in_32_bits", lambda: adds_in_32_bits)
    exact = linear(bias=False)
    exact.weight.fill_(1.0)
    packed = Int8Linear(exact, "fbgemm")

    assert torch.allclose(packed(torch.ones(3, 128)), torch.full((3, 512), 128.0), rtol=1e-3)


def test_int8_keeps_the_format_of_its_inputs():
    packed = Int8Linear(linear(), INT8_ENGINES[0])

    assert packed(rows().bfloat16()).dtype == torch.bfloat16


def test_int8_packs_the_whole_network(plain, network):
    said = pack_linears(network, "int8", CPU)

    assert "int8" in said
    assert not any(type(module) is nn.Linear for module in network.modules())
    with torch.inference_mode():
        features = torch.randn(1, 128, 3000) * 0.3
        found = network.model.encoder(features).last_hidden_state
        wanted = plain.model.encoder(features).last_hidden_state
    assert relative_error(found, wanted) < 0.1


def test_int8_without_a_kernel_is_refused(network, monkeypatch):
    monkeypatch.setattr(linears, "_int8_engines", lambda: ())

    with pytest.raises(FatalFailure, match="int8") as caught:
        pack_linears(network, "int8", CPU)
    assert caught.value.code == "device_unavailable"


def test_float8_on_a_cpu_is_refused(network):
    with pytest.raises(FatalFailure, match="float8 needs a CUDA device") as caught:
        pack_linears(network, "float8", CPU)
    assert caught.value.code == "device_unavailable"


def test_float8_rows_come_back_within_the_format_s_steps():
    inputs = torch.cat([rows(), torch.zeros(1, 128)])

    quantised, scale = to_float8(inputs)

    assert quantised.dtype == torch.float8_e4m3fn
    returned = quantised.float() * scale
    assert returned.isfinite().all()
    # Three bits of mantissa: half a step is 1/16; near zero the steps are even.
    peak = inputs.abs().amax(-1, keepdim=True)
    assert ((returned - inputs).abs() <= inputs.abs() / 16 + peak * 2**-17).all()


def test_float8_keeps_each_row_s_peak():
    quantised, _scale = to_float8(rows())

    assert (quantised.float().abs().amax(-1) == 448).all()


@pytest.mark.skipif(
    torch.__version__ < "2.13", reason="older CPU kernels know one scale for the whole matrix"
)
def test_float8_takes_a_scale_for_every_row_and_every_output():
    """torch._scaled_mm has a CPU kernel: slow, with the same arguments as CUDA's."""
    exact = linear().bfloat16()
    exact.weight.mul_(torch.logspace(-1, 1, 512)[:, None])
    inputs = rows().bfloat16()

    found = Float8Linear(exact)(inputs[None])

    assert (found.shape, found.dtype) == ((1, 7, 512), torch.bfloat16)
    for row, wanted in zip(found[0].float(), exact(inputs).float(), strict=True):
        assert relative_error(row, wanted) < 0.06


def test_float8_leaves_layers_plain_that_the_kernel_cannot_take():
    assert linears._to_float8(linear(outputs=2889)) is None
    assert isinstance(linears._to_float8(linear()), Float8Linear)


@pytest.mark.gpu
@needs_cuda
def test_float8_on_a_gpu_is_near_the_exact_result():
    device = torch.device("cuda")
    exact = linear().to(device, torch.bfloat16)
    inputs = rows(32).to(device, torch.bfloat16)

    packed = Float8Linear(exact)

    assert relative_error(packed(inputs).float(), exact(inputs).float()) < 0.06
    assert packed(inputs[None]).shape == (1, 32, 512)


@pytest.mark.gpu
@needs_cuda
def test_a_gpu_that_has_float8_packs_the_network(network):
    device = torch.device("cuda")

    said = pack_linears(network.to(device, torch.bfloat16), "float8", device)

    assert "1 kept plain" in said  # proj_out: 2889 tokens
