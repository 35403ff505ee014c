"""How the network learns: loss, then accuracy and AUC, then the learning rate, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import altair as alt
import pandas as pd

from dashboard.charts.frame import AnyChart, finish, pixels, spread, tooltip
from dashboard.theme import DASH_REFERENCE, DASH_TRAINING, LIGHT, Palette, mix

NAMES = 84  # pixels right of the curves for their names
FEW = 20  # up to so many epochs, each is a dot as well
LABELS = 38  # pixels left of the curves for the numbers of an axis, whatever they are
# While epochs come, the axis ends at one of these, so that it seldom moves.
ENDS = (5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class _Panel:
    """One of the panels on top of each other, in pixels from above."""

    title: str
    top: int
    bottom: int


LOSS = _Panel("Loss", 30, 200)
SCORE = _Panel("Accuracy and AUC", 256, 426)
RATE = _Panel("Learning rate", 472, 512)
HEIGHT = RATE.bottom


def learning_curves(
    epochs: pd.DataFrame,
    best_epoch: int | Mapping[int, int] | None = None,
    majority: float | None = None,
    figure: str = "Learning curves",
    *,
    n_folds: int | None = None,
    is_running: bool = False,
    most_epochs: int | None = None,
    palette: Palette = LIGHT,
) -> AnyChart:
    """Return the curves of one run, from its first epoch on.

    `epochs` has fold, epoch, loss, accuracy, val_loss, val_accuracy, val_auc, learning_rate. With
    several folds each is a thin line on the band from the lowest to the highest, and the thick
    one is their mean while all of them run. `best_epoch` is one number, or one a fold; `majority`
    is the accuracy of always guessing the larger class; `figure` is the title; `n_folds` is how
    many there will be. While a run `is_running`, the axis leaves room for epochs to come, at most
    `most_epochs`, and band and mean are of the folds that have ended.
    """
    folds = sorted(epochs.fold.unique())
    n_folds = n_folds or len(folds)
    ended = epochs[epochs.fold != folds[-1]] if is_running and len(folds) > 1 else epochs
    middle = _mean_while_all_run(ended)
    if isinstance(best_epoch, Mapping) and n_folds == 1:
        best_epoch = best_epoch.get(folds[0])
    last = int(epochs.epoch.max())
    end = _end(last, most_epochs) if is_running else last
    x_scale = alt.Scale(
        domain=[1, max(end, 2)] if end > 1 else [0.5, 1.5],
        range=[4, pixels(f"width - {NAMES}")],
        nice=False,
    )
    few_values = {"values": list(range(1, end + 1))} if end <= 10 else {"tickCount": 10}
    axis = alt.Axis(title="Epoch", format="d", tickMinStep=1, grid=False, **few_values)
    x = alt.X("epoch:Q", scale=x_scale, axis=axis)

    training, validation, auc = palette.training, palette.ink, palette.auc
    loss = _curves(
        epochs,
        ended,
        middle,
        x,
        LOSS,
        [("loss", "training", training), ("val_loss", "validation", validation)],
        palette,
        best=best_epoch,
    )
    score = _curves(
        epochs,
        ended,
        middle,
        x,
        SCORE,
        [
            ("accuracy", "training", training),
            ("val_accuracy", "validation", validation),
            ("val_auc", "AUC", auc),
        ],
        palette,
        reference=majority,
    )
    rate = _rate(epochs[epochs.fold == folds[0]], x, palette)
    chart = alt.layer(loss, score, rate, _hover(middle, x, best_epoch, palette)).resolve_scale(
        y="independent"
    )
    subtitle = ["Solid: validation; dashed: training"]
    if n_folds > 1:  # from the first fold on, so that nothing moves when the second begins
        subtitle.append(f"Thin: each of {n_folds} folds; band: range; thick: mean")
    final = middle.iloc[-1]
    return finish(
        chart,
        palette,
        title=figure,
        subtitle=subtitle,
        description=(
            f"Curves over {last} epochs and {len(folds)} folds; at the last epoch that all "
            f"reached, loss {final.loss:.3f} in training and {final.val_loss:.3f} in validation, "
            f"validation accuracy {final.val_accuracy:.1%}, AUC {final.val_auc:.3f}."
        ),
        height=HEIGHT,
    )


def _end(last: int, most: int | None) -> int:
    """Return where the axis of epochs ends while more of them come."""
    end = next((end for end in ENDS if end >= last), last)
    return end if most is None else max(last, min(end, most))


def _mean_while_all_run(epochs: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over folds of each epoch that every fold has reached."""
    columns = ["loss", "accuracy", "val_loss", "val_accuracy", "val_auc", "learning_rate"]
    grouped = epochs.groupby("epoch")
    complete = grouped.fold.nunique() == epochs.fold.nunique()
    return grouped[columns].mean()[complete].reset_index()


