"""What pictures show, reduced before it is drawn: no picture gets more than some 10,000 rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.association import Association, genes_of, odds_ratios
from pipeline.cohort import Cohort
from pipeline.people import CaseDefinition
from pipeline.quality import KEPT, STEPS, Filtered
from pipeline.samples import sample_quality
from pipeline.schema import GENOTYPE_ROWS, plain_chromosome
from pipeline.statistics import TESTS, hwe_exact
from pipeline.structure import Structure, relation_names

_MOST_HITS = 3_000  # points drawn one by one, from the smallest p on
_COLUMNS, _ROWS = 500, 13  # the grid that stands for all others
_GAP = 5_000_000  # bases between two chromosomes on the axis

# What a histogram can show, as SQL over cases and controls, with what is counted.
_MEASURES = {
    "qual": ("qual", "Sites"),
    "mean_depth": ("({depth_sum}) / nullif({depth_n}, 0)", "Sites"),
    "call_rate": ("({site_n_called}) / ({site_n_called} + {site_n_missing})", "Sites"),
    "mean_gq": ("({gq_sum}) / nullif({gq_n}, 0)", "Sites"),
}
_MOST_QUAL = 2_000.0  # the tail beyond is one bin: the cut is made far below


@dataclass(frozen=True)
class GenomeAxis:
    """Where every variant lies on one axis: x float64 (n_variants,), and the chromosomes."""

    x: np.ndarray
    parity: np.ndarray
    chromosomes: pd.DataFrame


def genome_axis(cohort: Cohort) -> GenomeAxis:
    """Return the cumulative coordinate of every variant; `chromosomes` has start, middle, end."""
    found = cohort.store.arrays("SELECT chrom_order, pos FROM variants ORDER BY variant_index")
    spans = cohort.store.frame(
        "SELECT chrom_order, first(chrom) AS chrom, max(pos) AS length "
        "FROM variants GROUP BY chrom_order ORDER BY chrom_order"
    )
    length = spans["length"].to_numpy(np.float64)
    start = np.concatenate([[0.0], np.cumsum(length + _GAP)[:-1]])
    which = np.searchsorted(spans["chrom_order"].to_numpy(), found["chrom_order"])
    chromosomes = pd.DataFrame(
        {
            "chrom": [plain_chromosome(chrom) for chrom in spans["chrom"]],
            "start": start,
            "middle": start + length / 2,
            "end": start + length,
        }
    )
    return GenomeAxis(start[which] + found["pos"], (which % 2).astype(np.uint8), chromosomes)


def manhattan_points(
    cohort: Cohort, axis: GenomeAxis, filtered: Filtered, found: Association
) -> pd.DataFrame:
    """Return the points of a Manhattan plot, at most 10,000.

    The variants of smallest p (at most 3,000) stand each for itself; of the others one stands for
    each cell of a grid, with `n_binned` variants. Columns: variant_index,
    x, neg_log10_p, parity, n_binned, chrom, pos, variant_id, gene.
    """
    log_p = found.neg_log10_p
    tested = np.flatnonzero(~np.isnan(log_p))
    if len(tested) > _MOST_HITS:
        line = np.partition(log_p[tested], -_MOST_HITS)[-_MOST_HITS]
    else:
        line = -1.0
    alone = tested[log_p[tested] > line]
    binned = tested[log_p[tested] <= line]
    n_binned = np.ones(len(alone), np.int64)
    if len(binned):
        x = axis.x[filtered.kept[binned]]
        column = (x / axis.x[-1] * _COLUMNS).astype(np.int64).clip(max=_COLUMNS - 1)
        row = (log_p[binned] / max(line, 1e-9) * _ROWS).astype(np.int64).clip(max=_ROWS - 1)
        cell = (column * _ROWS + row).astype(np.int16)  # 16 bits: NumPy sorts them by radix
        order = np.argsort(cell, kind="stable")
        last = np.flatnonzero(np.diff(cell[order], append=-1))
        alone = np.concatenate([alone, binned[order[last]]])
        n_binned = np.concatenate([n_binned, np.diff(last, prepend=-1)])
    variants = filtered.kept[alone]
    points = pd.DataFrame(
        {
            "variant_index": variants,
            "x": axis.x[variants],
            "neg_log10_p": log_p[alone],
            "parity": axis.parity[variants],
            "n_binned": n_binned,
        }
    )
    return points.merge(name_variants(cohort, variants), on="variant_index", how="left")


def name_variants(cohort: Cohort, variants: np.ndarray) -> pd.DataFrame:
    """Return variant_index, chrom, pos, rsid, ref, alt, variant_id, gene of some variants."""
    if not len(variants):
        return pd.DataFrame(columns=["variant_index", "chrom", "pos", "rsid", "ref", "alt",
                                     "variant_id", "gene"])  # fmt: skip
    named = cohort.store.frame_of(
        "SELECT variant_index, chrom, pos, rsid, ref, alt FROM variants "
        "WHERE variant_index IN (SELECT wanted_index FROM wanted) ORDER BY variant_index",
        variants,
    )
    chrom = [plain_chromosome(written) for written in named["chrom"]]
    named["chrom"] = chrom
    named["variant_id"] = [
        f"{c}_{pos}_{ref}_{alt}"
        for c, pos, ref, alt in zip(chrom, named["pos"], named["ref"], named["alt"], strict=True)
    ]
    named["gene"] = genes_of(cohort, named["variant_index"].to_numpy()).to_numpy()
    return named


def top_table(cohort: Cohort, filtered: Filtered, found: Association, n: int = 200) -> pd.DataFrame:
    """Return the variants of smallest p with their tests and counts, smallest first."""
    log_p = found.neg_log10_p
    tested = np.flatnonzero(~np.isnan(log_p))
    rows = tested[np.argsort(-log_p[tested], kind="stable")[:n]]
    ratio = odds_ratios(cohort, filtered, rows)
    table = pd.DataFrame(
        {
            "variant_index": filtered.kept[rows],
            "neg_log10_p": log_p[rows],
            "p_value": 10.0 ** -log_p[rows],
            "odds_ratio": ratio.odds_ratio,
            "ci_low": ratio.ci_low,
            "ci_high": ratio.ci_high,
            "is_doubtful": found.is_doubtful[rows],
        }
    )
    return table.merge(
        name_variants(cohort, np.sort(filtered.kept[rows])), on="variant_index", how="left"
    )


def qq_points(found: Association) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return observed against expected −log10 p, and the 95 % band of the null.

    The band is that of order statistics of independent uniform p (beta quantiles).
    """
    observed = np.sort(found.neg_log10_p[~np.isnan(found.neg_log10_p)])[::-1]
    n = len(observed)
    if n == 0:
        return (pd.DataFrame(columns=["expected", "observed"]),
                pd.DataFrame(columns=["expected", "lower", "upper"]))  # fmt: skip
    ranks = np.unique(np.geomspace(1, n, 600).round().astype(int))
    ranks = np.union1d(ranks, np.arange(1, min(n, 300) + 1))
    points = pd.DataFrame(
        {"expected": -np.log10((ranks - 0.5) / n), "observed": observed[ranks - 1]}
    )
    band_ranks = np.unique(np.geomspace(1, n, 120).round().astype(int))
    band = pd.DataFrame(
        {
            "expected": -np.log10((band_ranks - 0.5) / n),
            "lower": -np.log10(stats.beta.ppf(0.975, band_ranks, n - band_ranks + 1)),
            "upper": -np.log10(stats.beta.ppf(0.025, band_ranks, n - band_ranks + 1)),
        }
    )
    return points, band


