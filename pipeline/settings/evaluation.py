"""What is measured at the end."""

from __future__ import annotations

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
    baselines: bool = setting(
        True,
        "Fit majority, additive score, L1 and L2 logistic regression on the same variants.",
        label="Baselines",
    )
