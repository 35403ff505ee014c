"""Which variants show the structure of a cohort, and from where on people are relatives."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from pipeline.settings.base import Settings, setting


class StructureSettings(Settings):
    """Pruning, principal components and kinship; the paper computes none of these."""

    min_maf: float = setting(
        0.05,
        "Smallest minor allele frequency over all people of the cohort.",
        label="Smallest minor allele frequency",
        unit="fraction",
        gt=0,
        le=0.5,
        step=0.01,
    )
    max_missing: float = setting(
        0.02,
        "Largest share of people without a called genotype.",
        label="Largest missingness",
        unit="fraction",
        ge=0,
        le=1,
        step=0.01,
    )
    ld_window: int = setting(
        50,
        "Variants that follow each other on a chromosome and are compared pair by pair.",
        label="Window of the pruning",
        unit="variants",
        ge=2,
        le=2000,
        step=10,
    )
    max_r2: float = setting(
        0.2,
        "Of two variants in a window whose squared correlation of genotypes exceeds this, the one "
        "of the smaller minor allele frequency is left out.",
        label="Largest r²",
        unit="r²",
        gt=0,
        le=1,
        step=0.05,
    )
    drop_long_range_ld: bool = setting(
        True,
        "Leave out the regions of long-range linkage disequilibrium (HLA, inversions, "
        "centromeres); a component may otherwise show one of them in place of ancestry.",
        label="Drop long-range LD",
    )
    components: int = setting(
        10,
        "Number of principal components.",
        label="Components",
        ge=2,
        le=50,
        step=1,
    )
    min_kinship: float = setting(
        0.0884,
        "Pairs of this kinship and above are relatives: 0.0442 takes third degree and closer, "
        "0.0884 second, 0.177 first.",
        label="Relatives from kinship",
        unit="kinship",
        ge=0.01,
        le=0.5,
        step=0.01,
    )
    min_duplicate_kinship: float = setting(
        0.354,
        "Pairs of this kinship and above are one person twice, or identical twins.",
        label="Duplicates from kinship",
        unit="kinship",
        ge=0.2,
        le=0.5,
        step=0.01,
    )
    seed: int = setting(
        1, "Seed of the randomised decomposition.", label="Seed", ge=0, le=2**31 - 1, step=1
    )

    @model_validator(mode="after")
    def _duplicates_are_relatives(self) -> Self:
        if self.min_duplicate_kinship < self.min_kinship:
            raise ValueError("such that min_duplicate_kinship is no smaller than min_kinship")
        return self