def p_bins(found: Association, n_bins: int = 40) -> pd.DataFrame:
    """Return how many p lie in each of equal bins of 0 to 1: left, right, n."""
    p = 10.0 ** -found.neg_log10_p[~np.isnan(found.neg_log10_p)]
    counts, edges = np.histogram(p, bins=n_bins, range=(0, 1))
    return pd.DataFrame({"left": edges[:-1], "right": edges[1:], "n": counts})


def quality_bins(
    cohort: Cohort, definition: CaseDefinition, measure: str, n_bins: int = 60
) -> pd.DataFrame:
    """Return a histogram over sites of `qual`, `mean_depth`, `call_rate` or `mean_gq`.

    Columns left, right, n; empty when the source does not have the figure. QUAL above 2,000 falls
    into the last bin.
    """
    sql, _ = _MEASURES[measure]
    numbers = cohort.diagnosis_numbers(definition.case + definition.control)
    sums = {
        name: " + ".join(f"{name}_{d}" for d in numbers)
        for name in ("depth_sum", "depth_n", "site_n_called", "site_n_missing", "gq_sum", "gq_n")
    }
    value = sql.format(**sums)
    low, high = cohort.store.rows(
        f"SELECT min(value), max(value) FROM (SELECT {value} AS value "
        "FROM variants POSITIONAL JOIN counts WHERE alt_number = 1)"
    )[0]
    if low is None:
        return pd.DataFrame(columns=["left", "right", "n"])
    low, high = _range(measure, low, high)
    width = (high - low) / n_bins
    found = cohort.store.frame(
        "SELECT least(greatest(floor((value - $1) / $2), 0), $3)::INTEGER AS bin, "
        f"count(*) AS n FROM (SELECT {value} AS value "
        "FROM variants POSITIONAL JOIN counts WHERE alt_number = 1) "
        "WHERE value IS NOT NULL GROUP BY bin",
        [low, width, n_bins - 1],
    ).set_index("bin")["n"]
    left = low + width * np.arange(n_bins)
    n = found.reindex(range(n_bins), fill_value=0).to_numpy()
    return pd.DataFrame({"left": left, "right": left + width, "n": n})


