"""The items of TRIPOD+AI as far as a run can answer them; the rest is left to the authors.

References: Collins et al. 2024, BMJ 385:e078378; the questions are in our own words.
"""

from __future__ import annotations

from typing import Any

from pipeline.methods.facts import RunFacts
from pipeline.methods.network_words import n_weights
from pipeline.methods.questions import Question, for_authors
from pipeline.methods.setting_words import counted, is_on, listed, number, rule
from pipeline.methods.text import TEST_WORDS, interval
from pipeline.runs import Run

_MEASURES = {
    "accuracy": "accuracy",
    "auc": "AUC",
    "loss": "cross-entropy",
    "confusion": "confusion matrix",
    "brier": "Brier score",
    "calibration": "calibration",
    "average_precision": "average precision",
}
# Fewer of the smaller class than this make every figure of the test people uncertain; Collins,
# Ogundimu and Altman 2016, Stat Med 35:214-226, ask for 100 events at least.
LEAST_EVENTS = 100


def tripod_items(run: Run, metrics: dict[str, Any], facts: RunFacts) -> list[Question]:
    """Return the items in their order."""
    asked = [
        for_authors("1", "Does the title name the model, its population and what it predicts?"),
        for_authors("2", "Does the abstract follow TRIPOD+AI for abstracts?"),
        for_authors("3a", "What is the clinical context, and why this model?"),
        for_authors("3b", "For whom is it meant, and who would use it?"),
        for_authors("3c", "Which health inequalities are known between groups of people?"),
        for_authors("4", "What is the aim: to develop a model, to evaluate one, or both?"),
        for_authors("5a", "Where do the data come from, and whom do they represent?"),
        for_authors("5b", "When were people recruited and sequenced?"),
        for_authors("6a", "In which setting and centres were they recruited?"),
        _eligibility(run, facts),
        for_authors("6c", "Which treatments had they received?"),
        _preparation(run, facts),
        for_authors("8a", "How and when was the diagnosis made?"),
        for_authors("8b", "Who made it, if it takes judgement?"),
        for_authors("8c", "Were those who made it blind to the genotypes?"),
        _preselection(run, metrics),
        for_authors("9b", "How and when were genotypes sequenced and called?"),
        for_authors("9c", "Who judged predictors, where calls were looked at by eye?"),
        _sample_size(run, metrics),
        _missing(run),
        _partition(run, facts),
        _handling(run),
        _model(run, facts),
        _clusters(metrics),
        _measures(metrics),
        _updating(),
        _predictions(run),
        _imbalance(run, metrics),
        for_authors("14", "Which measures make the model fair to all groups, and why these?"),
        _output(run, metrics),
        _same_source(metrics),
        for_authors("17", "Which committee approved the study, and did people consent?"),
        for_authors("18a", "Who paid for it, and what part had they in it?"),
        for_authors("18b", "Which interests of the authors conflict?"),
        for_authors("18c", "Where is the study protocol?"),
        for_authors("18d", "Where was the study registered?"),
        for_authors("18e", "Who may use the data, and how?"),
        for_authors("18f", "Where is the code?"),
        for_authors("19", "What part had patients and the public?"),
        _flow(run, facts),
        for_authors("20b", "What are people like: age, sex, ancestry, missing data?"),
        _compared(facts),
        _numbers(metrics, facts),
        _specification(run),
        _performance(metrics),
        _between_folds(metrics),
        Question("24", "What did updating the model change?", "no", "Nothing was updated.", "ok"),
        for_authors("25", "What do the results mean, also for fairness and earlier studies?"),
        for_authors("26", "What limits the study: people, sample size, missing data, overfitting?"),
        _poor_input(run),
        for_authors("27b", "What must users know or do to apply the model?"),
        for_authors("27c", "What should be studied next, and where would the model apply?"),
    ]
    return asked


