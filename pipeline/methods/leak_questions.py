"""Did anything that learns or is tuned look at test people? Answered by the roles of the run.

`splits.assign_roles` decides who is looked at by what in the run itself; here a split of one person
a part is given to it, so that the answers follow the code and not a second table of the protocols.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from pipeline.methods.facts import CohortFacts, RunFacts
from pipeline.methods.questions import Answer, Question, Severity
from pipeline.methods.setting_words import counted, is_on, listed, number, rule
from pipeline.methods.text import LABEL_RULES
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings, QualitySettings
from pipeline.splits import Split, assign_roles

Role = Literal["fit", "train", "watch"]
_NAMED = 6  # settings that are named where runs differ in more


def leak_questions(run: Run, metrics: dict[str, Any], facts: RunFacts) -> list[Question]:
    """Return the questions about leaks, the gravest first."""
    settings = run.analysis()
    asked = [
        _selection(settings, facts.cohort),
        _label_rules(settings),
        _scaling(settings),
        _weights(settings),
        _stopping(run, settings, metrics),
        _threshold(settings),
        _hyperparameters(run, facts),
        _looks(facts),
        _relatives(facts),
        _prediction_people(metrics),
        _quality(settings, facts.cohort),
    ]
    return [Question(f"Leak {number_}", *one) for number_, one in enumerate(asked, start=1)]


Answered = tuple[str, Answer, str, Severity]


def sees_test(settings: AnalysisSettings, role: Role) -> bool:
    """Say whether a role of the run's protocol looks at test people."""
    split = Split(0, np.array([0]), np.array([1]), np.array([2]))
    roles = assign_roles(split, settings.selection.protocol)
    return bool(np.isin(split.test, getattr(roles, role)).any())


def _selection(settings: AnalysisSettings, cohort: CohortFacts | None) -> Answered:
    question = "Did labels of test people help to choose the variants?"
    folds = cohort.folds if cohort else ()
    n_test = sum(fold.test.n for fold in folds)
    n_seen = sum(fold.n_test_looked_at for fold in folds)
    counts = f"; {n_seen:,} of {n_test:,} test people were looked at" if folds else ""
    if sees_test(settings, "fit") or n_seen:
        told = f"Variants were ranked on all people before the split{counts}."
        return question, "yes", told, "problem"
    each = " of each fold" if settings.split.folds else ""
    told = f"Variants were ranked on the training people{each} alone{counts}."
    return question, "no", told, "ok"


def _label_rules(settings: AnalysisSettings) -> Answered:
    question = "Did quality rules that read labels see test people?"
    on = [rule(settings.quality, name) for name in LABEL_RULES if is_on(settings.quality, name)]
    if not on:
        return question, "no", "No rule that reads labels was on.", "ok"
    if sees_test(settings, "fit"):
        return question, "yes", f"Applied on all people: {listed(on)}.", "problem"
    return question, "no", f"Applied on training people alone: {listed(on)}.", "ok"


def _scaling(settings: AnalysisSettings) -> Answered:
    question = "Did genotypes of test people set the scaling or the filling of missing calls?"
    encoding = settings.encoding
    if settings.network.family == "gene":
        told = "Scaling and means come from the people that train the network"
        seen = sees_test(settings, "train")
        return question, "yes" if seen else "no", f"{told}.", "problem" if seen else "ok"
    learned = []
    if encoding.layout == "3d":
        if encoding.plane_missing != "zero":
            learned.append(f"missing calls ({encoding.plane_missing})")
    else:
        if encoding.scaling == "standard":
            learned.append("mean and standard deviation of each variant")
        if encoding.missing != "zero":
            learned.append(f"missing calls ({encoding.missing})")
    if not learned:
        return question, "no", "Nothing about scale or missing calls was learned.", "ok"
    who = "all people, test people included" if sees_test(settings, "fit") else "training people"
    told = f"Learned from {who}: {listed(learned)}."
    seen = sees_test(settings, "fit")
    return question, "yes" if seen else "no", told, "problem" if seen else "ok"


def _weights(settings: AnalysisSettings) -> Answered:
    question = "Did test people set the order or the weights of the inputs?"
    encoding = settings.encoding
    if settings.network.family == "gene":
        return question, "no", "This network takes neither an order nor weights.", "ok"
    learned = ["order by p"] if encoding.order == "p" else []
    if encoding.weights in ("log_p", "logistic_l1"):
        learned.append("input weights")
    if learned and sees_test(settings, "fit"):
        told = f"Learned from all people, test people included: {listed(learned)}."
        return question, "yes", told, "problem"
    if encoding.weights == "file":
        told = (
            "Weights came from a file; whether these people took part in making it is not recorded."
        )
        return question, "not known", told, "attention"
    told = f"Learned from training people: {listed(learned)}." if learned else (
        "Neither was learned from anybody."
    )  # fmt: skip
    return question, "no", told, "ok"


def _stopping(run: Run, settings: AnalysisSettings, metrics: dict[str, Any]) -> Answered:
    question = "Did test people decide when training stopped, or which epoch is kept?"
    learn = settings.training
    decides = []
    if settings.network.family == "gene":
        decides = ["the choice among candidates"]
    if learn.patience:
        decides.append("early stopping")
    if learn.keep != "last":
        decides.append("the epoch that is kept")
    if learn.plateau_factor < 1:
        decides.append("the learning rate on plateaus")
    if run.state == "cancelled":
        decides.append("the person who ended the training and saw its curves")
    if not decides:
        told = f"All {counted(learn.epochs, 'epoch')} were trained and the last one is kept."
        return question, "no", told, "ok"
    seen = sees_test(settings, "watch")
    who = "the test people" if seen else "validation people"
    told = f"By {who} went: {listed(decides)}."
    return question, "yes" if seen else "no", told, "problem" if seen else "ok"


