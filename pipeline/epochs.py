"""One line of a training run; free of Keras, so that pages and the command line can read it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch came to; `val_*` are those of the watched people.

    `epoch` counts from 1. `loss` and `val_loss` are mean cross-entropies in nats plus the
    penalties on the weights; `loss` and `accuracy` are means over the epoch while weights moved
    and dropout was on, as Keras gives them. Accuracies and AUC lie in 0 to 1; `val_auc` is NaN
    when the watched people are of one class. `learning_rate` is that of the whole epoch.
    `prediction_error` is the paper's (`evaluation.prediction_error`) after this epoch, NaN under
    the honest protocol, where nobody who is tested is looked at while it trains.
    """

    fold: int
    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    val_auc: float
    learning_rate: float
    seconds: float
    prediction_error: float = math.nan


def restored(stored: Mapping[str, Any]) -> EpochRecord:
    """Return the epoch that was written as JSON, where NaN became null.

    Raises `TypeError` when parts are missing or unknown.
    """
    known: dict[str, Any] = {k: math.nan if v is None else v for k, v in stored.items()}
    return EpochRecord(**known)


@dataclass(frozen=True)
class Trained:
    """How a training ended: its epochs in order, the epoch whose weights were kept, seconds.

    `was_ended` says that somebody ended it before its time, to keep what was best by then.
    """

    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    seconds: float
    was_ended: bool = False


OnEpoch = Callable[[EpochRecord], None]
OnBatch = Callable[[float], None]


def ignore(_: object) -> None:
    """Report to nobody."""
