"""How a kept variant is tested."""

from __future__ import annotations

from typing import Literal

from pipeline.settings.base import Settings, setting

# Tests that need the counts of a variant alone, and may therefore rank variants in each fold.
CountTest = Literal[
    "genotypic", "genotypic_df4", "allelic", "trend", "dominant", "recessive", "fisher"
]
Test = Literal[
    "genotypic", "genotypic_df4", "allelic", "trend", "dominant", "recessive", "fisher", "logistic"
]


class AssociationSettings(Settings):
    """The test of genotypes against case / control."""

    test: Test = setting(
        "genotypic",
        "Genotypic: rows of the genotype table present − 1 degrees of freedom. genotypic_df4: "
        "the paper's 3 × 3 read with a column of totals. Allelic: 2 × 2 of alleles. Trend: "
        "Cochran-Armitage. Dominant, recessive: 2 × 2 of people. Fisher: exact. Logistic: additive "
        "regression with covariates, by Firth where cases and controls are parted.",
        label="Test",
        paper="genotypic_df4",
        assumed=True,
    )
    fisher_table: Literal["genotypes", "alleles"] = setting(
        "genotypes",
        "The table of Fisher's test: 2 × 3 of people by genotype, or 2 × 2 of alleles.",
        label="Table of Fisher's test",
    )
    covariates: tuple[str, ...] = setting(
        (),
        "Columns of the phenotypes (or sex) that logistic regression adjusts for; a column of "
        "words becomes one indicator a word. Who lacks one is left out of that test.",
        label="Covariates",
        unit="columns",
    )
    n_components: int = setting(
        0,
        "First principal components that logistic regression adjusts for.",
        label="Principal components",
        unit="components",
        ge=0,
        le=20,
        step=1,
    )
    min_expected: float = setting(
        5.0,
        "A table with an expected count below this is flagged: its chi-squared p is doubtful.",
        label="Smallest expected count",
        unit="people",
        ge=0,
        le=50,
        step=1,
    )
    small_expected: Literal["flag", "fisher", "hide"] = setting(
        "flag",
        "What becomes of a flagged table: its p stands with a flag, is Fisher's exact p, or is "
        "hidden and counts as not tested.",
        label="Small expected counts",
        paper="flag",
        assumed=True,
    )
    correction: Literal["raw", "bonferroni", "bh", "permutation"] = setting(
        "bonferroni",
        "What a hit has to pass: p below 0.05 as it is, Bonferroni, Benjamini-Hochberg, or the "
        "largest statistic under permuted labels (max-T).",
        label="Correction",
        paper="raw",
    )
    n_permutations: int = setting(
        1000,
        "Permutations of the labels over cases and controls, within each sex.",
        label="Permutations",
        unit="permutations",
        ge=100,
        le=10_000,
        step=100,
    )
    permutation_seed: int = setting(
        1, "Seed of the permutations.", label="Seed of permutations", ge=0, le=2**31 - 1
    )
