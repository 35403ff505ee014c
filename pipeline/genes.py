"""Genes: what was kept and tested inside each, who carries what, and the burden of each.

A person carries a gene who has at least one copy of the minor allele of one of its variants. The
minor allele is ALT up to a frequency of one half over cases and controls, and else the reference
allele. A missing genotype is no carrier; neither is a heterozygous call where there is one copy
(males on X and Y outside the pseudo-autosomal regions, everybody on MT), which is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numba import njit
from scipy import special

from pipeline.association import ALPHA, Association, effect_allele_frequency
from pipeline.cohort import Cohort
from pipeline.covariates import covariates
from pipeline.errors import EmptyResultError, NotFoundError
from pipeline.files import write_table
from pipeline.genotypes import count_genotypes, over_rows, packed_width, people_mask, unpack
from pipeline.people import require_both
from pipeline.progress import Clock, OnProgress, silent
from pipeline.quality import Filtered
from pipeline.schema import CHROMOSOME_ORDER
from pipeline.settings import AssociationSettings, GeneSettings
from pipeline.statistics import (
    alleles_odds_ratio,
    bonferroni_neg_log10,
    fisher_2x2,
    genomic_lambda,
)
from pipeline.statistics.logistic import fit_variants, null_model

# 0.05 / 23,321 tests of genes, the line of SCHEMA. Singh et al. 2022, Nature 604:509-516.
EXOME_WIDE_GENE_P = 2.2e-6
CLASSES = ("lof", "missense", "synonymous", "other")
_QUALIFYING_CLASSES = {
    "lof": ("lof",),
    "lof_missense": ("lof", "missense"),
    "missense": ("missense",),
    "synonymous": ("synonymous",),
}
_NO_CLASS = len(CLASSES)
_BURDEN = ("burden_neg_log10_p", "burden_odds_ratio", "burden_ci_low", "burden_ci_high")
_Z_95 = float(special.ndtri(0.975))
_GENES_AT_ONCE = 2_048  # by logistic regression: a byte a person each
_QUALIFYING = 0  # the first set of carriers; those of the classes follow
_ENOUGH_EXPECTED = 5.0
_BYTES_OF_CARRIERS = 64 << 20  # of the genes counted at one time
_LOW_BITS = np.uint64(0x5555_5555_5555_5555)
_ONE = np.uint64(1)
_MOST_HITS = 1_000  # genes drawn one by one, from the smallest p on
_COLUMNS, _ROWS = 300, 16  # the grid that stands for all others


@dataclass(frozen=True)
class GeneTable:
    """One row a gene with a kept variant inside it, in genomic order, and whom it counts.

    `table` has gene, chrom, chrom_order, gene_start, gene_end; n_variants (kept, inside),
    n_tested, neg_log10_p_smallest and best_variant_index (the first of the smallest p; missing
    where none is tested); n_qualifying, n_case_carriers, n_control_carriers; for each consequence
    class n_case_lof, n_control_lof, … (carriers of a variant of that class no more frequent than
    the setting; missing without consequences); burden_neg_log10_p, burden_odds_ratio,
    burden_ci_low, burden_ci_high (NaN where nobody or everybody carries, and on Y).
    """

    table: pd.DataFrame
    n_case: int
    n_control: int
    has_consequences: bool
    notes: tuple[str, ...]

    @property
    def n_tested(self) -> int:
        """Return the number of genes that have a burden p."""
        return int(self.table["burden_neg_log10_p"].notna().sum())

    @property
    def bonferroni(self) -> float:
        """Return the Bonferroni line of the genes tested as -log10 p; NaN when none is."""
        return bonferroni_neg_log10(self.n_tested, ALPHA)

    @property
    def lambda_gc(self) -> float:
        """Return the inflation over genes whose expected counts are all 5 or more; NaN if none."""
        n_carriers = self.table["n_case_carriers"] + self.table["n_control_carriers"]
        n_people = self.n_case + self.n_control
        fewer = np.minimum(n_carriers, n_people - n_carriers).to_numpy(np.float64)
        expected = fewer * min(self.n_case, self.n_control) / max(n_people, 1)
        p = self.table["burden_neg_log10_p"].to_numpy(np.float64)
        return genomic_lambda(p, expected >= _ENOUGH_EXPECTED)

    def significant(self) -> dict[str, int]:
        """Return how many genes pass the exome-wide line and Bonferroni's."""
        p = self.table["burden_neg_log10_p"].to_numpy(np.float64)
        return {
            "exome_wide": int(np.count_nonzero(p > -np.log10(EXOME_WIDE_GENE_P))),
            "bonferroni": int(np.count_nonzero(p > self.bonferroni)),
        }


