"""The Methods section of a run: what was done, from its own settings and counts.

A part that is switched off is not named, and what is not known is not claimed. Numbers come from
the run's settings, its metrics and `run_facts`; units from where a setting is declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.baselines import BASELINES, COVARIATES
from pipeline.baselines.additive import MAX_R2, WINDOW
from pipeline.baselines.boosting import MOST_VARIANTS
from pipeline.errors import NotComputedError
from pipeline.methods.facts import CohortFacts, Part, RunFacts
from pipeline.methods.network_words import encoding_sentences, network_sentences, training_sentences
from pipeline.methods.references import REFERENCES
from pipeline.methods.setting_words import counted, is_on, listed, number, rule
from pipeline.runs import Run, read_metrics
from pipeline.settings import AnalysisSettings

# The setting that each step of the funnel goes by.
STEP_FIELDS = {
    "qual": "qual_above",
    "filter": "filter_pass",
    "ac_1": "drop_monomorphic",
    "depth_1": "min_mean_depth",
    "call_rate_1": "min_call_rate",
    "ac_2": "drop_monomorphic",
    "depth_2": "min_mean_depth",
    "call_rate_2": "min_call_rate",
    "sex_chromosomes": "drop_sex_chromosomes",
    "indels": "drop_indels",
    "mac": "min_mac",
    "gq": "min_mean_gq",
    "regions": "without_regions",
}
LABEL_RULES = ("max_hwe_log10", "max_missingness_log10")
TEST_WORDS = {
    "genotypic": "genotypic chi-squared test (as many degrees of freedom as genotypes present, "
    "less one)",
    "genotypic_df4": "genotypic chi-squared test with 4 degrees of freedom",
    "allelic": "allelic chi-squared test",
    "trend": "Cochran-Armitage trend test",
    "dominant": "dominant chi-squared test (2 × 2 of people)",
    "recessive": "recessive chi-squared test (2 × 2 of people)",
    "fisher": "Fisher's exact test of genotypes",
}
_BASELINE_WORDS = {
    "majority": "always the larger class",
    "additive": "an additive score of log odds ratios",
    "additive_clumped": f"the same score after clumping (r² {number(MAX_R2)}, "
    f"{number(WINDOW // 1000)} kb)",
    "logistic_l1": "L1-penalised logistic regression",
    "logistic_l2": "L2-penalised logistic regression",
    "boosting": f"gradient boosted trees (the {number(MOST_VARIANTS)} variants of smallest "
    "training p at most)",
    COVARIATES: "logistic regression on covariates alone",
}
_BASELINE_CITED = {
    "additive_clumped": "clumping",
    "logistic_l1": "lasso",
    "logistic_l2": "ridge",
    "boosting": "boosting",
}
_SOFTWARE = {"python": "Python", "keras": "Keras", "tensorflow": "TensorFlow", "numpy": "NumPy"}


@dataclass(frozen=True)
class MethodsText:
    """A Methods section: paragraphs as (title, text), and the references they lean on."""

    paragraphs: tuple[tuple[str, str], ...]
    references: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return the paragraphs alone, as they are pasted into a paper."""
        return "\n\n".join(text for _, text in self.paragraphs)

    def markdown(self) -> str:
        """Return paragraphs under their titles, and the references as a numbered list."""
        parts = [f"### {title}\n\n{text}" for title, text in self.paragraphs]
        cited = "\n".join(f"{n}. {text}" for n, text in enumerate(self.references, 1))
        return "\n\n".join([*parts, f"### References\n\n{cited}"])

    def as_dict(self) -> dict[str, Any]:
        """Return what `methods --json` prints of it."""
        return {
            "paragraphs": [{"title": title, "text": text} for title, text in self.paragraphs],
            "references": list(self.references),
        }


def require_metrics(run: Run) -> dict[str, Any]:
    """Return the metrics of a run. Raises `NotComputedError` while there are none."""
    metrics = read_metrics(run)
    if metrics is None:
        raise NotComputedError(
            f"A methods text tells of a run that was measured, but run {run.id} is {run.state} and "
            "has no metrics; wait for it, or train it again."
        )
    return metrics


