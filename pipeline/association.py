"""Each kept variant tested against case / control, from its counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.cohort import Cohort
from pipeline.errors import EmptyResultError
from pipeline.people import require_both
from pipeline.quality import Filtered, SexCounts, count_alleles
from pipeline.schema import plain_chromosome
from pipeline.settings import AssociationSettings
from pipeline.statistics import (
    TESTS,
    OddsRatio,
    alleles_odds_ratio,
    alleles_test,
    allelic_odds_ratio,
    benjamini_hochberg,
    bonferroni_neg_log10,
    expected_too_small,
    genomic_lambda,
    genotypic,
    x_allelic,
    x_allelic_odds_ratio,
    x_expected_too_small,
    x_trend,
)

ALPHA = 0.05
_MALE, _FEMALE, _UNKNOWN = 0, 1, 2
_Pair = tuple[np.ndarray, np.ndarray]  # counts of cases and of controls
_LAMBDA_EXPECTED = 5.0
LINES = {"genome-wide 5e-8": 5e-8, "suggestive 1e-5": 1e-5}


@dataclass(frozen=True)
class Association:
    """The test of each kept variant, (n_kept,) each, NaN where there is none.

    `is_doubtful` flags an expected count below the setting. `lambda_gc` uses variants whose
    expected counts are all 5 or more.
    """

    test: str
    statistic: np.ndarray
    df: np.ndarray
    neg_log10_p: np.ndarray
    is_doubtful: np.ndarray
    lambda_gc: float
    lambda_note: str

    @property
    def n_tested(self) -> int:
        """Return the number of variants that have a p."""
        return int(np.count_nonzero(~np.isnan(self.neg_log10_p)))

    @property
    def bonferroni(self) -> float:
        """Return the Bonferroni line as -log10 p; NaN when nothing is tested."""
        return bonferroni_neg_log10(self.n_tested, ALPHA)

    def significant(self) -> dict[str, int]:
        """Return how many variants pass 0.05: uncorrected, Bonferroni, Benjamini-Hochberg."""
        line = -np.log10(ALPHA)
        return {
            "raw": int(np.count_nonzero(self.neg_log10_p > line)),
            "bonferroni": int(np.count_nonzero(self.neg_log10_p > self.bonferroni)),
            "bh": int(np.count_nonzero(benjamini_hochberg(self.neg_log10_p) > line)),
        }


def associate(
    cohort: Cohort, filtered: Filtered, settings: AssociationSettings | None = None
) -> Association:
    """Return the association of every kept variant.

    On X outside the pseudo-autosomal regions males have one copy: `allelic` counts their allele
    once, `trend` codes them 0 / 2 within each sex, the genotypic tests use who is not male. On Y
    no test is defined. Raises `EmptyResultError` without cases or controls, or without variants.
    """
    settings = settings or AssociationSettings()
    require_both(filtered.definition, cohort.n_people)
    if not len(filtered.kept):
        raise EmptyResultError(
            "An association needs variants, but these thresholds keep none of "
            f"{cohort.n_variants:,}; loosen the one that removes most."
        )
    case, control = filtered.case[:, :3], filtered.control[:, :3]
    result = TESTS[settings.test](case, control)
    doubtful = expected_too_small(case, control, settings.min_expected, settings.test)
    enough = ~expected_too_small(case, control, _LAMBDA_EXPECTED, settings.test)
    # Lambda of the df 4 reading comes from the p of the true df: its own p is too large by design.
    of_lambda = result.neg_log10_p
    note = ""
    if settings.test == "genotypic_df4":
        of_lambda = genotypic(case, control).neg_log10_p.copy()
        note = "from the p of the genotypic test, df 2"
    columns = {
        "statistic": result.statistic,
        "df": result.df,
        "neg_log10_p": result.neg_log10_p,
        "is_doubtful": doubtful,
    }
    if len(filtered.sex_counts.rows):
        on_x = _x_rows(cohort, filtered)
        _test_x(filtered.sex_counts, on_x, settings, columns, enough, of_lambda)
    _test_mitochondrion(cohort, filtered, settings, columns, of_lambda)
    lambda_gc = genomic_lambda(of_lambda, enough)
    return Association(settings.test, **columns, lambda_gc=lambda_gc, lambda_note=note)


def _mitochondrial_rows(cohort: Cohort, kept: np.ndarray) -> np.ndarray:
    """Return the positions among the kept variants of those on the mitochondrion."""
    on_mt = cohort.haploid_variants["mt"]
    return np.flatnonzero(np.isin(kept, on_mt)) if len(on_mt) else on_mt


def _test_mitochondrion(
    cohort: Cohort,
    filtered: Filtered,
    settings: AssociationSettings,
    columns: dict[str, np.ndarray],
    of_lambda: np.ndarray,
) -> None:
    """Count one allele a person on the mitochondrion, as PLINK does; a heterozygote is missing."""
    rows = _mitochondrial_rows(cohort, filtered.kept)
    if not len(rows):
        return
    result = alleles_test(filtered.case[rows][:, [0, 2]], filtered.control[rows][:, [0, 2]])
    p_of_lambda = result.neg_log10_p
    if settings.test == "genotypic_df4":
        haploid = [counts[rows, :3] * [1, 0, 1] for counts in (filtered.case, filtered.control)]
        result = TESTS[settings.test](*haploid)
    for name in ("statistic", "df", "neg_log10_p"):
        columns[name][rows] = getattr(result, name)
    of_lambda[rows] = p_of_lambda


def _x_rows(cohort: Cohort, filtered: Filtered) -> np.ndarray:
    """Return which of the rows of `sex_counts` are on X rather than Y, bool."""
    return np.isin(filtered.kept[filtered.sex_counts.rows], cohort.haploid_variants["x"])


def _test_x(
    counts: SexCounts,
    is_x: np.ndarray,
    settings: AssociationSettings,
    columns: dict[str, np.ndarray],
    enough: np.ndarray,
    of_lambda: np.ndarray,
) -> None:
    """Replace the rows on X by tests that know who has one copy, and clear those on Y."""
    rows = counts.rows
    female, male = _by_copies(counts)
    if settings.test in {"genotypic", "genotypic_df4"}:
        result = TESTS[settings.test](*female)
        of_rows = genotypic(*female).neg_log10_p
        doubtful = expected_too_small(*female, settings.min_expected, settings.test)
        rare = expected_too_small(*female, _LAMBDA_EXPECTED, settings.test)
    else:
        result = (x_allelic if settings.test == "allelic" else x_trend)(*female, *male)
        of_rows = result.neg_log10_p
        doubtful = x_expected_too_small(*female, *male, settings.min_expected)
        rare = x_expected_too_small(*female, *male, _LAMBDA_EXPECTED)
    on_y = ~is_x
    for name in ("statistic", "df", "neg_log10_p"):
        columns[name][rows] = np.where(on_y, np.nan, getattr(result, name))
    columns["is_doubtful"][rows] = doubtful & is_x
    enough[rows] = ~rare & is_x
    of_lambda[rows] = np.where(on_y, np.nan, of_rows)


def _by_copies(counts: SexCounts) -> tuple[_Pair, _Pair]:
    """Return (case, control) of people with two copies (n, 3), and of males (n, 2: ref, alt).

    As PLINK does, who is not known to be male counts with the females.
    """
    female = counts.case[:, _FEMALE] + counts.case[:, _UNKNOWN]
    female_control = counts.control[:, _FEMALE] + counts.control[:, _UNKNOWN]
    male, male_control = counts.case[:, _MALE], counts.control[:, _MALE]
    return (female[:, :3], female_control[:, :3]), (male[:, [0, 2]], male_control[:, [0, 2]])


def odds_ratios(cohort: Cohort, filtered: Filtered, rows: np.ndarray | None = None) -> OddsRatio:
    """Return the allelic odds ratio of ALT with Woolf's interval; NaN with an empty cell, and on Y.

    `rows` are positions among the kept variants, all of them by default. On X a male's allele
    counts once.
    """
    rows = np.arange(len(filtered.kept)) if rows is None else rows
    ratio = allelic_odds_ratio(filtered.case[rows, :3], filtered.control[rows, :3])
    on_mt = np.flatnonzero(np.isin(rows, _mitochondrial_rows(cohort, filtered.kept)))
    if len(on_mt):
        haploid = alleles_odds_ratio(
            filtered.case[rows[on_mt]][:, [0, 2]], filtered.control[rows[on_mt]][:, [0, 2]]
        )
        for name in ("odds_ratio", "standard_error", "ci_low", "ci_high"):
            getattr(ratio, name)[on_mt] = getattr(haploid, name)
    sex = filtered.sex_counts
    _, at, of_sex = np.intersect1d(rows, sex.rows, return_indices=True)
    if len(at):
        chosen = SexCounts(sex.rows[of_sex], sex.case[of_sex], sex.control[of_sex])
        female, male = _by_copies(chosen)
        on_x = x_allelic_odds_ratio(*female, *male)
        is_x = _x_rows(cohort, filtered)[of_sex]
        for name in ("odds_ratio", "standard_error", "ci_low", "ci_high"):
            getattr(ratio, name)[at] = np.where(is_x, getattr(on_x, name), np.nan)
    return ratio


def effect_allele_frequency(filtered: Filtered) -> np.ndarray:
    """Return the frequency of ALT over cases and controls, (n_kept,); NaN without a call."""
    alt, called = count_alleles(filtered.case + filtered.control, filtered.sex_counts)
    return np.divide(alt, called, out=np.full(len(alt), np.nan), where=called > 0)


def association_table(cohort: Cohort, filtered: Filtered, found: Association) -> pd.DataFrame:
    """Return one row a kept variant, tested or not, in GWAS-SSF columns and the counts."""
    variants = cohort.store.frame(
        "SELECT variant_index, chrom, pos, ref, alt, rsid FROM variants ORDER BY variant_index"
    ).iloc[filtered.kept]
    chrom = variants["chrom"].map(
        {written: plain_chromosome(written) for written in variants["chrom"].unique()}
    )
    ratio = odds_ratios(cohort, filtered)
    table = pd.DataFrame(
        {
            "chromosome": chrom,
            "base_pair_location": variants["pos"],
            "variant_id": chrom + "_" + variants["pos"].astype(str) + "_" + variants["ref"] + "_"
            + variants["alt"],
            "rsid": variants["rsid"],
            "effect_allele": variants["alt"],
            "other_allele": variants["ref"],
            "odds_ratio": ratio.odds_ratio,
            "ci_lower": ratio.ci_low,
            "ci_upper": ratio.ci_high,
            "standard_error": ratio.standard_error,
            "effect_allele_frequency": effect_allele_frequency(filtered),
            "p_value": 10.0**-found.neg_log10_p,
            "neg_log_10_p_value": found.neg_log10_p,
            "statistic": found.statistic,
            "df": found.df,
            "n": filtered.case[:, :3].sum(1) + filtered.control[:, :3].sum(1),
        }
    )  # fmt: skip
    for role in ("case", "control"):
        counts = getattr(filtered, role)
        for column, row in enumerate(("hom_ref", "het", "hom_alt")):
            table[f"n_{role}_{row}"] = counts[:, column]
    table["gene"] = genes_of(cohort, filtered.kept)
    return table.reset_index(drop=True)


def genes_of(cohort: Cohort, kept: np.ndarray) -> pd.Series:
    """Return the genes of each variant joined by `;`, None where there is none or no table."""
    if not cohort.has_genes:
        return pd.Series([None] * len(kept), index=kept, dtype="object")
    named = cohort.store.frame_of(
        "SELECT variant_index, string_agg(gene, ';' ORDER BY gene) AS gene "
        "FROM annotation.variant_genes "
        "WHERE variant_index IN (SELECT wanted_index FROM wanted) GROUP BY variant_index",
        kept,
    ).set_index("variant_index")["gene"]
    return named.reindex(kept)


def write_association(table: pd.DataFrame, path: Path) -> None:
    """Write the table tab-separated, whole or not at all; what is not there is `#NA`."""
    temporary = path.with_name(f".{path.name}.tmp")
    shown = table.copy()
    shown["df"] = shown["df"].astype("Int64")
    try:
        shown.to_csv(temporary, sep="\t", index=False, na_rep="#NA", float_format="%.10g")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
