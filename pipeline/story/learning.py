"""The network, how it learned, and what it calls people it had not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from pipeline import runs
from pipeline.epochs import EpochRecord
from pipeline.errors import PipelineError
from pipeline.evidence import at_threshold, own_threshold
from pipeline.gene_groups import variant_groups
from pipeline.gene_outline import outline_gene_network
from pipeline.methods.network_words import network_sentences
from pipeline.outline import LayerOutline, outline_network
from pipeline.story.part import Part
from pipeline.story.told import Told
from pipeline.story.words import MODELS, headline, large, limits


def network(told: Told) -> Part:
    """Return the layers of the network of the first fold, with their weights."""
    first = told.folds[0]
    n_entered = first.get("entered", first["selected"])
    is_gene = told.settings.network.family == "gene"
    layers = _outline(told, n_entered)
    said = list(network_sentences(told.settings, n_entered)[0])
    if len(told.folds) > 1:
        said.append("Drawn is that of the first fold.")
    if is_gene and not layers:
        said.append(told.lacking or "Its genes are no longer known, so that it cannot be drawn.")
    n_weights = sum(layer.n_trainable for layer in layers)
    most = "at most " if is_gene else ""
    learns = f" and learns {most}{large(n_weights)} parameters" if n_weights else ""
    table = pd.DataFrame(
        {
            "Layer": [layer.name.replace("_", " ").capitalize() for layer in layers],
            "Shape": [" × ".join(f"{size:,}" for size in layer.shape) for layer in layers],
            "Parameters": [layer.n_parameters for layer in layers],
        }
    )
    return Part(
        name="network",
        title=f"The network reads {n_entered:,} variants{learns}",
        sentences=tuple(said),
        caption=told.caption(
            f"{first['n_train']:,} people train it"
            + (", in the first fold" if len(told.folds) > 1 else ""),
            "the largest it can be: which genes remain is learned" if is_gene and layers else "",
        ),
        table=table if layers else None,
        data={"layers": [asdict(layer) for layer in layers]} if layers else {},
    )


def _outline(told: Told, n_entered: int) -> tuple[LayerOutline, ...]:
    encoding, asked = told.settings.encoding, told.settings.network
    if asked.family == "convolutional":
        return outline_network(n_entered, encoding.layout, asked, encoding.row_width)
    if told.cohort is None or not told.run.selection_path.is_file():
        return ()
    chosen = pd.read_parquet(told.run.selection_path, columns=["fold", "variant_index"])
    variants = chosen.loc[chosen["fold"] == 0, "variant_index"].to_numpy()
    try:
        groups = variant_groups(told.cohort, variants)
    except PipelineError:
        return ()
    return outline_gene_network(len(groups), groups, asked)


def curves(told: Told) -> Part:
    """Return how loss, accuracy and AUC moved, epoch by epoch."""
    records = runs.read_progress(told.run)
    watched = "validation" if told.is_honest else "test"
    whose = f"{told.folds[0]['n_watch']:,} {watched} people watched"
    if not records:
        return Part(
            name="curves",
            title="The epochs of this run are not written down",
            sentences=("Train it again to see how it learned.",),
            caption=told.caption(whose),
            table=None,
            data={},
        )
    epochs = pd.DataFrame([asdict(record) for record in records])
    best = {fold["fold"]: fold["best_epoch"] for fold in told.folds}
    n_folds = len(told.folds)
    majority = told.metrics["baselines"].get("majority", {}).get("accuracy", {}).get("value")
    said = []
    if told.is_honest:
        said.append("Validation people decide when to stop; test people are not looked at here.")
    else:
        said.append("Published order: the test people decide which epoch is kept.")
    train = told.metrics.get("train")
    if train:
        said.append(
            f"In the end its AUC is {train['auc']:.2f} on those who taught it and "
            f"{limits(told.metrics['test']['auc'])} on the test people."
        )
    return Part(
        name="curves",
        title=_learned(told, records, best, watched),
        sentences=tuple(said),
        caption=told.caption(
            whose,
            f"{told.folds[0]['n_train']:,} train",
            f"{n_folds} folds" if n_folds > 1 else "",
        ),
        table=_epoch_table(epochs, n_folds, watched),
        data={"epochs": epochs, "best": best, "majority": majority, "n_folds": n_folds},
    )


def _learned(told: Told, records: list[EpochRecord], best: dict[int, int], watched: str) -> str:
    kept = [one for one in records if best.get(one.fold) == one.epoch]
    values = [one.val_auc for one in kept if one.val_auc == one.val_auc]
    auc = f", with an AUC of {sum(values) / len(values):.2f}" if values else ""
    mean = ", the mean of folds," if values and len(best) > 1 else ""
    of_whom = f"{auc}{mean} on {watched} people" if values else ""
    if len(best) == 1:
        n = told.folds[0]["epochs"]
        kept_epoch = next(iter(best.values()))
        ends = "epoch" if n == 1 else "epochs"
        return f"Of {n:,} {ends}, epoch {kept_epoch:,} was kept{of_whom}"
    low, high = min(best.values()), max(best.values())
    which = f"epochs {low:,} to {high:,}" if low < high else f"epoch {low:,}"
    return f"Of {len(best)} folds, {which} were kept{of_whom}"


def _epoch_table(epochs: pd.DataFrame, n_folds: int, watched: str) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "Fold": epochs["fold"] + 1,
            "Epoch": epochs["epoch"],
            "Loss, training": epochs["loss"],
            f"Loss, {watched}": epochs["val_loss"],
            "Accuracy, training": epochs["accuracy"],
            f"Accuracy, {watched}": epochs["val_accuracy"],
            f"AUC, {watched}": epochs["val_auc"],
            "Learning rate": epochs["learning_rate"],
        }
    )
    return table if n_folds > 1 else table.drop(columns="Fold")


def confusion(told: Told) -> Part:
    """Return who of the test people is called rightly, and what other models reach on them."""
    metrics = told.metrics
    found = at_threshold(metrics)
    own = own_threshold(metrics)
    at = f"Called a case above {own:.3f}" if own is not None else (
        "Called a case above each fold's own threshold"
    )  # fmt: skip
    said = [
        headline(metrics),
        f"Of the cases {found.calls.sensitivity.value:.0%} are called case, of the controls "
        f"{found.calls.specificity.value:.0%} control; AUC {limits(metrics['test']['auc'])}.",
    ]
    if not told.is_honest:
        said.append("Published order: this is not evidence about new people.")
    measured = {"network": metrics["test"], **metrics["baselines"]}
    return Part(
        name="confusion",
        title=_called(metrics),
        sentences=tuple(said),
        caption=told.caption(
            at,
            f"{metrics['test']['n']:,} test people, {metrics['protocol']} protocol",
            f"{metrics.get('confidence', 0.95):.0%} intervals",
        ),
        table=_model_table(measured),
        data={
            "confusion": found.confusion,
            "at": at,
            "models": _model_rows(measured, metrics["protocol"]),
        },
    )


def _called(metrics: Mapping[str, Any]) -> str:
    """Return the result so short that a room reads it; the headline has limits and majority."""
    test, baselines = metrics["test"], metrics["baselines"]
    seen = "unseen" if metrics["protocol"] == "honest" else "test"
    said = (
        f"The network calls {test['accuracy']['value']:.0%} of {test['n']:,} {seen} people rightly"
    )
    if "logistic_l1" in baselines:
        said += f", logistic regression {baselines['logistic_l1']['accuracy']['value']:.0%}"
    return said


def _model_table(measured: dict[str, dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "Model": MODELS.get(name, name),
                "Accuracy": one["accuracy"]["value"],
                "Accuracy, low": one["accuracy"]["low"],
                "Accuracy, high": one["accuracy"]["high"],
                "AUC": one["auc"]["value"],
                "AUC, low": one["auc"]["low"],
                "AUC, high": one["auc"]["high"],
            }
            for name, one in measured.items()
        ]
    )


def _model_rows(measured: dict[str, dict[str, Any]], protocol: str) -> pd.DataFrame:
    """Return the AUC of each model as the dot plot takes it: model, value, low, high, kind."""
    rows = [
        {"model": MODELS.get(name, name), "kind": protocol if name == "network" else "baseline"}
        | {end: one["auc"][end] for end in ("value", "low", "high")}
        for name, one in measured.items()
        if name != "majority" and one["auc"]["value"] is not None
    ]
    return pd.DataFrame(rows, columns=["model", "kind", "value", "low", "high"])