@dataclass(frozen=True)
class _Pairs:
    """A kept variant inside a gene, (n_pairs,) each, sorted by gene and then by variant.

    `gene` is the row of the table, `position` that among the kept variants, `consequence` that in
    `CLASSES` or `_NO_CLASS`; `sets` has a bit for each set of carriers that the pair counts in.
    """

    gene: np.ndarray
    position: np.ndarray
    consequence: np.ndarray
    sets: np.ndarray


def gene_table(
    cohort: Cohort,
    filtered: Filtered,
    found: Association,
    gene_settings: GeneSettings | None = None,
    association_settings: AssociationSettings | None = None,
    on_progress: OnProgress = silent,
) -> GeneTable:
    """Return every gene with a kept variant inside it: its variants, carriers and burden.

    Genes of one name on several chromosomes are one, placed where its first kept variant is. A
    variant that nobody carries does not qualify. Raises `NotFoundError` without a gene table, or
    without consequences where the qualifying variants ask for them; `EmptyResultError` without
    cases, controls, or a kept variant inside a gene.
    """
    settings = gene_settings or GeneSettings()
    if not cohort.has_genes:
        raise NotFoundError(
            f"Genes need a gene table, but none is joined to {cohort.name}; annotate it with one."
        )
    require_both(filtered.definition, cohort.n_people)
    has_consequences = _has_consequences(cohort)
    if settings.classes != "any" and not has_consequences:
        raise NotFoundError(
            f"Qualifying variants {settings.classes} need consequences, but {cohort.name} has "
            "none; annotate it from a file or a FASTA that gives them, or take any variant."
        )
    placed, pairs = _placed(cohort, filtered, has_consequences)
    if not len(placed):
        raise EmptyResultError(
            f"A table of genes needs variants inside genes, but of {len(filtered.kept):,} kept "
            "none is; loosen a threshold, or annotate with the gene table of this build."
        )
    _mark_sets(pairs, effect_allele_frequency(filtered), settings)
    columns = _variant_columns(len(placed), pairs, filtered, found)
    columns["n_qualifying"] = np.bincount(
        pairs.gene[pairs.sets & 1 << _QUALIFYING != 0], minlength=len(placed)
    )
    n_sets = 1 + (len(CLASSES) if has_consequences else 0)
    roles = _Roles.of(cohort, filtered)
    logistic = None
    if settings.test == "logistic":
        logistic = _Logistic(
            cohort, roles, association_settings or AssociationSettings(), len(placed)
        )
    counts = np.empty((len(placed), n_sets, 2), np.int64)
    for genes, carriers in _carriers(cohort, filtered, pairs, n_sets, len(placed), on_progress):
        counts[genes] = _count(carriers, roles)
        if logistic:
            logistic.fit(genes, carriers[:, _QUALIFYING])
    for column, role in enumerate(("case", "control")):
        columns[f"n_{role}_carriers"] = counts[:, _QUALIFYING, column]
    for number, name in enumerate(CLASSES, start=1):
        for column, role in enumerate(("case", "control")):
            columns[f"n_{role}_{name}"] = (
                pd.array(counts[:, number, column], "Int64")
                if has_consequences
                else pd.array([pd.NA] * len(placed), "Int64")
            )
    notes = list(_notes(cohort, placed, settings, has_consequences))
    if logistic:
        columns |= logistic.columns
        notes += logistic.notes
    else:
        columns |= fisher_burden(counts[:, _QUALIFYING, 0], counts[:, _QUALIFYING, 1],
                                 roles.n_case, roles.n_control)  # fmt: skip
    table = placed.assign(**columns)
    table.loc[table["chrom_order"] == CHROMOSOME_ORDER["Y"], list(_BURDEN)] = np.nan
    return GeneTable(table, roles.n_case, roles.n_control, has_consequences, tuple(notes))


