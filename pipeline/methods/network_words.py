"""A network and how it learned, in sentences for a Methods section; what is off is not named."""

from __future__ import annotations

from typing import Any

from pipeline.encoding import SD_FLOOR, input_shape
from pipeline.methods.setting_words import counted, listed, number, with_unit
from pipeline.outline import outline_network
from pipeline.settings import AnalysisSettings

_LAYOUTS = {
    "1d": "a row of variants",
    "2d": "a map that is filled row by row and padded with zeros",
    "3d": "a map of three planes, one for each of the genotypes 0, 1 and 2",
}
_ORDERS = {
    "genomic": "in genomic order",
    "gene": "gene by gene",
    "p": "from the smallest p value on",
    "shuffled": "in an order shuffled by the split seed",
}
_IMPUTED = {"mean": "mean", "mode": "most frequent genotype"}
_WEIGHTS = {
    "log_p": "its −log10 p over the largest",
    "logistic_l1": "the signed root of its weight in an L1-penalised logistic regression",
}
_OPTIMISERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "stochastic gradient descent"}
_BEST = {
    "loss": "the lowest loss",
    "accuracy": "the highest accuracy",
    "auc": "the highest AUC",
}


def n_weights(settings: AnalysisSettings, n_entered: int) -> int | None:
    """Return the trainable weights of the network, None where training decides how many."""
    if settings.network.family != "convolutional":
        return None
    encoding = settings.encoding
    layers = outline_network(n_entered, encoding.layout, settings.network, encoding.row_width)
    return sum(layer.n_trainable for layer in layers)


def encoding_sentences(
    settings: AnalysisSettings, metrics: dict[str, Any], n_entered: int, learned_from: str
) -> tuple[list[str], set[str]]:
    """Return how genotypes became input, and the names of references.

    `n_entered` variants enter the first fold; `learned_from` are the people, in words.
    """
    encoding = settings.encoding
    if settings.network.family == "gene":
        return [
            "Each variant entered as the number of alternate alleles, as whether there was one and "
            "as whether there were two, each centred and scaled on the people that trained."
        ], set()
    shape = input_shape(n_entered, encoding.layout, encoding.row_width)
    size = "" if encoding.layout == "1d" else f" ({shape[0]:,} × {shape[1]:,})"
    said = [
        "Genotypes, as numbers of alternate alleles, entered the network as "
        f"{_LAYOUTS[encoding.layout]}{size}, variants {_ORDERS[encoding.order]}."
    ]
    cited: set[str] = set()
    if encoding.layout == "3d":
        planes = listed([number(value) for value in encoding.plane_values])
        said.append(f"A genotype showed as {planes} on its own plane and as zero on the others.")
        missing = {
            "zero": "zero on every plane",
            "mode": f"the most frequent genotype among {learned_from}",
            "shares": f"the share of each genotype among {learned_from}",
        }[encoding.plane_missing]
        said.append(f"A missing call became {missing}.")
    else:
        if encoding.missing == "zero":
            said.append("A missing call became 0 alternate alleles.")
        else:
            said.append(
                f"A missing call became the {_IMPUTED[encoding.missing]} of {learned_from}."
            )
        if encoding.scaling == "standard":
            said.append(
                f"Each variant was centred and divided by its standard deviation (at least "
                f"{number(SD_FLOOR)}) among {learned_from}."
            )
    notes = metrics["notes"]
    if notes and len(metrics["folds"]) == 1:
        return [*said, *notes], cited  # the weights that were asked for could not be used
    if encoding.weights == "file":
        said.append("Each variant was multiplied by a weight from a file given by the analyst.")
    elif encoding.weights != "none":
        said.append(
            f"Each variant was multiplied by {_WEIGHTS[encoding.weights]}, of {learned_from}."
        )
        cited |= {"lasso"} if encoding.weights == "logistic_l1" else set()
    if encoding.weights != "none" and encoding.drop_unweighted:
        said.append("Variants of weight 0 were left out.")
    return [*said, *(f"In a fold: {note}" for note in notes)], cited


