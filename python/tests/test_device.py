"""Which device and number format, and the reasons that are given."""

import pytest
import torch

from whisper_worker import device
from whisper_worker.device import choose_placement
from whisper_worker.failures import FatalFailure

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def test_without_cuda_the_cpu_is_chosen_in_float32_and_the_reason_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    placement = choose_placement("auto", "auto")

    assert (placement.device.type, placement.compute_type) == ("cpu", "float32")
    assert "CUDA" in placement.reasons["device"]
    assert placement.dtype == torch.float32


def test_cuda_that_was_asked_for_and_is_not_usable_is_fatal(monkeypatch):
    monkeypatch.setattr(device, "cuda_problem", lambda: "no CUDA device is visible")

    with pytest.raises(FatalFailure, match="no CUDA device is visible") as caught:
        choose_placement("cuda", "auto")
    assert caught.value.code == "device_unavailable"


def test_a_device_that_fails_a_small_multiplication_is_not_usable(monkeypatch):
    def fail(*_size, **_options):
        raise RuntimeError("CUDA error: no kernel image is available\nand more lines")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", fail)

    problem = device.cuda_problem()

    assert problem is not None
    assert "no kernel image" in problem
    assert "more lines" not in problem


@pytest.mark.parametrize("compute_type", ["bfloat16", "float16", "float32"])
def test_a_compute_type_that_was_asked_for_is_taken(compute_type):
    placement = choose_placement("cpu", compute_type)

    assert placement.compute_type == compute_type
    assert placement.reasons["compute_type"] == "asked for"


@pytest.mark.parametrize(("has_bfloat16", "expected"), [(True, "bfloat16"), (False, "float16")])
def test_a_gpu_computes_in_the_best_format_it_has(monkeypatch, has_bfloat16, expected):
    monkeypatch.setattr(device, "cuda_problem", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_options: has_bfloat16)

    placement = choose_placement("auto", "auto")

    assert (placement.device.type, placement.compute_type) == ("cuda", expected)
    assert "Some GPU" in placement.reasons["device"]


@pytest.mark.gpu
@needs_cuda
def test_a_real_gpu_is_found_usable():
    assert device.cuda_problem() is None
    assert choose_placement("auto", "auto").device.type == "cuda"
