"""Who may know whom: the scheduling half of the worker runs without torch."""

import subprocess
import sys

from conftest import REPOSITORY

PURE = (
    "__main__",
    "admission",
    "alignment",
    "assembly",
    "audio",
    "checkpoint",
    "credit_phrases",
    "credits",
    "decoded_text",
    "deltas",
    "division",
    "energy_vad",
    "entrance",
    "fake_model",
    "guards",
    "hearing",
    "hub_cache",
    "hub_files",
    "loop",
    "loops",
    "model_facts",
    "opening",
    "pace",
    "pieces",
    "prompting",
    "protocol",
    "pulse",
    "recording",
    "repair",
    "room",
    "scheduler",
    "segments",
    "speech_detection",
    "speech_listener",
    "speech_model",
    "speech_regions",
    "stdio",
    "streaming_text",
    "tokens",
    "vad",
    "vocabulary",
    "wire_format",
    "word_times",
)


def run_python(script):
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY / "python",
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return result.stdout.strip()


def test_the_pure_modules_do_not_import_torch_or_transformers():
    script = f"""
import importlib, sys
heavy = {{"torch", "transformers", "huggingface_hub", "silero_vad"}}
for name in {PURE!r}:
    importlib.import_module("whisper_worker." + name)
    if heavy & set(sys.modules):
        sys.exit(print(name, "imports", heavy & set(sys.modules)))
"""
    assert run_python(script) == ""


def test_silero_s_package_is_never_imported_because_it_sets_the_threads_of_the_process():
    script = """
import sys
from whisper_worker.detector import choose_detector
print(choose_detector().name, "silero_vad" in sys.modules)
"""
    assert run_python(script) in ("silero False", "energy False")
