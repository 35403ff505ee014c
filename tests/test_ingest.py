"""From a VCF to a cohort: rules of single calls, any cutting, stops and kills, recounts."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline import files
from pipeline import ingest as ingest_module
from pipeline.cohort import open_cohort
from pipeline.errors import Cancelled, InputError
from pipeline.genotypes import count_genotypes, pack, people_mask
from pipeline.ingest import ingest
from pipeline.progress import Progress
from pipeline.quality import filter_variants
from pipeline.recount import recount
from pipeline.schema import SEXES
from pipeline.settings import IngestSettings, QualitySettings
from pipeline.sources.htsindex import cut, index_path, read_index
from tests.small_cohorts import (
    codes,
    counts,
    make_cohort,
    run,
    tables,
    variants,
    vcf_text,
    write_phenotypes,
    write_vcf,
)
from tests.tools import require_tool

SAMPLES = [f"s{i}" for i in range(7)]
DIAGNOSES = {s: ("case", "control", "BP")[i % 3] for i, s in enumerate(SAMPLES)}
SEX = {s: ("M", "F", "")[i % 3] for i, s in enumerate(SAMPLES)}
EVERYTHING = QualitySettings(
    qual_above=None, drop_monomorphic=False, min_mean_depth=None, min_call_rate=None,
    drop_sex_chromosomes=False, drop_indels=False,
)  # fmt: skip


def random_records(n: int, chroms: tuple[str, ...] = ("1", "2", "X"), seed: int = 0) -> list[list]:
    rng = random.Random(seed)
    calls = ["0/0", "0/1", "1/1", "1/2", "0|2", "./.", "./1", "0/.", "1", ".", "0"]
    records = []
    for chrom in chroms:
        for i in range(n):
            alt = rng.choice(["C", "C,T", "*,C", "AT"])
            cells = [f"{rng.choice(calls)}:{rng.choice(['.', 3, 30])}:{rng.choice(['.', 9, 99])}"
                     for _ in SAMPLES]  # fmt: skip
            cells = [c if alt.count(",") else c.replace("2", "1", 1) for c in cells]
            records.append([chrom, 1000 + 3000 * i, "A", alt, "GT:DP:GQ", *cells])
    return records


TEXT = vcf_text(random_records(150), SAMPLES)


def ingested(folder: Path, paths: list[Path], name: str = "c", workers: int = 1, **settings):
    """Return fingerprint and tables of a cohort, closed again."""
    table = write_phenotypes(folder / "p.tsv", DIAGNOSES, SEX)
    made = ingest(folder / "cache", name, paths, table, IngestSettings(**settings), workers=workers)
    cohort = open_cohort(folder / "cache", name)
    found = tables(cohort)
    cohort.store.close()
    return made.fingerprint, found


@pytest.fixture
def by_region(monkeypatch) -> None:
    """Cut as finely as the index can, small files and one worker too."""
    monkeypatch.setattr(ingest_module, "_TASK_BYTES", (1, 1))
    monkeypatch.setattr(ingest_module, "_WHOLE_BYTES", 0)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> tuple[str, dict]:
    folder = tmp_path_factory.mktemp("plain")
    return ingested(folder, [write_vcf(folder / "a.vcf", TEXT)])


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_result_does_not_depend_on_workers_or_cutting(tmp_path, plain, workers, by_region):
    path = write_vcf(tmp_path / "a.vcf.gz", vcf_text(random_records(150), SAMPLES))
    assert ingested(tmp_path, [path], workers=workers) == plain


@pytest.mark.parametrize("kind", ["vcf.gz", "vcf.gz csi", "vcf.gz alone", "bcf", "bcf alone"])
def test_result_does_not_depend_on_the_format(tmp_path, plain, kind, by_region):
    require_tool("bcftools")
    path = write_vcf(tmp_path / f"a.{kind.split()[0]}", TEXT)
    if kind.endswith("csi"):
        Path(f"{path}.tbi").unlink()
        run("bcftools", "index", "-c", path)
    if kind.endswith("alone"):
        index_path(path).unlink()
    assert (index_path(path) is None) == kind.endswith("alone")
    assert ingested(tmp_path, [path]) == plain


def test_one_file_a_chromosome_in_any_order(tmp_path, plain, by_region):
    paths = []
    for chrom in ("X", "1", "2"):
        records = [r for r in random_records(150) if r[0] == chrom]
        paths.append(write_vcf(tmp_path / f"{chrom}.vcf.gz", vcf_text(records, SAMPLES)))
    assert ingested(tmp_path, paths, workers=2) == plain
    assert ingested(tmp_path, paths[::-1]) == plain


def test_unsorted_records_come_out_in_genomic_order(tmp_path, plain):
    records = random_records(150)
    random.Random(1).shuffle(records)
    assert ingested(tmp_path, [write_vcf(tmp_path / "u.vcf", vcf_text(records, SAMPLES))]) == plain


def test_chr_prefix_changes_nothing_but_the_name(tmp_path, plain):
    text = vcf_text([["chr" + r[0], *r[1:]] for r in random_records(150)], SAMPLES, ("chr1",))
    _, found = ingested(tmp_path, [write_vcf(tmp_path / "a.vcf", text)])
    assert [row[1].removeprefix("chr") for row in found["variants"]] == [
        row[1] for row in plain[1]["variants"]
    ]
    for table in ("counts", "sex_counts", "genotypes", "samples"):
        assert found[table] == plain[1][table]


def test_order_of_samples_differs_between_files(tmp_path, plain):
    turned = [[*r[:5], *r[:4:-1]] for r in random_records(150) if r[0] != "1"]
    first = [r for r in random_records(150) if r[0] == "1"]
    paths = [
        write_vcf(tmp_path / "first.vcf", vcf_text(first, SAMPLES)),
        write_vcf(tmp_path / "rest.vcf", vcf_text(turned, SAMPLES[::-1])),
    ]
    assert ingested(tmp_path, paths) == plain


def test_people_in_one_file_only_are_left_out_and_named(tmp_path, plain):
    table = write_phenotypes(tmp_path / "p.tsv", {"s1": "case", "s3": "control", "new": "case"})
    vcf = write_vcf(tmp_path / "a.vcf", TEXT)
    made = ingest(tmp_path / "cache", "few", [vcf], table, workers=1)
    assert made.without_phenotype == ("s0", "s2", "s4", "s5", "s6")
    assert made.without_genotypes == ("new",)
    everybody = make_cohort(tmp_path, TEXT, DIAGNOSES, SEX)
    few = open_cohort(tmp_path / "cache", "few")
    assert few.n_people == {"case": 1, "control": 1}
    # Without a stated sex a half call on X is a haploid one; s1 is a woman in `everybody`.
    autosomes = (variants(few)["region"] == "autosome").to_numpy()
    np.testing.assert_array_equal(codes(few)[autosomes], codes(everybody)[autosomes][:, [1, 3]])


CALLS = [  # call, chromosome, sex, codes of the rows of alternates 1 and 2: missing, reference
    ("0/0", "1", "F", (0, 0), (0, 0)),
    ("0/1", "1", "F", (1, 3), (1, 0)),
    ("1|1", "1", "F", (2, 3), (2, 0)),
    ("1/2", "1", "F", (3, 3), (1, 1)),
    ("0/2", "1", "F", (3, 1), (0, 1)),
    ("./.", "1", "F", (3, 3), (3, 3)),
    ("0/.", "1", "M", (3, 3), (3, 3)),
    ("./1", "1", "M", (3, 3), (3, 3)),
    ("0/.", "X", "M", (0, 0), (0, 0)),
    ("./2", "X", "M", (3, 2), (0, 2)),
    ("1/.", "X", "F", (3, 3), (3, 3)),
    ("1/.", "X", "", (2, 3), (2, 0)),
    ("1", "X", "M", (2, 3), (2, 0)),
    ("1", "1", "F", (2, 3), (2, 0)),
    (".", "1", "F", (3, 3), (3, 3)),
    ("0/0/1", "1", "F", (3, 3), (3, 3)),
    ("1/.", "MT", "M", (2, 3), (2, 0)),
    ("1/.", "Y", "M", (2, 3), (2, 0)),
]


@pytest.mark.parametrize(("call", "chrom", "sex", "missing", "reference"), CALLS)
def test_rules_of_single_calls(tmp_path, call, chrom, sex, missing, reference):
    """Each call at a site with two alternates, under both rules of other alleles."""
    text = vcf_text([[chrom, 3_000_000, "A", "C,*", "GT", call, "0/1"]], ["a", "b"])
    people, sexes = {"a": "case", "b": "control"}, {"a": sex, "b": "F"}
    for rule, expected in (("missing", missing), ("reference", reference)):
        settings = IngestSettings(other_alleles=rule)
        cohort = make_cohort(tmp_path, text, people, sexes, settings, name=rule)
        assert tuple(codes(cohort)[:, 0].tolist()) == expected, rule


def test_par_of_x_is_diploid(tmp_path):
    text = vcf_text([["X", p, "A", "C", "GT", "0/.", "0/1"] for p in (60_001, 2_699_521)],
                    ["a", "b"])  # fmt: skip
    cohort = make_cohort(tmp_path, text, {"a": "case", "b": "control"}, {"a": "M", "b": "F"})
    assert codes(cohort)[:, 0].tolist() == [3, 0]
    assert variants(cohort)["region"].tolist() == ["par", "x"]


def test_missing_fixed_fields_and_depth(tmp_path):
    records = [
        ["1", 10, "rs1", "A", ".", ".", ".", ".", "GT:DP:GQ", "0/0:.:.", "0/0:4:7"],
        ["1", 20, ".", "A", "C", "30.5", "low", ".", "GT:DP", "0/1:6", "./.:2"],
        ["1", 30, ".", "A", "<DEL>", "0", "PASS", ".", "GT", "0/1", "1/1"],
        ["1", 40, ".", "AT", "GT", "1", "PASS", ".", "DP", "3", "."],
    ]
    text = vcf_text(records, ["a", "b"])
    cohort = make_cohort(tmp_path, text, {"a": "case", "b": "control"})
    table = variants(cohort)
    assert table["alt"].tolist() == [".", "C", "<DEL>", "GT"]
    assert table["kind"].tolist() == ["other", "snp", "other", "snp"]
    assert table["n_alts"].tolist() == [0, 1, 1, 1]
    assert table["rsid"].isna().tolist() == [False, True, True, True]
    assert np.isnan(table["qual"][0])
    assert table["filter"].tolist()[1:3] == ["low", "PASS"]
    assert table["filter"].isna()[0]
    found = counts(cohort)
    assert found["depth_sum"].tolist() == [[0, 4], [6, 2], [0, 0], [3, 0]]
    assert found["depth_n"].tolist() == [[0, 1], [1, 1], [0, 0], [1, 0]]
    assert found["gq_sum"].tolist() == [[0, 7], [0, 0], [0, 0], [0, 0]]
    assert codes(cohort).tolist() == [[0, 0], [1, 3], [1, 2], [3, 3]]


def test_a_depth_that_only_the_header_has_is_none(tmp_path):
    people = {"a": "case", "b": "control"}
    calls = {"none": ["0/1:.", "0/0"], "some": ["0/1:.", "0/0:0"]}
    for name, (a, b) in calls.items():
        (tmp_path / name).mkdir()
        text = vcf_text([["1", 10, "A", "C", "GT:DP", a, b]], ["a", "b"])
        cohort = make_cohort(tmp_path / name, text, people)
        assert cohort.certificate["has_depth"] is (name == "some")


def test_genotype_masks_leave_calls_without_the_figure(tmp_path):
    text = vcf_text([["1", 10, "A", "C", "GT:DP:GQ", "0/1:5:50", "0/1:.:.", "1/1:50:5"]],
                    ["a", "b", "c"])  # fmt: skip
    settings = IngestSettings(min_genotype_depth=6, min_genotype_gq=6)
    people = dict.fromkeys("abc", "case")
    cohort = make_cohort(tmp_path, text, people, settings=settings)
    assert codes(cohort).tolist() == [[3, 1, 3]]
    assert counts(cohort)["depth_n"].tolist() == [[2]]


# The index: every record is found, or the file is refused.


def test_every_chromosome_of_a_small_indexed_file_is_read(tmp_path, by_region):
    """All of a small file lies in its first block, at byte 0."""
    records = [[c, 100, "A", "C", "GT", *["0/1"] * 7] for c in ("1", "2", "X")]
    for suffix in ("vcf.gz", "bcf"):
        _, found = ingested(
            tmp_path, [write_vcf(tmp_path / f"s.{suffix}", vcf_text(records, SAMPLES))]
        )
        assert [row[1] for row in found["variants"]] == ["1", "2", "X"]


@pytest.mark.parametrize("kind", ["tbi", "csi", "bcf"])
def test_record_across_the_border_of_two_windows(tmp_path, kind, by_region):
    """A csi has no smallest bin for it, and so no place in the list of windows."""
    records = [["1", 16_380, "A" * 20, "A", "GT", *["0/1"] * 7],
               ["2", 100, "A", "C", "GT", *["0/1"] * 7]]  # fmt: skip
    path = write_vcf(tmp_path / ("a.bcf" if kind == "bcf" else "a.vcf.gz"),
                     vcf_text(records, SAMPLES))  # fmt: skip
    if kind == "csi":
        Path(f"{path}.tbi").unlink()
        run("bcftools", "index", "-c", path)
    assert len(ingested(tmp_path, [path])[1]["variants"]) == 2


@pytest.mark.parametrize("suffix", ["vcf.gz", "bcf"])
def test_chromosomes_in_another_order_than_the_header(tmp_path, suffix, by_region):
    """Two chromosomes share a block; neither is read twice, in whatever order they are named."""
    rng = np.random.default_rng(0)
    records = [
        [c, 100 + 10 * i, "A", "C", "GT", *rng.choice(["0/0", "0/1", "./."], 7)]
        for c in ("1", "2") for i in range(9000)
    ]  # fmt: skip
    path = write_vcf(tmp_path / f"a.{suffix}", vcf_text(records, SAMPLES, contigs=("2", "1")))
    if suffix == "vcf.gz":
        Path(f"{path}.tbi").unlink()
        run("bcftools", "index", "-c", path)
    index = read_index(index_path(path), ("2", "1"))
    assert index.n_records == 18_000
    assert len(cut(index.windows, 1)) > 4
    _, found = ingested(tmp_path, [path])
    assert [(row[1], row[3]) for row in found["variants"]] == [(r[0], r[1]) for r in records]


def test_chromosome_names_with_colons(tmp_path, by_region):
    names = ("HLA-A*01:01:01", "chrUn:7-9")
    records = [[c, 5, "A", "C", "GT", *["0/1"] * 7] for c in names]
    for suffix in ("vcf.gz", "bcf"):
        path = write_vcf(tmp_path / f"a.{suffix}", vcf_text(records, SAMPLES, contigs=names))
        assert len(ingested(tmp_path, [path])[1]["variants"]) == 2


def big_text() -> str:
    rng = np.random.default_rng(0)
    calls = rng.choice(["0/0", "0/1", "./."], (20_000, 7))
    return vcf_text([["1", 100 + 10 * i, "A", "C", "GT", *c] for i, c in enumerate(calls)], SAMPLES)


@pytest.mark.parametrize("suffix", ["vcf.gz", "bcf"])
@pytest.mark.parametrize("has_index", [True, False])
def test_damage_in_the_middle_is_an_error_never_a_loss(tmp_path, suffix, has_index, by_region):
    path = write_vcf(tmp_path / f"a.{suffix}", big_text())
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    path.write_bytes(data)
    os.utime(index_path(path) or path)
    if has_index:
        for index in tmp_path.glob("a.*.[tc][bs]i"):
            os.utime(index)
    else:
        index_path(path).unlink()
    with pytest.raises(InputError, match=r"damaged|cut off or malformed"):
        ingested(tmp_path, [path])
    assert [p for p in (tmp_path / "cache").rglob("*") if p.is_file()] == []


def test_index_of_another_file_is_refused(tmp_path, by_region):
    half = big_text().splitlines(keepends=True)
    short = write_vcf(tmp_path / "short.vcf.gz", "".join(half[: len(half) // 2]))
    full = write_vcf(tmp_path / "full.vcf.gz", "".join(half))
    Path(f"{full}.tbi").write_bytes(Path(f"{short}.tbi").read_bytes())
    with pytest.raises(InputError, match="index"):
        ingested(tmp_path, [full])
    Path(f"{full}.tbi").write_bytes(b"no index")
    with pytest.raises(InputError, match="cannot be read"):
        ingested(tmp_path, [full])


def test_link_to_a_file_keeps_its_name_and_index(tmp_path, plain, by_region):
    path = write_vcf(tmp_path / "a.vcf.gz", TEXT)
    path.rename(tmp_path / "blob-1")
    path.symlink_to(tmp_path / "blob-1")
    assert ingested(tmp_path, [path]) == plain
    other = tmp_path / "b.vcf.gz"
    other.symlink_to(tmp_path / "blob-1")
    with pytest.raises(InputError, match="twice"):
        ingested(tmp_path, [path, other])


def test_index_older_than_its_file_is_left_aside(tmp_path, plain):
    path = write_vcf(tmp_path / "a.vcf.gz", TEXT)
    os.utime(f"{path}.tbi", (1, 1))
    assert index_path(path) is None
    assert ingested(tmp_path, [path]) == plain


# Stops, kills, replacement.


def tree(cache: Path) -> list[str]:
    return sorted(str(p.relative_to(cache)) for p in cache.rglob("*"))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("phase", ["reading genotypes", "writing the cohort"])
def test_cancel_leaves_nothing(tmp_path, workers, phase, by_region):
    table = write_phenotypes(tmp_path / "p.tsv", DIAGNOSES, SEX)
    path = write_vcf(tmp_path / "a.vcf.gz", big_text())

    def stop(progress: Progress) -> None:
        if progress.phase == phase:
            raise Cancelled

    with pytest.raises(Cancelled):
        ingest(tmp_path / "cache", "c", [path], table, workers=workers, on_progress=stop)
    assert tree(tmp_path / "cache") in ([], ["cohorts"])


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline import ingest as module, shards
module._TASK_BYTES, module._WHOLE_BYTES = (1, 1), 0
left = 4
def run_task(*arguments):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return shards.run_task(*arguments)
module.run_task = run_task
folder = Path(sys.argv[1])
module.ingest(folder / "cache", "c", [folder / "a.vcf.gz"], folder / "p.tsv", workers=1)
"""