def _eligibility(run: Run, facts: RunFacts) -> Question:
    settings = run.analysis()
    people = settings.people
    told = f"Cases: {listed(people.case)}; controls: {listed(people.control)}"
    told += f"; left out: {listed(people.exclude)}" if people.exclude else ""
    samples = settings.samples
    on = [rule(samples, name) for name in type(samples).model_fields if is_on(samples, name)]
    told += f"; thresholds on people: {listed(on)}" if on else "; no threshold on people"
    found = facts.cohort
    told += f" ({found.n_failed:,} left out by them)" if found and on else ""
    question = "Who could take part, and who was left out?"
    return Question("6b", question, "yes", f"{told}.", "ok")


def _preparation(run: Run, facts: RunFacts) -> Question:
    question = "How were the data cleaned and checked?"
    quality = run.analysis().quality
    on = [rule(quality, name) for name in type(quality).model_fields if is_on(quality, name)]
    if not on:
        told = "No quality threshold on variants was on."
        return Question("7", question, "no", told, "attention")
    kept = ""
    if facts.cohort:
        steps = facts.cohort.steps
        kept = f"; {steps[-1].variants:,} variants kept of {steps[0].variants:,} sites"
    told = f"Thresholds: {listed(on)}{kept}."
    return Question("7", question, "yes", told, "ok")


def _preselection(run: Run, metrics: dict[str, Any]) -> Question:
    chosen = run.analysis().selection
    cut = f"p below {number(chosen.max_p)}" if chosen.top is None else f"the top {chosen.top:,}"
    counts = listed([f"{f['selected']:,} of {f['ranked']:,}" for f in metrics["folds"]])
    where = " in the folds" if len(metrics["folds"]) > 1 else ""
    is_honest = chosen.protocol == "honest"
    who = "training people" if is_honest else "all people, those tested included"
    told = f"Variants by a {TEST_WORDS[chosen.test]} on {who}, {cut}: {counts}{where}."
    question = "How were predictors chosen beforehand?"
    return Question("9a", question, "yes", told, "ok" if is_honest else "problem")


def _sample_size(run: Run, metrics: dict[str, Any]) -> Question:
    question = "Was the sample sized for the model: are there more people than parameters?"
    fold = metrics["folds"][0]
    n_entered = fold.get("entered", fold["selected"])
    weights = n_weights(run.analysis(), n_entered)
    people = counted(fold["n_train"], "training person", "training people")
    variants = counted(n_entered, "variant")
    planned = "how the size of the sample was planned is for the authors"
    if weights is None:
        told = f"{people} for {variants}; training decides the number of parameters; {planned}."
        return Question("10", question, "not known", told, "attention")
    told = f"{people} for {weights:,} trainable parameters and {variants}; {planned}."
    if weights >= fold["n_train"]:
        return Question("10", question, "no", told, "attention")
    return Question("10", question, "yes", told, "ok")


def _missing(run: Run) -> Question:
    encoding = run.analysis().encoding
    if run.analysis().network.family == "gene":
        told = "A missing call became the mean of the people that trained the network"
    elif encoding.layout == "3d":
        told = f"Missing calls on the planes: {encoding.plane_missing}"
    else:
        told = f"Missing calls: {encoding.missing}"
    question = "How was missing data handled?"
    return Question("11", question, "yes", f"{told}; the selection leaves them out.", "ok")


def _partition(run: Run, facts: RunFacts) -> Question:
    split = run.analysis().split
    how = f"{split.folds} folds" if split.folds else (
        f"one split, {number(split.test_fraction)} for testing"
    )  # fmt: skip
    told = f"{how}, stratified by case and control, seed {split.seed}"
    told += ", relatives on one side" if run.relatives else ""
    if facts.cohort and facts.cohort.folds:
        one = facts.cohort.folds[0]
        told += f"; {one.train.n:,} training, {one.validation.n:,} validation, {one.test.n:,} test"
        told += " people in the first fold" if split.folds else " people"
    question = "How were people divided for development and evaluation?"
    return Question("12a", question, "yes", f"{told[0].upper()}{told[1:]}.", "ok")