def fisher_burden(
    n_case_carriers: np.ndarray, n_control_carriers: np.ndarray, n_case: int, n_control: int
) -> dict[str, np.ndarray]:
    """Return Fisher's exact p of carriers by case and control, and Woolf's odds ratio.

    The counts (n_genes,) are of people. Columns burden_neg_log10_p, burden_odds_ratio of a carrier
    to be a case, burden_ci_low, burden_ci_high (95 %). The p is NaN where nobody or everybody
    carries, the odds ratio with any empty cell.
    """
    case = np.stack([n_case - n_case_carriers, n_case_carriers], axis=1)
    control = np.stack([n_control - n_control_carriers, n_control_carriers], axis=1)
    log_p = fisher_2x2(case[:, 1], case[:, 0], control[:, 1], control[:, 0])
    ratio = alleles_odds_ratio(case, control)
    varies = (case + control > 0).all(axis=1)
    values = (
        np.where(varies, log_p, np.nan), ratio.odds_ratio, ratio.ci_low, ratio.ci_high
    )  # fmt: skip
    return dict(zip(_BURDEN, values, strict=True))


def _has_consequences(cohort: Cohort) -> bool:
    """Say whether any consequence is known; a cohort annotated before has no table of them."""
    tables = cohort.store.rows(
        "SELECT 1 FROM duckdb_tables() "
        "WHERE database_name = 'annotation' AND table_name = 'consequences'"
    )
    return bool(tables and cohort.store.rows("SELECT 1 FROM annotation.consequences LIMIT 1"))


def _placed(
    cohort: Cohort, filtered: Filtered, has_consequences: bool
) -> tuple[pd.DataFrame, _Pairs]:
    """Return the genes with a kept variant inside, in genomic order, and the pairs of both."""
    spans = cohort.store.frame(
        "SELECT gene, min(chrom) AS chrom, chrom_order, min(gene_start) AS gene_start, "
        "max(gene_end) AS gene_end FROM annotation.genes "
        "GROUP BY gene, chrom_order ORDER BY gene, chrom_order"
    )
    worst, join = f"{_NO_CLASS}", ""
    if has_consequences:
        ranks = " ".join(f"WHEN '{name}' THEN {rank}" for rank, name in enumerate(CLASSES))
        worst = f"coalesce(worst, {_NO_CLASS})"
        join = (
            f"LEFT JOIN (SELECT variant_index, gene, min(CASE consequence_class {ranks} END) "
            "AS worst FROM annotation.consequences GROUP BY ALL) USING (variant_index, gene)"
        )
    inside = cohort.store.frame_of(
        "WITH numbered AS (SELECT gene, row_number() OVER (ORDER BY gene) - 1 AS number "
        "FROM (SELECT DISTINCT gene FROM annotation.genes)) "
        f"SELECT DISTINCT variant_index, number, {worst}::UTINYINT AS consequence "
        f"FROM annotation.variant_genes JOIN numbered USING (gene) {join} "
        "WHERE distance = 0 AND variant_index IN (SELECT wanted_index FROM wanted)",
        filtered.kept,
    )
    position = np.searchsorted(filtered.kept, inside["variant_index"].to_numpy(np.int64))
    order = np.lexsort((position, inside["number"].to_numpy()))
    position = position[order]
    numbers, first, of_pair = np.unique(
        inside["number"].to_numpy()[order], return_index=True, return_inverse=True
    )
    chrom_order = cohort.store.arrays("SELECT chrom_order FROM variants ORDER BY variant_index")
    names = spans["gene"].drop_duplicates().to_numpy()[numbers]
    placed = pd.DataFrame(
        {
            "gene": names,
            "chrom_order": chrom_order["chrom_order"][filtered.kept[position[first]]],
        }
    ).merge(spans, on=["gene", "chrom_order"], how="left", validate="one_to_one")
    along = np.lexsort((placed["gene"], placed["gene_start"], placed["chrom_order"]))
    place = np.empty(len(along), np.int64)
    place[along] = np.arange(len(along))
    columns = ["gene", "chrom", "chrom_order", "gene_start", "gene_end"]
    placed = placed.loc[along, columns].reset_index(drop=True)
    gene = place[of_pair]
    by_place = np.argsort(gene, kind="stable")
    pairs = _Pairs(
        gene[by_place],
        position[by_place],
        inside["consequence"].to_numpy()[order][by_place],
        np.zeros(len(gene), np.uint8),
    )
    return placed, pairs


