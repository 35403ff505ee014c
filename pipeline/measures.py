"""What thresholds are held against: the figures of every variant over cases and controls.

They depend on who is a case and who a control, and on no threshold. One query reads them, and
they stay with the opened cohort, so that moving a threshold reads nothing again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.cohort import Cohort
from pipeline.people import CaseDefinition

GENOTYPES = ("hom_ref", "het", "hom_alt", "missing")
_MOST_KEPT = 2  # definitions of cases whose figures stay in memory: 0.1 GB for 1.8 million variants


@dataclass(frozen=True, eq=False)
class SexCounts:
    """Genotypes by sex of variants on X and Y.

    `rows` (n,) are their positions among the variants in question; `case` and `control` (n, 3, 4)
    count hom_ref, het, hom_alt, missing for male, female, unknown sex.
    """

    rows: np.ndarray
    case: np.ndarray
    control: np.ndarray


@dataclass(frozen=True, eq=False)
class Measures:
    """Figures of every variant, each (n_variants,), over cases and controls together.

    `qual`, `mean_depth`, `mean_gq` are NaN where there is none. `site_call_rate` and
    `is_monomorphic_site` are those of the site before the split, `call_rate` and `is_monomorphic`
    those of the variant, where any other alternate counts as missing. `is_first` marks the first
    alternate of a site. `case` and `control` int32 (n_variants, 4) count hom_ref, het, hom_alt,
    missing, and `sex_counts` those on X and Y by sex.
    """

    is_first: NDArray[np.bool_]
    qual: NDArray[np.floating]
    is_not_pass: NDArray[np.bool_]
    is_monomorphic_site: NDArray[np.bool_]
    is_monomorphic: NDArray[np.bool_]
    mean_depth: NDArray[np.float64]
    site_call_rate: NDArray[np.float64]
    call_rate: NDArray[np.float64]
    is_on_sex_chromosome: NDArray[np.bool_]
    is_not_snp: NDArray[np.bool_]
    mean_gq: NDArray[np.float64]
    case: NDArray[np.int32]
    control: NDArray[np.int32]
    sex_counts: SexCounts


def measure(cohort: Cohort, definition: CaseDefinition) -> Measures:
    """Return the figures of a cohort under a definition of cases, from memory when known."""
    roles = (definition.case, definition.control)
    known = cohort.measures.get(roles)
    if known is None:
        known = _measured(cohort, definition)
        for oldest in list(cohort.measures)[: 1 - _MOST_KEPT]:
            cohort.measures.pop(oldest, None)
        cohort.measures[roles] = known
    return known


def sum_of(column: str, diagnoses: list[int]) -> str:
    """Return the SQL of a count's sum over diagnoses, by their numbers in the columns."""
    return " + ".join(f"{column}_{d}" for d in diagnoses) or "0"


def _measured(cohort: Cohort, definition: CaseDefinition) -> Measures:
    case = cohort.diagnosis_numbers(definition.case)
    control = cohort.diagnosis_numbers(definition.control)
    both = case + control
    called, missing = sum_of("site_n_called", both), sum_of("site_n_missing", both)
    total = f"nullif({called} + {missing}, 0)"
    # Only numbers of columns reach the text.
    figures = {
        "is_first": "alt_number = 1",
        "qual": "qual",
        "is_not_pass": "coalesce(filter <> 'PASS', false)",
        "is_monomorphic_site": f"{sum_of('site_n_nonref', both)} = 0",
        "is_monomorphic": f"{sum_of('n_het', both)} + {sum_of('n_hom_alt', both)} = 0",
        "mean_depth": f"({sum_of('depth_sum', both)}) / nullif({sum_of('depth_n', both)}, 0)",
        "site_call_rate": f"({called}) / {total}",
        "call_rate": f"({called} + {missing} - ({sum_of('n_missing', both)})) / {total}",
        "is_on_sex_chromosome": "region NOT IN ('autosome', 'other')",
        "is_not_snp": "kind <> 'snp'",
        "mean_gq": f"({sum_of('gq_sum', both)}) / nullif({sum_of('gq_n', both)}, 0)",
    }
    counts = {
        f"{role}_{row}": f"({sum_of(f'n_{row}', numbers)})::INTEGER"
        for role, numbers in (("case", case), ("control", control))
        for row in GENOTYPES
    }
    wanted = ", ".join(f"{sql} AS {name}" for name, sql in (figures | counts).items())
    found = cohort.store.arrays(f"SELECT {wanted} FROM variants POSITIONAL JOIN counts")
    return Measures(
        **{name: found[name] for name in figures},
        case=np.stack([found[f"case_{row}"] for row in GENOTYPES], axis=1),
        control=np.stack([found[f"control_{row}"] for row in GENOTYPES], axis=1),
        sex_counts=_sex_counts(cohort, definition),
    )


def _sex_counts(cohort: Cohort, definition: CaseDefinition) -> SexCounts:
    """Return the counts by sex of every variant on X and Y; rows are variant indices."""

    def summed(diagnoses: tuple[str, ...], role: str) -> str:
        numbers = cohort.diagnosis_numbers(diagnoses)
        return ", ".join(
            "(" + (" + ".join(f"n_{row}_{d}_{sex}" for d in numbers) or "0")
            + f")::INTEGER AS {role}_{sex}_{row}"
            for sex in ("male", "female", "unknown")
            for row in GENOTYPES
        )  # fmt: skip

    found = cohort.store.arrays(
        f"SELECT variant_index, {summed(definition.case, 'case')}, "
        f"{summed(definition.control, 'control')} FROM sex_counts ORDER BY variant_index"
    )
    columns = list(found.values())
    flat = np.stack(columns[1:], axis=1).reshape(len(columns[0]), 2, 3, 4)
    return SexCounts(columns[0].astype(np.int64), flat[:, 0], flat[:, 1])
