"""What is lost when a network sees a gene as it is on average: all its variants at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.attribution.network import OpenNetwork, Values
from pipeline.statistics import Interval, auc_difference


@dataclass(frozen=True, eq=False)
class Occluded:
    """One set of variants hidden: mean over people of the absolute change of the logit.

    `auc_lost` is the AUC with the set minus that without it, on the same people (paired DeLong).
    """

    mean_change: float
    auc_lost: Interval


def occlude(
    network: OpenNetwork,
    baseline: Values,
    codes: NDArray[np.uint8],
    is_case: NDArray[np.bool_],
    sets: Sequence[NDArray[np.integer]],
    on_share: Callable[[float], None] = lambda _: None,
    confidence: float = 0.95,
) -> list[Occluded]:
    """Return what each set of variants is worth, in the order of `sets`.

    `sets` hold columns of `codes` (n_people, n_variants). A hidden variant shows `baseline`
    (1, *shape), and so does every product that it is in.
    """
    by_variant = network.shares.tocsc()
    entries = [np.unique(by_variant[:, one].indices) for one in sets]
    mean = baseline.reshape(-1)
    whole = np.empty(len(codes))
    without = np.empty((len(sets), len(codes)))
    for batch in network.batches(len(codes)):
        values = network.encode(codes[batch])
        flat = values.reshape(len(values), -1)  # a view: hidden and put back in place
        whole[batch] = network.logit(values)
        for row, hidden in enumerate(entries):
            shown = flat[:, hidden]
            flat[:, hidden] = mean[hidden]
            without[row, batch] = network.logit(values)
            flat[:, hidden] = shown
            on_share((batch.start + (row + 1) / len(sets) * (batch.stop - batch.start))
                     / len(codes))  # fmt: skip
    return [
        Occluded(
            float(np.mean(np.abs(whole - hidden))),
            auc_difference(is_case, whole, hidden, confidence),
        )
        for hidden in without
    ]