def methods_text(run: Run, metrics: dict[str, Any], facts: RunFacts) -> MethodsText:
    """Return the Methods section of a run that has metrics."""
    settings = run.analysis()
    cited = {"wilson", "delong"}
    parts = []
    for title, write in (
        ("Participants and variants", _cohort),
        ("Data split and choice of variants", _split),
        ("Network", _network),
        ("Evaluation", _evaluation),
        ("Software", _software),
        ("Result", _result),
    ):
        sentences, names = write(run, settings, metrics, facts)
        cited |= names
        parts.append((title, " ".join(sentences)))
    references = tuple(REFERENCES[name] for name in REFERENCES if name in cited)
    return MethodsText(tuple(parts), references)


Said = tuple[list[str], set[str]]


def _cohort(run: Run, settings: AnalysisSettings, metrics: dict[str, Any], facts: RunFacts) -> Said:
    people, cited = settings.people, set()
    cases, controls = listed(people.case), listed(people.control)
    found = facts.cohort
    if found is None:
        n_train = metrics["folds"][0]["n_train"]
        said = [
            f"Cases were people with the diagnosis {cases}, controls those with {controls}; "
            f"{counted(n_train, 'person', 'people')} trained the network"
            + (" in the first fold." if len(metrics["folds"]) > 1 else ".")
        ]
    else:
        everybody = counted(sum(found.n_people.values()), "person", "people")
        said = [
            f"The cohort {run.cohort} held {everybody} "
            f"({listed([f'{n:,} {name}' for name, n in found.n_people.items()])}) and "
            f"{counted(found.n_variants, 'variant')} (build {found.build}).",
            f"Analysed were {counted(found.n_case, 'case')} ({cases}) and "
            f"{counted(found.n_control, 'control')} ({controls}).",
        ]
    if people.exclude:
        n_out = [found.n_people.get(name, 0) for name in people.exclude] if found else []
        how_many = f" ({sum(n_out):,} people)" if found else ""
        said.append(f"People with the diagnosis {listed(people.exclude)} were left out{how_many}.")
    on = [rule(settings.samples, name) for name in type(settings.samples).model_fields
          if is_on(settings.samples, name)]  # fmt: skip
    if on:
        n_failed = f"; {found.n_failed:,} cases and controls were left out" if found else ""
        said.append(f"Thresholds on people were: {listed(on)}{n_failed}.")
        cited |= {"king"} if settings.samples.drop_relatives else set()
    said += _variant_rules(settings, found)
    labels = [rule(settings.quality, name) for name in LABEL_RULES
              if is_on(settings.quality, name)]  # fmt: skip
    if labels:
        who = "training people" if _is_honest(settings) else "all people"
        rules = "The rule that reads" if len(labels) == 1 else "The rules that read"
        said.append(f"{rules} labels, {listed(labels)}, saw {who}.")
        cited |= {"hwe"} if is_on(settings.quality, "max_hwe_log10") else set()
    return said, cited


def _variant_rules(settings: AnalysisSettings, found: CohortFacts | None) -> list[str]:
    quality = settings.quality
    if found is None:
        asked = dict.fromkeys(
            rule(quality, name) for name in STEP_FIELDS.values() if is_on(quality, name)
        )
        # Whether the source had depth or quality at all is no longer known.
        return [f"Thresholds asked of variants were: {listed(list(asked))}."] if asked else []
    in_force = []
    after_split = False
    for step in found.steps:
        after_split |= step.step == "split"
        if step.step in STEP_FIELDS and not step.is_off:
            what = "variants" if after_split else "sites"
            name = STEP_FIELDS[step.step]
            in_force.append(f"{rule(quality, name)} ({step.variants:,} {what} left)")
        elif step.step == "split" and step.removed:
            in_force.append(f"multi-allelic sites split ({step.variants:,} variants)")
    if not in_force:
        return []
    lacking = [step.title.lower() for step in found.steps
               if step.has_no_data and not step.step.endswith("_2")]  # fmt: skip
    said = [
        f"Of {found.steps[0].variants:,} sites read these rules, in this order, over cases and "
        f"controls and without their labels, kept {found.steps[-1].variants:,} variants: "
        f"{'; '.join(in_force)}."
    ]
    if lacking:
        said.append(f"The source has no {listed(lacking)}, so that this was not asked.")
    return said


