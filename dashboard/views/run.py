"""Run: can we believe it?"""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import caption, elements, loaders
from dashboard.view import View
from dashboard.views import (
    live,
    run_attribution,
    run_evidence,
    run_family,
    run_keeping,
    run_methods,
    run_report,
)
from dashboard.views.compare_names import choices
from pipeline.errors import NotFoundError
from pipeline.keeping.peak_memory import WORDS
from pipeline.runs import Run
from pipeline.story import headline


def show(view: View) -> None:
    """Draw the page."""
    known = loaders.all_runs()
    if not known:
        st.title("Can we believe it?")
        elements.empty("No run yet. Choose a network on the page Training and train it.")
        st.page_link(view.pages["training"], label="Training", icon=":material/model_training:")
        return
    try:
        run = _choose(known)
    except NotFoundError as problem:
        if run_keeping.offer_restore(st.query_params["run"], loaders.cache()):
            return
        elements.problem(str(problem))
        st.page_link(view.pages["run"], label="The newest run", icon=":material/monitoring:")
        return
    metrics = loaders.metrics(run)
    caption.of_run(run, metrics)
    if run.state not in ("finished", "cancelled") or not metrics:
        st.title("Can we believe it?")
        run_keeping.show(run)
        live.curves(run.id)
        return
    st.header(headline(metrics))
    run_keeping.show(run)
    with st.container(horizontal=True, vertical_alignment="center"):
        run_family.change_button(view, run)
        if run.state == "finished":
            st.page_link(
                view.pages["audit"], label="Audit this run", icon=":material/policy:",
                query_params={"audited": run.id, "cohort": run.cohort},
            )  # fmt: skip
            st.page_link(
                view.pages["compare"], label="Compare it", icon=":material/compare_arrows:",
                query_params={"compare": run.id, "cohort": run.cohort},
            )  # fmt: skip
            st.page_link(
                view.pages["present"], label="Present it", icon=":material/co_present:",
                query_params={"run": run.id, "cohort": run.cohort},
            )  # fmt: skip
    if metrics["protocol"] == "published":
        st.warning(
            "Published protocol: the labels of these test people helped to choose the variants "
            "and to stop the training. This is not evidence about new people.",
            icon=":material/warning:",
        )
    if run.state == "cancelled":
        st.info(
            "Somebody ended this training early; measured are the best weights until then.",
            icon=":material/stop_circle:",
        )
    for note in [_in_file(run, metrics), *metrics["notes"]]:
        if note:
            st.caption(note)
    run_evidence.show(run.id, metrics)
    elements.method("run")
    run_family.show(view, run)
    run_attribution.show(view, run)
    live.curves(run.id)
    run_methods.show(view, run, metrics)
    run_report.show(run)
    _made_of(run, metrics)


def _choose(known: list[Run]) -> Run:
    """Return the run that the address names, else the newest, and let another be chosen.

    Archived runs are in the list where the address names them alone.
    """
    asked = st.query_params.get("run")
    if asked and all(run.id != asked for run in known):
        loaders.run(asked)  # says why it cannot be shown
    titles = choices(known, asked, has_states=True)
    return loaders.run(elements.choice_in_address("Run", "run", list(titles), titles))


def _in_file(run: Run, metrics: dict[str, Any]) -> str:
    """Return how many of the chosen variants have a weight in the file, "" without a file."""
    counts = [(fold.get("weighted"), fold["selected"]) for fold in metrics["folds"]]
    if run.settings["encoding"]["weights"] != "file" or any(n is None for n, _ in counts):
        return ""
    shares = [f"{n:,} of {of:,}" for n, of in counts]
    n_variants = shares[0] if len(shares) == 1 else f"Of each fold, {', '.join(shares)}"
    dropped = run.settings["encoding"]["drop_unweighted"]
    others = "the others were left out" if dropped else "the others entered with weight 0"
    return f"{n_variants} chosen variants have a weight in the file; {others}."


def _memory(run: Run) -> str:
    """Return the largest memory of a run and whose it was, "" where that was not written down."""
    if not run.memory:
        return ""
    return f", {run.memory['peak_bytes'] / 1e9:.1f} GB at most ({WORDS[run.memory['of']]})"


def _made_of(run: Run, metrics: dict[str, Any]) -> None:
    with st.expander("Everything that made this run"):
        st.markdown(
            f"Run `{run.id}` of cohort **{run.cohort}** (`{run.fingerprint}`), "
            f"{metrics['protocol']} protocol, {run.selected or 0:,} variants, {run.epochs} epochs, "
            f"{elements.duration(run.seconds)} on {run.host}{_memory(run)}."
        )
        folds = pd.DataFrame(
            [
                {
                    "Fold": fold["fold"] + 1,
                    "Variants": fold["selected"],
                    "Of tested": fold["ranked"],
                    "Training people": fold["n_train"],
                    "Watched people": fold["n_watch"],
                    "Epochs": fold["epochs"],
                    "Best epoch": fold["best_epoch"],
                    "Test AUC": fold["test"]["auc"]["value"],
                }
                for fold in metrics["folds"]
            ]
        )
        elements.table(folds, saved_as="folds")
        st.json({"settings": run.settings, "versions": run.versions}, expanded=1)
