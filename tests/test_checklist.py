"""The checklist of a run: each question about leaks is answered in both directions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline import runs
from pipeline.cli import methods_verbs
from pipeline.cohort import open_cohort
from pipeline.errors import InputError, NotComputedError
from pipeline.methods.checklist import Checklist, checklist, report_markdown
from pipeline.methods.facts import SearchFacts, gather
from pipeline.methods.text import methods_text, require_metrics
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings, StructureSettings, with_changes
from pipeline.splits import assign_roles, make_splits
from pipeline.structure import build_structure, families
from pipeline.submit import identify
from tests.small_cohorts import make_cohort, vcf_text

N_PEOPLE = 60
# With 300 variants strangers stray up to the kinship of cousins, but not to that of twins.
SMALL = StructureSettings(components=2, max_missing=0.5, max_r2=1.0, min_kinship=0.354)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """A cohort of thirty cases, thirty controls and ten others; nobody looked for relatives."""
    return write_cohort(tmp_path_factory.mktemp("checklist"))


def write_cohort(folder: Path, n_twins: int = 0) -> Path:
    """Write the cohort `small`; the first `n_twins` people stand in it twice."""
    rng = np.random.default_rng(2)
    people = [f"P{i}" for i in range(N_PEOPLE + 10)]
    calls = rng.choice(3, size=(300, len(people)), p=[0.49, 0.42, 0.09])
    calls[:, N_PEOPLE - n_twins : N_PEOPLE] = calls[:, :n_twins]
    words = np.array(["0/0:20:60", "0/1:22:70", "1/1:25:80"])
    records = [
        (1 + i % 2, 1000 * (i + 1), "A", "G", "GT:DP:GQ", *words[row])
        for i, row in enumerate(calls)
    ]
    given = {p: "BP" if i >= N_PEOPLE else ("SCZ", "control")[i % 2] for i, p in enumerate(people)}
    made = make_cohort(folder, vcf_text(sorted(records), people), given)
    made.store.close()
    return folder / "cache"


def make_run(cache: Path, preset: str = "", **changes) -> Run:
    """Return a run of these settings that was measured; nothing is trained."""
    named = {name.replace("__", "."): value for name, value in changes.items()}
    cohort = open_cohort(cache, "small")
    settings, relatives, genes = identify(cohort, with_changes(AnalysisSettings(), named))
    run = runs.create(cache, "small", cohort.fingerprint, settings, preset, relatives, genes)
    case = cohort.is_in(settings.people.case)
    people = np.flatnonzero(case | cohort.is_in(settings.people.control))
    related = families(cohort)
    groups = related.groups[people] if related else None
    cohort.store.close()
    is_case = case[people]
    folds = []
    for split in make_splits(is_case, settings.split, groups):
        roles = assign_roles(split, settings.selection.protocol)
        n_case = int(is_case[split.test].sum())
        n_control = len(split.test) - n_case
        folds.append({
            "fold": split.fold, "selected": 12, "entered": 12, "weighted": None, "ranked": 290,
            "threshold": 0.5, "epochs": 9, "best_epoch": 4, "n_train": len(roles.train),
            "n_watch": len(roles.watch), "test": measured(n_control, n_case),
        })  # fmt: skip
    n_control, n_case = np.sum([np.sum(f["test"]["confusion"], axis=1) for f in folds], axis=0)
    published = settings.selection.protocol == "published"
    runs.write_metrics(run, {
        "protocol": settings.selection.protocol, "threshold": 0.5, "confidence": 0.95,
        "test": measured(int(n_control), int(n_case)),
        "train": {"accuracy": 0.9, "auc": 0.95},
        "baselines": {"majority": measured(int(n_control), int(n_case), 0.5)},
        "prediction_error": {"value": 0.1, "low": 0.0, "high": 0.3, "n": 10, "n_wrong": 1,
                             "n_trained": 8 if published else 0},
        "notes": [], "folds": folds, "roc": {},
    })  # fmt: skip
    runs.update_state(run, "running")
    runs.update_state(run, "finished", selected=12, epochs=9)
    return runs.load(cache, run.id)


def measured(n_control: int, n_case: int, auc: float = 0.75) -> dict:
    return {
        "n": n_control + n_case,
        "accuracy": {"value": 0.7, "low": 0.6, "high": 0.8},
        "auc": {"value": auc, "low": auc - 0.1, "high": auc + 0.1},
        "loss": 0.6,
        "confusion": [[n_control, 0], [n_case, 0]],
    }


def asked(run: Run, **changed) -> Checklist:
    metrics = require_metrics(run)
    return checklist(run, metrics, replace(gather(run, metrics), **changed))


def leak(found: Checklist, words: str) -> tuple[str, str, str]:
    """Return answer, severity and evidence of the one question that holds these words."""
    (one,) = [one for one in found.leaks if words in one.question]
    return one.answer, one.severity, one.evidence


BY_PROTOCOL = [
    ("choose the variants", {}),
    ("rules that read labels", {"quality__max_hwe_log10": 6.0}),
    ("scaling or the filling", {}),
    ("order or the weights", {"encoding__weights": "log_p"}),
    ("order or the weights", {"encoding__order": "p"}),
    ("when training stopped", {}),
    ("when training stopped", {"training__patience": 0, "training__plateau_factor": 1.0}),
    ("above which a person", {"evaluation__threshold": "youden"}),
    ("prediction error", {}),
]


@pytest.mark.parametrize(("words", "changes"), BY_PROTOCOL)
def test_the_same_settings_leak_in_the_published_order_alone(cache, words, changes):
    honest = leak(asked(make_run(cache, **changes)), words)
    published = leak(asked(make_run(cache, selection__protocol="published", **changes)), words)
    assert honest[:2] == ("no", "ok")
    assert published[:2] == ("yes", "problem")
    assert honest[2] != published[2]


NOTHING_LEARNED = [
    ("rules that read labels", {}),
    ("scaling or the filling", {"encoding__scaling": "none", "encoding__missing": "zero"}),
    ("scaling or the filling", {"encoding__layout": "3d"}),
    ("scaling or the filling", {"network__family": "gene"}),  # by the people that train
    ("order or the weights", {}),
    ("when training stopped", {"training__patience": 0, "training__plateau_factor": 1.0,
                               "training__keep": "last"}),
    ("above which a person", {}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "changes"), NOTHING_LEARNED)
def test_what_is_not_learned_does_not_leak(cache, words, changes):
    run = make_run(cache, selection__protocol="published", **changes)
    assert leak(asked(run), words)[:2] == ("no", "ok")


def test_counts_of_people_looked_at(cache):
    honest = leak(asked(make_run(cache)), "choose the variants")[2]
    published = asked(make_run(cache, selection__protocol="published"))
    assert "0 of 10 test people" in honest
    assert "10 of 10 test people" in leak(published, "choose the variants")[2]


def test_a_gene_network_stops_on_whom_it_watches(cache):
    changes = {"network__family": "gene", "training__patience": 0, "training__keep": "last",
               "training__plateau_factor": 1.0}  # fmt: skip
    published = make_run(cache, selection__protocol="published", **changes)
    assert leak(asked(published), "when training stopped")[0] == "yes"
    assert leak(asked(make_run(cache, **changes)), "when training stopped")[0] == "no"


def test_weights_of_a_file_are_not_known(cache, tmp_path):
    run = make_run(cache, encoding__weights="file", encoding__weights_file=str(tmp_path / "w.tsv"))
    found = asked(run)
    assert leak(found, "order or the weights")[:2] == ("not known", "attention")
    assert str(tmp_path) not in json.dumps(found.as_list())


def test_thresholds_that_count_people(cache):
    off = dict.fromkeys(("min_mean_depth", "min_call_rate"))
    quality = {f"quality__{name}": value for name, value in off.items()}
    run = make_run(cache, quality__drop_monomorphic=False, **quality)
    assert leak(asked(run), "without labels")[0] == "no"
    answer, severity, told = leak(asked(make_run(cache)), "without labels")
    assert (answer, severity) == ("yes", "ok")
    assert "all 60 people" in told


def test_a_second_look_at_the_same_test_people(tmp_path):
    cache = write_cohort(tmp_path)
    first = make_run(cache)
    alone = asked(first)
    assert leak(alone, "same test people")[:2] == ("no", "ok")
    assert leak(alone, "hyperparameters")[:2] == ("no", "ok")
    second = make_run(cache, training__learning_rate=0.01)
    both = asked(second)
    answer, severity, told = leak(both, "same test people")
    assert (answer, severity) == ("yes", "attention")
    assert "1 other run, which differs in learning rate" in told
    assert leak(both, "hyperparameters")[0] == "not known"
    # Who came first could not have chosen by what came later.
    assert leak(asked(first), "hyperparameters")[0] == "no"
    assert leak(asked(first), "same test people")[0] == "yes"
    # Another split has other test people, who may overlap.
    other = make_run(cache, split__seed=9)
    answer, severity, told = leak(asked(other), "same test people")
    assert (answer, severity) == ("no", "attention")
    assert "2 runs of the cohort had other test people" in told
    # A run without metrics showed nobody anything.
    make_run(cache, training__epochs=3).metrics_path.unlink()
    assert "2 other runs" not in leak(asked(second), "same test people")[2]


def test_a_search_answers_for_hyperparameters(tmp_path):
    cache = write_cohort(tmp_path)
    make_run(cache)
    run = make_run(cache, training__learning_rate=0.01)
    same = asked(run, search=SearchFacts(30, is_same_split=True))
    other = asked(run, search=SearchFacts(30, is_same_split=False))
    assert leak(same, "hyperparameters")[:2] == ("no", "ok")
    assert leak(other, "hyperparameters")[:2] == ("not known", "attention")


def test_relatives_across_the_split(tmp_path):
    cache = write_cohort(tmp_path, n_twins=20)
    before = make_run(cache)
    words = "relatives or duplicates"
    assert leak(asked(before), words)[:2] == ("not known", "attention")
    build_structure(cache, "small", SMALL)
    answer, severity, told = leak(asked(before), words)
    assert (answer, severity) == ("yes", "problem")
    assert "Of 20 pairs" in told
    after = make_run(cache)
    assert after.id != before.id
    assert leak(asked(after), words)[:2] == ("no", "ok")
    assert leak(asked(replace(after, relatives="f" * 16)), words)[0] == "not known"


def test_no_relatives_at_all(tmp_path):
    cache = write_cohort(tmp_path)
    build_structure(cache, "small", SMALL)
    assert leak(asked(make_run(cache)), "relatives or duplicates")[:2] == ("no", "ok")


def test_a_cohort_that_changed_is_not_counted(cache):
    run = replace(make_run(cache), fingerprint="0" * 16)
    found = asked(run)
    assert leak(found, "relatives or duplicates")[0] == "not known"
    answers = {one.item: one.answer for one in found.tripod}
    assert (answers["20a"], answers["20c"]) == ("not known", "not known")
    # What the protocol says stands in the run itself.
    assert leak(found, "choose the variants")[0] == "no"


def test_items_are_each_there_once_and_in_order(cache):
    """TRIPOD+AI has 27 items with 52 parts."""
    items = [one.item for one in asked(make_run(cache)).tripod]
    assert len(items) == len(set(items)) == 52
    numbers = [(int(item.rstrip("abcdefg")), item) for item in items]
    assert numbers == sorted(numbers)
    assert {number for number, _ in numbers} == set(range(1, 28))


def test_authors_answer_for_themselves(cache):
    found = asked(make_run(cache))
    for one in found.tripod:
        assert (one.answer == "for the authors") == (one.severity == "open") == (not one.evidence)
    assert all(one.severity != "open" for one in found.leaks)
    assert "________________" in found.markdown()


def test_figures_that_could_be_chance_ask_for_attention(cache):
    run = make_run(cache)
    metrics = require_metrics(run)
    facts = gather(run, metrics)

    def severity() -> str:
        (one,) = [one for one in checklist(run, metrics, facts).tripod if one.item == "23a"]
        return one.severity

    metrics["test"]["accuracy"]["low"] = 0.75
    assert severity() == "ok"
    metrics["test"]["auc"]["low"] = 0.49
    assert severity() == "attention"


def test_the_verb(cache, tmp_path, capsys):
    import argparse

    run = make_run(cache)
    out = tmp_path / "m.md"
    (verb,) = methods_verbs.VERBS

    def call(*words: str) -> str:
        parser = argparse.ArgumentParser()
        verb.arguments(parser)
        parser.add_argument("--json", action="store_true")
        given = parser.parse_args([*words])
        given.cache = cache
        verb.run(given)
        return capsys.readouterr().out

    found = json.loads(call(run.id, "--json"))
    assert set(found) == {"run", "cohort", "methods", "checklist", "file"}
    assert found["checklist"][0]["item"] == "Leak 1"
    printed = call(run.id)
    metrics = require_metrics(run)
    facts = gather(run, metrics)
    whole = report_markdown(run, methods_text(run, metrics, facts), checklist(run, metrics, facts))
    assert printed == whole
    call(run.id, "--out", str(out))
    assert out.read_text(encoding="utf-8") == whole
    with pytest.raises(InputError, match="--force"):
        call(run.id, "--out", str(out))
    call(run.id, "--out", str(out), "--force")
    with pytest.raises(InputError, match="does not"):
        call(run.id, "--out", str(tmp_path / "none" / "m.md"))


def test_a_run_without_metrics_is_a_sentence(tmp_path):
    run = runs.create(tmp_path, "demo", "abc123", AnalysisSettings())
    with pytest.raises(NotComputedError, match="queued"):
        require_metrics(run)
