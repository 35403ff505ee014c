"""Which variants are kept; the paper's rules in the paper's order, then what it leaves out."""

from __future__ import annotations

from typing import Any

from pydantic import SerializationInfo, SerializerFunctionWrapHandler, model_serializer

from pipeline.settings.base import Settings, setting
from pipeline.settings.regions import Regions


class QualitySettings(Settings):
    """Thresholds of both filter rounds; a missing value never fails a filter."""

    qual_above: float | None = setting(
        30.0,
        "A site is kept when its QUAL is strictly above this.",
        label="Site quality above",
        unit="Phred",
        paper=30.0,
        ge=0,
        le=10_000,
        step=1,
    )
    filter_pass: bool = setting(
        False, "Keep only sites whose FILTER is PASS.", label="FILTER is PASS", paper=False
    )
    drop_monomorphic: bool = setting(
        True,
        "Drop what shows no non-reference allele (allele count 0) among cases and controls.",
        label="Drop allele count 0",
        paper=True,
    )
    min_mean_depth: float | None = setting(
        8.0,
        "Smallest mean of FORMAT/DP over the people who have one.",
        label="Smallest mean depth",
        unit="reads",
        paper=8.0,
        ge=0,
        le=200,
        step=0.5,
    )
    min_call_rate: float | None = setting(
        0.9,
        "Smallest share of people with a called genotype.",
        label="Smallest call rate",
        unit="fraction",
        paper=0.9,
        ge=0,
        le=1,
        step=0.005,
    )
    drop_sex_chromosomes: bool = setting(
        True,
        "Leave out X, Y and the mitochondrion.",
        label="Autosomes only",
        paper=True,
    )
    drop_indels: bool = setting(
        True,
        "Keep single-nucleotide variants only.",
        label="Drop insertions and deletions",
        paper=True,
    )
    min_mac: int = setting(
        0,
        "Smallest minor allele count over cases and controls; 0 is off.",
        label="Smallest minor allele count",
        unit="alleles",
        paper=0,
        ge=0,
        le=1000,
        step=1,
    )
    max_hwe_log10: float | None = setting(
        None,
        "Drop a variant when -log10 of its exact Hardy-Weinberg p in controls exceeds this; "
        "it reads labels, so an honest run computes it on training people.",
        label="Hardy-Weinberg in controls, largest −log10 p",
        unit="−log10 p",
        paper=None,
        ge=0,
        le=50,
        step=0.5,
    )
    min_mean_gq: float | None = setting(
        None,
        "Smallest mean of FORMAT/GQ over the people who have one.",
        label="Smallest mean genotype quality",
        unit="Phred",
        paper=None,
        ge=0,
        le=99,
        step=1,
    )
    max_missingness_log10: float | None = setting(
        None,
        "Drop a variant when -log10 of the Fisher p of missing calls in cases against controls "
        "exceeds this; it reads labels, so an honest run computes it on training people.",
        label="Differential missingness, largest −log10 p",
        unit="−log10 p",
        paper=None,
        ge=0,
        le=50,
        step=0.5,
    )
    without_regions: Regions = setting(
        None,
        "Leave out the variants of these stretches of chromosomes, such as the HLA region "
        "6:28000000-34000000; several are parted by commas.",
        label="Without regions",
        paper=None,
        max_length=2_000,
    )

    @model_serializer(mode="wrap")
    def _as_before_regions(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """Leave `without_regions` out of the JSON where it is off: what was made before it came
        is found by the same identity."""
        held = handler(self)
        if info.mode == "json" and held.get("without_regions") is None:
            held.pop("without_regions", None)
        return held