def network_sentences(settings: AnalysisSettings, n_entered: int) -> tuple[list[str], set[str]]:
    """Return the shape of the network, and the names of references."""
    net = settings.network
    if net.family == "gene":
        return _gene_network(settings)
    cited: set[str] = set()
    stages = [f"max-pooling of {net.pool}"] if net.pool > 1 else []
    if net.batch_norm:
        stages.insert(len(stages) if net.norm_after_pool else 0, "batch normalisation")
        cited.add("batch_norm")
    for kind in ("channel", "spatial"):
        if net.attention in (kind, "both"):
            stages.append(f"{kind} attention")
            cited.add(f"{kind}_attention")
    if net.dropout:
        of = {"units": "units", "channels": "whole channels", "blocks": "blocks"}[net.dropout_kind]
        side = f" of side {net.block_size}" if net.dropout_kind == "blocks" else ""
        stages.append(f"dropout of {of}{side} at rate {number(net.dropout)}")
        kinds = {"units": "dropout", "channels": "channel_dropout", "blocks": "block_dropout"}
        cited |= {"dropout", kinds[net.dropout_kind]}
    kernel = f"kernel {with_unit(net, 'kernel')} wide" if settings.encoding.layout == "1d" else (
        f"kernel {net.kernel} × {net.kernel}"
    )  # fmt: skip
    of_each = f" ({net.filters} filters, {kernel}, stride {net.stride})"
    followed = f", each followed by {listed(stages)}" if stages else ""
    if net.convolutions == 1:
        followed = followed.replace("each followed", "followed")
    cut = "; kernels wider than their map were cut to it" if _is_cut(settings, n_entered) else ""
    said = [
        f"The convolutional network had {counted(net.convolutions, 'convolution')}{of_each}"
        f"{followed}{cut}."
    ]
    if net.dense:
        beside = [
            *(["batch normalisation"] if net.batch_norm else []),
            *([f"dropout at rate {number(net.dropout)}"] if net.dropout else []),
        ]
        units = listed([number(units) for units in net.dense])
        with_what = f", each with {listed(beside)}" if beside else ""
        if len(net.dense) == 1:
            with_what = with_what.replace("each with", "with")
        layers = "a dense layer" if len(net.dense) == 1 else f"{len(net.dense)} dense layers"
        said.append(f"Then came {layers} of {units} units{with_what}.")
    weights = n_weights(settings, n_entered) or 0
    said.append(
        f"The output was a {net.output} of case against control; the network had "
        f"{weights:,} trainable parameters for {counted(n_entered, 'variant')}."
    )
    penalties = [f"{name.upper()} ({number(value)})" for name in ("l1", "l2")
                 if (value := getattr(net, name))]  # fmt: skip
    if penalties:
        where = "convolutions and dense layers" if net.penalise_dense else "convolutions"
        ends = "penalty" if len(penalties) == 1 else "penalties"
        said.append(f"Kernels of the {where} carried an {listed(penalties)} {ends}.")
    return said, cited


def _is_cut(settings: AnalysisSettings, n_entered: int) -> bool:
    """Say whether a map is narrower than the kernel that reads it."""
    encoding, net = settings.encoding, settings.network
    layers = outline_network(n_entered, encoding.layout, net, encoding.row_width)
    return any(min(one.window) < net.kernel for one in layers if one.kind == "convolution")


