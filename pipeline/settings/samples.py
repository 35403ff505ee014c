"""Which people are kept; the paper leaves nobody out but bipolar patients, so that all is off."""

from __future__ import annotations

from pipeline.settings.base import Settings, setting


class SampleSettings(Settings):
    """Thresholds on people; a missing figure never leaves a person out."""

    min_call_rate: float | None = setting(
        None,
        "Leave out people with a smaller share of called autosomal genotypes.",
        label="Smallest call rate of a person",
        unit="fraction",
        ge=0,
        le=1,
        start=0.95,
        step=0.005,
    )
    min_mean_depth: float | None = setting(
        None,
        "Leave out people whose mean FORMAT/DP over sites is smaller.",
        label="Smallest mean depth of a person",
        unit="reads",
        ge=0,
        le=200,
        start=15.0,
        step=0.5,
    )
    min_ti_tv: float | None = setting(
        None,
        "Leave out people with fewer transitions per transversion; errors have about 0.5.",
        label="Smallest transitions over transversions",
        ge=0,
        le=10,
        start=2.0,
        step=0.05,
    )
    max_het_hom: float | None = setting(
        None,
        "Leave out people with more heterozygous per homozygous alternate genotypes, as mixed "
        "samples have.",
        label="Largest heterozygous over homozygous alternate",
        ge=0,
        le=20,
        start=2.5,
        step=0.05,
    )
    max_n_singleton: int | None = setting(
        None,
        "Leave out people with more alternate alleles that nobody else has.",
        label="Most singletons of a person",
        unit="variants",
        ge=0,
        le=2_000,
        start=200,
        step=5,
    )
    max_inbreeding: float | None = setting(
        None,
        "Leave out people whose inbreeding coefficient F is further from 0 than this.",
        label="Largest inbreeding, either sign",
        unit="F",
        ge=0,
        le=0.5,
        start=0.1,
        step=0.01,
    )
    drop_sex_mismatch: bool = setting(
        False,
        "Leave out people whose X chromosomes imply another sex than the one stated.",
        label="Leave out sex mismatches",
    )
    drop_relatives: bool = setting(
        False,
        "Keep one of each pair of relatives and duplicates, the one with the higher call rate; "
        "needs the structure of the cohort.",
        label="Keep one of each pair of relatives",
    )