def _curves(
    epochs: pd.DataFrame,
    ended: pd.DataFrame,
    middle: pd.DataFrame,
    x: alt.X,
    panel: _Panel,
    series: list[tuple[str, str, str]],
    palette: Palette,
    *,
    best: int | Mapping[int, int] | None = None,
    reference: float | None = None,
) -> AnyChart:
    """Return one panel: a line for each of (column, name at its end, colour).

    Band and thick line are of the folds that have `ended`, and of their mean, `middle`.
    """
    values = pd.concat([epochs[column] for column, _, _ in series]).dropna()
    known = [*values, *([reference] if reference is not None else [])] or [0.0, 1.0]
    low, high = min(known), max(known)
    room = 0.06 * (high - low) or 0.05
    domain = [max(0.0, low - room), high + room]
    scale = alt.Scale(domain=domain, range=[panel.bottom, panel.top], nice=False, zero=False)
    y_axis = _left_axis(tickCount=4, format=".2~f", grid=True)

    def y(column: str) -> alt.Y:
        return alt.Y(f"{column}:Q", scale=scale, axis=y_axis)

    layers: list[AnyChart] = []
    several = epochs.fold.nunique() > 1
    few = int(epochs.epoch.max()) <= FEW
    ends: list[tuple[float, str, str]] = []
    if reference is not None:
        line = alt.Chart(pd.DataFrame({"reference": [reference]}))
        layers.append(
            line.mark_rule(
                strokeDash=DASH_REFERENCE,
                strokeWidth=1.5,
                color=palette.reference,
                x=0,
                x2=pixels(f"width - {NAMES}"),
            ).encode(y=y("reference"))
        )
        ends.append((reference, "majority", palette.reference))
    for column, name, colour in series:
        dash = DASH_TRAINING if name == "training" else (1, 0)
        if several:
            if name != "training":
                layers.append(_band(ended, column, x, y, colour))
            layers.append(
                alt.Chart(epochs)
                .mark_line(strokeWidth=1, color=mix(colour, palette.background, 0.55))
                .encode(x=x, y=y(column), detail="fold:N")
            )
            now = epochs[~epochs.fold.isin(ended.fold)]  # the fold that trains
            layers.append(
                alt.Chart(now)
                .mark_line(strokeWidth=1.6, strokeDash=dash, color=colour)
                .encode(x=x, y=y(column))
            )
        if middle[column].notna().any():
            layers.append(
                alt.Chart(middle)
                .mark_line(
                    strokeWidth=2.6,
                    strokeDash=dash,
                    color=colour,
                    point={"size": 36, "color": colour, "filled": True} if few else False,
                )
                .encode(x=x, y=y(column))
            )
            ends.append((float(middle[column].dropna().iloc[-1]), name, colour))
    layers += _best(epochs, x, y, best, palette)

    span = domain[1] - domain[0]
    exact = [
        panel.bottom - (panel.bottom - panel.top) * (value - domain[0]) / span
        for value, _, _ in ends
    ]
    for place, (_, name, colour) in zip(
        spread(exact, 17, panel.top + 4, panel.bottom - 4), ends, strict=True
    ):
        layers.append(_words(name, pixels(f"width - {NAMES - 8}"), place, colour))
    layers.append(_words(panel.title, 0, panel.top - 16, palette.ink, fontWeight=600))
    return alt.layer(*layers)


def _left_axis(**options: object) -> alt.Axis:
    """Return an axis that is as wide with any numbers, so that no epoch moves the curves."""
    return alt.Axis(title=None, orient="left", minExtent=LABELS, maxExtent=LABELS, **options)


