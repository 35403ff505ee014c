"""Whatever a small VCF holds, its counts are those of a tally in plain Python."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.association import associate
from pipeline.cohort import open_cohort
from pipeline.ingest import ingest
from pipeline.quality import filter_variants
from pipeline.schema import COUNT_DOCS
from pipeline.settings import (
    AssociationSettings,
    IngestSettings,
    PeopleSettings,
    QualitySettings,
)
from tests.small_cohorts import codes, counts, variants, vcf_text, write_phenotypes

FEW = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
KEEP_ALL = QualitySettings(
    qual_above=None, drop_monomorphic=False, min_mean_depth=None, min_call_rate=None,
    drop_sex_chromosomes=False, drop_indels=False,
)  # fmt: skip
SEXES = {"male": "M", "female": "F", "unknown": ""}


@st.composite
def files(draw) -> dict:
    """Return people with diagnosis and sex, and records of random calls."""
    n_people = draw(st.integers(1, 7))
    people = [f"p{i}" for i in range(n_people)]
    records = []
    for row in range(draw(st.integers(1, 6))):
        chrom = draw(st.sampled_from(["1", "7", "X", "Y", "MT", "weird"]))
        alts = draw(st.lists(st.sampled_from(["C", "AT", "*", "<DEL>", "G"]), max_size=3,
                             unique=True))  # fmt: skip
        allele = st.sampled_from([".", *map(str, range(len(alts) + 1))])
        calls = []
        for _ in people:
            ploidy = draw(st.sampled_from([1, 2, 2, 2, 3]))
            call = draw(st.sampled_from("/|")).join(draw(allele) for _ in range(ploidy))
            figures = draw(st.tuples(*[st.sampled_from([".", "0", "7", "31"])] * 2))
            calls.append((call, *figures))
        records.append((chrom, 3_000_000 + 10 * row, alts, calls))
    return {
        "people": people,
        "diagnosis": [draw(st.sampled_from(["case", "control", "BP"])) for _ in people],
        "sex": [draw(st.sampled_from(sorted(SEXES))) for _ in people],
        "records": records,
        "rule": draw(st.sampled_from(["missing", "reference"])),
        "min_depth": draw(st.sampled_from([None, 8])),
        "min_gq": draw(st.sampled_from([None, 8])),
    }


def text_of(made: dict, order: list[int]) -> str:
    rows = [
        [chrom, pos, "A", ",".join(alts) or ".", "GT:DP:GQ", *(":".join(calls[i]) for i in order)]
        for chrom, pos, alts, calls in made["records"]
    ]
    contigs = ("1", "7", "X", "Y", "MT", "weird")
    return vcf_text(rows, [made["people"][i] for i in order], contigs)


def cohort_of(made: dict, folder: Path, order: list[int] | None = None):
    vcf = folder / "a.vcf"
    vcf.write_text(text_of(made, order or list(range(len(made["people"])))))
    people = made["people"]
    table = write_phenotypes(
        folder / "p.tsv",
        dict(zip(people, made["diagnosis"], strict=True)),
        {p: SEXES[s] for p, s in zip(people, made["sex"], strict=True)},
    )
    chosen = IngestSettings(other_alleles=made["rule"], min_genotype_depth=made["min_depth"],
                            min_genotype_gq=made["min_gq"])  # fmt: skip
    ingest(folder / "cache", "c", [vcf], table, chosen, workers=1)
    return open_cohort(folder / "cache", "c")


def alleles_of(call: tuple[str, str, str], chrom: str, sex: str, made: dict) -> list[int] | None:
    """Return the alleles of a call by the rules of `pipeline.tally`; None where it is missing."""
    text, depth, gq = call
    for figure, least in ((depth, made["min_depth"]), (gq, made["min_gq"])):
        if least is not None and figure != "." and int(figure) < least:
            return None
    alleles = text.replace("|", "/").split("/")
    if len(alleles) > 2:
        return None
    if len(alleles) == 2 and alleles.count(".") == 1 and chrom in {"X", "Y", "MT"} \
            and sex != "female":  # fmt: skip
        alleles.remove(".")
    return None if "." in alleles else [int(a) for a in alleles]


def tally(made: dict) -> tuple[list[list[int]], list[dict]]:
    """Return the codes and the counts of every split row, in plain Python."""
    all_codes, all_counts = [], []
    names = sorted(set(made["diagnosis"]))
    order = {"1": 1, "7": 7, "X": 23, "Y": 24, "MT": 25, "weird": 99}
    for chrom, _, alts, calls in sorted(made["records"], key=lambda r: (order[r[0]], r[1])):
        read = [
            alleles_of(call, chrom, sex, made) for call, sex in zip(calls, made["sex"], strict=True)
        ]
        for k in range(1, max(1, len(alts)) + 1):
            row = []
            for alleles in read:
                if alleles is None or (made["rule"] == "missing" and set(alleles) - {0, k}):
                    row.append(3)
                else:
                    row.append(alleles.count(k) * (2 if len(alleles) == 1 else 1))
            all_codes.append(row)
            one = {name: [0] * len(names) for name in COUNT_DOCS}
            for i, alleles in enumerate(read):
                d = names.index(made["diagnosis"][i])
                one[("n_hom_ref", "n_het", "n_hom_alt", "n_missing")[row[i]]][d] += 1
                one["site_n_missing" if alleles is None else "site_n_called"][d] += 1
                one["site_n_nonref"][d] += sum(a > 0 for a in alleles or [])
                for what, figure in (("depth", calls[i][1]), ("gq", calls[i][2])):
                    if figure != ".":
                        one[f"{what}_sum"][d] += int(figure)
                        one[f"{what}_n"][d] += 1
            all_counts.append(one)
    return all_codes, all_counts


@FEW
@given(files())
def test_counts__plain_tally(made):
    with tempfile.TemporaryDirectory() as folder:
        cohort = cohort_of(made, Path(folder))
        expected_codes, expected = tally(made)
        np.testing.assert_array_equal(codes(cohort), expected_codes)
        for name, found in counts(cohort).items():
            np.testing.assert_array_equal(found, [row[name] for row in expected], err_msg=name)
        for d, diagnosis in enumerate(cohort.diagnoses):
            frame = cohort.store.frame("SELECT * FROM sex_counts")
            on_sex = variants(cohort)["region"].isin(["x", "y"]).to_numpy()
            for sex in SEXES:
                here = [(g, s) == (diagnosis, sex)
                        for g, s in zip(made["diagnosis"], made["sex"], strict=True)]  # fmt: skip
                chosen = np.array(expected_codes)[on_sex][:, here]
                for code, row in enumerate(("hom_ref", "het", "hom_alt", "missing")):
                    np.testing.assert_array_equal(
                        frame[f"n_{row}_{d}_{sex}"], (chosen == code).sum(1)
                    )
        cohort.store.close()


@FEW
@given(files(), st.randoms(use_true_random=False))
def test_order_of_people_does_not_matter(made, random):
    order = list(range(len(made["people"])))
    random.shuffle(order)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        first, second = cohort_of(made, Path(one)), cohort_of(made, Path(other), order)
        for name, found in counts(first).items():
            np.testing.assert_array_equal(found, counts(second)[name], err_msg=name)
        np.testing.assert_array_equal(codes(first)[:, order], codes(second))
        first.store.close()
        second.store.close()


@FEW
@given(files(), st.sampled_from(["genotypic", "genotypic_df4", "allelic", "trend"]))
def test_swapping_case_and_control_keeps_p(made, test):
    if not {"case", "control"} <= set(made["diagnosis"]):
        made["people"] += ["one", "two"]
        made["diagnosis"] += ["case", "control"]
        made["sex"] += ["male", "female"]
        made["records"] = [
            (c, p, a, [*calls, ("0/0", ".", "."), ("0/0", ".", ".")])
            for c, p, a, calls in made["records"]
        ]
    with tempfile.TemporaryDirectory() as folder:
        cohort = cohort_of(made, Path(folder))
        chosen = AssociationSettings(test=test)
        one, other = (
            associate(cohort, filter_variants(cohort, KEEP_ALL, people), chosen)
            for people in (
                PeopleSettings(case=("case",), control=("control",)),
                PeopleSettings(case=("control",), control=("case",)),
            )
        )
        np.testing.assert_allclose(one.neg_log10_p, other.neg_log10_p, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(one.df, other.df)
        on_y = variants(cohort)["region"] == "y"
        assert np.isnan(one.neg_log10_p[on_y]).all()
        cohort.store.close()
