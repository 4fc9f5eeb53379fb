"""The linear layers of a loaded Whisper, in the form that its device multiplies fastest.

The network stays transformers' own: only its nn.Linear modules are exchanged for modules with the
same inputs and outputs, so hooks, attention and caches notice nothing. Knows no decoding.
"""

# pyright: basic
from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import WhisperForConditionalGeneration

from whisper_worker.failures import FatalFailure
from whisper_worker.opaque_layer import OpaqueLayer

# A whole step of 12 layers of width 768 at 1, 4 and 8 rows, and an encoder pass of 1500 rows, in ms
# (random weights, CPU time of one Zen 5 thread, torch 2.13; least of 6 steps, one encoder pass):
#   float32 plain 42, 88, 117, 3520   packed 25, 48, 78, 2380
#   bfloat16 plain 29, 45, 65, 1650   packed 19, 39, 59, 1590   int8 16, 37, 63, 1550
# A hint for oneDNN's choice of layout. The encoder's 1500 rows are fast in this layout too.
_TYPICAL_ROWS = 8
# Rows are scaled into [-1, 1]; these map that to unsigned bytes around the middle.
_BYTE_STEP, _BYTE_ZERO = 1 / 127, 128
# Without VNNI, FBGEMM adds pairs of products in 16 bits: 2 * 255 * 127 does not fit, 2 * 127 * 127
# does.
_NARROW_STEP, _NARROW_ZERO = 1 / 63, 64
_FLOAT8 = torch.float8_e4m3fn
_FLOAT8_MAX = torch.finfo(_FLOAT8).max  # 448
_FLOAT8_MULTIPLE = 16  # torch._scaled_mm takes no other sizes
_SMALLEST = 1e-12  # a row of zeros must not be divided by zero


def pack_linears(
    network: WhisperForConditionalGeneration, compute_type: str, device: torch.device
) -> str:
    """Exchange every linear layer where something faster exists; one line saying what was done.

    `proj_out` shares its weight with the embedding, which is only ever looked up: the embedding
    keeps the plain weight and the projection gets a packed copy.
    """
    # For an input that requires a gradient oneDNN prepares training, and then has only reference
    # loops for one row of bfloat16: 18 ms where inference takes 0.03.
    network.requires_grad_(False)
    if compute_type == "int8":
        return _exchange(network, _int8_maker(), "int8 weights and activations, scaled per row")
    if compute_type == "float8":
        _require_float8(device)
        return _exchange(network, _to_float8, "float8 weights and activations, scaled per row")
    if device.type == "cpu" and has_onednn(compute_type):
        return _exchange(network, OneDnnLinear, f"{compute_type} weights packed by oneDNN")
    return "plain"


class OneDnnLinear(OpaqueLayer):
    """The weight in oneDNN's own layout: 1.6 to 2 times as fast at 1 to 32 rows, and a row's result
    does not depend on how many others are computed with it (nn.Linear's does).
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear.out_features)
        ops: Any = torch.ops.mkldnn
        self._multiply = ops._linear_pointwise
        self._packed = ops._reorder_linear_weight(linear.weight.detach(), _TYPICAL_ROWS)
        self._bias = None if linear.bias is None else linear.bias.detach()

    def compute(self, inputs: torch.Tensor) -> torch.Tensor:
        return self._multiply(inputs, self._packed, self._bias, "none", [], "")


class Int8Linear(OpaqueLayer):
    """Weights in int8 with one scale per output, inputs in 8 bits with one scale per row.

    FBGEMM's own dynamic quantisation takes one scale for all rows: then a row's text would depend
    on its neighbours in the batch, and one loud frame would coarsen the other 1499.
    """

    def __init__(self, linear: nn.Linear, engine: str) -> None:
        super().__init__(linear.out_features)
        self._multiply = _fixed_scale if engine == "fbgemm" else _found_scale
        self._packed = _pack_int8(linear.weight.detach().float(), engine)
        self._bias = None if linear.bias is None else linear.bias.detach().float()

    def compute(self, inputs: torch.Tensor) -> torch.Tensor:
        rows = inputs.float()
        # abs().amax() is vectorised; vector_norm(inf) and aminmax take 6 to 20 times as long.
        peak = rows.abs().amax(-1, keepdim=True).clamp_min_(_SMALLEST)  # (..., 1)
        product = self._multiply(rows / peak, self._packed)
        if self._bias is None:
            return product.mul_(peak).to(inputs.dtype)
        return torch.addcmul(self._bias, product, peak).to(inputs.dtype)


class Float8Linear(nn.Module):
    """Weights in e4m3 with one scale per output, inputs in e4m3 with one scale per row."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight, scale = to_float8(linear.weight.detach())
        self._weight = weight.T  # (inputs, outputs), column-major as the kernel wants it
        self._scale = scale.T.contiguous()  # (1, outputs)
        self._bias = None if linear.bias is None else linear.bias.detach().to(torch.bfloat16)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        rows, scale = to_float8(inputs.reshape(-1, inputs.shape[-1]))
        product = torch._scaled_mm(  # pyright: ignore[reportPrivateImportUsage]
            rows,
            self._weight,
            scale_a=scale,
            scale_b=self._scale,
            bias=self._bias,
            out_dtype=torch.bfloat16,
        )
        return product.view(*inputs.shape[:-1], -1).to(inputs.dtype)


