"""The learning rate against schedules worked out by hand."""

from __future__ import annotations

import pytest

from pipeline.schedule import LearningRate
from pipeline.settings import TrainingSettings


def rates(losses: list[float], steps_per_epoch: int = 10, **changes) -> list[float]:
    """Return the rate of each epoch; the loss of epoch i is known after it."""
    rate = LearningRate(TrainingSettings(**changes), steps_per_epoch)
    seen = []
    for loss in losses:
        seen.append(rate.value)
        rate.observe(loss)
    return seen


FALLING = [1 - 0.1 * epoch for epoch in range(8)]


def test_constant():
    assert rates(FALLING, schedule="constant", learning_rate=0.01) == [0.01] * 8


def test_staircase_falls_after_so_many_steps():
    # 10 steps an epoch, a stair after each 25: epochs begin at step 0 10 20 | 30 40 | 50 60 70.
    seen = rates(FALLING, learning_rate=1.0, decay_rate=0.5, decay_steps=25)
    assert seen == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_plateau_waits_for_its_patience_and_starts_anew():
    losses = [1.0, 0.9, 0.9, 0.9, 0.89995, 0.9, 0.5, 0.5]
    seen = rates(
        losses, schedule="constant", learning_rate=1.0, plateau_factor=0.2, plateau_patience=2
    )
    # Epochs 3 and 4 bring nothing: reduced from epoch 5; 5 and 6 gain under 1e-4: again from 7.
    assert seen == pytest.approx([1, 1, 1, 1, 0.2, 0.2, 0.04, 0.04])


def test_both_multiply_and_the_floor_holds_only_plateaus_back():
    seen = rates(
        [1.0] * 6,
        learning_rate=1.0,
        decay_rate=0.5,
        decay_steps=30,
        plateau_factor=0.1,
        plateau_patience=1,
        min_learning_rate=0.02,
    )
    # Reduced from epochs 3, 4, 5, 6; the stair halves from epoch 4 on.
    assert seen == pytest.approx([1, 1, 0.1, 0.02, 0.02, 0.02])


def test_a_staircase_below_the_floor_is_not_lifted_by_a_plateau():
    seen = rates([1.0] * 3, learning_rate=1e-8, plateau_patience=1, min_learning_rate=1e-6)
    assert seen == [1e-8, 1e-8, 1e-8]


def test_factor_one_is_off():
    assert rates([1.0] * 6, schedule="constant", learning_rate=1.0, plateau_factor=1.0) == [1] * 6


def test_a_gain_starts_the_count_anew():
    seen = rates(
        [1.0, 1.0, 0.9, 0.9, 0.9, 0.9],
        schedule="constant",
        learning_rate=1.0,
        plateau_factor=0.5,
        plateau_patience=2,
    )
    assert seen == [1, 1, 1, 1, 1, 0.5]
