"""Nothing that learns moves when the test people's genotypes and labels are shuffled.

Everything goes by the roles of the split; the test people's rows are then overwritten in the
matrix that all stages share, and whatever was learned has to be the same to the last bit.
"""

from __future__ import annotations

import numpy as np

from pipeline.baselines import BASELINES, fit_baselines
from pipeline.encoding import fit_encoding
from pipeline.network import build_network
from pipeline.settings import (
    EncodingSettings,
    NetworkSettings,
    SplitSettings,
    TrainingSettings,
)
from pipeline.splits import assign_roles, make_splits
from pipeline.training import class_weights, train_network
from tests.test_training import cohort

CODES, IS_CASE = cohort(240, 20)
SPLIT = make_splits(IS_CASE, SplitSettings())[0]


def learn(codes: np.ndarray, is_case: np.ndarray, protocol: str, probe: np.ndarray) -> list:
    """Return everything learned; `probe` is scored in place of the test people."""
    roles = assign_roles(SPLIT, protocol)
    x_train, y_train = codes[roles.train], is_case[roles.train]
    x_watch, y_watch = codes[roles.watch], is_case[roles.watch]
    encoding = fit_encoding(codes[roles.fit], EncodingSettings())
    model = build_network(encoding, NetworkSettings(convolutions=1, filters=2, dense=()), seed=1)
    settings = TrainingSettings(epochs=2, learning_rate=0.01, class_weights=True)
    trained = train_network(model, x_train, y_train, x_watch, y_watch, settings)
    fitted = fit_baselines(x_train, y_train, x_watch, y_watch, probe, seed=1)
    return [
        encoding.table,
        *model.get_weights(),
        np.array(list(class_weights(y_train).values())),
        np.array([epoch.val_loss for epoch in trained.epochs]),
        *(fitted[name].score for name in BASELINES),
        np.array([fitted["additive"].threshold]),
        np.array([fitted["logistic_l1"].penalty, fitted["logistic_l2"].penalty]),
    ]


def mutated() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    codes, is_case = CODES.copy(), IS_CASE.copy()
    codes[SPLIT.test] = rng.integers(0, 4, (SPLIT.test.size, codes.shape[1]))
    is_case[SPLIT.test] = rng.permutation(~is_case[SPLIT.test])
    return codes, is_case


def test_under_honest_nothing_moves_with_the_test_people():
    probe = CODES[SPLIT.test].copy()
    before = learn(CODES, IS_CASE, "honest", probe)
    after = learn(*mutated(), "honest", probe)
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


def test_under_published_it_does_move():
    """The same check on the published order fails, so the check above can."""
    probe = CODES[SPLIT.test].copy()
    before = learn(CODES, IS_CASE, "published", probe)
    after = learn(*mutated(), "published", probe)
    moved = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert moved[0]  # the encoding
    assert any(moved[1:-4])  # the weights, by way of the encoding and the best epoch