def _band(
    ended: pd.DataFrame, column: str, x: alt.X, y: Callable[[str], alt.Y], colour: str
) -> alt.Chart:
    """Return the band from the lowest to the highest fold, while two or more run."""
    grouped = ended.groupby("epoch")[column]
    range_ = grouped.agg(low="min", high="max", n="count").query("n > 1").reset_index()
    return (
        alt.Chart(range_)
        .mark_area(color=colour, opacity=0.12)
        .encode(x=x, y=y("low"), y2=alt.Y2("high:Q"))
    )


def _words(text: str, x: object, y: float, colour: str, **style: object) -> alt.Chart:
    return (
        alt.Chart(pd.DataFrame({"words": [text]}))
        .mark_text(align="left", baseline="middle", x=x, y=y, color=colour, **style)
        .encode(text=alt.Text("words:N"))
    )


def _best(
    epochs: pd.DataFrame,
    x: alt.X,
    y: Callable[[str], alt.Y],
    best: int | Mapping[int, int] | None,
    palette: Palette,
) -> list[AnyChart]:
    """Return a ring on the validation loss at the best epoch, of each fold if there are several."""
    if best is None:
        return []
    fold_of = best if isinstance(best, Mapping) else {fold: best for fold in epochs.fold.unique()}
    at_best = epochs[epochs.epoch == epochs.fold.map(fold_of)]
    return [
        alt.Chart(at_best)
        .mark_point(size=110, strokeWidth=2, fill=palette.background, stroke=palette.ink, opacity=1)
        .encode(x=x, y=y("val_loss"))
    ]


def _rate(epochs: pd.DataFrame, x: alt.X, palette: Palette) -> AnyChart:
    low, high = float(epochs.learning_rate.min()), float(epochs.learning_rate.max())
    positive = low > 0
    domain = [low / 1.5, high * 1.5] if positive else [0.0, max(high, 1e-9) * 1.1]
    scale = alt.Scale(
        type="log" if positive else "linear",
        domain=domain,
        range=[RATE.bottom, RATE.top],
        nice=False,
    )
    ends = sorted({low, high})
    if high < 1.9 * low:  # too near to each other for two labels
        ends = [high]
    # As they are set; what is too small to fit beside the curve, as a power of ten.
    words = "datum.value < 0.001 ? format(datum.value, '.1~e') : format(datum.value, '.2~r')"
    y_axis = _left_axis(values=ends, labelExpr=words, grid=False, labelOverlap=False)
    line = (
        alt.Chart(epochs)
        .mark_line(
            interpolate="step-after",
            strokeWidth=1.5,
            color=palette.muted,
            point={"size": 8, "color": palette.muted},
        )
        .encode(x=x, y=alt.Y("learning_rate:Q", scale=scale, axis=y_axis))
    )
    return alt.layer(line, _words(RATE.title, 0, RATE.top - 16, palette.ink, fontWeight=600))


def _hover(
    middle: pd.DataFrame, x: alt.X, best: int | Mapping[int, int] | None, palette: Palette
) -> AnyChart:
    """Return the line of the best epoch, and an unseen one at each epoch that tells its numbers."""
    unseen = (
        alt.Chart(middle)
        .mark_rule(opacity=0, strokeWidth=14, y=LOSS.top, y2=HEIGHT)
        .encode(
            x=x,
            tooltip=tooltip(
                epoch=("Epoch", "d"),
                loss=("Loss, training", ".4f"),
                val_loss=("Loss, validation", ".4f"),
                accuracy=("Accuracy, training", ".1%"),
                val_accuracy=("Accuracy, validation", ".1%"),
                val_auc=("AUC, validation", ".3f"),
                learning_rate=("Learning rate", ".2~e"),
            ),
        )
    )
    if not isinstance(best, int):
        return unseen
    mark = alt.Chart(pd.DataFrame({"epoch": [best], "words": [f"best epoch {best}"]})).encode(x=x)
    # In pieces, so that the titles of the panels stay clear of it.
    rules = [
        mark.mark_rule(strokeWidth=1.2, color=palette.muted, y=panel.top, y2=panel.bottom)
        for panel in (LOSS, SCORE, RATE)
    ]
    on_right = best > 0.6 * float(middle.epoch.max())
    words = mark.mark_text(
        align="center" if middle.epoch.max() == 1 else "right" if on_right else "left",
        y=LOSS.bottom + 14,
        baseline="middle",
        color=palette.ink,
    ).encode(text=alt.Text("words:N"))
    return alt.layer(*rules, words, unseen)
