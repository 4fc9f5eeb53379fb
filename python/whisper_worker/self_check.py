"""Does the 8-bit model still say what the exact one says? Asked once, before `ready`.

Opt-in precision has to show itself: the operator reads in one line what was compared and what came
out. No recording ships with the server, so the windows are synthetic: the check finds broken
arithmetic and unlucky weights, it does not measure word errors.
"""

# pyright: basic
from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from transformers import WhisperForConditionalGeneration

from whisper_worker.audio import SAMPLE_RATE
from whisper_worker.repair import GenerationFacts

_MOST_TOKENS = 16  # after the prefix; a step of large-v3 takes 0.2 s on two cores
_SECONDS = 5
_PITCHES = (110.0, 190.0, 150.0)  # Hz, one voice a window
# Formants of five vowels in Hz (Peterson and Barney, 1952, men).
_VOWELS = ((730, 1090), (530, 1840), (270, 2290), (570, 840), (300, 870))
_VOWEL_SECONDS = 0.18


@dataclass(frozen=True)
class Choices:
    """What one network would say at every position of one text."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]  # of the text's tokens, whoever chose the text


@dataclass(frozen=True)
class Verdict:
    is_same: bool
    reason: str


@torch.inference_mode()
def pack_and_check(
    network: WhisperForConditionalGeneration,
    facts: GenerationFacts,
    features: torch.Tensor,
    prefix: Sequence[int],
    pack: Callable[[], str],
) -> Verdict:
    """Listen to `features` (windows, mel, 3000), let `pack` change the network, listen again.

    Both precisions never exist at once. The packed network is asked about the exact one's text
    position by position: until its first other choice it would have written the same text.
    """
    features = features.to(network.dtype)
    exact_type = str(network.dtype).removeprefix("torch.")
    exact = [_write(network, facts, window, prefix) for window in features]
    done = pack()
    packed = [
        _judge(network, facts, window, prefix, text.tokens)
        for window, text in zip(features, exact, strict=True)
    ]
    verdict = compare(exact, packed, exact_type)
    if not verdict.is_same:
        print(f"self-check: {verdict.reason}", file=sys.stderr, flush=True)
    return Verdict(verdict.is_same, f"{done}; {verdict.reason}")


def compare(exact: Sequence[Choices], packed: Sequence[Choices], exact_type: str) -> Verdict:
    """One line that holds only what was counted."""
    windows, total = len(exact), sum(len(text.tokens) for text in exact)
    firsts = [_first_difference(a, b) for a, b in zip(exact, packed, strict=True)]
    different = [(number, at) for number, at in enumerate(firsts, start=1) if at is not None]
    moved = max(_most_moved(a, b) for a, b in zip(exact, packed, strict=True))
    extent = f"log-probabilities moved by at most {moved:.2f}"
    if math.isinf(moved):
        return Verdict(False, "the model computes what is no number in this format")
    if not different:
        return Verdict(
            True,
            f"the same {total} tokens as in {exact_type} on {windows} of {windows} "
            f"synthetic windows, {extent}",
        )
    number, at = different[0]
    return Verdict(
        False,
        f"other tokens than in {exact_type} on {len(different)} of {windows} synthetic windows, "
        f"first at token {at + 1} of {len(exact[number - 1].tokens)} of window {number}, {extent}",
    )


def synthetic_windows(count: int) -> list[npt.NDArray[np.float32]]:
    """Voice-like sound: pulses through the formants of changing vowels, always the same."""
    return [_babble(_PITCHES[number % len(_PITCHES)], seed=number) for number in range(count)]


def _babble(pitch: float, seed: int) -> npt.NDArray[np.float32]:
    noise = np.random.default_rng(seed)
    times = np.arange(_SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    vowels = noise.integers(len(_VOWELS), size=int(_SECONDS / _VOWEL_SECONDS) + 1)
    formants = np.array(_VOWELS)[vowels[(times / _VOWEL_SECONDS).astype(int)]]  # (samples, 2)
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * times))) / SAMPLE_RATE
    sound = np.zeros_like(times)
    for harmonic in range(1, int(4000 / pitch)):
        distance = np.abs(harmonic * pitch - formants) / 120  # (samples, 2), in bandwidths
        sound += (1 / (1 + distance**2)).sum(-1) / harmonic**0.5 * np.sin(harmonic * phase)
    syllables = np.clip(np.sin(np.pi * times / _VOWEL_SECONDS) ** 2 * 2, 0, 1)
    sound = sound * syllables + noise.normal(0, 0.01, len(times))
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def _write(
    network: WhisperForConditionalGeneration,
    facts: GenerationFacts,
    features: torch.Tensor,
    prefix: Sequence[int],
) -> Choices:
    """Greedily, (mel, 3000) → at most _MOST_TOKENS tokens, end-of-text among them."""
    encoded = network.model.encoder(features[None]).last_hidden_state
    tokens: list[int] = []
    logprobs: list[float] = []
    feed, cache = list(prefix), None
    while len(tokens) < _MOST_TOKENS and facts.vocabulary.end_of_text not in tokens:
        result = network.model.decoder(
            input_ids=torch.tensor([feed], device=features.device),
            encoder_hidden_states=encoded,
            past_key_values=cache,
            use_cache=True,
        )
        scores = _scores(network, facts, result.last_hidden_state[0, -1:], is_start=not tokens)
        logprob, token = scores[0].max(-1)
        tokens.append(int(token))
        logprobs.append(float(logprob))
        feed, cache = tokens[-1:], result.past_key_values
    return Choices(tuple(tokens), tuple(logprobs))


def _judge(
    network: WhisperForConditionalGeneration,
    facts: GenerationFacts,
    features: torch.Tensor,
    prefix: Sequence[int],
    text: Sequence[int],
) -> Choices:
    """Own choice and the given token's log-probability at every position of somebody's text."""
    encoded = network.model.encoder(features[None]).last_hidden_state
    hidden = network.model.decoder(
        input_ids=torch.tensor([[*prefix, *text[:-1]]], device=features.device),
        encoder_hidden_states=encoded,
        use_cache=False,
    ).last_hidden_state[0, len(prefix) - 1 :]  # (tokens, width)
    scores = _scores(network, facts, hidden, is_start=True)
    given = scores.gather(1, torch.tensor(text, device=scores.device)[:, None])[:, 0]
    return Choices(tuple(scores.argmax(-1).tolist()), tuple(given.tolist()))


def _scores(
    network: WhisperForConditionalGeneration,
    facts: GenerationFacts,
    hidden: torch.Tensor,
    *,
    is_start: bool,
) -> torch.Tensor:
    """(tokens, width) → log-probabilities over what may be said, (tokens, vocabulary)."""
    logits = network.proj_out(hidden).float()
    logits[:, list(facts.suppressed)] = -torch.inf
    if is_start:
        logits[0, list(facts.begin_suppressed)] = -torch.inf
    return logits.log_softmax(-1)


def _most_moved(exact: Choices, packed: Choices) -> float:
    """Infinitely, where a probability is no number: NaN would lose every comparison."""
    moves = [abs(a - b) for a, b in zip(exact.logprobs, packed.logprobs, strict=True)]
    return max(move if math.isfinite(move) else math.inf for move in moves)


def _first_difference(exact: Choices, packed: Choices) -> int | None:
    pairs = zip(exact.tokens, packed.tokens, strict=True)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), None)
