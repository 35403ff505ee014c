"""Alternate alleles weighed by their log odds ratio, one variant at a time, and summed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.baselines.result import Baseline
from pipeline.encoding import Encoding, count_codes, encode, fit_encoding
from pipeline.genotypes import pack
from pipeline.ld import r2_to_row
from pipeline.settings import EncodingSettings

MAX_R2 = 0.1
WINDOW = 500_000  # bases to either side

_BLOCK = 512  # people encoded together, which bounds the memory
_CHROMOSOME = 1 << 40  # further apart than any two positions


class Positions(NamedTuple):
    """Where variants lie, (n_variants,) each: the order of the chromosome, bases from 1."""

    chrom_order: NDArray[np.integer]
    pos: NDArray[np.integer]


def log_odds_ratios(
    genotypes: NDArray[np.uint8], is_case: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the allelic log odds ratio of each variant, shape (n_variants,), missing left out.

    Half an allele is added to each of the four cells, so that none is empty.

    References: Haldane 1956; Anscombe 1956.
    """
    case_alt, case_ref, control_alt, control_ref = _allele_cells(genotypes, is_case)
    return np.log(case_alt * control_ref / (case_ref * control_alt))


def standard_errors(
    genotypes: NDArray[np.uint8], is_case: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the standard error of each of `log_odds_ratios`, shape (n_variants,).

    References: Woolf 1955.
    """
    return np.sqrt(sum(1 / cell for cell in _allele_cells(genotypes, is_case)))


def _allele_cells(
    genotypes: NDArray[np.uint8], is_case: NDArray[np.bool_]
) -> list[NDArray[np.float64]]:
    cells = []
    for people in (is_case, ~is_case):
        hom_ref, het, hom_alt, _ = count_codes(genotypes[people]).T
        cells += [het + 2 * hom_alt + 0.5, het + 2 * hom_ref + 0.5]
    return cells


def best_threshold(score: NDArray[np.floating], is_case: NDArray[np.bool_]) -> float:
    """Return the threshold of highest accuracy, where a score above it makes a case.

    Thresholds lie midway between neighbouring scores, or one beyond the smallest and the largest;
    among equally good ones the one in the middle of the list is taken.
    """
    distinct, which = np.unique(score, return_inverse=True)
    n_case = np.bincount(which, weights=is_case)
    n_control = np.bincount(which, weights=~is_case)
    # With the threshold below distinct[i]: controls under it and cases from it on are right.
    n_right = np.append(0, n_control.cumsum()) + np.append(n_case[::-1].cumsum()[::-1], 0)
    middles = (distinct[1:] + distinct[:-1]) / 2
    thresholds = np.concatenate([[distinct[0] - 1], middles, [distinct[-1] + 1]])
    best = np.flatnonzero(n_right == n_right.max())
    return float(thresholds[best[len(best) // 2]])


def clump(
    genotypes: NDArray[np.uint8],
    strength: NDArray[np.floating],
    positions: Positions | None = None,
    max_r2: float = MAX_R2,
    window: int = WINDOW,
) -> NDArray[np.bool_]:
    """Return which variants stay, (n_variants,), taken greedily from the strongest.

    Each one that stays removes all weaker ones within `window` bases whose r² with it, over the
    people called at both, is above `max_r2`; without `positions` all variants are near each other.
    `genotypes` are codes (n_people, n_variants), 3 = missing. Of equal strength the earlier
    variant goes first. A variant that does not vary stays.

    References: Purcell et al. 2007, Am J Hum Genet 81:559 (--clump).
    """
    n_people, n_variants = genotypes.shape
    strongest = np.argsort(-strength, kind="stable")
    # Rows are laid out so that those near a variant are one block, read without a copy.
    if positions is None:
        layout = strongest
        first, last = np.arange(n_variants) + 1, np.full(n_variants, n_variants)
    else:
        place = np.asarray(positions.chrom_order, np.int64) * _CHROMOSOME + positions.pos
        layout = np.argsort(place, kind="stable")
        first = np.searchsorted(place[layout], place[layout] - window, "left")
        last = np.searchsorted(place[layout], place[layout] + window, "right")
    row_of = np.empty(n_variants, np.int64)
    row_of[layout] = np.arange(n_variants)
    packed = pack(np.ascontiguousarray(genotypes.T[layout]))
    everyone = np.ones(n_people, bool)
    is_open = np.ones(n_variants, bool)
    stays = np.zeros(n_variants, bool)
    for row in row_of[strongest]:
        if not is_open[row]:
            continue
        is_open[row], stays[row] = False, True
        near = slice(first[row], last[row])
        if is_open[near].any():
            is_open[near] &= ~(r2_to_row(packed[row], packed[near], everyone) > max_r2)
    return stays[row_of]


def additive_scores(
    parts: Sequence[NDArray[np.uint8]],
    y_fit: NDArray[np.bool_],
    y_validation: NDArray[np.bool_],
    names: Sequence[str],
    positions: Positions | None,
) -> dict[str, Baseline]:
    """Return `additive` and `additive_clumped`, where `names` has them.

    `parts` are the codes of fit, validation and test people.
    """
    fit, validation, test = parts
    settings = EncodingSettings(layout="1d", missing="mean", scaling="none")
    encoding = fit_encoding(fit, settings)
    weights = log_odds_ratios(fit, y_fit)
    fitted = {}
    for name in ("additive", "additive_clumped"):
        if name not in names:
            continue
        stays, note = np.ones(len(weights), bool), ""
        if name == "additive_clumped":
            stays, note = _clumped(fit, np.abs(weights) / standard_errors(fit, y_fit), positions)
        used = np.where(stays, weights, 0).astype(np.float32)
        fitted[name] = Baseline(
            linear_scores(encoding, test, used),
            best_threshold(linear_scores(encoding, validation, used), y_validation),
            is_probability=False,
            n_variants=int(stays.sum()),
            note=note,
        )
    return fitted


def linear_scores(
    encoding: Encoding, genotypes: NDArray[np.uint8], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the weighted sum of the encoded values of each person, shape (n_people,)."""
    score = np.empty(len(genotypes), np.float32)
    for start in range(0, len(genotypes), _BLOCK):
        block = slice(start, start + _BLOCK)
        score[block] = encode(encoding, genotypes[block])[:, :, 0] @ weights
    return score


def _clumped(
    genotypes: NDArray[np.uint8], strength: NDArray[np.float64], positions: Positions | None
) -> tuple[NDArray[np.bool_], str]:
    """Return which variants stay, and a note."""
    stays = clump(genotypes, strength, positions)
    near = "" if positions is None else f" within {WINDOW // 1000} kb"
    return stays, f"r² at most {MAX_R2} with every stronger variant kept{near}"