def to_float8(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(rows, columns) → the same in e4m3 and its scale, (rows, 1); their product is the input."""
    # One kernel on a GPU: at one row per step, the number of kernels is what this costs.
    peak = torch.linalg.vector_norm(rows, torch.inf, -1, keepdim=True, dtype=torch.float32)
    scale = (peak / _FLOAT8_MAX).clamp_min_(_SMALLEST)
    # Rounding may carry the peak beyond 448 by its last bit; the cast rounds up to 464 back down.
    return (rows / scale).to(_FLOAT8), scale


def _exchange(network: nn.Module, make: Callable[[nn.Linear], nn.Module | None], what: str) -> str:
    """`make` answers None for a layer that it cannot take."""
    exchanged, kept = 0, 0
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            # Exactly nn.Linear: a subclass may do more than multiply.
            if type(child) is not nn.Linear:
                continue
            packed = make(child)
            if packed is None:
                kept += 1
            else:
                setattr(parent, name, packed.eval())
                exchanged += 1
    rest = f", {kept} kept plain" if kept else ""
    return f"{exchanged} layers in {what}{rest}"


def has_onednn(compute_type: str) -> bool:
    """Whether this torch can multiply in that type by oneDNN's own functions."""
    ops: Any = torch.ops.mkldnn
    if compute_type not in ("float32", "bfloat16") or not torch.backends.mkldnn.is_available():
        return False
    if not (hasattr(ops, "_linear_pointwise") and hasattr(ops, "_reorder_linear_weight")):
        return False
    return compute_type == "float32" or bool(ops._is_mkldnn_bf16_supported())


def _int8_maker() -> Callable[[nn.Linear], nn.Module]:
    if not _int8_engines():
        raise FatalFailure("device_unavailable", "This torch cannot multiply in int8.")
    engine = _int8_engines()[0]
    return lambda linear: Int8Linear(linear, engine)


def _int8_engines() -> tuple[str, ...]:
    """FBGEMM is x86's, QNNPACK is Arm's; a build for x86 may hold both."""
    available = torch.backends.quantized.supported_engines
    return tuple(name for name in ("fbgemm", "qnnpack") if name in available)


def _pack_int8(weight: torch.Tensor, engine: str) -> torch.ScriptObject:
    scale = weight.abs().amax(-1).clamp_min_(_SMALLEST).double() / 127
    zero = torch.zeros(len(weight), dtype=torch.long)
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = engine  # decides how the weight is packed
    try:
        with warnings.catch_warnings():
            # Announced as deprecated since torch 2.13, without another int8 kernel in its place.
            warnings.simplefilter("ignore", UserWarning)
            quantised = torch.quantize_per_channel(weight, scale, zero, 0, torch.qint8)
        return torch.ops.quantized.linear_prepack(quantised, None)
    finally:
        torch.backends.quantized.engine = before


def _fixed_scale(rows: torch.Tensor, packed: torch.ScriptObject) -> torch.Tensor:
    multiply = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
    if _adds_in_32_bits():
        return multiply(rows, _BYTE_STEP, _BYTE_ZERO, packed)
    return multiply(rows, _NARROW_STEP, _NARROW_ZERO, packed)


def _found_scale(rows: torch.Tensor, packed: torch.ScriptObject) -> torch.Tensor:
    """QNNPACK has no fixed scale; with rows already scaled, what it finds is at most 2 / 255."""
    return torch.ops.quantized.linear_dynamic(rows, packed)


def _adds_in_32_bits() -> bool:
    return torch.cpu._is_vnni_supported()


def _to_float8(linear: nn.Linear) -> Float8Linear | None:
    fits = all(size % _FLOAT8_MULTIPLE == 0 for size in linear.weight.shape)
    return Float8Linear(linear) if fits else None


def _require_float8(device: torch.device) -> None:
    """Found by using it, as cuda_problem does: what a card claims and what a build holds differ."""
    if device.type != "cuda":
        raise FatalFailure("device_unavailable", "float8 needs a CUDA device.")
    try:
        linear = nn.Linear(32, 32, device=device, dtype=torch.bfloat16)
        with torch.inference_mode():
            ones = torch.ones(2, 32, device=device, dtype=torch.bfloat16)
            is_right = bool(torch.allclose(linear(ones), Float8Linear(linear)(ones), atol=0.1))
    except (RuntimeError, NotImplementedError) as error:
        message = f"This device does not multiply in float8: {str(error).splitlines()[0]}"
        raise FatalFailure("device_unavailable", message) from error
    if not is_right:
        raise FatalFailure("device_unavailable", "This device multiplies wrongly in float8.")
