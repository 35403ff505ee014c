"""The methods text says what a run did, with its own numbers, and nothing of what was off."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.encoding import fit_encoding
from pipeline.methods.facts import gather
from pipeline.methods.network_words import n_weights
from pipeline.methods.references import REFERENCES
from pipeline.methods.setting_words import is_on, listed, rule
from pipeline.methods.text import LABEL_RULES, STEP_FIELDS, TEST_WORDS, MethodsText, methods_text
from pipeline.methods.text import require_metrics as metrics_of
from pipeline.presets import PRESETS
from pipeline.quality import STEPS
from pipeline.runs import Run
from pipeline.selection import SelectionSettings
from pipeline.settings import AnalysisSettings, QualitySettings
from tests.test_checklist import make_run, write_cohort


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("methods"))


def written(run: Run) -> MethodsText:
    metrics = metrics_of(run)
    return methods_text(run, metrics, gather(run, metrics))


def text(cache: Path, **changes) -> str:
    return written(make_run(cache, **changes)).text


def test_counts_of_people_and_variants(cache):
    said = text(cache)
    assert "70 people (10 BP, 30 SCZ and 30 control)" in said
    assert "30 cases (SCZ) and 30 controls (control)" in said
    assert "diagnosis BP were left out (10 people)" in said
    assert "42 people (21 cases) for training" in said
    assert "8 people (4 cases) for validation and 10 people (5 cases) for testing" in said
    assert "Of 290 variants tested, 12 were chosen." in said


def test_each_threshold_comes_with_its_unit_and_what_it_left(cache):
    said = text(cache, quality__min_mean_depth=21.5, quality__min_mac=3)
    left = {
        words: int(n.replace(",", ""))
        for words, n in re.findall(r"([a-zA-Z .\d]+) \(([\d,]+) (?:sites|variants) left\)", said)
    }
    assert left[" site quality above 30 Phred"] == 300
    assert 0 < left[" smallest mean depth 21.5 reads"] < 300
    assert " smallest minor allele count 3 alleles" in left
    assert "FILTER" not in said


def test_rules_that_are_off_are_not_named(cache):
    off = {f"quality__{name}": None for name in ("qual_above", "min_mean_depth", "min_call_rate")}
    off |= {f"quality__{name}": False for name in
            ("drop_monomorphic", "drop_sex_chromosomes", "drop_indels")}  # fmt: skip
    said = text(cache, **off)
    for words in ("quality above", "depth", "call rate", "allele count", "autosomes", "insertions"):
        assert words not in said


def test_protocols_say_who_was_looked_at(cache):
    honest, published = text(cache), text(cache, selection__protocol="published")
    assert "on the training people alone" in honest
    assert "not evidence" not in honest
    assert "on all people, the test people included, before the split" in published
    assert published.count("not evidence about new people") == 2
    assert "lower loss of the validation people" in honest
    assert "lower loss of the test people" in published


@pytest.mark.parametrize("rule_name", LABEL_RULES)
def test_rules_that_read_labels(cache, rule_name):
    name = f"quality__{rule_name}"
    assert "reads labels" not in text(cache)
    assert "saw training people" in text(cache, **{name: 6.0})
    assert "saw all people" in text(cache, **{name: 6.0}, selection__protocol="published")


ON_AND_OFF = [
    ("dropout", "network__dropout", 0.0),
    ("batch normalisation", "network__batch_norm", False),
    ("max-pooling", "network__pool", 1),
    ("dense layer", "network__dense", ()),
    ("stopped after", "training__patience", 0),
    ("without a lower loss", "training__plateau_factor", 1.0),
    ("divided by its standard deviation", "encoding__scaling", "none"),
]
OFF_AND_ON = [
    ("penalty", "network__l1", 0.01),
    ("channel attention", "network__attention", "both"),
    ("counted alike", "training__class_weights", True),
    ("warm-up", "training__warmup_epochs", 3),
    ("bfloat16", "training__precision", "bfloat16"),
    ("half a cosine", "training__schedule", "cosine"),
    ("AdamW", "training__optimizer", "adamw"),
    ("sensitivity + specificity", "evaluation__threshold", "youden"),
    ("folds", "split__folds", 3),
    ("smallest p entered", "selection__top", 12),
    ("Sparse gates", "network__family", "gene"),
    ("planes", "encoding__layout", "3d"),
    ("largest inbreeding", "samples__max_inbreeding", 0.4),
]


@pytest.mark.parametrize(("words", "name", "value"), ON_AND_OFF)
def test_what_is_switched_off_vanishes(cache, words, name, value):
    others = {"training__patience": 0} if name == "training__plateau_factor" else {}
    assert words in text(cache, **others)
    assert words not in text(cache, **others, **{name: value})


@pytest.mark.parametrize(("words", "name", "value"), OFF_AND_ON)
def test_what_is_switched_on_is_named(cache, words, name, value):
    assert words not in text(cache)
    assert words in text(cache, **{name: value})


def test_every_preset_can_be_told(cache):
    for preset in PRESETS.values():
        changes = {name.replace(".", "__"): value for name, value in preset.changes.items()}
        if changes.get("encoding__order") == "gene":
            changes["encoding__order"] = "genomic"  # the cohort has no genes
        changes["split__test_fraction"] = 0.2  # and few people
        said = written(make_run(cache, **changes))
        assert "None" not in said.text
        assert "  " not in said.text
        assert all(one.endswith(".") for _, one in said.paragraphs)


def test_parameters_are_those_of_the_network(cache):
    keras = pytest.importorskip("keras")
    import numpy as np

    from pipeline.network import build_network

    settings = AnalysisSettings()
    codes = np.random.default_rng(0).integers(0, 3, (20, 12)).astype(np.uint8)
    model = build_network(fit_encoding(codes, settings.encoding), settings.network, seed=1)
    n = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    keras.utils.clear_session()
    assert n_weights(settings, 12) == n
    assert f"{n:,} trainable parameters for 12 variants" in text(cache)


def test_neither_host_nor_paths_nor_people(cache, tmp_path):
    run = make_run(cache, encoding__weights="file", encoding__weights_file=str(tmp_path / "w.tsv"))
    said = written(run).markdown()
    assert run.host
    assert not re.search(rf"\b{re.escape(run.host)}\b", said)
    assert str(tmp_path) not in said
    assert not re.search(r"\bP\d+\b", said)


def test_versions_are_those_of_the_run(cache):
    run = replace(make_run(cache), versions={"keras": "9.8.7", "tensorflow": None})
    said = written(run).text
    assert "with Keras 9.8.7;" in said
    assert "TensorFlow" not in said


def test_without_its_cohort_only_the_run_speaks(cache):
    run = replace(make_run(cache), fingerprint="0" * 16)
    said = written(run).text
    assert "Cases were people with the diagnosis SCZ" in said
    assert "42 people trained the network" in said
    assert "left)" not in said
    assert "30 cases" not in said


def test_references_follow_what_was_used(cache):
    plain = written(make_run(cache)).references
    assert REFERENCES["adam"] in plain
    assert REFERENCES["paper"] not in plain
    other = written(make_run(cache, selection__protocol="published", training__optimizer="sgd",
                             selection__test="trend")).references  # fmt: skip
    assert REFERENCES["adam"] not in other
    assert {REFERENCES["paper"], REFERENCES["trend"]} <= set(other)


def test_every_rule_and_test_has_words():
    steps = set(STEPS) - {"input", "split", "hwe", "missingness"}
    assert set(STEP_FIELDS) == steps
    assert set(STEP_FIELDS.values()) | set(LABEL_RULES) == set(QualitySettings.model_fields)
    choices = SelectionSettings.model_json_schema()["properties"]["test"]["enum"]
    assert set(TEST_WORDS) == set(choices)


def test_words_of_settings():
    assert rule(QualitySettings(), "qual_above") == "site quality above 30 Phred"
    assert rule(QualitySettings(filter_pass=True), "filter_pass") == "FILTER is PASS"
    assert not is_on(QualitySettings(), "min_mac")
    assert not is_on(QualitySettings(), "without_regions")
    without = QualitySettings(without_regions="6:28000000-34000000,17:5-6")
    words = "without the regions 6:28,000,000–34,000,000 and 17:5–6"
    assert rule(without, "without_regions") == words
    assert listed(["a", "b", "c"]) == "a, b and c"
