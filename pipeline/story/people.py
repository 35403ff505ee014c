"""The first two parts: what is asked, and of whom."""

from __future__ import annotations

import pandas as pd

from pipeline.cohort import Cohort
from pipeline.methods.setting_words import counted, is_on, listed, rule
from pipeline.story.part import CohortSummary, Part
from pipeline.story.told import Told
from pipeline.story.words import larger_class
from pipeline.summaries import people_table

_SIMULATED = ({"cohort.vcf.gz", "phenotypes.tsv"}, {"population", "age"})


def question(told: Told) -> Part:
    """Return what the run was to find out, and how it kept itself from being fooled."""
    people, metrics, run = told.settings.people, told.metrics, told.run
    cases = listed(people.case) if people.case else "cases"
    controls = listed(people.control) if people.control else "controls"
    n_test = metrics["test"]["n"]
    if told.is_honest:
        how = (
            f"Variants are chosen on training people alone; {n_test:,} test people are looked at "
            "once, at the end."
        )
    else:
        how = (
            f"Published order: variants are chosen on all people, and the {n_test:,} test people "
            "are split off afterwards, so that they are not new."
        )
    beat = ["logistic regression on the same variants"]
    if "majority" in metrics["baselines"]:
        share = metrics["baselines"]["majority"]["accuracy"]["value"]
        beat.insert(0, f"always saying {larger_class(metrics)} (right for {share:.0%})")
    return Part(
        name="question",
        title=f"Can a network tell {cases} from {controls} by their variants?",
        sentences=(how, f"To beat: {listed(beat)}."),
        caption=told.caption(
            f"{told.name}, {metrics['protocol']} protocol",
            f"cohort {run.cohort}",
            f"trained {(run.finished or run.created)[:10]}",
        ),
        table=None,
        data={"is_drawn": True},
    )


def cohort(told: Told) -> Part:
    """Return who is in the cohort, and how they are divided."""
    people, known = told.settings.people, told.known
    roles = f"cases {listed(people.case)}, controls {listed(people.control)}" if (
        people.case and people.control) else ""  # fmt: skip
    if told.cohort is None or known is None:
        n_train = told.folds[0]["n_train"]
        return Part(
            name="cohort",
            title=f"{counted(n_train, 'person', 'people')} trained, "
            f"{told.metrics['test']['n']:,} were tested",
            sentences=(told.lacking,),
            caption=told.caption(roles, f"cohort {told.run.cohort}"),
            table=None,
            data={},
        )
    table = people_table(told.cohort, told.cohort.define_cases(people))
    n = known.n_case + known.n_control
    said = []
    left_out = {name: known.n_people.get(name, 0) for name in people.exclude}
    if left_out:
        named = listed([f"{n_out:,} {name}" for name, n_out in left_out.items()])
        said.append(f"Left out of every count: {named}.")
    if known.n_failed:
        on = [rule(told.settings.samples, name) for name in type(told.settings.samples).model_fields
              if is_on(told.settings.samples, name)]  # fmt: skip
        said.append(
            f"{counted(known.n_failed, 'case or control', 'cases and controls')} fail a threshold "
            f"on people: {listed(on)}."
        )
    if known.folds:
        first = known.folds[0]
        where = f"In each of {len(known.folds)} folds about " if len(known.folds) > 1 else ""
        said.append(
            f"{where}{first.train.n:,} people train, {first.validation.n:,} validate, "
            f"{first.test.n:,} test."
        )
    if known.relatives == "apart":
        said.append("Relatives stay on one side of the split.")
    return Part(
        name="cohort",
        title=f"{n:,} people take part: {known.n_case:,} cases and {known.n_control:,} controls",
        sentences=tuple(said),
        caption=told.caption(
            roles,
            f"cohort {told.run.cohort}, {known.build}",
            f"{known.n_variants:,} variants as read",
        ),
        table=pd.DataFrame(
            {
                "Diagnosis": table["diagnosis"],
                "Counts as": table["role"],
                "Sex": table["sex"],
                "People": table["n"],
            }
        ),
        data={"people": table},
    )


def summary_of(told: Told) -> CohortSummary:
    """Return the few figures of the cohort that stand at the head of a story."""
    known = told.known
    return CohortSummary(
        name=told.run.cohort,
        fingerprint=told.run.fingerprint,
        n_people=sum(known.n_people.values()) if known else None,
        n_case=known.n_case if known else None,
        n_control=known.n_control if known else None,
        n_variants=known.n_variants if known else None,
        build=known.build if known else "",
        is_simulated=told.cohort is not None and is_simulated(told.cohort),
        lacking=told.lacking,
    )


def is_simulated(cohort: Cohort) -> bool:
    """Say whether the people are simulated, by the files that `simulate` writes."""
    files, columns = _SIMULATED
    if not files <= {source["name"] for source in cohort.certificate["sources"]}:
        return False
    known = cohort.store.rows("SELECT DISTINCT unnest(map_keys(covariates)) FROM samples")
    return columns <= {name for (name,) in known}
