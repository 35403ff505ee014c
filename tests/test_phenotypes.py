"""Phenotype tables as people write them."""

from __future__ import annotations

import gzip

import pytest

from pipeline.errors import InputError
from pipeline.sources.phenotypes import Columns, read_phenotypes


def read(tmp_path, text: str, columns: Columns | None = None, name: str = "p.tsv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_phenotypes(path, columns)


@pytest.mark.parametrize(
    "text",
    [
        "sample_id\tdiagnosis\tsex\na\tSCZ\tM\n",
        "#IID,Phenotype,SEX\na,SCZ,1\n",
        "id;status;gender\na;SCZ;male\n",
        "FID IID pheno sex\nf a SCZ m\n",
        "\ufeffIID\tdx\tsex\na\tSCZ\tM\n",
        "IID\tdx\tsex\r\na\tSCZ\tM\r\n",
        '"IID","dx","sex"\n"a","SCZ","M"\n',
        "## made by hand\nIID\tdx\tsex\n\na\tSCZ\tMale\n\n",
    ],
)
def test_columns_are_found_by_name(tmp_path, text):
    person = read(tmp_path, text).people["a"]
    assert (person.sample_id, person.diagnosis, person.sex) == ("a", "SCZ", "male")


def test_compressed(tmp_path):
    (tmp_path / "p.tsv.gz").write_bytes(gzip.compress(b"IID\tdx\na\t1\n"))
    assert read_phenotypes(tmp_path / "p.tsv.gz").people["a"].diagnosis == "1"


def test_other_columns_are_kept_as_covariates(tmp_path):
    found = read(tmp_path, "FID\tIID\tstatus\tage\tPC1\nf\ta\t1\t44\t-0.1\n")
    assert found.people["a"].covariates == {"age": "44", "PC1": "-0.1"}
    assert found.people["a"].family_id == "f"
    assert found.columns == Columns("IID", "status", None)


@pytest.mark.parametrize("written", ["", "NA", ".", "nan", "NULL"])
def test_missing_diagnosis_and_sex_are_unknown(tmp_path, written):
    person = read(tmp_path, f"IID\tdx\tsex\na\t{written}\t{written}\n").people["a"]
    assert (person.diagnosis, person.sex) == ("unknown", "unknown")


def test_columns_named_by_the_user(tmp_path):
    text = "who\tIID\twhat\tdx\na\tb\tSCZ\tBP\n"
    found = read(tmp_path, text, Columns("who", "what"))
    assert found.people["a"].diagnosis == "SCZ"
    assert found.people["a"].covariates == {"IID": "b", "dx": "BP"}
    with pytest.raises(InputError, match="no column 'age' for the sex"):
        read(tmp_path, text, Columns(sex="age"))


def test_diagnoses_are_counted(tmp_path):
    found = read(tmp_path, "IID dx\na 1\nb 2\nc 2\n")
    assert found.diagnoses == {"1": 1, "2": 2}