def test_kill_and_again_goes_on_from_finished_shards(tmp_path, monkeypatch, by_region):
    path = write_vcf(tmp_path / "a.vcf.gz", big_text())
    write_phenotypes(tmp_path / "p.tsv", DIAGNOSES, SEX)
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    child = subprocess.run(command, cwd=files.PROJECT_ROOT, check=False, timeout=60)
    assert child.returncode == -signal.SIGKILL
    done = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("shard-*.json")}
    assert len(done) == 3
    read = []
    original = ingest_module.run_task

    def counted(task, *rest):
        shard = original(task, *rest)
        read.append((task.shard_name, (shard.folder / f"{shard.name}.json").stat().st_mtime_ns))
        return shard

    monkeypatch.setattr(ingest_module, "run_task", counted)
    again = ingested(tmp_path, [path])
    assert len(read) > 4
    assert {f"{name}.json": at for name, at in read[:3]} == done
    assert not list((tmp_path / "cache" / "cohorts").glob(".staging"))
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert ingested(fresh, [path]) == again


def test_kill_while_writing_leaves_no_file_behind_for_good(tmp_path):
    """The half-written file of a killed ingest goes with the next ingest of that name."""
    path = write_vcf(tmp_path / "a.vcf", TEXT)
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    folder = tmp_path / "cache" / "cohorts" / "c"
    folder.mkdir(parents=True)
    (folder / f".cohort-1234.duckdb.{dead}.tmp").write_bytes(b"half")
    (folder / f".cohort-1234.duckdb.{dead}.tmp.wal").write_bytes(b"half")
    (folder / f".cohort-5678.duckdb.{os.getppid()}.tmp").write_bytes(b"another is at it")
    fingerprint, _ = ingested(tmp_path, [path])
    left = sorted(p.name for p in folder.iterdir())
    another = f".cohort-5678.duckdb.{os.getppid()}.tmp"
    assert left == [another, f"cohort-{fingerprint}.duckdb", "current.json"]


