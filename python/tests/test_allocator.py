"""Freed memory that stays, where the C library can be told so."""

import platform
import subprocess
import sys

import pytest
from conftest import REPOSITORY

# In a process of its own: the setting cannot be taken back.
COUNT_FAULTS = """
import resource, sys
from whisper_worker.allocator import keep_freed_memory
import torch

def faults(passes):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(passes):
        torch.empty(4_000_000).fill_(1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = faults(20)
assert keep_freed_memory()
faults(1)
print(given_back, faults(20))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has this setting")
def test_memory_that_is_needed_again_and_again_is_not_asked_for_again():
    done = subprocess.run(
        [sys.executable, "-c", COUNT_FAULTS],
        cwd=REPOSITORY / "python",
        capture_output=True,
        text=True,
        check=True,
    )

    given_back, kept = map(int, done.stdout.split())
    assert kept < given_back / 10
