"""How a kept variant is tested."""

from __future__ import annotations

from typing import Literal

from pipeline.settings.base import Settings, setting

Test = Literal["genotypic", "genotypic_df4", "allelic", "trend"]


class AssociationSettings(Settings):
    """The test of genotypes against case / control."""

    test: Test = setting(
        "genotypic",
        "Genotypic: rows of the genotype table present − 1 degrees of freedom. genotypic_df4: "
        "the paper's 3 × 3 read with a column of totals. Allelic: 2 × 2. Trend: Cochran-Armitage.",
        label="Test",
        paper="genotypic_df4",
        assumed=True,
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