def test_ingest_of_the_same_name_replaces(tmp_path):
    one, _ = ingested(tmp_path, [write_vcf(tmp_path / "a.vcf", TEXT)])
    other = vcf_text(random_records(10, seed=3), SAMPLES)
    two, found = ingested(tmp_path, [write_vcf(tmp_path / "b.vcf", other)])
    assert one != two
    assert tree(tmp_path / "cache") == [
        "cohorts", "cohorts/c", f"cohorts/c/cohort-{two}.duckdb", "cohorts/c/current.json",
    ]  # fmt: skip
    assert len(found["variants"]) < 60
    # A bad file afterwards changes nothing.
    with pytest.raises(InputError):
        ingested(tmp_path, [write_vcf(tmp_path / "empty.vcf", vcf_text([], SAMPLES))])
    assert open_cohort(tmp_path / "cache", "c").fingerprint == two


def test_two_ingests_of_the_same_files_do_not_meet(tmp_path, monkeypatch):
    path = write_vcf(tmp_path / "a.vcf", TEXT)
    table = write_phenotypes(tmp_path / "p.tsv", DIAGNOSES)
    seen = []

    def again(progress: Progress) -> None:
        if not seen:
            seen.append(progress.phase)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ingest_module.os, "getpid", lambda: 1)
                with pytest.raises(InputError, match="One ingest"):
                    ingest(tmp_path / "cache", "d", [path], table, workers=1)

    ingest(tmp_path / "cache", "c", [path], table, workers=1, on_progress=again)
    assert seen


