"""Memory that is freed stays with the process: the next encoder pass needs just as much again.

glibc gives large blocks back to the system at once and asks for them anew, and every page of a new
block is a fault. A pass of whisper-small's shape spent 0.5 s of 1.3 in such faults where it copies,
adds and normalises. Knows nothing of models.
"""

from __future__ import annotations

import ctypes

# malloc.h of glibc
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_LARGEST = 2**31 - 1
_ADDED_BYTES = 64 * 1024 * 1024


def keep_freed_memory() -> bool:
    """Whether the C library could be told so. Others than glibc have no such setting."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _LARGEST), (_TOP_PAD, _ADDED_BYTES))
    taken = [mallopt(name, value) == 1 for name, value in settings]  # all, whatever one says
    return all(taken)
