"""The last two parts: whether noise would have scored the same, and what is not shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.audit import LOGISTIC, NETWORK
from pipeline.audit.stored import Question, question, read_answer
from pipeline.cohort import Cohort
from pipeline.methods.checklist import Checklist, checklist
from pipeline.methods.questions import Question as Asked
from pipeline.methods.setting_words import counted, label, listed
from pipeline.presets import PRESETS
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings
from pipeline.story.part import Part
from pipeline.story.people import is_simulated
from pipeline.story.told import Told
from pipeline.story.words import MODELS, limits

AUDIT_PARTS = ("protocols", "confounding", "leaks")  # the answers that a story tells
AUDITED = {LOGISTIC: "L2 logistic regression", NETWORK: "Network"}
_IN_TEXT = {LOGISTIC: "regression", NETWORK: "network"}
_ROWS = {
    "honest": "Honest",
    "published": "Published order",
    "honest_permuted": "Honest, labels permuted (mean)",
    "published_permuted": "Published order, labels permuted (mean)",
}
_MOST_SAID = 3  # answers that ask for attention and are said; the table has all


def questions_of(cohort: Cohort, run: Run) -> dict[str, Question]:
    """Return what an audit of this run asks, by model."""
    settings = run.analysis()
    return {model: question(cohort, settings, model) for model in AUDITED}


def audit(told: Told) -> Part:
    """Return what the stored audits of this run say; of one that was not asked, what to do."""
    if told.cohort is None:
        return Part(
            name="audit",
            title="The audit of this run cannot be read",
            sentences=(told.lacking,),
            caption=told.caption(),
            table=None,
            data={},
        )
    asked = questions_of(told.cohort, told.run)
    known = {
        model: answer
        for model, one in asked.items()
        if (answer := read_answer(told.run.cache, one, "protocols"))
    }
    if not known:
        return Part(
            name="audit",
            title="This run has not been audited: whether noise scores the same is not known",
            sentences=(
                "Open the page Audit, choose this run and press Audit; logistic regression "
                "answers within seconds.",
            ),
            caption=told.caption("not audited"),
            table=None,
            data={},
        )
    newest = list(known.values())[-1]["found"]
    said = [newest["sentence"]]
    said += _further(told.run.cache, asked)
    if not all(answer["is_complete"] for answer in known.values()):
        said.append("Permutations are still being computed.")
    permuted = listed(
        [
            f"{len(one['found']['honest_permuted']):,} of the {_IN_TEXT[model]}"
            for model, one in known.items()
        ]
    )
    return Part(
        name="audit",
        title=_verdict(newest),
        sentences=tuple(said),
        caption=told.caption(
            f"{newest['n_test']:,} test people", f"permutations of the labels: {permuted}"
        ),
        table=_table({model: one["found"] for model, one in known.items()}),
        data={"audits": [(AUDITED[model], one["found"]) for model, one in known.items()]},
    )


def _verdict(found: Mapping[str, Any]) -> str:
    honest, published = (found[way]["auc"]["value"] for way in ("honest", "published"))
    noise = [one["auc"]["value"] for one in found["published_permuted"]]
    said = f"Honest, the AUC is {honest:.2f}; in the published order it would be {published:.2f}"
    return said + (f", and {sum(noise) / len(noise):.2f} on noise" if noise else "")


def _further(cache: Path, asked: Mapping[str, Question]) -> list[str]:
    """Return the sentences of the other parts that were asked: of the network, else regression."""
    said = []
    for part in AUDIT_PARTS[1:]:
        answers = [read_answer(cache, asked[model], part) for model in (NETWORK, LOGISTIC)]
        answer = next((one for one in answers if one and one["is_complete"]), None)
        if answer:
            said.append(answer["found"]["sentence"])
    return said


def _table(audits: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    rows = []
    for model, found in audits.items():
        for way, words in _ROWS.items():
            measured = found[way]
            if isinstance(measured, list):
                if not measured:
                    continue
                n = len(measured)
                row = {
                    "AUC": sum(one["auc"]["value"] for one in measured) / n,
                    "Accuracy": sum(one["accuracy"]["value"] for one in measured) / n,
                    "Fits": n,
                }
            else:
                row = {
                    "AUC": measured["auc"]["value"],
                    "AUC, low": measured["auc"]["low"],
                    "AUC, high": measured["auc"]["high"],
                    "Accuracy": measured["accuracy"]["value"],
                    "Fits": 1,
                }
            rows.append({"Model": AUDITED[model], "Order": words, **row})
    columns = ["Model", "Order", "AUC", "AUC, low", "AUC, high", "Accuracy", "Fits"]
    return pd.DataFrame(rows, columns=columns)


def caveats(told: Told) -> Part:
    """Return what the result does not say: leaks, size, other models, assumptions, people."""
    answered = checklist(told.run, dict(told.metrics), told.facts)
    said = [
        answered.sentence(),
        *_answers(answered),
        _size(told),
        *_others(told),
        "Nobody of another cohort was tested, so that nothing is known of other places, batches "
        "and ancestries.",
        *_assumed(told),
        *told.metrics["notes"],
    ]
    if told.run.state == "cancelled":
        said.append("Somebody ended this training early; measured are the best weights until then.")
    if told.cohort is not None and is_simulated(told.cohort):
        said.insert(0, "These people are simulated, with effects that are stronger than life.")
    if told.lacking:
        said.append(f"Only what the run itself holds is told of its people. {told.lacking}")
    return Part(
        name="caveats",
        title=_what_it_is(told),
        sentences=tuple(dict.fromkeys(said)),
        caption=told.caption(
            f"{told.metrics['protocol']} protocol", f"{len(answered.leaks)} questions about leaks"
        ),
        table=pd.DataFrame(
            [
                {
                    "Item": one.item,
                    "Question": one.question,
                    "Answer": one.answer,
                    "Evidence": one.evidence,
                }
                for one in answered.leaks
            ]
        ),
        data={},
    )


def _what_it_is(told: Told) -> str:
    if not told.is_honest:
        return "This is not evidence about new people: the published order saw their labels"
    n_folds = len(told.folds)
    how = f"{n_folds} folds" if n_folds > 1 else "one split"
    return f"This is one cohort and {how}: nobody from elsewhere was tested"


def _answers(answered: Checklist) -> list[str]:
    """Return the evidence of what is a problem, and of the first of what asks for attention."""
    problems = [one for one in answered.leaks if one.severity == "problem"]
    doubts = [one for one in answered.leaks if one.severity == "attention"]
    return [_evidence(one) for one in [*problems, *doubts[:_MOST_SAID]] if one.evidence]


def _evidence(one: Asked) -> str:
    """Return the evidence of an answer so that it stands without its question."""
    if one.question.startswith("Do other runs") and one.answer == "yes":
        return f"On the same test people there are {one.evidence}"
    return one.evidence


def _size(told: Told) -> str:
    test = told.metrics["test"]
    auc = test["auc"]
    people = counted(test["n"], "test person", "test people")
    if auc["value"] is None or auc["low"] is None:
        return f"{people} are too few, or of one class, to tell an AUC with its limits."
    return (
        f"{people} leave the AUC between {auc['low']:.2f} and {auc['high']:.2f}; smaller "
        "differences cannot be told."
    )


def _others(told: Told) -> list[str]:
    """Return what the best of the simpler models reaches, as that is what there is to beat."""
    own = told.metrics["test"]["auc"]["value"]
    aucs = {
        name: one["auc"]
        for name, one in told.metrics["baselines"].items()
        if name != "majority" and one["auc"]["value"] is not None
    }
    if own is None or not aucs:
        return []
    best = max(aucs, key=lambda name: aucs[name]["value"])
    name = MODELS.get(best, best)
    reach = f"{name} reaches {limits(aucs[best])} on the same variants and people"
    if aucs[best]["value"] >= own:
        return [f"{reach}, which is no less than the network's {own:.2f}."]
    return [f"{reach}; the network has {own:.2f}."]


def _assumed(told: Told) -> list[str]:
    """Return what the preset assumes where the paper is silent."""
    known = PRESETS.get(told.run.preset)
    if known is None or not known.assumed:
        return []
    return [f"Assumed where the paper is silent: {listed([_label(one) for one in known.assumed])}."]


def _label(name: str) -> str:
    stage, _, field = name.partition(".")
    return label(getattr(AnalysisSettings(), stage), field)
