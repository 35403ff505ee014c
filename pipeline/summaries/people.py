"""People as groups: by diagnosis, quality, ancestry, relation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from pipeline.cohort import Cohort
from pipeline.people import CaseDefinition
from pipeline.samples import sample_quality
from pipeline.structure import Structure, relation_names


def people_table(cohort: Cohort, definition: CaseDefinition) -> pd.DataFrame:
    """Return people by diagnosis and sex, with the role of the diagnosis."""
    roles = {d: role for role in ("case", "control", "excluded") for d in getattr(definition, role)}
    counted = cohort.samples.groupby(["diagnosis", "sex"]).size().reset_index(name="n")
    counted["role"] = counted["diagnosis"].map(roles)
    return counted


def person_bins(
    cohort: Cohort, measure: str, by: dict[str, np.ndarray] | None = None, n_bins: int = 40
) -> pd.DataFrame:
    """Return a histogram over people of a column of `sample_quality`.

    With `by`, sets of people by name (bool (n_people,)), one histogram a set over the same bins,
    named in `group`. Counts only: no figure of a single person leaves this function.
    """
    values = sample_quality(cohort)[measure].to_numpy(np.float64)
    sets = by or {"": np.ones(len(values), bool)}
    known = values[np.any(list(sets.values()), axis=0) & ~np.isnan(values)]
    if not len(known):
        return pd.DataFrame(columns=["left", "right", "n", "group"])
    edges = np.histogram_bin_edges(known, bins=n_bins)
    if (known == known.round()).all():  # counts: bins of whole numbers, none of them empty by width
        step = max(1, math.ceil((known.max() - known.min() + 1) / n_bins))
        edges = np.arange(known.min(), known.max() + step + 1, step) - 0.5
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "left": edges[:-1],
                    "right": edges[1:],
                    "n": np.histogram(values[chosen & ~np.isnan(values)], bins=edges)[0],
                    "group": name,
                }
            )
            for name, chosen in sets.items()
        ],
        ignore_index=True,
    )


def missingness_verdict(cohort: Cohort, definition: CaseDefinition) -> tuple[bool, str]:
    """Return whether cases and controls differ in missing calls, and the verdict in words.

    The classic artefact of two batches. Welch's t test of the people's call rates; they differ
    when p is below 0.001 and the means are 0.1 percentage points or more apart.
    """
    from scipy.stats import ttest_ind  # here: it takes half a second of a start

    rate = sample_quality(cohort)["call_rate"].to_numpy()
    case, control = (
        rate[cohort.is_in(diagnoses) & ~np.isnan(rate)]
        for diagnoses in (definition.case, definition.control)
    )
    if min(len(case), len(control)) < 2:
        return False, "There are too few cases or controls to compare their missing calls."
    missing = 100 * (1 - case.mean()), 100 * (1 - control.mean())
    p = float(ttest_ind(case, control, equal_var=False).pvalue)
    differ = p < 0.001 and abs(missing[0] - missing[1]) >= 0.1
    figures = (
        f"Cases miss {missing[0]:.2f}% of their calls, controls {missing[1]:.2f}% (Welch's t test, "
        f"p {p:.2g})."
    )
    if differ:
        return True, (
            f"{figures} They differ as two batches do: a model can learn the batch, and variants "
            "can look associated; filter on differential missingness."
        )
    return False, f"{figures} No sign of two batches."


_MOST_GROUPS = 6  # of a covariate; the rest are "other"
_OTHER, _UNKNOWN = "other", "not known"


def colourings(cohort: Cohort) -> list[str]:
    """Return what people can be coloured by: diagnosis, sex, and each covariate."""
    covariates = cohort.store.rows(
        "SELECT DISTINCT unnest(map_keys(covariates)) AS name FROM samples ORDER BY 1"
    )
    return ["diagnosis", "sex", *(name for (name,) in covariates)]


def structure_points(
    cohort: Cohort, structure: Structure, first: int, second: int, by: str
) -> pd.DataFrame:
    """Return x, y (components `first` and `second`, from 1) and group of each person, unnamed.

    A numeric covariate of many values is parted at its quartiles; of others the most frequent
    stay and the rest are "other".
    """
    samples = cohort.samples
    if by in ("diagnosis", "sex"):
        values = samples[by].astype(str)
    else:
        values = pd.Series([dict(row).get(by, _UNKNOWN) for row in samples["covariates"]])
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().mean() > 0.5 and numbers.nunique() > _MOST_GROUPS:
        quarters = pd.qcut(numbers, 4, duplicates="drop")
        group = quarters.map(lambda part: f"{part.left:g} to {part.right:g}").astype(object)
        group = group.where(numbers.notna(), _UNKNOWN)
    else:
        frequent = values.value_counts().index
        kept = frequent if len(frequent) <= _MOST_GROUPS else frequent[: _MOST_GROUPS - 1]
        group = values.where(values.isin(kept), _OTHER)
    return pd.DataFrame(
        {
            "x": structure.components[:, first - 1].round(5),
            "y": structure.components[:, second - 1].round(5),
            "group": group.to_numpy(),
        }
    )


def relatives_table(cohort: Cohort, structure: Structure, n: int = 200) -> pd.DataFrame:
    """Return the closest pairs of relatives: names, relation, kinship, diagnoses."""
    pairs = structure.relatives
    order = np.argsort(-pairs.kinship, kind="stable")[:n]
    samples = cohort.samples
    table = {"relation": relation_names(pairs.kinship)[order], "kinship": pairs.kinship[order]}
    for role, rows in (("first", pairs.first[order]), ("second", pairs.second[order])):
        table[role] = samples["sample_id"].to_numpy()[rows]
        table[f"{role}_diagnosis"] = samples["diagnosis"].to_numpy()[rows]
    return pd.DataFrame(table)
