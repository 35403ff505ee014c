"""The shape of the network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.settings.base import Settings, setting

Units = Annotated[int, Field(ge=1, le=4096)]


class NetworkSettings(Settings):
    """Convolutions with pooling, then dense layers, then the output."""

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
