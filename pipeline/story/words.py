"""Words that several parts of a story share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODELS = {
    "network": "Network",
    "logistic_l1": "Logistic regression, L1",
    "logistic_l2": "Logistic regression, L2",
    "boosting": "Gradient boosting",
    "additive": "Additive score",
    "additive_clumped": "Additive score, clumped",
    "covariates": "Covariates alone",
    "majority": "Always the larger class",
}
TESTS = {
    "genotypic": "genotypic chi-squared",
    "genotypic_df4": "genotypic chi-squared, df 4",
    "allelic": "allelic chi-squared",
    "trend": "Cochran-Armitage trend",
    "dominant": "dominant chi-squared",
    "recessive": "recessive chi-squared",
    "fisher": "Fisher's exact",
    "logistic": "logistic regression",
}
LINES = {
    "raw": "p = 0.05, uncorrected",
    "bonferroni": "the Bonferroni line",
    "bh": "the Benjamini-Hochberg line",
    "permutation": "the line of permuted labels",
}


def limits(measured: Mapping[str, float | None], digits: int = 2) -> str:
    """Return a value with its limits: `0.71 (0.67 to 0.75)`; `none` where there is no value."""
    value, low, high = (measured.get(name) for name in ("value", "low", "high"))
    if value is None:
        return "none"
    if low is None or high is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def large(n: int) -> str:
    """Return a large number in words: 74.1 million, 18,970."""
    return f"{n / 1e6:,.1f} million" if n >= 1_000_000 else f"{n:,}"


def headline(metrics: Mapping[str, Any]) -> str:
    """Return what came out on the test people in one sentence, beside what it has to beat."""
    test = metrics["test"]
    seen = "it had never seen" if metrics["protocol"] == "honest" else "set aside"
    accuracy = test["accuracy"]
    level = f"{metrics.get('confidence', 0.95):.0%} interval"
    parts = [
        f"On {test['n']:,} people {seen}, the network is right for {accuracy['value']:.0%} "
        f"({level} {100 * accuracy['low']:.0f} to {100 * accuracy['high']:.0f})"
    ]
    baselines = metrics["baselines"]
    if "logistic_l1" in baselines:
        parts.append(f"logistic regression for {baselines['logistic_l1']['accuracy']['value']:.0%}")
    if "majority" in baselines:
        share = baselines["majority"]["accuracy"]["value"]
        parts.append(f"always saying {larger_class(metrics)} for {share:.0%}")
    return ", ".join(parts) + "."


def larger_class(metrics: Mapping[str, Any]) -> str:
    """Return the larger class of the test people, control where both are as many."""
    controls, cases = metrics["test"]["confusion"]
    return "control" if sum(controls) >= sum(cases) else "case"
