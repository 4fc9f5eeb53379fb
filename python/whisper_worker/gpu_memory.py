"""How much of the GPU's memory this process keeps for itself. It decides nothing."""

# pyright: basic
from __future__ import annotations

import torch

from whisper_worker.protocol import GpuMemory


def gpu_memory() -> GpuMemory:
    """From torch's own books: the driver is not asked, so a device that hangs keeps nobody waiting.

    Without the context and the kernels of CUDA itself, some hundreds of megabytes.
    """
    total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    return GpuMemory(torch.cuda.memory_reserved(), total)
