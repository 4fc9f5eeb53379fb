import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from whisper_worker import probe as probe_module
from whisper_worker.probe import driver_cuda, probe, product_problem


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
    monkeypatch.setattr(probe_module, "_TOLERANCES", {"float32": 1e-2, "bfloat16": 0.0})

    assert "in bfloat16 it is off by up to" in (product_problem("cpu") or "")


def test_both_formats_are_multiplied_rightly_by_a_device_that_can():
    assert product_problem("cpu") is None


class Library:
    """libcuda.so.1, as far as it is asked."""

    def __init__(self, status, version):
        self.status, self.version = status, version

    def cuDriverGetVersion(self, pointer):  # the driver's name for it
        pointer._obj.value = self.version
        return self.status


@pytest.mark.parametrize(
    ("status", "version", "expected"), [(0, 13000, "13.0"), (0, 12080, "12.8"), (999, 0, None)]
)
def test_the_driver_is_asked_for_its_cuda(status, version, expected):
    asked = []

    def load(name):
        asked.append(name)
        return Library(status, version)

    assert driver_cuda(load) == expected
    assert asked == ["libcuda.so.1"]


def test_without_the_driver_s_library_there_is_no_cuda_of_it():
    assert driver_cuda(lambda _name: (_ for _ in ()).throw(OSError("no such file"))) is None


def test_the_header_is_told_only_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    assert probe("cpu")["python_header"] is None

    (tmp_path / "Python.h").touch()
    assert probe("cpu")["python_header"] == str(tmp_path / "Python.h")


def test_the_program_prints_one_json_object():
    command = [sys.executable, "-m", "whisper_worker.probe", "cpu"]
    directory = Path(__file__).parent.parent
    output = subprocess.run(command, cwd=directory, capture_output=True, check=True, text=True)

    assert json.loads(output.stdout)["torch"]["product"] is None


@pytest.mark.gpu
def test_on_a_gpu_the_product_is_right_and_its_memory_is_told():
    found = probe("cuda")["torch"]

    assert found["product"] is None
    assert float(found["driver_cuda"]) >= float(found["cuda_version"].split(".")[0])
    assert 0 < found["gpu"]["free_bytes"] <= found["gpu"]["total_bytes"]
