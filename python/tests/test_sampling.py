"""Noise that depends on the window, the rung, the position and the token, and on nothing else."""

import math

import pytest
import torch

from whisper_worker.sampling import gumbel_noise, row_seed

VOCABULARY = 2000


def noise(seed, position, vocabulary=VOCABULARY):
    return gumbel_noise(torch.tensor([seed]), torch.tensor([position]), vocabulary)[0]


def test_the_same_row_hears_the_same_noise_alone_and_in_any_company():
    seeds, positions = torch.tensor([7, 123456789, 7, 0]), torch.tensor([4, 9, 5, 447])

    together = gumbel_noise(seeds, positions, VOCABULARY)

    for row in range(len(seeds)):
        assert torch.equal(together[row], noise(int(seeds[row]), int(positions[row])))


def test_a_larger_vocabulary_does_not_change_the_noise_of_its_first_tokens():
    assert torch.equal(noise(3, 8, 5000)[:VOCABULARY], noise(3, 8))


def test_the_numbers_are_those_of_every_machine():
    """A change here changes what every recording says at temperatures above 0."""
    assert noise(42, 7)[:3].tolist() == pytest.approx(GOLDEN, abs=1e-5)


GOLDEN = [0.434394, 0.672620, 0.973475]


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("position", [0, 1, 447])
def test_no_noise_is_infinite(seed, position):
    assert noise(seed, position, 51_866).isfinite().all()


def test_seeds_and_positions_and_rungs_all_change_the_noise():
    rows = [
        noise(row_seed(start, rung), position)
        for start in (0, 1, 480_000)
        for rung in (0, 1, 2)
        for position in (4, 5)
    ]

    for index, row in enumerate(rows):
        for other in rows[:index]:
            assert (row == other).float().mean() < 0.01
            correlation = torch.corrcoef(torch.stack([row, other]))[0, 1]
            assert abs(correlation) < 0.1


def test_windows_and_rungs_have_seeds_of_their_own():
    starts = range(0, 12 * 3600 * 16_000, 16_000)

    seeds = {row_seed(start, rung) for start in starts for rung in range(6)}

    # A recording of half a day is longer than 32 bits tell apart; the first hour at least is not.
    hour = {row_seed(start, rung) for start in starts[:3600] for rung in range(6)}
    assert len(hour) == 3600 * 6
    assert max(seeds) < 2**32


def test_it_is_gumbel_noise():
    """Mean γ, variance π²/6; and the highest of logits plus noise is a sample of the softmax."""
    sample = torch.cat([noise(seed, 4) for seed in range(100)])
    assert sample.mean().item() == pytest.approx(0.5772, abs=0.01)
    assert sample.var().item() == pytest.approx(math.pi**2 / 6, abs=0.03)


def test_the_highest_of_logits_and_noise_is_a_sample_of_the_softmax():
    probabilities = torch.tensor([0.5, 0.25, 0.15, 0.1])
    seeds = torch.arange(40_000)

    scores = probabilities.log() + gumbel_noise(seeds, torch.full_like(seeds, 9), 4)

    shares = torch.bincount(scores.argmax(-1), minlength=4) / len(seeds)
    assert shares.tolist() == pytest.approx(probabilities.tolist(), abs=0.01)
