"""The audit says of noise that it is noise, and how much the published order makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline import runs
from pipeline.audit.fits import PROTOCOLS
from pipeline.audit.protocols import Audit, audit
from pipeline.errors import Cancelled, EmptyResultError
from pipeline.presets import apply_preset
from pipeline.progress import Progress, silent
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.statistics import auc_difference
from tests.truth.known import NAME, Known, auc_null_error, simulated, train

ROOT = Path(__file__).resolve().parents[2]
N_PERMUTATIONS = 12
SETTINGS = with_changes(AnalysisSettings(), {"split.test_fraction": 0.3})


@pytest.fixture(scope="module")
def noise(tmp_path_factory) -> list[Known]:
    folder = tmp_path_factory.mktemp("noise")
    return [simulated(folder / str(s), seed=s, people=600, genes=300, null=True) for s in (21, 22)]


@pytest.fixture(scope="module")
def signal(tmp_path_factory) -> Known:
    return simulated(tmp_path_factory.mktemp("signal"), seed=23, people=1200, genes=200)


def audited(known: Known, **options) -> Audit:
    with known.opened() as cohort:
        return audit(cohort, SETTINGS, **options)


def test_noise_is_a_coin_under_the_honest_order_alone(noise):
    found = [audited(known, n_permutations=N_PERMUTATIONS) for known in noise]
    honest = [m.auc for one in found for m in [one.of("honest"), *one.permuted("honest")]]
    published = [m.auc for one in found for m in [one.of("published"), *one.permuted("published")]]
    n_case = round(0.45 * found[0].n_test)
    error = auc_null_error(n_case, found[0].n_test - n_case) / np.sqrt(len(honest))
    assert abs(np.mean(honest) - 0.5) < 3 * error
    assert np.mean(published) > 0.65
    for one in found:
        # The published order looks better than it is, and the audit says so.
        assert one.optimism.low > 0
        # Its own permutations do as well, so that it cannot claim a finding.
        for protocol in PROTOCOLS:
            aucs = [m.auc for m in one.permuted(protocol)]
            assert abs(one.of(protocol).auc - np.mean(aucs)) < 4 * np.std(aucs, ddof=1)


def test_a_signal_is_told_from_noise(signal):
    found = audited(signal, n_permutations=19)
    assert found.p("honest") == 0.05, "better than each of 19 permutations"
    assert found.of("honest").auc > 0.6
    assert max(m.auc for m in found.permuted("honest")) < found.of("honest").auc


def test_true_labels_give_what_a_run_gives(signal):
    found = audited(signal, n_permutations=0)
    for protocol in PROTOCOLS:
        changes = {"split.test_fraction": 0.3, "selection.protocol": protocol}
        metrics = runs.read_metrics(train(signal.cache, changes | {"training.epochs": 1}))
        shown, expected = found.of(protocol).metrics, metrics["baselines"]["logistic_l2"]
        assert shown.pop("loss") == pytest.approx(expected.pop("loss"))
        assert shown == expected
        assert found.of(protocol).n_selected == metrics["folds"][0]["selected"]
    is_case = np.arange(found.n_test) % 2 == 0
    assert found.optimism != auc_difference(is_case, *[found.of("honest").score] * 2)


def test_the_network_can_be_audited(signal):
    changes = {"split.test_fraction": 0.3, "training.epochs": 2}
    settings = with_changes(apply_preset("quick"), changes)
    parts = []
    with signal.opened() as cohort:
        found = audit(cohort, settings, "network", 1, on_part=parts.append)
    assert [len(part.measured) for part in parts] == [2, 4]
    assert [(m.way, m.permutation) for m in parts[-1].measured] == [
        ("honest", 0), ("published", 0), ("honest", 1), ("published", 1)
    ]  # fmt: skip
    metrics = runs.read_metrics(train(signal.cache, changes))
    assert found.of("honest").auc == pytest.approx(metrics["test"]["auc"]["value"], abs=1e-6)


def test_same_seed_same_audit_and_pieces_do_not_matter(noise, monkeypatch):
    one = audited(noise[0], n_permutations=3).summary()
    monkeypatch.setattr("pipeline.audit.fits._MOST_BYTES", 1)
    assert audited(noise[0], n_permutations=3).summary() == one


def test_permuted_counts_are_not_kept(noise):
    with noise[0].opened() as cohort:
        folder = cohort.store.path.parent / "counts"
        before = sorted(folder.glob("*")) if folder.exists() else []
        audit(cohort, SETTINGS, n_permutations=2)
        assert (sorted(folder.glob("*")) if folder.exists() else []) == before


def test_it_can_be_stopped(noise):
    def stop(progress: Progress) -> None:
        if progress.phase == "auditing":
            raise Cancelled

    with pytest.raises(Cancelled):
        audited(noise[0], n_permutations=50, on_progress=stop)


def test_nothing_chosen_is_a_sentence_for_true_labels_and_a_coin_for_noise(noise):
    strict = with_changes(SETTINGS, {"selection.max_p": 1e-12})
    with noise[0].opened() as cohort, pytest.raises(EmptyResultError, match=r"selection\.max_p"):
        audit(cohort, strict, n_permutations=0, on_progress=silent)


def test_the_command_line_prints_the_contract(signal):
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "audit", NAME, "--model", "logistic_l2",
         "--permutations", "3", "--json", "--cache", str(signal.cache),
         "--set", "split.test_fraction=0.3"],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    expected = audited(signal, n_permutations=3).summary()
    assert shown == json.loads(json.dumps(expected))
    assert set(shown) >= {
        "model", "honest", "published", "honest_permuted", "published_permuted", "optimism",
        "majority",
    }  # fmt: skip
    assert set(shown["honest"]["auc"]) == {"value", "low", "high"}
    assert shown["optimism"]["metric"] == "auc"
