"""Which device and number format, and the reasons that are given."""

import warnings
from types import SimpleNamespace

import pytest
import torch

from whisper_worker import device, hub
from whisper_worker.__main__ import choose_model, parse_arguments
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


@pytest.mark.parametrize("device_setting", ["auto", "cuda"])
@pytest.mark.parametrize(
    "problem",
    [
        "torch 2.13.0, built for CUDA 13.0, sees no CUDA device",
        "the CUDA device failed a small multiplication (CUDA error: no kernel image is available)",
    ],
)
def test_where_a_gpu_is_required_a_cpu_is_never_chosen(monkeypatch, device_setting, problem):
    monkeypatch.setattr(device, "cuda_problem", lambda: problem)

    with pytest.raises(FatalFailure) as caught:
        choose_placement(device_setting, "auto", gpu_asked_by="REQUIRE_GPU=1")

    assert caught.value.code == "device_unavailable"
    assert caught.value.message.startswith("REQUIRE_GPU=1 asks for a GPU, and none can be used: ")
    assert problem in caught.value.message
    assert "doctor" in caught.value.message


def test_a_gpu_that_is_asked_for_is_looked_at_before_the_model_is_fetched(monkeypatch, tmp_path):
    monkeypatch.setattr(device, "cuda_problem", lambda: "no kernel image is available")
    monkeypatch.setattr(hub, "locate", lambda *_: pytest.fail("the model was looked for"))
    told = []
    wire = SimpleNamespace(send=told.append)
    for wish in (["--require-gpu"], ["--device", "cuda"]):
        with pytest.raises(FatalFailure, match="no kernel image"):
            choose_model(parse_arguments([*wish, "--spool-dir", str(tmp_path)]), wire)

    assert [message.message for message in told] == ["looking for the GPU"] * 2


def test_why_no_device_is_seen_is_repeated_from_torch_s_warning(monkeypatch):
    def is_available():
        warnings.warn("CUDA initialization: The NVIDIA driver is too old\nand more", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    monkeypatch.setattr(torch.version, "cuda", "13.0")

    problem = device.cuda_problem()

    assert problem is not None
    assert problem.endswith(
        "built for CUDA 13.0, sees no CUDA device"
        " (CUDA initialization: The NVIDIA driver is too old)"
    )


def test_a_torch_without_cuda_says_which_it_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)

    assert device.cuda_problem() == f"torch {torch.__version__} was built without CUDA"


@pytest.mark.parametrize("compute_type", ["bfloat16", "float16", "float32", "int8"])
def test_a_compute_type_that_was_asked_for_is_taken(compute_type):
    placement = choose_placement("cpu", compute_type).for_model(parameters=10**9)

    assert placement.compute_type == compute_type
    assert placement.reasons["compute_type"] == "asked for"


def test_around_int8_weights_a_cpu_computes_in_float32():
    assert choose_placement("cpu", "int8").dtype == torch.float32


@pytest.mark.parametrize(
    ("parameters", "has_bfloat16", "expected"),
    [(2_000_000, True, "float32"), (10**9, True, "bfloat16"), (10**9, False, "float32")],
)
def test_a_cpu_s_automatic_format_fits_the_model_and_the_cpu(
    monkeypatch, parameters, has_bfloat16, expected
):
    monkeypatch.setattr(device, "computes_bfloat16", lambda: has_bfloat16)

    placement = choose_placement("cpu", "auto").for_model(parameters)

    assert placement.compute_type == expected
    assert placement.reasons["compute_type"] == device.automatic_cpu_type(parameters)[1]
    assert placement.reasons["device"] == "asked for"


def test_whether_the_cpu_computes_bfloat16_is_found_without_failing():
    assert device.computes_bfloat16() in (True, False)


def test_the_slots_that_were_asked_for_are_taken():
    placement = choose_placement("cpu", "float32", slots=3)

    assert placement.slots == 3
    assert placement.reasons["slots"] == "asked for"


def test_without_an_order_the_slots_are_few_on_a_cpu_and_the_reason_is_said():
    placement = choose_placement("cpu", "auto")

    assert 4 <= placement.slots <= 8
    assert "CPU" in placement.reasons["slots"]


def test_float8_on_a_cpu_is_fatal_and_says_what_to_take():
    with pytest.raises(FatalFailure, match="int8") as caught:
        choose_placement("cpu", "float8")
    assert caught.value.code == "device_unavailable"


@pytest.fixture
def gpu(monkeypatch):
    """A card as torch would describe it; a test changes what matters to it."""
    monkeypatch.setattr(device, "cuda_problem", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_options: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    describe_memory(monkeypatch, is_integrated=False, free_bytes=140 * 10**9)


def describe_memory(monkeypatch, *, is_integrated, free_bytes):
    properties = SimpleNamespace(is_integrated=is_integrated)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: properties)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free_bytes, free_bytes))


@pytest.mark.parametrize(
    ("is_integrated", "free_gigabytes", "expected"),
    [(False, 140, 16), (False, 24, 16), (False, 8, 9), (False, 4, 1), (True, 4, 16)],
)
@pytest.mark.usefixtures("gpu")
def test_a_small_card_gets_as_many_slots_as_fit_and_shared_memory_is_not_asked(
    monkeypatch, is_integrated, free_gigabytes, expected
):
    describe_memory(monkeypatch, is_integrated=is_integrated, free_bytes=free_gigabytes * 10**9)

    assert choose_placement("cuda", "auto").slots == expected


@pytest.mark.usefixtures("gpu")
def test_float8_on_a_card_that_has_it_computes_the_rest_in_bfloat16():
    placement = choose_placement("cuda", "float8")

    assert (placement.compute_type, placement.dtype) == ("float8", torch.bfloat16)


@pytest.mark.usefixtures("gpu")
def test_float8_on_an_old_card_is_fatal(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 6))

    with pytest.raises(FatalFailure, match=r"float8.*Some GPU") as caught:
        choose_placement("cuda", "float8")
    assert caught.value.code == "device_unavailable"


@pytest.mark.usefixtures("gpu")
def test_int8_on_a_card_is_fatal_and_says_what_to_take():
    with pytest.raises(FatalFailure, match="float8") as caught:
        choose_placement("cuda", "int8")
    assert caught.value.code == "device_unavailable"


@pytest.mark.parametrize(("has_bfloat16", "expected"), [(True, "bfloat16"), (False, "float16")])
@pytest.mark.usefixtures("gpu")
def test_a_gpu_computes_in_the_best_format_it_has(monkeypatch, has_bfloat16, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_options: has_bfloat16)

    placement = choose_placement("auto", "auto").for_model(parameters=10**9)

    assert (placement.device.type, placement.compute_type) == ("cuda", expected)
    assert "Some GPU" in placement.reasons["device"]


@pytest.mark.gpu
@needs_cuda
def test_a_real_gpu_is_found_usable():
    assert device.cuda_problem() is None
    assert choose_placement("auto", "auto").device.type == "cuda"
    assert choose_placement("auto", "auto", gpu_asked_by="REQUIRE_GPU=1").device.type == "cuda"