def _gene_network(settings: AnalysisSettings) -> tuple[list[str], set[str]]:
    net = settings.network
    products = ", and products of two variants of a gene," if net.gene_products else ""
    drop = f", dropout at rate {number(net.dropout)}" if net.dropout else ""
    said = [
        f"Sparse gates (paths of L1-penalised logistic regression) chose among variants{products} "
        f"and genes; two convolutions ({net.filters} and {max(1, net.filters // 2)} filters"
        f"{drop}) then read what was left, gene by gene, and outputs were means over "
        f"{counted(net.gene_members, 'member')} from different seeds.",
        "The candidate of the highest AUC among the watched people was taken, unless it was less "
        "than one standard error (paired DeLong) ahead of L1-penalised regression.",
    ]
    return said, {"lasso", "delong"} | ({"dropout"} if net.dropout else set())


def training_sentences(
    settings: AnalysisSettings, metrics: dict[str, Any], watched: str
) -> tuple[list[str], set[str]]:
    """Return how the network learned, and the names of references.

    `watched` are the people that training looks at between epochs, in words.
    """
    learn = settings.training
    cited: set[str] = set() if learn.optimizer == "sgd" else {learn.optimizer}
    extra = ""
    if learn.optimizer == "sgd" and learn.momentum:
        extra = f", momentum {number(learn.momentum)}"
    if learn.optimizer == "adamw":
        extra = f", weight decay {number(learn.weight_decay)}"
    who = "The convolutions" if settings.network.family == "gene" else "It"
    said = [
        f"{who} minimised the cross-entropy by {_OPTIMISERS[learn.optimizer]}{extra} in batches of "
        f"{with_unit(learn, 'batch_size')} over at most {counted(learn.epochs, 'epoch')}, with "
        f"{_schedule(settings)}."
    ]
    if learn.schedule == "cosine":
        cited.add("cosine")
    if learn.class_weights:
        said.append("Cases and controls were weighted so that both counted alike.")
    if learn.plateau_factor < 1:
        said.append(
            f"After {with_unit(learn, 'plateau_patience')} without a lower loss of {watched} the "
            f"learning rate was multiplied by {number(learn.plateau_factor)}, down to "
            f"{number(learn.min_learning_rate)}."
        )
    gene = settings.network.family == "gene"
    if learn.patience and gene:
        said.append(
            f"Training stopped after {with_unit(learn, 'patience')} in which no output got better "
            f"among {watched}."
        )
    elif learn.patience:
        said.append(
            f"Training stopped after {with_unit(learn, 'patience')} without a lower loss of "
            f"{watched}."
        )
    if learn.keep == "last":
        said.append("The weights of the last epoch were kept.")
    else:
        said.append(f"The weights of the epoch of {_BEST[learn.keep]} of {watched} were kept.")
    folds = metrics["folds"]
    if gene:
        kept = ""
    elif len(folds) == 1:
        kept = (
            f" ({counted(folds[0]['epochs'], 'epoch')} trained, epoch {folds[0]['best_epoch']} "
            "kept)"
        )
    else:
        low, high = min(f["epochs"] for f in folds), max(f["epochs"] for f in folds)
        kept = f" ({low:,} to {high:,} epochs trained over the folds)"
    said[-1] = said[-1][:-1] + kept + "."
    if learn.precision != "float32":
        said.append(f"Layers computed in {learn.precision}, weights and loss in float32.")
    seeded = ["weights", "batches", *(["dropout"] if settings.network.dropout else [])]
    said.append(f"The seed of {listed(seeded)} was {learn.seed}.")
    return said, cited


def _schedule(settings: AnalysisSettings) -> str:
    learn = settings.training
    rate = f"learning rate of {number(learn.learning_rate)}"
    every = f"by {number(learn.decay_rate)} every {with_unit(learn, 'decay_steps')}"
    words = {
        "constant": f"a constant {rate}",
        "exponential": f"an initial {rate} that fell smoothly {every}",
        "staircase": f"an initial {rate}, multiplied {every}",
        "cosine": f"an initial {rate} that fell along half a cosine to "
        f"{number(learn.min_learning_rate)}",
    }[learn.schedule]
    warm = f", after a warm-up of {with_unit(learn, 'warmup_epochs')}"
    return words + (warm if learn.warmup_epochs else "")