def _split(run: Run, settings: AnalysisSettings, metrics: dict[str, Any], facts: RunFacts) -> Said:
    split, found = settings.split, facts.cohort
    folds = found.folds if found else ()
    cited: set[str] = set()
    share = number(split.validation_fraction)
    if split.folds:
        times = f", repeated {split.repeats} times with other folds" if split.repeats > 1 else ""
        said = [
            f"People were divided into {split.folds} folds{times}, stratified by case and control "
            f"(seed {split.seed}); each fold was the test people once, and {share} of the others "
            "were set aside for validation."
        ]
    else:
        said = [
            f"People were divided at random, stratified by case and control (seed {split.seed}): "
            f"{number(split.test_fraction)} for testing, and {share} of the others for validation."
        ]
    if folds:
        first = folds[0]
        parts = [
            f"{_part(first.train)} for training",
            f"{_part(first.validation)} for validation",
            f"{_part(first.test)} for testing",
        ]
        where = "The first fold had " if len(folds) > 1 else "This gave "
        said.append(f"{where}{listed(parts)}.")
    if run.relatives:
        cited.add("king")
        cut = ""
        if found and found.min_kinship is not None and found.relatives == "apart":
            cut = f" (KING kinship of {number(found.min_kinship)} and above)"
        said.append(f"Relatives{cut} were kept on one side of the split.")
    said += _selection(settings, metrics)
    cited.add({"trend": "trend", "fisher": "fisher"}.get(settings.selection.test, "association"))
    if not _is_honest(settings):
        cited.add("paper")
    return said, cited


def _selection(settings: AnalysisSettings, metrics: dict[str, Any]) -> list[str]:
    chosen = settings.selection
    honest = _is_honest(settings)
    cut = f"of p below {number(chosen.max_p)}" if chosen.top is None else (
        f"the {chosen.top:,} of smallest p"
    )  # fmt: skip
    each = " of each fold" if len(metrics["folds"]) > 1 else ""
    who = f"the training people{each} alone" if honest else (
        "all people, the test people included, before the split"
    )  # fmt: skip
    of_what = f"variants {cut}" if chosen.top is None else cut
    said = [f"Variants were ranked by a {TEST_WORDS[chosen.test]} on {who}, and {of_what} entered."]
    folds = metrics["folds"]
    if len(folds) == 1:
        said.append(
            f"Of {counted(folds[0]['ranked'], 'variant')} tested, {folds[0]['selected']:,} were "
            f"chosen{_entered(folds)}."
        )
    else:
        counts = listed([f"{fold['selected']:,}" for fold in folds])
        said.append(f"Chosen were {counts} variants in the folds{_entered(folds)}.")
    if not honest:
        said.append(
            "This is the published order (Henriques et al. 2025): labels of the test people "
            "took part in the choice of variants, so that the figures below are not evidence "
            "about new people."
        )
    return said


def _entered(folds: list[dict[str, Any]]) -> str:
    """Return how many of those chosen the network took, "" where it took all."""
    counts = [(fold.get("entered", fold["selected"]), fold["selected"]) for fold in folds]
    if all(entered == selected for entered, selected in counts):
        return ""
    return f", of which {listed([f'{entered:,}' for entered, _ in counts])} entered the network"


def _network(run: Run, settings: AnalysisSettings, metrics: dict[str, Any], _: RunFacts) -> Said:
    n_entered = metrics["folds"][0].get("entered", metrics["folds"][0]["selected"])
    honest = _is_honest(settings)
    said, cited = encoding_sentences(
        settings, metrics, n_entered, "the training people" if honest else "all people"
    )
    if len(metrics["folds"]) > 1:
        said.append("Sizes below are those of the first fold.")
    shape, also = network_sentences(settings, n_entered)
    if not honest:
        said.append("Training and validation people trained the network.")
    watched = "the validation people" if honest else "the test people"
    learned, further = training_sentences(settings, metrics, watched)
    if run.state == "cancelled":
        learned.append("The training was ended by hand before it was complete.")
    return [*said, *shape, *learned], cited | also | further


