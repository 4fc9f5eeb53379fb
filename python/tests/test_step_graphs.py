"""When a step is captured, and what happens when it cannot be. The device is a stand-in."""

from contextlib import contextmanager

import pytest
import torch

from whisper_worker.step_graphs import StepGraphs


class Device:
    """CUDA as far as a capture needs it, on a CPU."""

    def __init__(self, monkeypatch):
        self.is_invalidating = False
        self.replays = 0
        self.pools_ended = []
        self.streams_set = []
        monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 7))
        monkeypatch.setattr(torch.cuda, "current_stream", lambda: "main")
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
        monkeypatch.setattr(torch.cuda, "set_stream", self.streams_set.append)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: self)
        monkeypatch.setattr(torch.cuda, "graph", self.capture)
        monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", self.end, raising=False)

    @contextmanager
    def capture(self, _graph, pool):
        assert pool == (0, 7)
        try:
            yield
        finally:
            if self.is_invalidating:
                raise RuntimeError("capture invalidated")

    def replay(self):
        self.replays += 1

    def end(self, device, pool):
        self.pools_ended.append((device, pool))
        raise RuntimeError("not recording")  # as when it has stopped by itself


@pytest.fixture
def device(monkeypatch):
    return Device(monkeypatch)


def take(graphs, times):
    return [graphs(3, 64, is_hot=False, is_stamped=False).shape for _ in range(times)]


def test_a_size_runs_once_is_captured_and_then_replayed(device):
    rows = []

    def step(count, _past, **_kinds):
        rows.append(count)
        return torch.zeros(2, count)

    assert take(StepGraphs(step, 16), 4) == [(2, 3)] * 4
    assert rows == [4, 4]  # as it is, and for the capture
    assert device.replays == 3


def test_a_size_that_cannot_be_captured_goes_on_and_names_the_first_cause(device):
    calls = []

    def step(count, _past, **_kinds):
        calls.append(count)
        if len(calls) == 2:
            raise RuntimeError("a wait for the host\nmore")
        return torch.zeros(2, count)

    device.is_invalidating = True
    graphs = StepGraphs(step, 16)

    assert take(graphs, 3) == [(2, 3)] * 3
    assert graphs.problem == "4 rows: a wait for the host"
    assert device.replays == 0
    assert device.streams_set == ["main"]
    assert device.pools_ended == [(0, (0, 7))]
