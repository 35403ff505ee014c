"""What a simulated cohort is like."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from pipeline.settings.base import Settings, setting

Architecture = Literal["additive", "recessive", "compound", "epistatic"]


class SimulationSettings(Settings):
    """A case-control exome with a known truth; equal settings give equal files, byte for byte."""

    people: int = setting(
        3000,
        "Number of people.",
        label="People",
        unit="people",
        paper=12_380,
        ge=20,
        le=50_000,
        step=100,
    )
    genes: int = setting(
        650,
        "Number of genes, spread over chromosomes 1-22 and X; one holds about 30 variants.",
        label="Genes",
        unit="genes",
        ge=23,
        le=5000,
        step=10,
    )
    seed: int = setting(1, "Seed of everything.", label="Seed", ge=0, le=2**31 - 1, step=1)
    null: bool = setting(
        False,
        "Shuffle the diagnoses over the people, so that nothing is to be found; "
        "the genotypes stay those of the same seed.",
        label="Null cohort",
    )
    architecture: Architecture = setting(
        "additive",
        "additive: each allele counts. recessive: two copies of a common allele. compound: two "
        "hits within a gene. epistatic: carrier of one of two variants of a gene, not of both.",
        label="Architecture",
    )
    heritability: float = setting(
        0.6,
        "Share of the variance of liability that causal variants explain; stronger than life.",
        label="Heritability",
        unit="fraction",
        ge=0.01,
        le=0.95,
        step=0.05,
    )
    causal_fraction: float = setting(
        0.06,
        "Share of genes with causal variants; a quarter of it where the architecture is not "
        "additive.",
        label="Causal genes",
        unit="fraction",
        gt=0,
        le=1,
        step=0.01,
    )
    bp_correlation: float = setting(
        0.6,
        "Correlation of the effects on BP with those on SCZ; 0.2 makes the two separable.",
        label="SCZ-BP correlation",
        ge=-1,
        le=1,
        step=0.1,
    )
    scz_fraction: float = setting(
        0.401,
        "Share of people with SCZ.",
        label="SCZ",
        unit="fraction",
        paper=0.401,
        gt=0,
        le=0.9,
        step=0.01,
    )
    bp_fraction: float = setting(
        0.094,
        "Share of people with BP.",
        label="BP",
        unit="fraction",
        paper=0.094,
        ge=0,
        le=0.9,
        step=0.01,
    )
    mean_depth: float = setting(
        30.0,
        "Mean depth of a usual site.",
        label="Depth",
        unit="reads",
        ge=2,
        le=60,
        step=1,
    )

    @model_validator(mode="after")
    def _controls_are_left(self) -> Self:
        if self.scz_fraction + self.bp_fraction >= 0.95:
            raise ValueError("such that SCZ and BP leave at least 5 % of people as controls")
        return self
