"""What the thresholds of the run keep, and where its signal lies."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pandas as pd

from pipeline.association import Association
from pipeline.cohort import Cohort
from pipeline.methods.setting_words import is_on, listed, number, rule
from pipeline.quality import Filtered
from pipeline.settings import AssociationSettings
from pipeline.story.part import Part
from pipeline.story.told import Told
from pipeline.story.words import LINES, TESTS
from pipeline.summaries import genome_axis, manhattan_points, peaks, top_table

_TOP = 20  # variants in the table


def funnel(told: Told) -> Part:
    """Return what each quality step left, under the thresholds of the run."""
    quality = told.settings.quality
    on = [rule(quality, name) for name in type(quality).model_fields if is_on(quality, name)]
    asked = f"Thresholds: {', '.join(on)}" if on else "No threshold is on"
    if told.analysis is None:
        return Part(
            name="funnel",
            title="The funnel of this run cannot be counted again",
            sentences=(told.lacking or told.problem,),
            caption=told.caption(asked),
            table=None,
            data={},
        )
    filtered = told.analysis.filtered
    steps = pd.DataFrame([asdict(step) for step in filtered.steps])
    n_read, n_kept = int(steps["variants"].iloc[0]), len(filtered.kept)
    said = []
    worst = steps.loc[steps["removed"].idxmax()]
    if worst["removed"] > 0:
        said.append(f"“{worst['title']}” removes most: {worst['removed']:,}.")
    else:
        said.append("No step removes anything.")
    lacking = [title.lower() for title, none in zip(steps["title"], steps["has_no_data"],
               strict=True) if none]  # fmt: skip
    if lacking:
        said.append(f"Not asked, as the source does not say: {listed(lacking)}.")
    return Part(
        name="funnel",
        title=f"Of {n_read:,} sites read, {n_kept:,} variants are kept",
        sentences=tuple(said),
        caption=told.caption(
            asked, f"counted over {filtered.n_case:,} cases and {filtered.n_control:,} controls"
        ),
        table=pd.DataFrame(
            {
                "Step": steps["title"],
                "Left": steps["variants"],
                "Removed": steps["removed"],
                "Note": steps["note"],
            }
        ),
        data={"steps": steps},
    )


def manhattan(told: Told) -> Part:
    """Return the association of all kept variants on all people, as the run's settings test it."""
    asked, found = told.settings.association, told.analysis
    test = TESTS[asked.test]
    if told.cohort is None or found is None or found.association is None:
        return _not_tested(told, test)
    tested = found.association
    hits = found.line(asked)
    n_hits = int(np.count_nonzero(tested.neg_log10_p > hits))
    axis = genome_axis(told.cohort)
    points = manhattan_points(told.cohort, axis, found.filtered, tested)
    high = peaks(points, min(hits, 1e9))
    selection_line = _selection_line(told, tested)
    log_p = np.sort(tested.neg_log10_p[~np.isnan(tested.neg_log10_p)])
    return Part(
        name="manhattan",
        title=_finding(n_hits, tested.n_tested, hits, asked),
        sentences=tuple(_said(told, tested, high)),
        caption=told.caption(
            f"{test[0].upper()}{test[1:]} test of all "
            f"{found.filtered.n_case:,} cases and {found.filtered.n_control:,} controls",
            f"{tested.n_tested:,} variants tested",
            f"{LINES[asked.correction]}: −log10 p {hits:.2f}" if math.isfinite(hits) else "",
        ),
        table=_top_variants(told.cohort, found.filtered, tested),
        data={
            "points": points,
            "chromosomes": axis.chromosomes,
            "lines": found.lines(asked),
            "hits": hits,
            "test": test,
            "peaks": high,
            "selection_line": selection_line,
            # Of every variant that has a p, ascending: what a moved threshold is counted on.
            "all_neg_log10_p": log_p,
        },
    )


def n_above(part: Part, line: float) -> int:
    """Return how many of all tested variants lie above a line of −log10 p."""
    log_p = part.data["all_neg_log10_p"]
    return int(len(log_p) - np.searchsorted(log_p, line, side="right"))


def _not_tested(told: Told, test: str) -> Part:
    if told.cohort is None or told.analysis is None:
        title, why = "The association of this run cannot be drawn again", told.lacking
        said = (why or told.problem,)
    elif told.analysis.n_to_regress:
        title = "The logistic regression of these variants is not computed yet"
        said = (
            f"{told.analysis.n_to_regress:,} variants wait for it; compute it on the page "
            "Association under the thresholds of this run.",
        )
    else:
        title, said = "Nothing can be tested under these thresholds", (told.analysis.problem,)
    return Part("manhattan", title, said, told.caption(f"test asked for: {test}"), None, {})


def _finding(n_hits: int, n_tested: int, hits: float, asked: AssociationSettings) -> str:
    line = LINES[asked.correction]
    if not math.isfinite(hits):
        if asked.correction == "permutation":
            return f"{n_tested:,} variants are tested; their permutations are not computed yet"
        return f"None of {n_tested:,} variants tested passes {line}"
    if not n_hits:
        return f"None of {n_tested:,} variants tested passes {line}"
    passes = "passes" if n_hits == 1 else "pass"
    return f"{n_hits:,} of {n_tested:,} variants tested {passes} {line}"


def _said(told: Told, tested: Association, high: pd.DataFrame) -> list[str]:
    said = []
    if not math.isnan(tested.lambda_gc):
        said.append(f"Lambda is {tested.lambda_gc:.2f} over {tested.n_of_lambda:,} variants.")
    names = list(dict.fromkeys(high["label"]))[:5]
    if names:
        said.append(f"The highest peaks: {listed(names)}.")
    chosen = told.settings.selection
    who = "the training people alone" if told.is_honest else "all people"
    cut = f"of p below {number(chosen.max_p)}" if chosen.top is None else "of smallest p"
    n_chosen = sorted({fold["selected"] for fold in told.folds})
    spread = f"{n_chosen[0]:,}" + (f" to {n_chosen[-1]:,}" if len(n_chosen) > 1 else "")
    one = n_chosen == [1]
    said.append(
        f"The network was given {spread} {'variant' if one else 'variants'} {cut}, ranked on {who}."
    )
    return said


def _selection_line(told: Told, tested: Association) -> tuple[float, int] | None:
    """Return where the selection cuts this very plot and how many lie above, None elsewhere."""
    chosen = told.settings.selection
    if chosen.top is not None or chosen.test != tested.test:
        return None
    line = -math.log10(chosen.max_p)
    return line, int(np.count_nonzero(tested.neg_log10_p > line))


def _top_variants(cohort: Cohort, filtered: Filtered, tested: Association) -> pd.DataFrame:
    top = top_table(cohort, filtered, tested, _TOP)
    return pd.DataFrame(
        {
            "Variant": top["variant_id"],
            "Gene": top["gene"].fillna(""),
            "p": top["p_value"],
            "Odds ratio": top["odds_ratio"],
            "Low": top["ci_low"],
            "High": top["ci_high"],
            "Expected count": top["is_doubtful"].map({True: "small", False: ""}),
        }
    )
