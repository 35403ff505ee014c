"""The command line keeps its contract: one JSON value on stdout, the rest on stderr."""

from __future__ import annotations

import itertools
import json

import pytest

from pipeline.cli import main
from pipeline.quality import STEPS
from tests.small_cohorts import vcf_text, write_phenotypes, write_vcf

SAMPLES = [f"s{i}" for i in range(8)]
RECORDS = [
    ["1", 10 * i, "A", "C", "GT", *[("0/0", "0/1", "1/1")[(i * j) % 3] for j in range(8)]]
    for i in range(1, 30)
]


@pytest.fixture
def call(tmp_path, capfd):
    def asked(*arguments: object):
        capfd.readouterr()
        assert main([*map(str, arguments), "--cache", str(tmp_path / "cache"), "--json"]) == 0
        return json.loads(capfd.readouterr().out)

    vcf = write_vcf(tmp_path / "a.vcf", vcf_text(RECORDS, SAMPLES))
    diagnoses = {s: ("SCZ", "control", "BP")[i % 3] for i, s in enumerate(SAMPLES)}
    table = write_phenotypes(tmp_path / "p.tsv", diagnoses | {"ghost": "SCZ"})
    (tmp_path / "g.bed").write_text("1\t50\t100\tGENE\n")
    made = asked("ingest", vcf, "--phenotypes", table, "--name", "demo", "--workers", "1",
                 "--genes", tmp_path / "g.bed")  # fmt: skip
    asked.made = made
    return asked


def test_cohorts_and_ingest(call):
    (listed,) = call("cohorts")
    assert listed == {key: call.made[key] for key in listed}
    assert set(listed) == {"cohort", "fingerprint", "people", "variants", "build"}
    assert listed["people"] == {"BP": 2, "SCZ": 3, "control": 3}
    assert (listed["cohort"], listed["variants"], listed["build"]) == ("demo", 29, "hg19")
    assert call.made["n_without_genotypes"] == 1


def test_quality(call):
    said = call("quality", "demo", "--set", "quality.min_mac=3")
    assert [step["step"] for step in said["steps"]] == list(STEPS)
    assert said["people"] == {"case": 3, "control": 3, "excluded": 2}
    left = [step["variants"] for step in said["steps"]]
    removed = [step["removed"] for step in said["steps"]]
    assert left[-1] == said["variants"]
    assert [a - b for a, b in itertools.pairwise(left)] == removed[1:]
    off = {step["step"] for step in said["steps"] if step.get("note") == "off"}
    assert off == {"filter", "hwe", "gq", "missingness", "regions"}


def test_associate(call, tmp_path):
    out = tmp_path / "out.tsv"
    said = call("associate", "demo", "--test", "trend", "--out", out)
    assert said["test"] == "trend"
    assert set(said["significant"]) == {"raw", "bonferroni", "bh"}
    assert said["out"] == str(out)
    kept = call("quality", "demo")["variants"]
    assert len(out.read_text().splitlines()) == kept + 1
    assert said["tested"] <= kept
    assert said["lambda"] is None or said["lambda"] >= 0
    assert call("associate", "demo")["out"] is None


def test_annotate_settings_and_runs(call, tmp_path):
    said = call("annotate", "demo", "--genes", tmp_path / "g.bed")
    assert (said["cohort"], said["n_genes"]) == ("demo", 1)
    assert {row["setting"] for row in call("settings")} >= {"quality.qual_above"}
    assert call("runs") == []


def test_for_people(call, tmp_path, capfd):
    for verb in (["cohorts"], ["quality", "demo"], ["associate", "demo"], ["settings"], ["runs"]):
        assert main([*verb, "--cache", str(tmp_path / "cache")]) == 0
        out, err = capfd.readouterr()
        assert out.strip()
        assert not err
        assert not out.startswith("{")


def test_cache_by_environment(call, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("EXOLENS_CACHE", str(tmp_path / "cache"))
    assert main(["cohorts", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)[0]["cohort"] == "demo"
