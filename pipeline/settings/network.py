"""The shape of the network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.settings.base import Settings, setting

Units = Annotated[int, Field(ge=1, le=4096)]


class NetworkSettings(Settings):
    """Convolutions with pooling, then dense layers, then the output; or gates and genes."""

    family: Literal["convolutional", "gene"] = setting(
        "convolutional",
        "convolutional: the paper's. gene: sparse gates find genes, a convolution as wide as a "
        "gene reads what is left of them.",
        label="Family",
        paper="convolutional",
    )

    convolutions: int = setting(
        2, "Number of convolutions.", label="Convolutions", paper=2, ge=1, le=6, step=1
    )
    filters: int = setting(
        32,
        "Filters of each convolution.",
        label="Filters",
        paper=32,
        assumed=True,
        ge=1,
        le=256,
        step=1,
    )
    kernel: int = setting(
        3,
        "Width of a kernel, in variants.",
        label="Kernel",
        unit="variants",
        paper=3,
        assumed=True,
        ge=1,
        le=31,
        step=1,
    )
    stride: int = setting(
        1, "Step of a kernel.", label="Stride", paper=1, assumed=True, ge=1, le=8, step=1
    )
    pool: int = setting(
        2,
        "Max-pooling after each convolution; 1 is none.",
        label="Pooling",
        paper=2,
        assumed=True,
        ge=1,
        le=8,
        step=1,
    )
    batch_norm: bool = setting(
        True,
        "Batch normalisation after each convolution and dense layer.",
        label="Batch normalisation",
        paper=True,
    )
    norm_after_pool: bool = setting(
        False,
        "Pool before batch normalisation: the same shape in a fraction of the time.",
        label="Normalise after pooling",
        paper=False,
        assumed=True,
    )
    attention: Literal["none", "channel", "spatial", "both"] = setting(
        "none",
        "Weigh the channels, the places, or both, of each convolution by what it saw.",
        label="Attention",
        paper="none",
    )
    dropout: float = setting(
        0.5,
        "Share of units dropped after each pooling and dense layer.",
        label="Dropout",
        unit="fraction",
        paper=0.5,
        ge=0,
        lt=1,
        step=0.05,
    )
    dropout_kind: Literal["units", "channels", "blocks"] = setting(
        "units",
        "What convolutions drop: single units, whole channels (spatial dropout), or blocks of "
        "neighbours (DropBlock). Dense layers drop units.",
        label="Kind of dropout",
        paper="units",
    )
    block_size: int = setting(
        3,
        "Side of a dropped block.",
        label="Block size",
        unit="variants",
        ge=1,
        le=31,
        step=1,
    )
    dense: tuple[Units, ...] = setting(
        (1000,),
        "Units of each dense layer, in order; at most three layers.",
        label="Dense layers",
        unit="units",
        paper=(1000,),
        max_length=3,
    )
    output: Literal["softmax", "sigmoid"] = setting(
        "softmax", "Activation of the output.", label="Output", paper="softmax"
    )
    l1: float = setting(
        0.0,
        "L1 penalty on the kernels of the convolutions.",
        label="L1 penalty",
        ge=0,
        le=1,
        step=0.001,
    )
    l2: float = setting(
        0.0,
        "L2 penalty on the kernels of the convolutions.",
        label="L2 penalty",
        ge=0,
        le=1,
        step=0.001,
    )
    penalise_dense: bool = setting(
        False,
        "Put the L1 and L2 penalties on the dense layers too, as the published script does.",
        label="Penalise dense layers",
    )
    gene_products: bool = setting(
        True,
        "Gene family: carrying two variants of a gene is an input of its own.",
        label="Products within genes",
    )
    gene_members: int = setting(
        3,
        "Gene family: convolutions from different seeds whose mean is taken.",
        label="Members",
        unit="networks",
        ge=1,
        le=10,
        step=1,
    )
