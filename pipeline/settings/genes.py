"""Which variants of a gene count together, and how a gene is tested."""

from __future__ import annotations

from typing import Literal

from pipeline.settings.base import Settings, setting


class GeneSettings(Settings):
    """The burden of a gene: who carries at least one qualifying variant; the paper tests none."""

    classes: Literal["any", "lof", "lof_missense", "missense", "synonymous"] = setting(
        "any",
        "Consequences that qualify: any kept variant of the gene, loss of function, loss of "
        "function or missense, missense, or synonymous (a negative control).",
        label="Qualifying variants",
    )
    max_maf: float = setting(
        0.01,
        "Largest minor allele frequency, over cases and controls, of a qualifying variant.",
        label="Largest minor allele frequency",
        unit="fraction",
        gt=0,
        le=0.5,
        step=0.005,
    )
    test: Literal["fisher", "logistic"] = setting(
        "fisher",
        "Fisher: carriers and others by case and control, 2 × 2. Logistic: carrier or not, with "
        "the covariates of the association.",
        label="Test of a gene",
    )
