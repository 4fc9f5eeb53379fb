import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from whisper_worker import probe as probe_module
from whisper_worker.probe import probe, product_problem


def test_on_a_cpu_the_product_is_right_and_no_gpu_is_told_of():
    found = probe("cpu")

    assert found["missing"] == []
    assert found["torch"]["version"] == torch.__version__
    assert found["torch"]["product"] is None
    assert found["torch"]["device"] == "cpu"
    assert found["torch"]["gpu"] is None


def test_a_missing_package_is_named_and_torch_is_not_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(probe_module, "_PACKAGES", ["torch", "no_such_package"])

    found = probe("cpu")

    assert found["missing"] == ["no_such_package"]
    assert "torch" not in found


def test_a_device_that_cannot_multiply_says_why():
    problem = product_problem("meta")

    assert problem is not None
    assert "meta" in problem


def test_a_device_that_multiplies_wrongly_says_by_how_much(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(probe_module, "_TOLERANCE", 0.0)

    assert "off by up to" in (product_problem("cpu") or "")


def test_the_program_prints_one_json_object():
    command = [sys.executable, "-m", "whisper_worker.probe", "cpu"]
    directory = Path(__file__).parent.parent
    output = subprocess.run(command, cwd=directory, capture_output=True, check=True, text=True)

    assert json.loads(output.stdout)["torch"]["product"] is None


@pytest.mark.gpu
def test_on_a_gpu_the_product_is_right_and_its_memory_is_told():
    found = probe("cuda")["torch"]

    assert found["product"] is None
    assert 0 < found["gpu"]["free_bytes"] <= found["gpu"]["total_bytes"]
