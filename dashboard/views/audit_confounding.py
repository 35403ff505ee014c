"""Audit, a part of the page: is it ancestry, batch or quality?"""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import elements
from dashboard.charts.confounding import strata_intervals
from dashboard.charts.metric_intervals import metric_intervals
from dashboard.view import View

_BOXES = {"green": st.success, "amber": st.warning, "red": st.error, "grey": st.info}
_ICONS = {"green": "check_circle", "amber": "warning", "red": "dangerous", "grey": "help"}
# Pages that advice may name, in its words.
_PAGES = {"page Cohort": "cohort", "page Quality": "quality"}
_LONGEST = 24  # characters of a name that leave room for its numbers on a telephone
_FEWEST_TOLD = 10
_MODELS = {"logistic_l2": "Logistic regression, L2"}


def show(found: dict[str, Any], view: View | None) -> None:
    """Draw what `Confounding.as_dict` holds."""
    light = found["light"]
    colour = light["colour"]
    _BOXES[colour](
        f"### {colour.capitalize()}: {light['word'].lower()}\n\n{light['reason']}",
        icon=f":material/{_ICONS[colour]}:",
    )
    _advice(light["advice"], view)
    colours = elements.palette()
    elements.chart(
        metric_intervals(_alone(found), metric="AUC", palette=colours), key="confounders_alone"
    )
    whole = found["audited"]["auc"]["value"]
    if found["confounders"]:
        made = strata_intervals(
            _alike(found), title="The model among people who are alike", whole=whole,
            palette=colours,
        )  # fmt: skip
        elements.chart(made, key="confounders_alike")
    in_columns = [way for way in found["strata"] if way["of_column"]]
    _draw_strata([way for way in found["strata"] if not way["of_column"]], whole, "strata")
    if in_columns:
        with st.expander("By the columns of the phenotype table"):
            _draw_strata(in_columns, whole, "columns")
    for sentence in _sentences(found):
        st.caption(sentence)
    with st.expander("The numbers"):
        elements.table(_table(found), saved_as="models without variants")
    elements.method("audit_confounding")


def _draw_strata(ways: list[dict[str, Any]], whole: float | None, key: str) -> None:
    if ways:
        made = strata_intervals(
            _strata(ways), title="The model within strata", whole=whole, palette=elements.palette()
        )
        elements.chart(made, key=f"confounders_{key}")


def _advice(advice: list[str], view: View | None) -> None:
    if not advice:
        return
    st.markdown("**What to do next.** " + " ".join(advice))
    for words, page in _PAGES.items():
        if view and words in " ".join(advice):
            label = words.removeprefix("page ")
            st.page_link(view.pages[page], label=label, icon=":material/arrow_forward:")


def _alone(found: dict[str, Any]) -> pd.DataFrame:
    """Return the audited model and those that know no disease, as `metric_intervals` draws them."""
    models = [(_model(found), found["audited"]["auc"], "honest")]
    models += [(_alone_name(one), one["auc"], "baseline") for one in found["confounders"]]
    return pd.DataFrame(
        [
            {"model": name, **auc, "kind": kind}
            for name, auc, kind in models
            if auc["value"] is not None
        ]
    )


def _alike(found: dict[str, Any]) -> pd.DataFrame:
    rows = [_whole(found)]
    for one in found["confounders"]:
        n, share = one["within"]["n_pairs"], one["within"]["share_of_pairs"]
        rows.append(
            {
                "people": _short(_capital(one["like"])),
                "counts": f"{n:,} pairs of case and control, {share:.0%}",
                **one["within"]["auc"],
                "kind": "part",
            }
        )
    return pd.DataFrame(rows).astype({"value": float, "low": float, "high": float})


def _strata(ways: list[dict[str, Any]]) -> pd.DataFrame:
    rows = []
    for way in ways:
        label = _short(_capital(way["label"].removeprefix("Thirds of ")), 11)
        for one in way["strata"]:
            rows.append(
                {
                    "people": f"{label}: {_short(one['label'], 10)}",
                    "counts": _counts(one["n"], one["n_case"]),
                    **one["auc"],
                    "kind": "part",
                }
            )
        rows.append(
            {
                "people": f"{label}: pooled",
                "counts": f"{way['n_pairs']:,} pairs of case and control",
                **way["pooled"],
                "kind": "pooled",
            }
        )
    return pd.DataFrame(rows).astype({"value": float, "low": float, "high": float})


def _whole(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "people": "All test people",
        "counts": _counts(found["n_test"], found["n_test_case"]),
        **found["audited"]["auc"],
        "kind": "whole",
    }


def _counts(n: int, n_case: int) -> str:
    """Return how many people and cases; of a handful it is not told who is what."""
    if n < _FEWEST_TOLD:
        return f"fewer than {_FEWEST_TOLD} people"
    return f"{n:,} people, {n_case:,} case{'' if n_case == 1 else 's'}"


def _sentences(found: dict[str, Any]) -> list[str]:
    added = found["added"]
    said = []
    if added["value"] is not None:
        inside = found["confounders"][-1]["within"]["auc"]["low"]
        if added["low"] <= 1:
            adds = "it may add nothing to them"
        elif inside is not None and inside > 0.5:
            adds = "it adds to them"
        else:
            adds = "but among people alike in all of these it may be worth nothing"
        said.append(
            "Beside all of these together, a standard deviation of the model's log odds multiplies "
            f"the odds of being a case by {added['value']:,.2f} ({added['low']:,.2f} to "
            f"{added['high']:,.2f}): {adds}."
        )
    if found["lambda"] is not None and not found["warning"].startswith("Lambda"):
        said.append(
            f"Lambda of the training people: {found['lambda']:.3f} over {found['n_of_lambda']:,} "
            "variants."
        )
    if found["warning"]:
        said.append(f"Of the training people: {found['warning']}")
    return [*said, *found["notes"]]


def _table(found: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "Model": one["label"],
                "Of": ", ".join(one["columns"]),
                "AUC": elements.interval(one["auc"]),
                "Accuracy": elements.interval(one["accuracy"]),
                "The audited model's AUC, minus this": elements.interval(one["difference"]),
                "The audited model among people alike": elements.interval(one["within"]["auc"]),
                "Left of it": "" if one["left"] is None else f"{one['left']:.0%}",
            }
            for one in found["confounders"]
        ]
    )


def _model(found: dict[str, Any]) -> str:
    return _MODELS.get(found["model"], "Network")


def _alone_name(one: dict[str, Any]) -> str:
    if one["kind"] == "together":
        return one["label"]
    return f"{_capital(_short(one['label'].removeprefix('The column ')))} alone"


def _short(words: str, longest: int = _LONGEST) -> str:
    """Return words that fit beside their numbers; a column may have any name."""
    return words if len(words) <= longest else f"{words[: longest - 3]}..."


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