def _handling(run: Run) -> Question:
    settings = run.analysis()
    encoding = settings.encoding
    if settings.network.family == "gene":
        told = "Dosage, carrier and homozygote planes of each variant, centred and scaled"
    else:
        parts = [f"layout {encoding.layout.upper()}", f"{encoding.order} order"]
        if encoding.layout != "3d":
            parts.append(f"scaling {encoding.scaling}")
        if encoding.weights != "none":
            parts.append(f"input weights {encoding.weights.replace('_', ' ')}")
        told = f"Numbers of alternate alleles: {', '.join(parts)}"
    question = "How did predictors enter the model?"
    return Question("12b", question, "yes", f"{told}.", "ok")


def _model(run: Run, facts: RunFacts) -> Question:
    question = "Which model, how was it built and tuned?"
    network = run.analysis().network
    kind = "A network of genes" if network.family == "gene" else (
        f"A convolutional network ({network.convolutions} convolutions)"
    )  # fmt: skip
    if facts.search:
        tuned = f"a search of {counted(facts.search.n_trials, 'trial')} chose its settings"
    elif run.preset:
        tuned = f"settings began from the preset {run.preset}"
    else:
        tuned = "settings were given by hand"
    told = f"{kind}; {tuned}; the methods text has all of it. Why this model is for the authors."
    return Question("12c", question, "yes", told, "ok")


def _clusters(metrics: dict[str, Any]) -> Question:
    question = "Was it examined whether the model differs between centres, batches or ancestries?"
    groups = [name for name in ("strata", "groups") if metrics.get(name)]
    if groups:
        told = "Metrics by group stand in the run."
        return Question("12d", question, "yes", told, "ok")
    return Question("12d", question, "no", "The run holds no metrics by group.", "attention")


def _measures(metrics: dict[str, Any]) -> Question:
    test = metrics["test"]
    given = [words for name, words in _MEASURES.items() if test.get(name) is not None]
    compared = len(metrics["baselines"])
    told = listed(given)
    told = told[0].upper() + told[1:]
    told += f"; compared with {counted(compared, 'baseline')}" if compared else ""
    if compared:
        return Question("12e", "How was performance measured?", "yes", f"{told}.", "ok")
    told += "; compared with nothing"
    return Question("12e", "How was performance measured?", "yes", f"{told}.", "attention")


def _updating() -> Question:
    told = "A run keeps the model as training left it; Exolens recalibrates nothing."
    return Question("12f", "Was the model updated after evaluation?", "no", told, "ok")


def _predictions(run: Run) -> Question:
    output = run.analysis().network.output
    told = f"By the {output} output of the network, for people who were tested in its split."
    question = "How were predictions made for evaluation?"
    return Question("12g", question, "yes", told, "ok")


def _imbalance(run: Run, metrics: dict[str, Any]) -> Question:
    question = "Were classes weighted or sampled to balance them?"
    n_control, n_case = (sum(row) for row in metrics["test"]["confusion"])
    share = f"cases are {n_case / max(1, n_case + n_control):.0%} of the test people"
    if run.analysis().training.class_weights:
        told = f"Both classes counted alike in the training loss; {share}. Probabilities are not "
        return Question("13", question, "yes", f"{told}recalibrated for it.", "attention")
    return Question("13", question, "no", f"No weights; {share}.", "ok")


def _output(run: Run, metrics: dict[str, Any]) -> Question:
    chosen = run.analysis().evaluation.threshold
    if chosen == "half":
        how = "called a case above 0.5"
    else:
        value = metrics["threshold"]
        at = f" ({value:.3f})" if value is not None else ", one for each fold"
        how = f"called a case above the threshold of best {chosen}{at}"
    told = f"A probability of being a case; {how}. It holds for this share of cases alone."
    return Question("15", "What does the model say, and what is the threshold?", "yes", told, "ok")


def _same_source(metrics: dict[str, Any]) -> Question:
    question = "Do training and evaluation data come from different sources?"
    told = f"All {metrics['test']['n']:,} test people are of the cohort that trained the network."
    return Question("16", question, "no", told, "attention")


def _flow(run: Run, facts: RunFacts) -> Question:
    question = "How many people came in, were left out, and had the outcome?"
    found = facts.cohort
    if found is None:
        return Question("20a", question, "not known", facts.lacking, "attention")
    n_all = sum(found.n_people.values())
    n_out = n_all - found.n_case - found.n_control - found.n_failed
    told = (
        f"{n_all:,} people, {n_out:,} of other diagnoses, {found.n_failed:,} left out by "
        f"thresholds; {found.n_case:,} cases and {found.n_control:,} controls stayed."
    )
    return Question("20a", question, "yes", told, "ok")