def _range(measure: str, low: float, high: float) -> tuple[float, float]:
    """Return the ends of a histogram: those of the slider's world, not of one outlier."""
    if measure == "call_rate":
        return min(0.8, float(low)), 1.0
    if measure == "qual":
        high = min(float(high), _MOST_QUAL)
    return 0.0, max(float(high), 1.0)


def removed_examples(cohort: Cohort, filtered: Filtered, step: str, n: int = 20) -> pd.DataFrame:
    """Return some of the variants that a step removed, spread over the genome."""
    rows = np.flatnonzero(filtered.removed_by == STEPS.index(step))
    if len(rows) > n:
        rows = rows[np.linspace(0, len(rows) - 1, n).astype(int)]
    return name_variants(cohort, rows)


def find_variants(cohort: Cohort, filtered: Filtered, text: str, n: int = 50) -> pd.DataFrame:
    """Return variants by rsID, `chrom:pos`, `chrom_pos_ref_alt` or gene, with what removed each.

    `removed_by` is the step, or `kept`. Empty when nothing matches.
    """
    text = text.strip()
    place = text.replace(":", "_").replace("-", "_").split("_")
    if len(place) >= 2 and place[1].replace(",", "").isdigit():
        found = cohort.store.arrays(
            "SELECT variant_index FROM variants WHERE pos = $1 "
            "AND (chrom = $2 OR chrom = 'chr' || $2) LIMIT $3",
            [int(place[1].replace(",", "")), place[0].removeprefix("chr"), n],
        )
    elif text.lower().startswith("rs") and text[2:].isdigit():
        found = cohort.store.arrays(
            "SELECT variant_index FROM variants WHERE lower(rsid) = lower($1) LIMIT $2", [text, n]
        )
    elif cohort.has_genes:
        found = cohort.store.arrays(
            "SELECT variant_index FROM annotation.variant_genes WHERE lower(gene) = lower($1) "
            "ORDER BY variant_index LIMIT $2",
            [text, n],
        )
    else:
        found = {"variant_index": np.array([], np.int64)}
    variants = np.unique(found["variant_index"]).astype(np.int64)
    table = name_variants(cohort, variants)
    codes = filtered.removed_by[variants]
    table["removed_by"] = ["kept" if code == KEPT else STEPS[code] for code in codes]
    return table


