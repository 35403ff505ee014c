"""The learning rate against Keras's own schedules, and against some worked out by hand."""

from __future__ import annotations

import keras
import numpy as np
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


EPOCHS, STEPS, WARM = 12, 10, 4


def keras_rates(schedule, steps: list[int]) -> list[float]:
    return [float(schedule(step)) for step in steps]


@pytest.mark.parametrize("kind", ["exponential", "staircase"])
def test_decay_equals_keras(kind):
    expected = keras.optimizers.schedules.ExponentialDecay(
        0.01, decay_steps=35, decay_rate=0.7, staircase=kind == "staircase"
    )
    seen = rates(FALLING, schedule=kind, learning_rate=0.01, decay_rate=0.7, decay_steps=35)
    steps = [STEPS * epoch for epoch in range(len(FALLING))]
    np.testing.assert_allclose(seen, keras_rates(expected, steps), rtol=1e-6)


def test_cosine_equals_keras_and_ends_at_the_floor():
    expected = keras.optimizers.schedules.CosineDecay(
        0.01, decay_steps=STEPS * (EPOCHS - 1), alpha=0.05
    )
    seen = rates(
        [1 - 0.05 * epoch for epoch in range(EPOCHS)],
        schedule="cosine",
        learning_rate=0.01,
        min_learning_rate=0.0005,
        epochs=EPOCHS,
    )
    steps = [STEPS * epoch for epoch in range(EPOCHS)]
    np.testing.assert_allclose(seen, keras_rates(expected, steps), rtol=1e-5)
    assert seen[-1] == pytest.approx(0.0005)


def test_warm_up_and_cosine_equal_keras():
    # Keras starts its warm-up at a rate and reaches the target after so many steps.
    expected = keras.optimizers.schedules.CosineDecay(
        0.01 / (WARM + 1),
        decay_steps=STEPS * (EPOCHS - WARM - 1),
        alpha=0.1,
        warmup_target=0.01,
        warmup_steps=STEPS * WARM,
    )
    seen = rates(
        [1 - 0.05 * epoch for epoch in range(EPOCHS)],
        schedule="cosine",
        learning_rate=0.01,
        min_learning_rate=0.001,
        warmup_epochs=WARM,
        epochs=EPOCHS,
    )
    steps = [STEPS * epoch for epoch in range(EPOCHS)]
    np.testing.assert_allclose(seen, keras_rates(expected, steps), rtol=1e-5)


@pytest.mark.parametrize("schedule", ["constant", "exponential", "staircase"])
def test_a_schedule_starts_after_the_warm_up(schedule):
    options = {"schedule": schedule, "learning_rate": 1.0, "decay_rate": 0.5, "decay_steps": 15}
    seen = rates(FALLING, warmup_epochs=3, **options)
    assert seen[:3] == pytest.approx([0.25, 0.5, 0.75])
    assert seen[3:] == rates(FALLING, **options)[:-3]


def test_a_plateau_reduces_any_schedule():
    for schedule in ("exponential", "cosine"):
        options = {"schedule": schedule, "learning_rate": 0.1, "plateau_patience": 2, "epochs": 8}
        full = rates(FALLING, **options)
        seen = rates([1.0] * 8, **options, plateau_factor=0.5, min_learning_rate=1e-6)
        np.testing.assert_allclose(seen[:3], full[:3], rtol=1e-12)
        np.testing.assert_allclose(seen[3], full[3] / 2, rtol=1e-12)


def test_cosine_of_a_single_epoch_is_the_first_rate():
    assert rates([1.0], schedule="cosine", learning_rate=0.01, epochs=1) == [0.01]
    warm = rates([1.0] * 3, schedule="cosine", learning_rate=0.01, epochs=3, warmup_epochs=2)
    assert warm == pytest.approx([0.01 / 3, 0.02 / 3, 0.01])


def test_a_floor_above_the_first_rate_does_not_raise_the_cosine():
    seen = rates(FALLING, schedule="cosine", learning_rate=1e-8, min_learning_rate=1e-3, epochs=8)
    assert seen == pytest.approx([1e-8] * 8)
