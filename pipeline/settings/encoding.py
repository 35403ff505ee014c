"""How genotypes become the network's input."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.settings.base import Settings, setting

PlaneValue = Annotated[int, Field(ge=-100, le=100)]


class EncodingSettings(Settings):
    """Layout, order, missing calls, scale and weights; what learns sees training people only."""

    layout: Literal["1d", "2d", "3d"] = setting(
        "2d",
        "1d: a row of variants. 2d: the row folded into a square, padded with zeros. "
        "3d: the square with one plane for each genotype 0, 1, 2.",
        label="Layout",
        paper="2d",
    )
    order: Literal["genomic", "gene", "p", "shuffled"] = setting(
        "genomic",
        "How variants follow each other: along the genome, gene by gene, from the smallest p of "
        "the people that train, or shuffled by the split seed.",
        label="Order of variants",
        paper="genomic",
        assumed=True,
    )
    row_width: int | None = setting(
        None,
        "Variants in a row of the 2d and 3d layouts; off makes a square.",
        label="Row width",
        unit="variants",
        paper=None,
        assumed=True,
        ge=1,
        le=4096,
        step=1,
        start=128,
    )
    missing: Literal["mean", "mode", "zero"] = setting(
        "mean",
        "What a missing call becomes: the mean or the most frequent genotype of the people that "
        "train, or 0 (1d and 2d; the 3d layout has a rule of its own).",
        label="Missing calls",
    )
    plane_values: tuple[PlaneValue, ...] = setting(
        (1, 2, 3),
        "3d: what genotype 0, 1 and 2 show on their own plane; the other planes show zero.",
        label="Values of the planes",
        paper=(1, 2, 3),
        assumed=True,
        min_length=3,
        max_length=3,
    )
    plane_missing: Literal["zero", "mode", "shares"] = setting(
        "zero",
        "3d: a missing call is zero on every plane, the most frequent genotype, or on each plane "
        "the share of that genotype, of the people that train.",
        label="Missing calls on planes",
        paper="zero",
        assumed=True,
    )
    scaling: Literal["none", "standard"] = setting(
        "standard",
        "none: genotypes as 0, 1, 2. standard: each variant minus its mean, over its standard "
        "deviation, of the people that train (1d and 2d only).",
        label="Scaling",
        paper="standard",
        assumed=True,
    )
    weights: Literal["none", "log_p", "logistic_l1", "file"] = setting(
        "none",
        "What each variant's input is multiplied by: nothing, its -log10 p, the root of its "
        "weight in an L1 logistic regression (both of the people that train), or a file of yours.",
        label="Input weights",
    )
    weights_file: str = setting(
        "",
        "A table with a header: the variant (chrom_pos_ref_alt, or its rsID) and its weight; a "
        "variant that is not named has weight 0.",
        label="File of weights",
        max_length=500,
    )
    drop_unweighted: bool = setting(
        False,
        "Leave out variants of weight 0, instead of showing the network zeros.",
        label="Leave out weight 0",
    )

    @model_validator(mode="after")
    def _file_is_named(self) -> Self:
        if self.weights == "file" and not self.weights_file:
            raise ValueError("given with encoding.weights_file when the weights come from a file")
        return self
