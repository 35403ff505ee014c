"""GenNet's folder becomes a cohort: with a table of variants, without one, and never half."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from pipeline import ingest as ingest_module
from pipeline.association import associate
from pipeline.cli import main
from pipeline.cohort import Cohort, open_cohort
from pipeline.ingest import ingest
from pipeline.quality import filter_variants
from pipeline.settings import AssociationSettings, QualitySettings
from pipeline.sources import gennet
from pipeline.sources.formats import open_source
from tests.small_cohorts import codes, counts, tables, variants
from tests.truth.known import train

N_PEOPLE, N_SNPS = 30, 70
MISSING = 3


def matrix(seed: int = 0) -> np.ndarray:
    """Return genotypes (N_PEOPLE, N_SNPS), a tenth of them missing."""
    rng = np.random.default_rng(seed)
    return rng.choice([0, 1, 2, MISSING], (N_PEOPLE, N_SNPS), p=[0.5, 0.3, 0.1, 0.1])


def write_gennet(
    folder: Path, values: np.ndarray, order: np.ndarray | None = None, snps: str | None = None,
    **options,
) -> Path:  # fmt: skip
    """Write genotype.h5, subjects.csv (person `order[i]` of the matrix first) and snps.csv."""
    folder.mkdir(exist_ok=True)
    path = folder / "genotype.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=values, **options)
    order = np.arange(len(values)) if order is None else order
    rows = [f"p{i},{i % 2},{i},{1 + i % 3},{20 + i}" for i in order]
    (folder / "subjects.csv").write_text(
        "\n".join(["patient_id,labels,genotype_row,set,cov_age", *rows]) + "\n"
    )
    if snps is not None:
        (folder / "snps.csv").write_text(snps)
    return path


def snps(n: int = N_SNPS) -> str:
    """Return a table of variants: half on 22, half on X, the gene with a comma in it."""
    rows = [f'{i},v{i},,{"22" if i < n // 2 else "X"},{3_000_000 + i},A,{"GT"[i % 2]},"G1,G2"'
            for i in range(n)]  # fmt: skip
    return "\n".join(["column,variant_id,rsid,chrom,pos,ref,alt,gene", *rows]) + "\n"


def ingested(folder: Path, path: Path, name: str = "c", workers: int = 1) -> Cohort:
    ingest(folder / "cache", name, [path], None, workers=workers)
    return open_cohort(folder / "cache", name)


@pytest.mark.parametrize("order", ["as written", "turned", "some"])
def test_genotypes_are_those_written(tmp_path, order):
    rows = {"as written": np.arange(N_PEOPLE), "turned": np.arange(N_PEOPLE)[::-1],
            "some": np.array([7, 3, 20])}[order]  # fmt: skip
    cohort = ingested(tmp_path, write_gennet(tmp_path / "g", matrix(), rows))
    assert cohort.samples["sample_id"].tolist() == [f"p{i}" for i in rows]
    np.testing.assert_array_equal(codes(cohort), matrix()[rows].T)
    assert cohort.samples["diagnosis"].tolist() == [str(i % 2) for i in rows]
    covariates = cohort.store.rows("SELECT covariates FROM samples ORDER BY sample_index")
    assert covariates[0][0] == {"set": str(1 + rows[0] % 3), "cov_age": str(20 + rows[0])}
    found = counts(cohort)
    for d in range(2):
        here = matrix()[rows][rows % 2 == d]
        np.testing.assert_array_equal(found["n_hom_alt"][:, d], (here == 2).sum(0))
        np.testing.assert_array_equal(found["n_het"][:, d], (here == 1).sum(0))
        np.testing.assert_array_equal(found["site_n_missing"][:, d], (here == MISSING).sum(0))
        n_alt = (here * (here != MISSING)).sum(0)
        np.testing.assert_array_equal(found["site_n_nonref"][:, d], n_alt)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "float32", "float64"])
@pytest.mark.parametrize("chunks", [None, (1, N_SNPS), (N_PEOPLE, 8), (7, 3)])
def test_any_type_and_layout_gives_the_same(tmp_path, dtype, chunks, monkeypatch):
    values = matrix().astype(dtype)
    if dtype == "int64":
        values[values == MISSING] = -1
    if dtype.startswith("float"):
        values[values == MISSING] = np.nan
    monkeypatch.setattr(gennet, "_SLAB_BYTES", 20 * N_PEOPLE * values.itemsize)
    cohort = ingested(tmp_path, write_gennet(tmp_path / "g", values, chunks=chunks))
    np.testing.assert_array_equal(codes(cohort), matrix().T)


def test_result_does_not_depend_on_workers_or_cutting(tmp_path, monkeypatch):
    path = write_gennet(tmp_path / "g", matrix(), snps=snps(), chunks=(10, 16))
    plain = ingested(tmp_path, path)
    monkeypatch.setattr(ingest_module, "_TASK_BYTES", (100, 100))
    monkeypatch.setattr(ingest_module, "_WHOLE_BYTES", 0)
    assert len(open_source(path).parts(100).parts) > 4
    for workers in (1, 2):
        cut = ingested(tmp_path, path, f"w{workers}", workers)
        assert cut.fingerprint == plain.fingerprint
        assert tables(cut) == tables(plain)


def test_table_of_variants_beside_it(tmp_path):
    cohort = ingested(tmp_path, write_gennet(tmp_path / "g", matrix(), snps=snps()))
    table = variants(cohort)
    assert table["rsid"].tolist() == [f"v{i}" for i in range(N_SNPS)]
    assert table["region"].tolist() == ["autosome"] * 35 + ["x"] * 35
    assert set(table["kind"]) == {"snp"}
    assert cohort.samples["n_called"].tolist() == (matrix()[:, :35] != MISSING).sum(1).tolist()


def test_without_one_columns_are_filtered_and_tested(tmp_path):
    cohort = ingested(tmp_path, write_gennet(tmp_path / "g", matrix()))
    table = variants(cohort)
    assert table["pos"].tolist() == list(range(1, N_SNPS + 1))
    assert set(table["region"]) == {"other"}
    settings = QualitySettings(min_call_rate=0.5, min_mean_depth=8, min_mean_gq=20)
    filtered = filter_variants(cohort, settings)
    assert len(filtered.kept) == N_SNPS
    notes = {step.step: step.note for step in filtered.steps}
    for step in ("depth_1", "depth_2", "gq"):
        assert notes[step].startswith("not available")
    assert associate(cohort, filtered, AssociationSettings()).n_tested == N_SNPS


def test_without_one_a_network_trains_and_selects_the_planted_column(tmp_path):
    """From the file to a trained run, as the worker does it."""
    rng = np.random.default_rng(5)
    values = rng.choice([0, 1, 2], (120, 40))
    planted = 17
    values[:, planted] = np.where(np.arange(120) % 2, 2, 0)
    ingested(tmp_path, write_gennet(tmp_path / "g", values)).store.close()
    changes = {"selection.top": 5, "training.epochs": 2}
    run = train(tmp_path / "cache", changes, "c")
    chosen = pd.read_parquet(run.selection_path)
    assert len(chosen["variant_index"].unique()) == 5
    assert planted in set(chosen["variant_index"])


# Bad input.


def no_data(folder: Path) -> None:
    with h5py.File(folder / "genotype.h5", "w") as file:
        file["other"] = 1


def text_data(folder: Path) -> None:
    with h5py.File(folder / "genotype.h5", "w") as file:
        file.create_dataset("data", data=[[b"AA", b"AG"]])


def edit(file: str, old: str, new: str):
    def change(folder: Path) -> None:
        path = folder / file
        path.write_text(path.read_text().replace(old, new, 1))

    return change


def cut_off(folder: Path) -> None:
    path = folder / "genotype.h5"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def heavy_half(folder: Path) -> None:
    write_gennet(folder, np.where(np.arange(N_SNPS) == 9, 0.5, matrix()))


BAD = {
    "no HDF5": (lambda f: (f / "genotype.h5").write_bytes(b"hello"), "HDF5"),
    "empty": (lambda f: (f / "genotype.h5").write_bytes(b""), "empty"),
    "absent": (lambda f: (f / "genotype.h5").unlink(), "no file"),
    "cut off": (cut_off, "copy it again"),
    "no /data": (no_data, "/data"),
    "text": (text_data, "/data"),
    "no subjects": (lambda f: (f / "subjects.csv").unlink(), "subjects.csv"),
    "no genotype_row": (edit("subjects.csv", "genotype_row", "row"), "genotype_row"),
    "a row beyond the matrix": (edit("subjects.csv", ",29,", ",30,"), "'30'"),
    "a row that is a word": (edit("subjects.csv", ",29,", ",last,"), "'last'"),
    "a row twice": (edit("subjects.csv", ",29,", ",28,"), "28 stands twice"),
    "a person twice": (edit("subjects.csv", "p29,", "p28,"), "p28 stands twice"),
    "a dosage": (heavy_half, "0.5 in column 10"),
    "too few variants": (lambda f: (f / "snps.csv").write_text(snps(60)), "has 60"),
    "no alleles": (lambda f: (f / "snps.csv").write_text("chrom,pos\n1,2\n"), "ref, alt"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_folder_is_told_in_one_sentence(tmp_path, capfd, name):
    spoil, word = BAD[name]
    path = write_gennet(tmp_path / "g", matrix())
    spoil(tmp_path / "g")
    capfd.readouterr()
    options = ("--name", "c", "--workers", "1", "--cache", tmp_path / "cache")
    status = main(["ingest", *map(str, (path, *options))])
    out, err = capfd.readouterr()
    lines = [line for line in err.splitlines() if line != "reading genotypes"]
    assert (status, out, len(lines)) == (1, "", 1), err
    assert word in lines[0]
    assert lines[0].endswith(".")
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