def variant_card(
    cohort: Cohort, filtered: Filtered, found: Association, variant_index: int
) -> dict[str, Any]:
    """Return what is known of one variant: names, quality, genotype table, every test.

    `genotypes` has group, genotype, n. A variant that a step removed has its step in
    `removed_by` and no tests.
    """
    named = name_variants(cohort, np.array([variant_index]))
    if named.empty:
        return {}
    quality = cohort.store.frame(
        "SELECT qual, filter, kind, region FROM variants WHERE variant_index = $1",
        [int(variant_index)],
    ).iloc[0]
    card: dict[str, Any] = named.iloc[0].to_dict() | quality.to_dict()
    code = int(filtered.removed_by[variant_index])
    card["removed_by"] = None if code == KEPT else STEPS[code]
    if code != KEPT:
        return card
    row = int(np.searchsorted(filtered.kept, variant_index))
    counts = {"case": filtered.case[row], "control": filtered.control[row]}
    card["genotypes"] = pd.DataFrame(
        [
            {"group": role, "genotype": genotype, "n": int(n)}
            for role, numbers in counts.items()
            for genotype, n in zip(GENOTYPE_ROWS, numbers, strict=True)
        ]
    )
    for name in ("neg_log10_p", "statistic", "df"):
        card[name] = float(getattr(found, name)[row])
    ratio = odds_ratios(cohort, filtered, np.array([row]))
    for name in ("odds_ratio", "ci_low", "ci_high"):
        card[name] = float(getattr(ratio, name)[0])
    card["is_doubtful"] = bool(found.is_doubtful[row])
    tables = [numbers[None, :3] for numbers in counts.values()]
    card["tests"] = {name: float(test(*tables).neg_log10_p[0]) for name, test in TESTS.items()}
    control = counts["control"]
    card["hwe_neg_log10_p"] = float(hwe_exact(control[:1], control[1:2], control[2:3])[0])
    for role, numbers in counts.items():
        called, total = int(numbers[:3].sum()), int(numbers.sum())
        card[f"{role}_call_rate"] = called / total if total else float("nan")
        alt = int(numbers[1] + 2 * numbers[2])
        card[f"{role}_alt_frequency"] = alt / (2 * called) if called else float("nan")
    return card


def people_table(cohort: Cohort, definition: CaseDefinition) -> pd.DataFrame:
    """Return people by diagnosis and sex, with the role of the diagnosis."""
    roles = {d: role for role in ("case", "control", "excluded") for d in getattr(definition, role)}
    counted = cohort.samples.groupby(["diagnosis", "sex"]).size().reset_index(name="n")
    counted["role"] = counted["diagnosis"].map(roles)
    return counted


def chromosome_table(cohort: Cohort) -> pd.DataFrame:
    """Return variants by chromosome (in the order of the axis) and kind."""
    found = cohort.store.frame(
        "SELECT chrom_order, first(chrom) AS chrom, kind, count(*) AS n "
        "FROM variants GROUP BY chrom_order, kind ORDER BY chrom_order, kind"
    )
    found["chrom"] = [plain_chromosome(chrom) for chrom in found["chrom"]]
    return found.drop(columns="chrom_order")


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
    rate = sample_quality(cohort)["call_rate"].to_numpy()
    case, control = (
        rate[cohort.is_in(diagnoses) & ~np.isnan(rate)]
        for diagnoses in (definition.case, definition.control)
    )
    if min(len(case), len(control)) < 2:
        return False, "There are too few cases or controls to compare their missing calls."
    missing = 100 * (1 - case.mean()), 100 * (1 - control.mean())
    p = float(stats.ttest_ind(case, control, equal_var=False).pvalue)
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