def _mark_sets(pairs: _Pairs, frequency: np.ndarray, settings: GeneSettings) -> None:
    """Set the bits of the sets of carriers that each pair counts in."""
    maf = np.minimum(frequency, 1 - frequency)[pairs.position]
    is_rare = (maf > 0) & (maf <= settings.max_maf)  # NaN, without a call, is neither
    if settings.classes == "any":
        qualifies = is_rare
    else:
        wanted = [CLASSES.index(name) for name in _QUALIFYING_CLASSES[settings.classes]]
        qualifies = is_rare & np.isin(pairs.consequence, wanted)
    pairs.sets[qualifies] |= 1 << _QUALIFYING
    for number in range(len(CLASSES)):
        pairs.sets[is_rare & (pairs.consequence == number)] |= 2 << number


def _variant_columns(
    n_genes: int, pairs: _Pairs, filtered: Filtered, found: Association
) -> dict[str, np.ndarray | pd.api.extensions.ExtensionArray]:
    """Return what the tests of single variants say of each gene."""
    log_p = found.neg_log10_p[pairs.position]
    is_tested = ~np.isnan(log_p)
    starts = np.searchsorted(pairs.gene, np.arange(n_genes))
    smallest = np.maximum.reduceat(np.where(is_tested, log_p, -np.inf), starts)
    at_smallest = np.flatnonzero(is_tested & (log_p == smallest[pairs.gene]))
    genes, first = np.unique(pairs.gene[at_smallest], return_index=True)
    best = pd.array([pd.NA] * n_genes, "Int64")
    best[genes] = filtered.kept[pairs.position[at_smallest[first]]]
    return {
        "n_variants": np.bincount(pairs.gene, minlength=n_genes),
        "n_tested": np.bincount(pairs.gene[is_tested], minlength=n_genes),
        "neg_log10_p_smallest": np.where(np.isinf(smallest), np.nan, smallest),
        "best_variant_index": best,
    }


@dataclass(frozen=True)
class _Roles:
    """Who is case and who is control, bool (n_people,)."""

    is_case: np.ndarray
    is_control: np.ndarray

    @classmethod
    def of(cls, cohort: Cohort, filtered: Filtered) -> _Roles:
        definition = filtered.definition
        return cls(cohort.is_in(definition.case), cohort.is_in(definition.control))

    @property
    def n_case(self) -> int:
        return int(self.is_case.sum())

    @property
    def n_control(self) -> int:
        return int(self.is_control.sum())