def _compared(facts: RunFacts) -> Question:
    question = "Are training and test people alike?"
    folds = facts.cohort.folds if facts.cohort else ()
    if not folds:
        told = "The split could not be drawn again."
        return Question("20c", question, "not known", told, "attention")
    train, test = (part.n_case / max(1, part.n) for part in (folds[0].train, folds[0].test))
    where = " in the first fold" if len(folds) > 1 else ""
    told = f"Cases are {train:.1%} of the training and {test:.1%} of the test people{where}."
    return Question("20c", question, "yes", told, "ok")


def _numbers(metrics: dict[str, Any], facts: RunFacts) -> Question:
    question = "How many people and cases were in each analysis?"
    n_control, n_case = (sum(row) for row in metrics["test"]["confusion"])
    fold = metrics["folds"][0]
    where = " in the first fold" if len(metrics["folds"]) > 1 else ""
    told = (
        f"{fold['n_train']:,} people trained and {fold['n_watch']:,} were watched{where}; tested "
        f"were {n_case:,} cases and {n_control:,} controls"
    )
    told += (
        " (each as often as folds are repeated)"
        if n_case + n_control > metrics["test"]["n"]
        else ""
    )
    if min(n_case, n_control) < LEAST_EVENTS:
        told += f"; fewer than {LEAST_EVENTS} of a class leave the figures uncertain"
        return Question("21", question, "yes", f"{told}.", "attention")
    return Question("21", question, "yes", f"{told}.", "ok")


def _specification(run: Run) -> Question:
    question = "Can others compute the predictions?"
    paths = [run.model_path(), *sorted(run.folder.glob("model-*.keras"))]
    n_models = sum(path.is_file() for path in paths)
    if not n_models:
        told = "The run holds no model file."
        return Question("22", question, "no", told, "problem")
    told = f"{counted(n_models, 'model file')} with the variants, in order, and their encoding."
    return Question("22", question, "yes", told, "ok")


def _performance(metrics: dict[str, Any]) -> Question:
    question = "How well does the model do, with intervals?"
    confidence = f"{100 * metrics['confidence']:g}%"
    test = metrics["test"]
    told = (
        f"Accuracy {interval(test['accuracy'], confidence)}, AUC "
        f"{interval(test['auc'], confidence)}"
    )
    doubts = []
    low = test["auc"]["low"]
    if low is None or low <= 0.5:
        doubts.append("the interval of the AUC does not lie above 0.5")
    majority = metrics["baselines"].get("majority")
    if majority and test["accuracy"]["low"] <= majority["accuracy"]["value"]:
        doubts.append("that of the accuracy does not lie above always calling the larger class")
    if metrics["protocol"] != "honest":
        told += "; under the published order this is not evidence about new people"
        return Question("23a", question, "yes", f"{told}.", "problem")
    if doubts:
        return Question("23a", question, "yes", f"{told}; {' and '.join(doubts)}.", "attention")
    return Question("23a", question, "yes", f"{told}.", "ok")


def _between_folds(metrics: dict[str, Any]) -> Question:
    question = "Does performance differ between groups or folds?"
    aucs = [fold["test"]["auc"]["value"] for fold in metrics["folds"]]
    known = [auc for auc in aucs if auc is not None]
    if len(known) < 2:
        told = "There is one split and no metric by group."
        return Question("23b", question, "not known", told, "attention")
    told = f"The AUC of {len(known)} folds lies between {min(known):.3f} and {max(known):.3f}."
    return Question("23b", question, "yes", told, "ok")


def _poor_input(run: Run) -> Question:
    question = "What becomes of people whose data are poor or incomplete?"
    told = (
        "`predict` fills what a new person lacks as missing calls were filled in training; how "
        "much may be lacking is for the authors."
    )
    return Question("27a", question, "yes", told, "ok")