def _threshold(settings: AnalysisSettings) -> Answered:
    question = "Did test people set the threshold above which a person is called a case?"
    if settings.evaluation.threshold == "half":
        return question, "no", "The threshold was 0.5 from the start.", "ok"
    seen = sees_test(settings, "watch")
    who = "test people, who are then measured with it" if seen else "validation people"
    told = f"The threshold ({settings.evaluation.threshold}) was chosen on {who}."
    return question, "yes" if seen else "no", told, "problem" if seen else "ok"


def _hyperparameters(run: Run, facts: RunFacts) -> Answered:
    question = "Could results on test people have chosen the hyperparameters?"
    n_before = facts.others.n_same_before
    if facts.search:
        trials = counted(facts.search.n_trials, "trial")
        if facts.search.is_same_split and run.analysis().selection.protocol == "honest":
            told = f"A search of {trials} chose them on validation people, test people set aside."
            return question, "no", told, "ok"
        told = f"A search of {trials} chose them on another split than this run's."
        return question, "not known", told, "attention"
    if n_before:
        ends = "shows" if n_before == 1 else "show"
        told = (
            f"No search chose them, and {counted(n_before, 'earlier run')} in this cache "
            f"{ends} results on the same test people; a person may have chosen by these."
        )
        return question, "not known", told, "attention"
    told = "No earlier run in this cache shows results on these test people."
    return question, "no", told, "ok"


def _looks(facts: RunFacts) -> Answered:
    question = "Do other runs in this cache measure the same test people?"
    others = facts.others
    beside = ""
    if others.n_other_split:
        runs = counted(others.n_other_split, "run")
        beside = f" {runs} of the cohort had other test people, who may overlap with these."
    if not others.n_same:
        told = f"None does; runs deleted or kept elsewhere are not counted.{beside}"
        return question, "no", told, "attention" if others.n_other_split else "ok"
    differ = list(others.differing)
    more = f" and {len(differ) - _NAMED} more" if len(differ) > _NAMED else ""
    named = ", ".join(_label(name) for name in differ[:_NAMED]) + more
    differs = "differs" if others.n_same == 1 else "differ"
    where = f", which {differs} in {named}" if named else ""
    told = (
        f"{counted(others.n_same, 'other run')}{where}. Whoever reports "
        f"the best of {others.n_same + 1} reports too much; report all, or the one planned.{beside}"
    )
    return question, "yes", told, "attention"


def _label(name: str) -> str:
    stage, _, field = name.partition(".")
    group: Any = AnalysisSettings.model_fields[stage].annotation
    words = group.model_fields[field].json_schema_extra["label"]
    return words[0].lower() + words[1:] if words[1:2].islower() else words


def _relatives(facts: RunFacts) -> Answered:
    question = "Are relatives or duplicates of test people among those who trained the network?"
    cohort = facts.cohort
    if cohort is None:
        told = "The cohort is no longer there as it was, so that pairs cannot be counted."
        return question, "not known", told, "attention"
    cut = f" of kinship {number(cohort.min_kinship)} or more" if cohort.min_kinship else ""
    pairs = counted(cohort.n_pairs, "pair")
    match cohort.relatives:
        case "none":
            return question, "no", f"Among these people there are no pairs{cut}.", "ok"
        case "not looked for":
            told = "Nobody looked for relatives; compute the structure of the cohort first."
            return question, "not known", told, "attention"
        case "another grouping":
            told = (
                "Relatives known at that time were kept on one side, but who is related has been "
                "computed anew since."
            )
            return question, "not known", told, "attention"
    if not cohort.folds:
        told = "The split could not be drawn again, so that pairs cannot be counted."
        return question, "not known", told, "attention"
    n_across = max(fold.n_pairs_across or 0 for fold in cohort.folds)
    if n_across:
        most = " in a fold at most" if len(cohort.folds) > 1 else ""
        told = f"Of {pairs}{cut}, {n_across:,} lie across the split{most}."
        return question, "yes", told, "problem"
    return question, "no", f"None of {pairs}{cut} lies across the split.", "ok"


def _prediction_people(metrics: dict[str, Any]) -> Answered:
    question = "Did people of the paper's prediction error also train the network?"
    error = metrics["prediction_error"]
    told = f"{error['n_trained']:,} of the {error['n']:,} people drawn for it."
    if error["n_trained"]:
        return question, "yes", told, "problem"
    return question, "no", told, "ok"


def _quality(settings: AnalysisSettings, cohort: CohortFacts | None) -> Answered:
    question = "Were genotypes of test people, without labels, counted by quality thresholds?"
    quality: QualitySettings = settings.quality
    counting = ("drop_monomorphic", "min_mean_depth", "min_call_rate", "min_mac", "min_mean_gq")
    on = [rule(quality, name) for name in counting if is_on(quality, name)]
    if not on:
        return question, "no", "No threshold that counts people was on.", "ok"
    who = f"all {cohort.n_case + cohort.n_control:,} people" if cohort else "all people"
    told = f"Counted over {who}, as usual; no label is read: {listed(on)}."
    return question, "yes", told, "ok"
