"""Each kept variant tested against case / control, from its counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from pipeline.cohort import Cohort
from pipeline.errors import EmptyResultError, NotComputedError
from pipeline.files import write_table
from pipeline.people import require_both
from pipeline.quality import Filtered, count_alleles
from pipeline.region_tests import Tested, fold_counts, region_counts, replace_rows, run_test
from pipeline.schema import plain_chromosome
from pipeline.settings import AssociationSettings
from pipeline.statistics import (
    OddsRatio,
    alleles_odds_ratio,
    bonferroni_neg_log10,
    genomic_lambda,
    n_discoveries,
    table_too_small,
)

if TYPE_CHECKING:
    from pipeline.permutation import MaxT

ALPHA = 0.05
_LAMBDA_EXPECTED = 5.0
_LAMBDA_NOTES = {
    # The p of the df 4 reading is too large by design, an exact one by being discrete.
    "genotypic_df4": "from the p of the genotypic test, df 2",
    "fisher": "from the p of the chi-squared test of the same table",
}
LINES = {"genome-wide 5e-8": 5e-8, "suggestive 1e-5": 1e-5}


class Regression(Protocol):
    """A regression of each kept variant, (n_kept,) each, NaN where there is none.

    Odds ratio, its limits and the error of its logarithm are of one more ALT; `is_firth` says
    where Firth's penalty was needed.
    """

    @property
    def statistic(self) -> np.ndarray: ...
    @property
    def df(self) -> np.ndarray: ...
    @property
    def neg_log10_p(self) -> np.ndarray: ...
    @property
    def odds_ratio(self) -> np.ndarray: ...
    @property
    def standard_error(self) -> np.ndarray: ...
    @property
    def ci_low(self) -> np.ndarray: ...
    @property
    def ci_high(self) -> np.ndarray: ...
    @property
    def is_firth(self) -> np.ndarray: ...


@dataclass(frozen=True)
class Association:
    """The test of each kept variant, (n_kept,) each, NaN where there is none.

    `is_doubtful` flags an expected count below the setting (never for Fisher's test, which needs
    none); of these `n_switched` have Fisher's p, or `n_hidden` none. `lambda_gc` uses the
    `n_of_lambda` variants whose expected counts are all 5 or more. `regression` is what a
    logistic test came from.
    """

    test: str
    statistic: np.ndarray
    df: np.ndarray
    neg_log10_p: np.ndarray
    is_doubtful: np.ndarray
    lambda_gc: float
    lambda_note: str
    n_of_lambda: int = 0
    n_switched: int = 0
    n_hidden: int = 0
    regression: Regression | None = None

    @cached_property
    def n_tested(self) -> int:
        """Return the number of variants that have a p."""
        return int(np.count_nonzero(~np.isnan(self.neg_log10_p)))

    @property
    def bonferroni(self) -> float:
        """Return the Bonferroni line as -log10 p; NaN when nothing is tested."""
        return bonferroni_neg_log10(self.n_tested, ALPHA)

    def significant(self) -> dict[str, int]:
        """Return how many variants pass 0.05: uncorrected, Bonferroni, Benjamini-Hochberg."""
        return {
            "raw": self._n_above(self.line("raw")),
            "bonferroni": self._n_above(self.bonferroni),
            "bh": self._n_discoveries,
        }

    def line(self, correction: str, max_t: MaxT | None = None) -> float:
        """Return the -log10 p that a hit has to be above under a correction, at 0.05.

        `bh` is the line that Benjamini-Hochberg draws, rank * 0.05 / tests, infinite when nothing
        passes. `permutation` is read from `max_t`. NaN when nothing is tested.
        Raises `NotComputedError` for `permutation` without `max_t`.
        """
        if correction == "permutation":
            if max_t is None:
                raise NotComputedError(
                    "The line of permuted labels is read from permutations, but these variants "
                    "have none yet; run the permutations, or choose another correction."
                )
            return max_t.line(ALPHA)
        if correction == "bonferroni" or not self.n_tested:
            return self.bonferroni
        if correction == "raw":
            return float(-np.log10(ALPHA))
        if correction == "bh":
            n = self._n_discoveries
            return self.bonferroni - float(np.log10(n)) if n else float("inf")
        raise ValueError(f"no such correction: {correction}")

    def _n_above(self, line: float) -> int:
        return int(np.count_nonzero(self.neg_log10_p > line))

    @cached_property
    def _n_discoveries(self) -> int:
        return n_discoveries(self.neg_log10_p, ALPHA)


def associate(
    cohort: Cohort,
    filtered: Filtered,
    settings: AssociationSettings | None = None,
    logistic: Regression | None = None,
) -> Association:
    """Return the association of every kept variant.

    On X outside the pseudo-autosomal regions males have one copy: tests of alleles count theirs
    once, `trend` codes them 0 / 2 within each sex, the others use who is not male. On Y no test is
    defined; on the mitochondrion a person has one allele. `logistic` is the regression of the kept
    variants, for the test of that name. Raises `EmptyResultError` without cases or controls, or
    without variants, and `NotComputedError` for `logistic` that is not given.
    """
    settings = settings or AssociationSettings()
    require_both(filtered.definition, cohort.n_people)
    if not len(filtered.kept):
        raise EmptyResultError(
            "An association needs variants, but these thresholds keep none of "
            f"{cohort.n_variants:,}; loosen the one that removes most."
        )
    counts = region_counts(cohort, filtered)
    if settings.test == "logistic":
        tested = _of_regression(fold_counts(counts, "alleles"), settings, logistic)
    else:
        tested, logistic = run_test(counts, settings), None
    enough = ~table_too_small(*tested.table, _LAMBDA_EXPECTED)
    n_doubtful = int(np.count_nonzero(tested.is_doubtful))
    switches = settings.small_expected == "fisher" and settings.test != "logistic"
    return Association(
        settings.test,
        tested.statistic,
        tested.df,
        tested.neg_log10_p,
        tested.is_doubtful,
        genomic_lambda(tested.of_lambda, enough),
        _LAMBDA_NOTES.get(settings.test, ""),
        n_of_lambda=int(np.count_nonzero(enough & ~np.isnan(tested.of_lambda))),
        n_switched=n_doubtful if switches else 0,
        n_hidden=n_doubtful if settings.small_expected == "hide" else 0,
        regression=logistic,
    )


def _of_regression(
    table: tuple[np.ndarray, np.ndarray],
    settings: AssociationSettings,
    logistic: Regression | None,
) -> Tested:
    """Return the regression as a test, doubtful by its table of alleles.

    Firth's penalty is its own remedy for small counts, so nothing is switched to Fisher's p.
    """
    if logistic is None:
        raise NotComputedError(
            "Logistic regression reads all genotypes, and that of these variants is not computed "
            "yet; run it, or choose a test of counts."
        )
    log_p = logistic.neg_log10_p
    flagged = table_too_small(*table, settings.min_expected) & ~np.isnan(log_p)
    tested = Tested(logistic.statistic, logistic.df, log_p, flagged, log_p, table)
    if settings.small_expected == "hide":
        return replace_rows(tested, np.flatnonzero(flagged), np.nan)
    return tested


def odds_ratios(
    cohort: Cohort,
    filtered: Filtered,
    rows: np.ndarray | None = None,
    found: Association | None = None,
) -> OddsRatio:
    """Return the odds ratio of ALT with its interval, (n_rows,).

    Of the regression where `found` is one; else allelic with Woolf's interval, NaN with an empty
    cell, and on Y. `rows` are positions among the kept variants, all of them by default. On X a
    male's allele counts once.
    """
    if found is not None and found.regression is not None:
        fit, chosen = found.regression, slice(None) if rows is None else rows
        return OddsRatio(
            fit.odds_ratio[chosen],
            fit.standard_error[chosen],
            fit.ci_low[chosen],
            fit.ci_high[chosen],
        )
    case, control = fold_counts(region_counts(cohort, filtered, rows), "alleles")
    return alleles_odds_ratio(case[:, [0, 2]], control[:, [0, 2]])


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
    ratio = odds_ratios(cohort, filtered, found=found)
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
    write_table(table.assign(df=table["df"].astype("Int64")), path)
