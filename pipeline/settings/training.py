"""How the network learns."""

from __future__ import annotations

from typing import Literal

from pipeline.settings.base import Settings, setting


class TrainingSettings(Settings):
    """Optimiser, learning rate and when to stop."""

    epochs: int = setting(
        50, "Largest number of epochs.", label="Epochs", paper=50, ge=1, le=1000, step=1
    )
    batch_size: int = setting(
        32, "People in a batch.", label="Batch size", unit="people", paper=32, ge=1, le=4096, step=1
    )
    optimizer: Literal["adam", "sgd", "adamw"] = setting(
        "adam", "Optimiser.", label="Optimiser", paper="adam"
    )
    learning_rate: float = setting(
        1e-4,
        "Learning rate of the first epoch.",
        label="Learning rate",
        paper=1e-4,
        assumed=True,
        gt=0,
        le=1,
    )
    momentum: float = setting(0.0, "Momentum of SGD.", label="Momentum", ge=0, lt=1, step=0.05)
    weight_decay: float = setting(
        0.004, "Decay of the weights by AdamW.", label="Weight decay", ge=0, le=1
    )
    schedule: Literal["constant", "exponential", "staircase", "cosine"] = setting(
        "staircase",
        "constant; multiplied by the decay every so many steps, smoothly (exponential) or at once "
        "(staircase); or half a cosine down to the smallest learning rate at the last epoch.",
        label="Schedule",
        paper="staircase",
        assumed=True,
    )
    decay_rate: float = setting(
        0.9,
        "Factor of the staircase.",
        label="Decay",
        paper=0.9,
        assumed=True,
        gt=0,
        le=1,
        step=0.01,
    )
    decay_steps: int = setting(
        10_000,
        "Steps between two stairs.",
        label="Decay every",
        unit="steps",
        paper=10_000,
        assumed=True,
        ge=1,
        le=1_000_000,
        step=100,
    )
    warmup_epochs: int = setting(
        0,
        "Epochs over which the learning rate rises to its first value.",
        label="Warm-up",
        unit="epochs",
        ge=0,
        le=100,
        step=1,
    )
    plateau_factor: float = setting(
        0.2,
        "Factor on the learning rate when the watched loss stagnates; 1 is off.",
        label="Plateau factor",
        paper=0.2,
        assumed=True,
        gt=0,
        le=1,
        step=0.05,
    )
    plateau_patience: int = setting(
        3,
        "Epochs without progress before the learning rate is reduced.",
        label="Plateau patience",
        unit="epochs",
        paper=3,
        assumed=True,
        ge=1,
        le=100,
        step=1,
    )
    min_learning_rate: float = setting(
        1e-6,
        "Reduction on plateau never goes below this.",
        label="Smallest learning rate",
        paper=1e-6,
        assumed=True,
        ge=0,
        le=1,
    )
    patience: int = setting(
        5,
        "Epochs without a better watched loss before training stops; 0 is no early stopping.",
        label="Early stopping patience",
        unit="epochs",
        paper=5,
        assumed=True,
        ge=0,
        le=1000,
        step=1,
    )
    keep: Literal["loss", "accuracy", "auc", "last"] = setting(
        "loss",
        "The epoch whose weights are kept: of the lowest watched loss, the highest accuracy or "
        "AUC, or the last one. Early stopping and plateaus watch the loss.",
        label="Epoch that is kept",
        paper="loss",
        assumed=True,
    )
    precision: Literal["float32", "bfloat16"] = setting(
        "float32",
        "Numbers that the layers compute with; weights and loss stay float32.",
        label="Precision",
        paper="float32",
        assumed=True,
    )
    class_weights: bool = setting(
        False,
        "Weigh cases and controls so that both count alike.",
        label="Class weights",
    )
    seed: int = setting(
        1,
        "Seed of weights, batches and dropout.",
        label="Training seed",
        ge=0,
        le=2**31 - 1,
        step=1,
    )