def _evaluation(run: Run, settings: AnalysisSettings, metrics: dict[str, Any], _: RunFacts) -> Said:
    confidence = f"{100 * metrics['confidence']:g}%"
    threshold, cited = settings.evaluation.threshold, set()
    watched = "the validation people" if _is_honest(settings) else "the test people"
    if threshold == "half":
        said = ["A person was called a case when the predicted probability was above 0.5."]
    else:
        rule_words = "accuracy" if threshold == "accuracy" else "sensitivity + specificity"
        value = metrics["threshold"]
        at = f" ({value:.3f})" if value is not None else ", in each fold"
        said = [
            "A person was called a case when the predicted probability was above the threshold of "
            f"the highest {rule_words} among {watched}{at}."
        ]
        cited |= {"youden"} if threshold == "youden" else set()
    said.append(
        f"The {confidence} interval of the accuracy is Wilson's, that of the area under the ROC "
        "curve (AUC) is DeLong's."
    )
    if len(metrics["folds"]) > 1:
        said.append("Over folds, test people are pooled for accuracy and the AUC is the mean.")
    names = [name for name in (*BASELINES, COVARIATES) if name in metrics["baselines"]]
    if names:
        words = listed([_BASELINE_WORDS[name] for name in names])
        said.append(
            f"For comparison, on the same variants and test people: {words}; these learned from "
            "training people, and validation people alone chose penalties and thresholds."
        )
        cited |= {_BASELINE_CITED[name] for name in names if name in _BASELINE_CITED}
    return said, cited


def _software(run: Run, settings: AnalysisSettings, metrics: dict[str, Any], _: RunFacts) -> Said:
    versions = [f"{words} {run.versions[name]}" for name, words in _SOFTWARE.items()
                if run.versions.get(name)]  # fmt: skip
    known = f" with {listed(versions)}" if versions else ""
    file_format = run.versions.get("exolens_format")
    exolens = f"Exolens (file format {file_format})" if file_format else "Exolens"
    when = (run.finished or run.created)[:10]
    took = f", and took {run.seconds:,.0f} s" if run.seconds is not None else ""
    said = [
        f"The run {run.id} (cohort fingerprint {run.fingerprint}) was made by {exolens}{known}; it "
        f"ended on {when}{took}."
    ]
    return said, set()


def _result(run: Run, settings: AnalysisSettings, metrics: dict[str, Any], _: RunFacts) -> Said:
    test, confidence = metrics["test"], f"{100 * metrics['confidence']:g}%"
    seen = "that had taught nothing" if _is_honest(settings) else (
        "whose labels had helped to choose variants"
    )  # fmt: skip
    people = counted(test["n"], "test person", "test people")
    accuracy, auc = (interval(test[name], confidence) for name in ("accuracy", "auc"))
    said = [f"On {people} {seen}, the network had an accuracy of {accuracy} and an AUC of {auc}."]
    baselines = metrics["baselines"]
    with_auc = {name: values["auc"]["value"] for name, values in baselines.items()
                if name != "majority" and values["auc"]["value"] is not None}  # fmt: skip
    if with_auc:
        best = max(with_auc, key=lambda name: with_auc[name])
        said.append(
            f"The comparison of the highest AUC ({_BASELINE_WORDS[best].split(' (')[0]}) had "
            f"{interval(baselines[best]['auc'], confidence)}."
        )
    if "majority" in baselines:
        share = baselines["majority"]["accuracy"]["value"]
        said.append(f"Always calling the larger class had an accuracy of {share:.3f}.")
    if not _is_honest(settings):
        said.append("Under the published order this is not evidence about new people.")
    return said, set()


def interval(measured: dict[str, float | None], confidence: str) -> str:
    """Return a value with its limits as a paper prints them: 0.714 (95% CI 0.671-0.754)."""
    value, low, high = (measured[name] for name in ("value", "low", "high"))
    if value is None:
        return "no value"
    limits = f" ({confidence} CI {low:.3f}-{high:.3f})" if None not in (low, high) else ""
    return f"{value:.3f}{limits}"


def _part(part: Part) -> str:
    return f"{part.n:,} people ({part.n_case:,} cases)"


def _is_honest(settings: AnalysisSettings) -> bool:
    return settings.selection.protocol == "honest"