def _count(carriers: np.ndarray, roles: _Roles) -> np.ndarray:
    """Return cases and controls among carriers (n_genes, n_sets, n_words): (…, n_sets, 2)."""
    # A carrier is written as genotype 1, so that carriers are counted like heterozygotes.
    rows = carriers.reshape(-1, carriers.shape[2]).view(np.uint8)
    masks = people_mask(np.stack([roles.is_case, roles.is_control]))
    return count_genotypes(rows, masks)[:, :, 1].reshape(*carriers.shape[:2], 2)


def _carriers(
    cohort: Cohort,
    filtered: Filtered,
    pairs: _Pairs,
    n_sets: int,
    n_genes: int,
    on_progress: OnProgress,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows of the table and their carriers, uint64 (n, n_sets, n_words), block by block.

    A carrier is a packed genotype 1, everybody else a 0.
    """
    n_people = len(cohort.samples)
    n_words = packed_width(n_people) // 8
    is_ref_minor = effect_allele_frequency(filtered) > 0.5
    copies = _copies(cohort, filtered)
    one_copy = _one_copy(cohort)
    n_at_once = max(1, _BYTES_OF_CARRIERS // (8 * n_sets * n_words))
    clock = Clock("counting carriers of genes", on_progress)
    for start in range(0, n_genes, n_at_once):
        genes = np.arange(start, min(start + n_at_once, n_genes))
        carriers = np.zeros((len(genes), n_sets, n_words), np.uint64)
        first, last = np.searchsorted(pairs.gene, [genes[0], genes[-1] + 1])
        counted = first + np.flatnonzero(pairs.sets[first:last])
        counted = counted[np.argsort(pairs.position[counted], kind="stable")]
        wanted, first_pair = np.unique(pairs.position[counted], return_index=True)
        first_pair = np.append(first_pair, len(counted))
        for indices, packed in cohort.packed_genotypes(filtered.kept[wanted]):
            rows = np.searchsorted(filtered.kept[wanted], indices)
            n_of_row = first_pair[rows + 1] - first_pair[rows]
            row_of_pair = np.repeat(np.arange(len(rows)), n_of_row)
            shift = first_pair[rows] - (np.cumsum(n_of_row) - n_of_row)
            chosen = counted[np.arange(len(row_of_pair)) + np.repeat(shift, n_of_row)]
            by_gene = np.argsort(pairs.gene[chosen], kind="stable")
            chosen = chosen[by_gene]
            present, starts = np.unique(pairs.gene[chosen] - start, return_index=True)
            positions = wanted[rows]
            over_rows(
                _add_carriers,
                len(present),
                present,
                np.append(starts, len(chosen)),
                row_of_pair[by_gene],
                pairs.sets[chosen],
                _words(packed),
                is_ref_minor[positions],
                copies[positions],
                one_copy,
                carriers,
            )
        yield genes, carriers
        clock.report((genes[-1] + 1) / n_genes, f"{genes[-1] + 1:,} of {n_genes:,} genes")


def _copies(cohort: Cohort, filtered: Filtered) -> np.ndarray:
    """Return the row of `_one_copy` of each kept variant."""
    found = cohort.store.arrays(
        "SELECT variant_index, region = 'mt' AS on_mt FROM variants "
        "WHERE region IN ('x', 'y', 'mt')"
    )
    copies = np.zeros(cohort.n_variants, np.uint8)
    copies[found["variant_index"].astype(np.int64)] = np.where(found["on_mt"], 2, 1)
    return copies[filtered.kept]


def _one_copy(cohort: Cohort) -> np.ndarray:
    """Return who has one copy, uint64 (3, n_words): on autosomes, on X and Y, on MT."""
    is_male = cohort.samples["sex"].to_numpy() == "male"
    return people_mask(np.stack([np.zeros_like(is_male), is_male, np.ones_like(is_male)]))


def _words(packed: np.ndarray) -> np.ndarray:
    """Return packed rows as read-only words: one type that numba compiles for once."""
    words = np.ascontiguousarray(packed).view("<u8")
    words.flags.writeable = False
    return words


@njit(nogil=True, cache=True)
def _add_carriers(
    start,
    stop,
    genes,
    first_pair,
    row_of_pair,
    sets_of_pair,
    words,
    is_ref_minor,
    copies,
    one_copy,
    carriers,
):
    n_sets = carriers.shape[1]
    for i in range(start, stop):
        gene = genes[i]
        for pair in range(first_pair[i], first_pair[i + 1]):
            row = row_of_pair[pair]
            sets = sets_of_pair[pair]
            haploid = one_copy[copies[row]]
            ref_is_minor = is_ref_minor[row]
            for word in range(words.shape[1]):
                low = words[row, word] & _LOW_BITS
                high = (words[row, word] >> _ONE) & _LOW_BITS
                hom = _LOW_BITS & ~(low | high) if ref_is_minor else high & ~low
                carry = hom | (low & ~high & ~haploid[word])
                if carry:  # most words of a rare variant hold no carrier
                    for chosen in range(n_sets):
                        if (sets >> chosen) & 1:
                            carriers[gene, chosen, word] |= carry


class _Logistic:
    """Logistic regression of case / control on being a carrier, for one block of genes at a time.

    Who lacks a covariate is left out.
    """

    def __init__(
        self, cohort: Cohort, roles: _Roles, settings: AssociationSettings, n_genes: int
    ) -> None:
        found = covariates(cohort, settings)
        self._used = (roles.is_case | roles.is_control) & found.is_complete
        self._n_people = len(self._used)
        self._null = null_model(roles.is_case[self._used], found.matrix[self._used])
        self.columns = {name: np.full(n_genes, np.nan) for name in _BURDEN}
        self.notes = found.notes

    def fit(self, genes: np.ndarray, carriers: np.ndarray) -> None:
        """Fill the rows of these genes from their carriers, uint64 (n_genes, n_words)."""
        for start in range(0, len(genes), _GENES_AT_ONCE):
            rows = carriers[start : start + _GENES_AT_ONCE]
            is_carrier = unpack(np.ascontiguousarray(rows).view(np.uint8), self._n_people)
            is_carrier = is_carrier[:, self._used]
            n_carriers = is_carrier.sum(axis=1)
            varies = np.flatnonzero((n_carriers > 0) & (n_carriers < is_carrier.shape[1]))
            fit = fit_variants(is_carrier[varies], self._null)
            margin = _Z_95 * fit.standard_error
            values = (
                fit.neg_log10_p,
                np.exp(fit.beta),
                np.exp(fit.beta - margin),
                np.exp(fit.beta + margin),
            )
            for name, value in zip(_BURDEN, values, strict=True):
                self.columns[name][genes[start + varies]] = value


def _notes(
    cohort: Cohort, placed: pd.DataFrame, settings: GeneSettings, has_consequences: bool
) -> Iterator[str]:
    """Yield what a reader of the table has to know."""
    if not has_consequences:
        yield (
            "Consequences are not known here: join a file of VEP, SnpEff, bcftools csq or ANNOVAR, "
            "or a reference sequence, to tell carriers apart by class."
        )
    else:
        ((n_unplaced, n_all),) = cohort.store.rows(
            "SELECT count(*) FILTER (gene NOT IN (SELECT gene FROM annotation.genes)), count(*) "
            "FROM annotation.consequences"
        )
        if n_unplaced:
            yield (
                f"{n_unplaced:,} of {n_all:,} consequences name a gene that the gene table does "
                "not have, and are left out."
            )
    on = set(placed["chrom_order"])
    if CHROMOSOME_ORDER["Y"] in on:
        yield "Genes on Y have no burden test."
    if CHROMOSOME_ORDER["X"] in on and settings.test == "fisher":
        yield (
            "On X men have one copy, so a sex ratio that differs between cases and controls shows "
            "as a burden; logistic regression with sex adjusts for it."
        )


def gene_points(found: GeneTable, chromosomes: pd.DataFrame) -> pd.DataFrame:
    """Return the points of a Manhattan plot of burdens, at most about 6,000.

    `chromosomes` is that of `summaries.genome_axis`; a gene stands at its middle. The genes of
    smallest p (at most 1,000) stand each for itself, of the others one for each cell of a grid,
    with `n_binned` genes. Columns: gene, chrom, gene_start, gene_end, x, neg_log10_p, parity,
    n_case_carriers, n_control_carriers, n_qualifying, odds_ratio, n_binned.
    """
    tested = found.table[found.table["burden_neg_log10_p"].notna()]
    names = {"burden_neg_log10_p": "neg_log10_p", "burden_odds_ratio": "odds_ratio"}
    points = tested.rename(columns=names)
    number = {
        CHROMOSOME_ORDER.get(chrom, -1): place for place, chrom in enumerate(chromosomes["chrom"])
    }
    which = points["chrom_order"].map(number)
    points, which = points[which.notna()], which.dropna().to_numpy(np.int64)
    points["parity"] = which % 2
    middle = (points["gene_start"].to_numpy(float) + points["gene_end"].to_numpy(float)) / 2
    # A gene may reach past the last variant of its chromosome; its point does not.
    end = chromosomes["end"].to_numpy(float)[which]
    points["x"] = np.minimum(chromosomes["start"].to_numpy(float)[which] + middle, end)
    points["n_binned"] = 1
    columns = ["gene", "chrom", "gene_start", "gene_end", "x", "neg_log10_p", "parity",
               "n_case_carriers", "n_control_carriers", "n_qualifying", "odds_ratio",
               "n_binned"]  # fmt: skip
    points = points[columns].sort_values("neg_log10_p", ascending=False, kind="stable")
    alone, others = points.iloc[:_MOST_HITS], points.iloc[_MOST_HITS:]
    if not len(others):
        return points.reset_index(drop=True)
    x = (others["x"] / end.max() * _COLUMNS).astype(np.int64)
    row = (others["neg_log10_p"] / max(others["neg_log10_p"].max(), 1e-9) * _ROWS).astype(np.int64)
    cell = x * (_ROWS + 1) + row
    binned = others.assign(n_binned=cell.groupby(cell).transform("size"))[~cell.duplicated()]
    return pd.concat([alone, binned], ignore_index=True)


def gene_lines(found: GeneTable) -> pd.DataFrame:
    """Return the lines of a Manhattan plot of burdens: label, y as -log10 p."""
    lines = {"exome-wide 2.2e-6": float(-np.log10(EXOME_WIDE_GENE_P))}
    if found.n_tested:
        lines[f"Bonferroni, {found.n_tested:,} genes"] = found.bonferroni
    return pd.DataFrame({"label": list(lines), "y": list(lines.values())})


def carriers_of_gene(found: GeneTable, gene: str) -> pd.DataFrame:
    """Return who carries a gene: consequence_class, role, n_carriers, n_people.

    The first class, `qualifying`, is that of the burden; the others are there with consequences.
    Raises `NotFoundError` for a gene that is not in the table.
    """
    rows = found.table[found.table["gene"] == gene]
    if not len(rows):
        raise NotFoundError(
            f"A gene needs a kept variant inside it, but {gene} has none or is not in the gene "
            "table; choose another, or loosen a threshold."
        )
    row = rows.iloc[0]
    names = {"qualifying": "carriers"} | (
        {name: name for name in CLASSES} if found.has_consequences else {}
    )
    return pd.DataFrame(
        [
            (shown, role, int(row[f"n_{role}_{name}"]), n_people)
            for shown, name in names.items()
            for role, n_people in (("case", found.n_case), ("control", found.n_control))
        ],
        columns=["consequence_class", "role", "n_carriers", "n_people"],
    )


def write_genes(table: pd.DataFrame, path: Path) -> None:
    """Write the table tab-separated, whole or not at all; what is not there is `#NA`."""
    write_table(table, path)
