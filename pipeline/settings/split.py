"""Who trains, who validates, who is touched once at the end."""

from __future__ import annotations

from pipeline.settings.base import Settings, setting


class SplitSettings(Settings):
    """Stratified by case / control; drawn from the seed alone."""

    test_fraction: float = setting(
        0.15,
        "Share of people kept apart and seen once, at the end.",
        label="Test people",
        unit="fraction",
        paper=0.15,
        ge=0.01,
        le=0.5,
        step=0.01,
    )
    validation_fraction: float = setting(
        0.15,
        "Share of the training people that early stopping and the threshold look at.",
        label="Validation people, of the training people",
        unit="fraction",
        ge=0.05,
        le=0.5,
        step=0.01,
    )
    folds: int = setting(
        0,
        "Number of cross-validation folds, each the test people once; 0 is a single split.",
        label="Folds",
        paper=5,
        assumed=True,
        ge=0,
        le=20,
        step=1,
    )
    repeats: int = setting(
        1,
        "How often cross-validation is repeated with other folds.",
        label="Repeats of the folds",
        ge=1,
        le=10,
        step=1,
    )
    seed: int = setting(1, "Seed of the split.", label="Split seed", ge=0, le=2**31 - 1, step=1)
