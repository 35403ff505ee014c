"""A model file keeps what Keras wrote, gains where it comes from, and tells of nobody."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import runs
from pipeline.errors import InputError, StaleArtifactError
from pipeline.model_file import (
    CERTIFICATE,
    VARIANTS,
    model_certificate,
    model_variants,
    read_certificate,
    read_variants,
    seal_model,
)
from pipeline.settings import AnalysisSettings, with_changes
from tests.small_cohorts import make_cohort, vcf_text

TABLE = pd.DataFrame(
    {
        "chrom": ["1", "chrX"],
        "pos": [7, 3],
        "ref": ["A", "GT"],
        "alt": ["C", "G"],
        "rsid": ["rs1", None],
        "alt_frequency": [0.25, np.nan],
    }
)


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    """A tiny network of plain Keras, weights 1, 2 and bias 3."""
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.layers[0].set_weights([np.array([[1.0], [2.0]]), np.array([3.0])])
    path = tmp_path / "model.keras"
    model.save(path)
    return path


def test_what_goes_in_comes_out_in_order(model_path):
    seal_model(model_path, {"run": "abc", "threshold": np.float32(0.5)}, TABLE)
    assert read_certificate(model_path) == {"format": 1, "run": "abc", "threshold": 0.5}
    pd.testing.assert_frame_equal(read_variants(model_path), TABLE)


def test_keras_reads_the_file_without_exolens(model_path, tmp_path):
    before = {
        m: zipfile.ZipFile(model_path).read(m) for m in zipfile.ZipFile(model_path).namelist()
    }
    seal_model(model_path, {}, TABLE)
    after = zipfile.ZipFile(model_path)
    assert set(after.namelist()) == {*before, CERTIFICATE, VARIANTS}
    assert all(after.read(member) == held for member, held in before.items())
    code = (
        "import keras, numpy, sys; model = keras.saving.load_model(sys.argv[1]);"
        "print(float(model.predict(numpy.array([[10.0, 100.0]]), verbose=0)[0, 0]));"
        "print('pipeline' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(model_path)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.split() == ["213.0", "False"], done.stderr


def test_a_second_seal_takes_the_place_of_the_first(model_path):
    seal_model(model_path, {"run": "first"}, TABLE)
    seal_model(model_path, {"run": "second"}, TABLE.iloc[:1])
    names = zipfile.ZipFile(model_path).namelist()
    assert len(names) == len(set(names))
    assert read_certificate(model_path)["run"] == "second"
    assert len(read_variants(model_path)) == 1


def test_a_failed_seal_leaves_the_file_as_it_was(model_path, monkeypatch):
    before = model_path.read_bytes()

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr("pipeline.model_file.os.fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        seal_model(model_path, {}, TABLE)
    assert model_path.read_bytes() == before
    assert [path.name for path in model_path.parent.iterdir()] == ["model.keras"]


def test_a_table_of_variants_holds_nothing_else(model_path):
    with pytest.raises(ValueError, match="s1"):
        seal_model(model_path, {}, TABLE.assign(s1=[0, 2]))
    with pytest.raises(ValueError, match="alt_frequency"):
        seal_model(model_path, {}, TABLE.drop(columns="alt_frequency"))


def test_what_is_no_model_is_told_in_a_sentence(model_path, tmp_path):
    with pytest.raises(InputError, match="no exolens"):
        read_certificate(model_path)
    with pytest.raises(InputError, match="There is no model file"):
        read_variants(tmp_path / "none.keras")
    broken = tmp_path / "broken.keras"
    broken.write_bytes(model_path.read_bytes()[:200])
    with pytest.raises(InputError, match="is none or is damaged"):
        seal_model(broken, {}, TABLE)
    seal_model(model_path, {"format": 99}, TABLE)
    with pytest.raises(StaleArtifactError, match="format 99"):
        read_certificate(model_path)


def test_the_file_of_a_run_tells_of_nobody(model_path, tmp_path):
    names = [f"person-{i}-secret" for i in range(8)]
    calls = ["0/0", "0/1", "1/1", "./.", "0/1", "0/1", "0/0", "0/0"]
    records = [
        ["1", 10, "rs10", "A", "C", "90", "PASS", ".", "GT", *calls],
        ["1", 20, ".", "G", "T", "90", "PASS", ".", "GT", *["./."] * 8],
    ]
    diagnoses = dict(zip(names, ["SCZ", "control"] * 4, strict=True))
    cohort = make_cohort(tmp_path, vcf_text(records, names), diagnoses)
    settings = with_changes(
        AnalysisSettings(),
        {"encoding.weights": "file", "encoding.weights_file": "/home/somebody/weights.tsv"},
    )
    run = runs.create(tmp_path / "cache", "small", cohort.fingerprint, settings)
    genotypes = np.array([[3, 0], [3, 0], [3, 1], [3, 2], [3, 3]], np.uint8)
    # The order is that of the network's input, not of the genome.
    table = model_variants(cohort, np.array([1, 0]), genotypes, weight=np.array([0.5, 2.0]))
    certificate = model_certificate(
        run,
        cohort,
        fold=None,
        is_case_train=np.array([True, False, False, True, True]),
        threshold=0.5,
        auc={"value": 0.6, "low": 0.5, "high": 0.7},
    )
    seal_model(model_path, certificate, table)
    found = read_variants(model_path)
    assert found["pos"].tolist() == [20, 10]
    assert found["rsid"][1] == "rs10"
    assert found["weight"].tolist() == [0.5, 2.0]
    assert np.isnan(found["alt_frequency"][0])
    assert found["alt_frequency"][1] == 3 / 8
    told = read_certificate(model_path)
    assert (told["n_train"], told["n_train_case"]) == (5, 3)
    assert (told["case"], told["control"], told["build"]) == (["SCZ"], ["control"], "hg19")
    assert told["ingest"]["other_alleles"] == "missing"
    assert AnalysisSettings.model_validate(told["settings"]).encoding.weights_file == "weights.tsv"
    with zipfile.ZipFile(model_path) as archive:
        held = b"".join(archive.read(member) for member in archive.namelist())
    assert b"secret" not in held
    assert b"somebody" not in held
    assert json.loads(zipfile.ZipFile(model_path).read(CERTIFICATE))["run"] == run.id
