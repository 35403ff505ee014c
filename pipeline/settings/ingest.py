"""How a VCF becomes a cohort."""

from __future__ import annotations

from typing import Literal

from pipeline.settings.base import Settings, setting


class IngestSettings(Settings):
    """Rules applied to single genotypes while the source is read."""

    other_alleles: Literal["missing", "reference"] = setting(
        "missing",
        "When a multi-allelic site is split: a genotype with an allele that is neither the "
        "reference nor this alternate becomes missing, or that allele counts as reference.",
        label="Other alleles of a split site",
        paper="missing",
    )
    min_genotype_depth: int | None = setting(
        None,
        "A genotype read fewer times than this becomes missing; none keeps all.",
        label="Smallest depth of a genotype",
        unit="reads",
        paper=None,
        ge=0,
        le=1000,
    )
    min_genotype_gq: int | None = setting(
        None,
        "A genotype of a lower quality (GQ) than this becomes missing; none keeps all.",
        label="Smallest genotype quality",
        unit="Phred",
        paper=None,
        ge=0,
        le=1000,
    )
    build: Literal["hg19", "hg38"] = setting(
        "hg19",
        "Genome build of the positions; it places the pseudo-autosomal regions of X and Y.",
        label="Genome build",
        paper="hg19",
    )
