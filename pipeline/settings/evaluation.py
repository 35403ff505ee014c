"""What is measured at the end."""

from __future__ import annotations

from typing import Literal

from pipeline.settings.base import Settings, setting


class EvaluationSettings(Settings):
    """Intervals, and the paper's share of people used for prediction."""

    confidence: float = setting(
        0.95,
        "Level of every interval.",
        label="Confidence level",
        unit="fraction",
        ge=0.5,
        le=0.999,
        step=0.01,
    )
    prediction_fraction: float = setting(
        0.01,
        "Share of people drawn for the paper's prediction error: of all people under the "
        "published protocol, of the test people under the honest one.",
        label="Prediction share",
        unit="fraction",
        paper=0.01,
        assumed=True,
        gt=0,
        le=1,
        step=0.01,
    )
    threshold: Literal["half", "accuracy", "youden"] = setting(
        "half",
        "A person is called a case above 0.5, or above the threshold of highest accuracy or of "
        "highest sensitivity + specificity among the people that early stopping watches.",
        label="Threshold",
        paper="half",
        assumed=True,
    )
    baselines: bool = setting(
        True,
        "Fit what the network has to beat, on the same variants and people: majority, additive "
        "scores, L1 and L2 logistic regression, gradient boosting.",
        label="Baselines",
    )
    covariates: tuple[str, ...] = setting(
        (),
        "Covariates (sex, PC1 and so on) whose own model stands beside the others.",
        label="Covariates of a model of their own",
    )
