"""Trains the model: one run, a checkpoint every few minutes, resumable at any step."""

import ctypes
import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from transformers import WhisperForConditionalGeneration, WhisperTokenizer

from attention import use_plain_attention
from batches import TrainingBatches
from guidance import AttentionGuide
from losses import compute_losses
from model import build_model
from windows import Bank

_PEAK_RATE, _FINAL_RATE = 2e-3, 2e-5
_WARM_UP_STEPS = 200
_DECAY_SHARE = 0.5
_CHECKPOINT_STEPS, _REPORT_STEPS = 250, 25


@dataclass(frozen=True)
class TrainingPlan:
    """What a run depends on. `steps` sets where the learning rate begins to fall."""

    steps: int
    seed: int
    work_directory: Path

    @property
    def checkpoint(self) -> Path:
        """Model, optimiser and step; batches depend on the step alone."""
        return self.work_directory / "checkpoint.pt"


def train(
    bank: Bank, tokenizer: WhisperTokenizer, plan: TrainingPlan
) -> WhisperForConditionalGeneration:
    """Trains from the checkpoint, or from scratch where there is none, up to `plan.steps`."""
    _keep_freed_memory()
    torch.manual_seed(plan.seed)
    model = build_model(tokenizer)
    model.train()
    use_plain_attention(model)
    guide = AttentionGuide(model)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    first_step = _restore(plan.checkpoint, model, optimizer)
    batches = DataLoader(
        TrainingBatches(bank, tokenizer, plan.seed),
        sampler=range(first_step, plan.steps),
        batch_size=None,
        num_workers=1,
        prefetch_factor=8,
        worker_init_fn=_yield_to_training,
    )
    first_timestamp = tokenizer.convert_tokens_to_ids("<|0.00|>")
    began = time.monotonic()
    for step, batch in enumerate(batches, first_step):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, plan.steps)
        losses = compute_losses(model, guide, batch, first_timestamp)
        optimizer.zero_grad(set_to_none=True)
        sum(losses.weighted()).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if (step + 1) % _REPORT_STEPS == 0:
            pace = (time.monotonic() - began) / (step + 1 - first_step)
            print(f"step {step + 1}/{plan.steps} {losses} {pace:.3f} s/step", flush=True)
        if (step + 1) % _CHECKPOINT_STEPS == 0 or step + 1 == plan.steps:
            _save(plan.checkpoint, model, optimizer, step + 1)
    return model.eval()


def load_checkpoint(
    tokenizer: WhisperTokenizer, plan: TrainingPlan
) -> WhisperForConditionalGeneration:
    """The model as it was at the last checkpoint, for a look at a run that goes on."""
    model = build_model(tokenizer)
    model.load_state_dict(torch.load(plan.checkpoint, weights_only=True)["model"])
    return model.eval()


def learning_rate(step: int, steps: int) -> float:
    """Warm-up, a plateau, then a cosine down. The plateau lets a run be made longer midway."""
    if step < _WARM_UP_STEPS:
        return _PEAK_RATE * (step + 1) / _WARM_UP_STEPS
    decay_from = steps * (1 - _DECAY_SHARE)
    progress = max(0.0, (step - decay_from) / (steps - decay_from))
    return _FINAL_RATE + (_PEAK_RATE - _FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * progress))


def _save(
    path: Path,
    model: WhisperForConditionalGeneration,
    optimizer: torch.optim.Optimizer,
    step: int,
) -> None:
    """Writes aside and renames, so a stop in the middle leaves the last checkpoint whole."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    torch.save(state, path.with_suffix(".writing"))
    path.with_suffix(".writing").rename(path)


def _yield_to_training(_worker: int) -> None:
    """Lets batches be made when a core is free: a step waits for the slower of its threads."""
    os.nice(5)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Stops glibc from giving large buffers back to the kernel after each step and clearing them
    again in the next: a fifth of the time of a step."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD, M_MMAP_MAX of malloc.h
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)


def _restore(
    path: Path, model: WhisperForConditionalGeneration, optimizer: torch.optim.Optimizer
) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"]
