"""What the parts of the engine cost on this CPU: speech detection, alignment, encoder, steps.

    .venv/bin/python -m bench.kernels

Random weights in whisper-small's shape. Medians; prints Markdown and writes
bench/results/kernels.json.
"""

from __future__ import annotations

import copy
import json
import os
import statistics
import sys
import time
import wave
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

from bench.places import ROOT

sys.path.insert(0, str(ROOT / "python"))

import numpy as np
import torch
from torch.nn import functional
from transformers import WhisperConfig, WhisperForConditionalGeneration
from whisper_worker.alignment import token_start_frames
from whisper_worker.allocator import keep_freed_memory
from whisper_worker.attention_matrix import attention_matrix
from whisper_worker.cross_attention import use_products
from whisper_worker.linears import pack_linears
from whisper_worker.repair import GenerationFacts
from whisper_worker.silero import SileroListener, SileroVad, find_silero_weights
from whisper_worker.slots import RowStart, Slots
from whisper_worker.vad import cut_windows
from whisper_worker.vocabulary import Vocabulary

PREFIX = (50258, 50285, 50359, 50363)
ROWS = (1, 4, 8)
VOCABULARY = Vocabulary(
    51865, 50257, 50258, 50361, 50362, 50363, {"da": 50285}, {"transcribe": 50359}
)
FACTS = GenerationFacts(VOCABULARY, ((5, 3), (5, 9), (8, 0), (8, 4)), (50257,), (), ())
Row = tuple[str, float, str]  # what, value, unit


def median_ms(run: Callable[[], object], repeats: int) -> float:
    run()
    seconds: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1000


def detection() -> Iterator[Row]:
    """Ten minutes on one core, through to the windows."""
    path = find_silero_weights()
    if path is None:
        return
    with wave.open(str(ROOT / "test/audio/long.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    pcm = np.tile(samples, 9)
    network = SileroVad.from_jit(path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    ms = median_ms(lambda: list(cut_windows(pcm, SileroListener(network))), 3)
    torch.set_num_threads(threads)
    yield "speech detection to windows, one core", len(pcm) / 16 / ms, "x real time"


def alignment() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    for tokens, frames in ((25, 250), (100, 1500)):
        matrix = rng.normal(size=(tokens, frames)).astype(np.float32)
        ms = median_ms(lambda matrix=matrix: token_start_frames([matrix]), 20)
        yield f"warping {tokens} tokens over {frames} frames", ms, "ms"
        weights = torch.rand(10, tokens, frames).softmax(-1)
        ms = median_ms(lambda weights=weights: attention_matrix(weights), 20)
        yield f"attention matrix, 10 heads x {tokens} x {frames}", ms, "ms"


def encoder_attention() -> Iterator[Row]:
    """One layer: 12 heads, 1500 frames, 64 wide."""
    for dtype in (torch.float32, torch.bfloat16):
        query, key, value = (torch.randn(1, 12, 1500, 64).to(dtype) for _ in range(3))
        name = str(dtype).removeprefix("torch.")
        ms = median_ms(
            lambda q=query, k=key, v=value: functional.scaled_dot_product_attention(q, k, v), 10
        )
        yield f"encoder attention, a layer, SDPA {name}", ms, "ms"


def shapes() -> Iterator[Row]:
    config = WhisperConfig(
        vocab_size=51865,
        num_mel_bins=80,
        d_model=768,
        encoder_layers=12,
        decoder_layers=12,
        encoder_attention_heads=12,
        decoder_attention_heads=12,
        encoder_ffn_dim=3072,
        decoder_ffn_dim=3072,
    )
    torch.manual_seed(0)
    exact = WhisperForConditionalGeneration(config).eval()
    exact.set_attn_implementation("sdpa")
    features = torch.randn(1, 80, 3000)
    for name, compute_type, has_kernels in (
        ("float32, as transformers has it", "float32", False),
        ("float32", "float32", True),
        ("bfloat16, as transformers has it", "bfloat16", False),
        ("bfloat16", "bfloat16", True),
        ("int8", "int8", True),
    ):
        dtype = torch.bfloat16 if compute_type == "bfloat16" else torch.float32
        network = copy.deepcopy(exact).to(dtype)
        if has_kernels:
            pack_linears(network, compute_type, torch.device("cpu"))
            use_products(network, lowers=compute_type == "int8")
        yield from _measure(name, network, features.to(dtype), compute_type)


def _measure(
    name: str,
    network: WhisperForConditionalGeneration,
    features: torch.Tensor,
    compute_type: str,
) -> Iterator[Row]:
    with torch.inference_mode():
        yield f"encoder pass, {name}", median_ms(lambda: network.model.encoder(features), 5), "ms"
        hidden = network.model.encoder(features).last_hidden_state
        slots = Slots(
            network, FACTS, 8, cross_dtype=torch.bfloat16 if compute_type == "int8" else None
        )
        for slot in range(8):
            slots.fill(slot, hidden[0])
        for rows in ROWS:
            slots.begin(0, [RowStart(PREFIX, 0, 0.0, 0, False)] * rows)
            step = partial(slots.step, rows, 40, is_hot=False, is_stamped=False)
            ms = median_ms(step, 25)
            yield f"step of {rows} rows, {name}", ms, "ms"


def main() -> None:
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rows = list(encoder_attention())
    rows = [(f"{what}, freed memory given back", value, unit) for what, value, unit in rows]
    keep_freed_memory()
    for part in (detection, alignment, encoder_attention, shapes):
        rows += part()
        print(f"   {part.__name__} done", file=sys.stderr, flush=True)
    print("| | |\n|---|---:|")
    for what, value, unit in rows:
        figures = f"{value:.3g}" if value < 100 else f"{value:.0f}"
        print(f"| {what} | {figures} {unit} |")
    result = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "load_before": os.getloadavg()[0],
        "rows": [{"what": what, "value": value, "unit": unit} for what, value, unit in rows],
    }
    path = ROOT / "bench" / "results" / "kernels.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