def test_memory_does_not_grow_with_the_file(tmp_path):
    """Ten times the variants, much less than ten times the memory."""
    program = """
import resource, sys
from pathlib import Path
from pipeline.ingest import ingest
folder = Path(sys.argv[1])
ingest(folder / "cache", "c", [folder / sys.argv[2]], folder / "p.tsv", workers=1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    people = [f"p{i}" for i in range(400)]
    write_phenotypes(tmp_path / "p.tsv", {p: ("case", "control")[i % 2]
                                          for i, p in enumerate(people)})  # fmt: skip
    calls = "\t".join(["0/0", "0/1", "1/1", "./."] * 100)
    lines = [f"1\t{i + 1}\t.\tA\tC\t.\t.\t.\tGT\t{calls}\n" for i in range(20_000)]
    head = vcf_text([], people)
    peaks = []
    for name, n in (("small.vcf", 2_000), ("large.vcf", 20_000)):
        (tmp_path / name).write_text(head + "".join(lines[:n]))
        done = subprocess.run([sys.executable, "-c", program, str(tmp_path), name],
                              capture_output=True, text=True, check=True,
                              cwd=files.PROJECT_ROOT)  # fmt: skip
        peaks.append(int(done.stdout))
    assert peaks[1] < 1.5 * peaks[0], peaks


# Recounts.


def test_recount_of_everybody_is_the_counts_table(uwgac_missing):
    filtered = filter_variants(uwgac_missing, EVERYTHING)
    everybody = np.ones(len(uwgac_missing.samples), bool)
    (again,) = recount(uwgac_missing, filtered, [everybody])
    np.testing.assert_array_equal(again.case, filtered.case)
    np.testing.assert_array_equal(again.control, filtered.control)
    np.testing.assert_array_equal(again.sex_counts.case, filtered.sex_counts.case)
    np.testing.assert_array_equal(again.sex_counts.control, filtered.sex_counts.control)
    found = counts(uwgac_missing)
    rows = ("n_hom_ref", "n_het", "n_hom_alt", "n_missing")
    np.testing.assert_array_equal(again.control, np.stack([found[r][:, 0] for r in rows], 1))
    assert len(again.sex_counts.rows) > 900


def test_recount_of_some_is_brute_force(uwgac_missing):
    filtered = filter_variants(uwgac_missing, EVERYTHING)
    samples = uwgac_missing.samples
    rng = np.random.default_rng(3)
    sets = [rng.random(len(samples)) < share for share in (0.5, 0.1)]
    everything = codes(uwgac_missing)
    for chosen, again in zip(sets, recount(uwgac_missing, filtered, sets), strict=True):
        for role, diagnosis in (("case", "1"), ("control", "0")):
            here = chosen & (samples["diagnosis"] == diagnosis).to_numpy()
            expected = count_genotypes(pack(everything), people_mask(here[None]))[:, 0]
            np.testing.assert_array_equal(getattr(again, role), expected)
            brute = np.stack([(everything[:, here] == g).sum(1) for g in range(4)], 1)
            np.testing.assert_array_equal(expected, brute)
            for s, sex in enumerate(SEXES):
                on_sex = everything[again.sex_counts.rows][:, here & (samples["sex"] == sex)]
                brute = np.stack([(on_sex == g).sum(1) for g in range(4)], 1)
                np.testing.assert_array_equal(getattr(again.sex_counts, role)[:, s], brute)
        assert again.n_case + again.n_control == chosen.sum()


def test_recount_survives_a_file_cut_off(uwgac_missing):
    filtered = filter_variants(uwgac_missing, EVERYTHING)
    chosen = np.arange(len(uwgac_missing.samples)) % 5 == 0
    (first,) = recount(uwgac_missing, filtered, [chosen])
    for path in (uwgac_missing.store.path.parent / "counts").glob("*.npy"):
        path.write_bytes(b"")
    (again,) = recount(uwgac_missing, filtered, [chosen])
    np.testing.assert_array_equal(again.case, first.case)


def test_depths_that_sum_past_32_bits_are_kept(tmp_path):
    calls = ["0/1:2000000000"] * 8
    names = [f"p{i}" for i in range(8)]
    text = vcf_text([["1", 5, "A", "C", "GT:DP", *calls]], names)
    cohort = make_cohort(tmp_path, text, {name: "case" for name in names})
    assert counts(cohort)["depth_sum"].tolist() == [[16_000_000_000]]


def test_a_diagnosis_of_many_values_is_refused(tmp_path):
    names = [f"p{i}" for i in range(100)]
    text = vcf_text([["1", 5, "A", "C", "GT", *["0/1"] * 100]], names)
    with pytest.raises(InputError, match="at most 64 words"):
        make_cohort(tmp_path, text, {name: str(i / 7) for i, name in enumerate(names)})
    assert not list((tmp_path / "cache").rglob("*.duckdb"))
