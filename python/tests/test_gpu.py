"""What only a GPU can show. Skipped, with the reason, where there is none."""

import pytest
import torch
from conftest import TINY_DA, load, put_pcm, read_wav, run_requests, segments_of, transcribe

from whisper_worker.gpu_memory import gpu_memory

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def transcripts(model, spool):
    requests = [
        transcribe(put_pcm(spool, read_wav(name), f"{name}.pcm"), id=number)
        for number, name in enumerate(("da", "en", "long"), 1)
    ]
    messages = run_requests(model, spool, requests)
    return [
        "".join(s.text for s in segments_of([m for m in messages if m.id == request.id]))
        for request in requests
    ]


def take_what_is_left():
    """What torch holds and nobody uses: a limit on the process counts it as taken already."""
    torch.cuda.empty_cache()
    taken = []
    for size in (1 << 23, 1 << 21, 1 << 20, 1 << 16, 1 << 9):
        try:
            while True:
                taken.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        except torch.OutOfMemoryError:
            continue
    return taken


def test_in_float32_a_gpu_says_what_the_cpu_says(tiny_da, spool):
    on_gpu = load(TINY_DA, device="cuda", compute_type="float32")

    assert transcripts(on_gpu, spool) == transcripts(tiny_da, spool)


def test_the_memory_that_is_kept_of_the_gpu_is_told():
    load(TINY_DA, device="cuda")

    told = gpu_memory()

    assert torch.cuda.memory_allocated() <= told.reserved < told.total
    assert told.total == torch.cuda.mem_get_info()[1]


def test_a_gpu_is_chosen_by_itself_and_its_words_have_times(spool):
    model = load(TINY_DA, device="auto")
    path = put_pcm(spool, read_wav("da"))

    messages = run_requests(model, spool, [transcribe(path)])

    assert model.describe().device == "cuda"
    assert all(segment.words for segment in segments_of(messages))
    assert messages[-1].language == "da"


def test_deltas_from_a_gpu_join_to_its_text(spool):
    model = load(TINY_DA, device="cuda")
    path = put_pcm(spool, read_wav("long"))

    messages = run_requests(model, spool, [transcribe(path, deltas=True)])

    said = "".join(message.text for message in messages if message.kind == "delta")
    assert said == "".join(segment.text for segment in segments_of(messages))


def test_a_batch_that_does_not_fit_into_the_gpu_is_told_as_such(spool):
    model = load(TINY_DA, device="cuda")
    torch.cuda.set_per_process_memory_fraction(1e-4)
    hoard = take_what_is_left()
    try:
        (*_, failed) = run_requests(
            model, spool, [transcribe(put_pcm(spool, read_wav("da")), language="da")]
        )
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        hoard.clear()

    assert (failed.kind, failed.code) == ("failed", "out_of_memory")
