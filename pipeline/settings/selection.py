"""Which variants enter the network."""

from __future__ import annotations

from typing import Literal

from pipeline.settings.association import CountTest
from pipeline.settings.base import Settings, setting


class SelectionSettings(Settings):
    """Variants ranked by association; who is looked at is the protocol."""

    protocol: Literal["honest", "published"] = setting(
        "honest",
        "honest: variants are chosen on training people alone. published: chosen on all people "
        "before the split, so the labels of the test people leak into the model.",
        label="Protocol",
        paper="published",
    )
    test: CountTest = setting(
        "genotypic",
        "The test that ranks the variants.",
        label="Selection test",
        paper="genotypic_df4",
        assumed=True,
    )
    max_p: float = setting(
        0.05,
        "A variant enters when its p is below this.",
        label="Largest p",
        unit="p",
        gt=0,
        le=1,
    )
    top: int | None = setting(
        None,
        "When given, this many variants of smallest p enter, whatever their p.",
        label="Top variants",
        unit="variants",
        paper=18_970,
        assumed=True,
        ge=1,
        le=100_000,
        step=1,
    )
