"""The simulated cohort: valid, deterministic, exome-like, and with the truth that it says."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cyvcf2 import VCF
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from pipeline.errors import Cancelled, InputError, SettingsError
from pipeline.processes import FreshProcesses
from pipeline.progress import Progress
from pipeline.settings.simulation import SimulationSettings
from pipeline.simulate import Simulated, coalescent, simulate
from pipeline.simulate.bgzf import END_OF_FILE, compress
from pipeline.simulate.chunks import make_chunk
from pipeline.simulate.coalescent import simulate_gene
from pipeline.simulate.genes import lay_genes
from pipeline.simulate.people import draw_people
from pipeline.simulate.phenotypes import choose_genes, plant
from pipeline.simulate.records import ploidy_of
from tests.tools import require_tool

SMALL = SimulationSettings(people=200, genes=40, seed=5)
FILES = ["cohort.vcf.gz", "cohort.vcf.gz.tbi", "genes.gtf.gz", "phenotypes.tsv", "truth.tsv"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return simulate(tmp_path_factory.mktemp("small") / "cohort", SMALL, workers=1)


@pytest.fixture(scope="module")
def middle(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """A cohort with enough people for frequencies and enough genes for several alternates."""
    settings = SimulationSettings(people=600, genes=160, seed=3)
    return simulate(tmp_path_factory.mktemp("middle") / "cohort", settings)


@pytest.fixture(scope="module")
def small_rows(small: Simulated) -> pd.DataFrame:
    return read_rows(small)


@pytest.fixture(scope="module")
def middle_rows(middle: Simulated) -> pd.DataFrame:
    return read_rows(middle)


def read_rows(cohort: Simulated) -> pd.DataFrame:
    """Return the VCF as text, one row a record, samples as columns."""
    with gzip.open(cohort.vcf, "rt") as lines:
        header = next(line for line in lines if line.startswith("#CHROM"))
        rows = [line.rstrip("\n").split("\t") for line in lines]
    return pd.DataFrame(rows, columns=header[1:].rstrip("\n").split("\t"))


def read_phenotypes(cohort: Simulated) -> pd.DataFrame:
    return pd.read_csv(cohort.phenotypes, sep="\t")


def read_genotypes(cohort: Simulated, *, chrom_x: bool = False) -> np.ndarray:
    """Return biallelic genotypes (n_variants, n_people): 0, 1, 2, and 3 for missing."""
    vcf = VCF(str(cohort.vcf), gts012=True)
    return np.array(
        [v.gt_types.copy() for v in vcf if len(v.ALT) == 1 and (v.CHROM == "X") == chrom_x],
        dtype=np.uint8,
    )


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def calls(rows: pd.DataFrame, ids: list[str]) -> pd.DataFrame:
    return rows[ids].map(lambda cell: cell.split(":")[0])


def test_equal_settings_give_equal_bytes_whatever_the_workers(
    small: Simulated, tmp_path: Path
) -> None:
    simulate(tmp_path / "again", SMALL, workers=3)
    assert list(digests(tmp_path / "again")) == FILES
    assert digests(tmp_path / "again") == digests(small.vcf.parent)


def test_another_seed_gives_another_cohort(small: Simulated, tmp_path: Path) -> None:
    simulate(tmp_path / "other", SMALL.model_copy(update={"seed": 6}), workers=1)
    ours, other = digests(small.vcf.parent), digests(tmp_path / "other")
    assert all(ours[name] != other[name] for name in FILES)


def test_null_shuffles_the_diagnosis_and_nothing_else(small: Simulated, tmp_path: Path) -> None:
    null = simulate(tmp_path / "null", SMALL.model_copy(update={"null": True}), workers=1)
    ours, other = digests(small.vcf.parent), digests(tmp_path / "null")
    assert {name for name in FILES if ours[name] != other[name]} == {"phenotypes.tsv"}
    true, shuffled = read_phenotypes(small), read_phenotypes(null)
    assert true.drop(columns="diagnosis").equals(shuffled.drop(columns="diagnosis"))
    assert (true["diagnosis"] != shuffled["diagnosis"]).any()
    assert Counter(true["diagnosis"]) == Counter(shuffled["diagnosis"]) == null.n_people


def test_the_genotypes_do_not_know_the_phenotype_settings(small: Simulated, tmp_path: Path) -> None:
    changed = SMALL.model_copy(update={"heritability": 0.2, "architecture": "compound"})
    other = simulate(tmp_path / "other", changed, workers=1)
    assert other.vcf.read_bytes() == small.vcf.read_bytes()
    assert other.truth.read_bytes() != small.truth.read_bytes()


def test_a_stop_leaves_nothing(tmp_path: Path) -> None:
    for workers in (1, 2):
        reports: list[Progress] = []

        def stop_after_two_chunks(report: Progress, reports: list = reports) -> None:
            reports.append(report)
            if report.done > 0.3:
                raise Cancelled

        with pytest.raises(Cancelled):
            simulate(tmp_path / "deep" / "cohort", SMALL, stop_after_two_chunks, workers=workers)
        assert reports
        assert list(tmp_path.iterdir()) == []


def test_progress_rises_to_one(small: Simulated, tmp_path: Path) -> None:
    done: list[float] = []
    simulate(tmp_path / "cohort", SMALL, lambda report: done.append(report.done), workers=1)
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_an_existing_folder_keeps_its_other_files(small: Simulated, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "truth.tsv").write_text("old")
    simulate(tmp_path, SMALL, workers=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*FILES, "notes.txt"])
    assert (tmp_path / "truth.tsv").read_bytes() == small.truth.read_bytes()


def test_a_file_in_the_place_of_the_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="is a file; name another place"):
        simulate(tmp_path / "taken", SMALL)
    with pytest.raises(InputError, match="can not be written"):
        simulate(tmp_path / "taken" / "below", SMALL)


def test_a_worker_that_fails_tells_why(tmp_path: Path) -> None:
    with (
        FreshProcesses(1) as processes,
        pytest.raises(FileNotFoundError, match="absent"),
    ):
        processes.submit(make_chunk, tmp_path / "absent", 0, SMALL).result()


def test_a_worker_never_runs_the_main_script(tmp_path: Path) -> None:
    """As under Streamlit or a script without a main guard, where a spawned pool would recurse."""
    script = tmp_path / "script.py"
    root = Path(__file__).resolve().parents[1]
    script.write_text(
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from pathlib import Path\n"
        "from pipeline.simulate import SimulationSettings, simulate\n"
        "print('main')\n"
        f"simulate(Path({str(tmp_path / 'out')!r}), SimulationSettings(people=40, genes=23))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["main"]
    assert (tmp_path / "out" / "cohort.vcf.gz").exists()


def test_diagnoses_and_sexes_have_their_shares(middle: Simulated) -> None:
    people = read_phenotypes(middle)
    assert list(people) == ["sample_id", "diagnosis", "sex", "population", "age"]
    assert middle.n_people == dict(Counter(people["diagnosis"]))
    assert middle.n_people["SCZ"] / 600 == pytest.approx(4969 / 12380, abs=0.003)
    assert middle.n_people["BP"] / 600 == pytest.approx(1166 / 12380, abs=0.003)
    assert (people["sex"] == "M").sum() == 300
    assert people["age"].between(18, 95).all()
    table = pd.crosstab(people["population"], people["diagnosis"])
    assert stats.chi2_contingency(table).pvalue > 0.99


def test_the_index_finds_the_records(small: Simulated, small_rows: pd.DataFrame) -> None:
    last = small_rows.iloc[-1]
    found = list(VCF(str(small.vcf))(f"{last.CHROM}:{last.POS}-{last.POS}"))
    assert [v.POS for v in found] == [int(last.POS)]
    assert small.n_variants == len(small_rows)


def test_records_are_sorted_and_unique(middle_rows: pd.DataFrame) -> None:
    order = [*map(str, range(1, 23)), "X"]
    keys = [
        (order.index(c), int(p)) for c, p in zip(middle_rows.CHROM, middle_rows.POS, strict=False)
    ]
    assert keys == sorted(set(keys))
    assert set(middle_rows.CHROM) == set(order)


def test_cyvcf2_reads_every_field(middle: Simulated) -> None:
    """AC, AN, AF and DP against a count of what each record shows."""
    for v in VCF(str(middle.vcf)):
        alleles = v.genotype.array()[:, :2]
        n_alts = len(v.ALT)
        ac = [int((alleles == k).sum()) for k in range(1, n_alts + 1)]
        an = int((alleles >= 0).sum())
        assert list(np.atleast_1d(v.INFO["AC"])) == ac
        assert v.INFO["AN"] == an
        assert np.atleast_1d(v.INFO["AF"]) == pytest.approx(np.array(ac) / an, rel=1e-3)
        depth = v.format("DP")[:, 0]
        assert v.INFO["DP"] == depth[depth >= 0].sum()
        ad = np.where(v.format("AD") < 0, 0, v.format("AD"))
        assert (ad.sum(axis=1) == np.maximum(depth, 0)).all()
        assert v.format("PL").shape[1] == (n_alts + 1) * (n_alts + 2) // 2
        called = alleles[:, 0] >= 0
        assert (
            v.format("PL")[called].min(axis=1, where=v.format("PL")[called] >= 0, initial=9) == 0
        ).all()
        assert (v.format("GQ")[called, 0] >= 0).all()
        assert (v.format("GQ")[~called, 0] < 0).all()
        assert v.QUAL is not None


def test_bcftools_reads_it_without_a_word(middle: Simulated) -> None:
    bcftools = require_tool("bcftools")
    for verb in (["view"], ["stats"], ["norm", "-m-"]):
        done = subprocess.run(
            [bcftools, *verb, middle.vcf], capture_output=True, text=True, check=True
        )
        said = [line for line in done.stderr.splitlines() if not line.startswith("Lines ")]
        assert said == []


def test_allele_counts_equal_those_of_bcftools(middle: Simulated) -> None:
    bcftools = require_tool("bcftools")
    query = ["query", "-f", "%CHROM %POS %AC %AN %AF\n"]
    filled = subprocess.run(
        [bcftools, "+fill-tags", middle.vcf, "-Ou", "--", "-t", "AC,AN,AF"],
        capture_output=True,
        check=True,
    ).stdout
    theirs = (
        subprocess.run([bcftools, *query], input=filled, capture_output=True, check=True)
        .stdout.decode()
        .split("\n")
    )
    ours = subprocess.run(
        [bcftools, *query, middle.vcf], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    assert len(ours) == len(theirs) == middle.n_variants + 1
    for our, their in zip(ours[:-1], theirs[:-1], strict=True):
        *our_counts, our_af = our.split()
        *their_counts, their_af = their.split()
        assert our_counts == their_counts
        assert np.array(our_af.split(","), float) == pytest.approx(
            np.array(their_af.split(","), float), rel=1e-3
        )


def test_most_variants_are_rare(middle: Simulated) -> None:
    genotypes = read_genotypes(middle)
    counts = np.where(genotypes == 3, 0, genotypes).sum(axis=1)
    frequency = counts / (2 * (genotypes < 3).sum(axis=1))
    minor = np.minimum(frequency, 1 - frequency)
    assert 0.7 < (minor < 0.01).mean() < 0.95
    assert 0.25 < (counts == 1).mean() < 0.65
    assert (minor > 0.05).sum() > 100
    assert (frequency > 0.5).any()  # the reference carries a rarer allele now and then


def test_transitions_outnumber_transversions_as_in_an_exome(middle_rows: pd.DataFrame) -> None:
    pairs = middle_rows.REF + middle_rows.ALT
    snps = pairs[pairs.str.len() == 2]
    n_transitions = snps.isin(["AG", "GA", "CT", "TC"]).sum()
    assert 2.4 < n_transitions / (len(snps) - n_transitions) < 3.4


def test_populations_differ_slightly(middle: Simulated) -> None:
    """Hudson's FST as a ratio of sums (Bhatia et al. 2013) over common variants."""
    genotypes = read_genotypes(middle)
    north = (read_phenotypes(middle)["population"] == "north").to_numpy()
    p, n = [], []
    for who in (north, ~north):
        called = genotypes[:, who] < 3
        n.append(2 * called.sum(axis=1))
        p.append(np.where(called, genotypes[:, who], 0).sum(axis=1) / n[-1])
    common = np.minimum(p[0], 1 - p[0]) > 0.02
    within = sum(p[k] * (1 - p[k]) / (n[k] - 1) for k in (0, 1))
    between = p[0] * (1 - p[1]) + p[1] * (1 - p[0])
    fst = ((p[0] - p[1]) ** 2 - within)[common].sum() / between[common].sum()
    assert 0.0003 < fst < 0.01


def test_neighbours_are_linked_and_strangers_are_not(middle: Simulated) -> None:
    vcf = VCF(str(middle.vcf), gts012=True)
    common = [
        (v.CHROM, v.POS, np.where(v.gt_types == 3, 0, v.gt_types).astype(float))
        for v in vcf
        if v.CHROM != "X" and len(v.ALT) == 1 and 0.1 < v.INFO["AF"] < 0.9
    ]
    near, far = [], []
    for (chrom, pos, a), (other, place, b) in itertools.pairwise(common):
        same_gene = chrom == other and place - pos < 20_000
        (near if same_gene else far).append(np.corrcoef(a, b)[0, 1] ** 2)
    assert np.mean(near) > 0.1
    assert np.mean(far) < 0.02


def test_genotypes_are_in_hardy_weinberg_proportions(middle: Simulated) -> None:
    genotypes = read_genotypes(middle)
    good = (genotypes == 3).mean(axis=1) < 0.05
    table = np.stack([(genotypes[good] == k).sum(axis=1) for k in range(3)])
    n = table.sum(axis=0)
    p = (table[1] + 2 * table[2]) / (2 * n)
    common = np.minimum(p, 1 - p) > 0.1
    expected = 2 * p * (1 - p) * n
    assert (table[1][common].sum() / expected[common].sum()) == pytest.approx(1, abs=0.03)


def test_indels_change_length_and_multiallelic_sites_are_real(middle_rows: pd.DataFrame) -> None:
    alts = middle_rows.ALT.str.split(",")
    n_alts = alts.map(len)
    assert 0.002 < (n_alts > 1).mean() < 0.05
    assert (n_alts > 2).any()
    assert all(len(set(a)) == len(a) for a in alts)
    is_indel = np.array(
        [
            any(len(a) != len(ref) and a != "*" for a in alt)
            for ref, alt in zip(middle_rows.REF, alts, strict=True)
        ]
    )
    assert 0.03 < is_indel.mean() < 0.12
    for ref, alt in zip(middle_rows.REF[is_indel], alts[is_indel], strict=True):
        assert all(a[0] == ref[0] for a in alt if a != "*")  # the anchor stays
        # Left-aligned: no allele can be shifted, as all do not end in the same base.
        assert len({a[-1] for a in [ref, *alt] if a != "*"}) > 1 or min(map(len, alt)) > 1


def test_reference_texts_of_overlapping_sites_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion's reference holds the reference base of each site inside; `*` marks its loss."""
    monkeypatch.setattr(coalescent, "_INDEL_FRACTION", 0.6)  # so that they meet each other
    settings = SimulationSettings(people=200, genes=600)
    n_inside = 0
    for gene in lay_genes(settings)[:60]:
        bases: dict[int, str] = {}
        covered: dict[int, np.ndarray] = {}
        for site in simulate_gene(gene, (1200, 800), seed=1):
            for offset, base in enumerate(site.ref):
                assert bases.setdefault(site.pos + offset, base) == base
            star = site.alts.index("*") + 1 if "*" in site.alts else -1
            n_inside += star > 0
            lost = covered.get(site.pos, np.zeros(2000, dtype=bool))
            assert ((site.alleles == star) == lost).all()
            for k, alt in enumerate(site.alts, 1):
                shorter = len(site.ref) - len(alt)
                for offset in range(1, shorter + 1 if alt != "*" else 0):
                    place = site.pos + offset
                    covered[place] = covered.get(place, False) | (site.alleles == k)
    assert n_inside > 3


def test_males_have_one_x_outside_the_pseudo_autosomal_regions(
    middle: Simulated, middle_rows: pd.DataFrame
) -> None:
    people = read_phenotypes(middle)
    males = people.sample_id[people.sex == "M"].tolist()
    females = people.sample_id[people.sex == "F"].tolist()
    pos = middle_rows.POS.astype(int)
    on_x = middle_rows.CHROM == "X"
    is_par = on_x & ((pos <= 2_699_520) | (pos >= 154_931_044))
    hemizygous = on_x & ~is_par
    assert hemizygous.sum() > 50
    assert is_par.any()
    assert calls(middle_rows[hemizygous], males).isin(["0", "1", "2", "3", "."]).all(axis=None)
    two = calls(middle_rows[hemizygous], females)
    assert two.map(lambda gt: len(gt) == 3).all(axis=None)
    rest = calls(middle_rows[~hemizygous], males + females)
    assert rest.map(lambda gt: len(gt) == 3).all(axis=None)


def test_calls_show_what_sequencing_does(middle: Simulated, middle_rows: pd.DataFrame) -> None:
    ids = read_phenotypes(middle).sample_id.tolist()
    missing = calls(middle_rows, ids).isin(["./.", "."])
    assert 0.005 < missing.mean(axis=None) < 0.05
    assert (missing.mean(axis=1) > 0.1).mean() > 0.005  # call rate has something to drop
    mean_depth = np.array([v.format("DP").clip(0).mean() for v in VCF(str(middle.vcf))])
    assert 0.005 < (mean_depth < 8).mean() < 0.1
    qual = middle_rows.QUAL.astype(float)
    assert 0.005 < (qual < 30).mean() < 0.1
    filters = middle_rows.FILTER.value_counts(normalize=True)
    assert 0.85 < filters["PASS"] < 0.99
    assert {"VQSRTrancheSNP99.00to99.90", "VQSRTrancheINDEL99.00to99.90"} <= set(filters.index)
    person_missing = missing.mean(axis=0).sort_values()
    assert person_missing.iloc[-1] > 2 * person_missing.median()  # a few samples are poor


def test_calls_are_right_where_depth_is_good(small: Simulated) -> None:
    """Simulated alleles against what the VCF calls, at ten reads or more."""
    people = draw_people(SMALL)
    vcf = VCF(str(small.vcf))
    n_wrong = n_seen = 0
    for gene in lay_genes(SMALL):
        ploidy = ploidy_of(gene, people)
        first, second = people.haplotypes(ploidy)
        for site in simulate_gene(gene, people.population_sizes(ploidy), SMALL.seed):
            record = next(vcf)
            assert (record.POS, record.REF, tuple(record.ALT)) == (site.pos, site.ref, site.alts)
            called = record.genotype.array()[:, :2]
            true = np.sort(np.stack([site.alleles[first], site.alleles[second]], axis=1), axis=1)
            true[:, 1] = np.where(ploidy == 1, -2, true[:, 1])
            sure = (called[:, 0] >= 0) & (record.format("DP")[:, 0] >= 10)
            n_wrong += (called[sure] != true[sure]).any(axis=1).sum()
            n_seen += sure.sum()
    assert n_seen > 10_000
    assert n_wrong / n_seen < 1e-3


@pytest.mark.parametrize("architecture", ["additive", "recessive", "compound", "epistatic"])
def test_the_truth_is_in_the_vcf_and_in_its_gene(architecture: str, tmp_path: Path) -> None:
    settings = SimulationSettings(people=200, genes=80, seed=2, architecture=architecture)
    cohort = simulate(tmp_path / "cohort", settings)
    truth = pd.read_csv(cohort.truth, sep="\t", dtype={"chrom": str})
    assert len(truth) == cohort.n_causal > 0
    rows = read_rows(cohort)
    in_vcf = {
        (r.CHROM, int(r.POS), r.REF, alt) for r in rows.itertuples() for alt in r.ALT.split(",")
    }
    assert set(zip(truth.chrom, truth.pos, truth.ref, truth.alt, strict=False)) <= in_vcf
    assert "X" not in set(truth.chrom)
    with gzip.open(cohort.genes, "rt") as lines:
        gtf = [line.split("\t") for line in lines if "\tgene\t" in line]
    spans = {f[8].split('"')[1]: (f[0], int(f[3]), int(f[4])) for f in gtf}
    assert len(spans) == 80
    for row in truth.itertuples():
        chrom, start, end = spans[row.gene]
        assert (row.chrom, True) == (chrom, start <= row.pos <= end)
    assert (truth.architecture == architecture).all()


def test_exons_hold_the_variants(middle: Simulated, middle_rows: pd.DataFrame) -> None:
    with gzip.open(middle.genes, "rt") as lines:
        exons = [line.split("\t") for line in lines if "\texon\t" in line]
    inside = {chrom: [] for chrom in set(middle_rows.CHROM)}
    for f in exons:
        inside.setdefault(f[0], []).append((int(f[3]), int(f[4])))
    for chrom, pos in zip(middle_rows.CHROM, middle_rows.POS.astype(int), strict=True):
        assert any(start <= pos <= end for start, end in inside[chrom])
    assert len(exons) / 160 > 4


def read_kept(cohort: Simulated) -> tuple[np.ndarray, list[tuple[str, int, str]]]:
    """Return autosomal SNPs of fair quality: genotypes (n_variants, n_people) and keys."""
    genotypes, keys = [], []
    for v in VCF(str(cohort.vcf), gts012=True):
        if v.CHROM == "X" or len(v.ALT) > 1 or not v.is_snp or v.QUAL <= 30:
            continue
        genotype = v.gt_types.astype(np.uint8)
        if (genotype < 3).mean() >= 0.9 and v.INFO["DP"] / len(genotype) >= 8:
            genotypes.append(genotype)
            keys.append((v.CHROM, v.POS, v.ALT[0]))
    return np.array(genotypes), keys


def genotypic_p(genotypes: np.ndarray, is_case: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the genotypic chi-squared p of each variant, and whether all it expects is 5 or more.

    Rows without a genotype do not count; a variant of one row has p 1.
    """
    table = np.stack(
        [[(genotypes[:, who] == k).sum(axis=1) for k in range(3)] for who in (is_case, ~is_case)]
    ).astype(float)
    expected = table.sum(axis=0) * table.sum(axis=1, keepdims=True) / table.sum(axis=(0, 1))
    share = np.divide((table - expected) ** 2, expected, where=expected > 0, out=0 * expected)
    df = (table.sum(axis=0) > 0).sum(axis=0) - 1
    p = np.where(df > 0, stats.chi2.sf(share.sum(axis=(0, 1)), np.maximum(df, 1)), 1.0)
    return p, (expected >= 5).all(axis=(0, 1))


def score_with_truth(cohort: Simulated) -> float:
    """Return the AUC, SCZ against control, of the sum of true effects over called genotypes."""
    truth = pd.read_csv(cohort.truth, sep="\t", dtype={"chrom": str})
    effects = {(t.chrom, t.pos, t.alt): t.effect for t in truth.itertuples()}
    genotypes, keys = read_kept(cohort)
    weights = np.array([effects.get(key, 0.0) for key in keys])
    assert (weights != 0).sum() > 5
    score = weights @ np.where(genotypes == 3, 0, genotypes)
    diagnosis = read_phenotypes(cohort)["diagnosis"].to_numpy()
    used = diagnosis != "BP"
    return roc_auc_score(diagnosis[used] == "SCZ", score[used])


def test_true_effects_tell_the_diagnosis_and_under_null_they_do_not(
    middle: Simulated, tmp_path: Path
) -> None:
    assert score_with_truth(middle) > 0.7
    null = SimulationSettings(people=600, genes=160, seed=3, null=True)
    assert score_with_truth(simulate(tmp_path / "null", null)) == pytest.approx(0.5, abs=0.08)


def logistic_l1_auc(genotypes: np.ndarray, is_case: np.ndarray, seed: int) -> float:
    """Return the AUC on 15 % test people; choice, scaling and penalty see the others alone."""
    order = np.random.default_rng(seed).permutation(len(is_case))
    test, training = np.split(order, [round(0.15 * len(order))])
    validation, fitting = np.split(training, [round(0.15 * len(training))])

    def scores(learn: np.ndarray, judge: np.ndarray, penalty: float) -> np.ndarray:
        chosen = genotypes[genotypic_p(genotypes[:, learn], is_case[learn])[0] < 0.05].T
        x = np.where(chosen == 3, np.nan, chosen)
        x = np.nan_to_num(x - np.nanmean(x[learn], axis=0)) / np.nanstd(x[learn], axis=0)
        model = LogisticRegression(C=penalty, l1_ratio=1, solver="liblinear")
        return model.fit(x[learn], is_case[learn]).decision_function(x[judge])

    penalties = (0.01, 0.02, 0.04, 0.08)
    best = max(
        penalties,
        key=lambda c: roc_auc_score(is_case[validation], scores(fitting, validation, c)),
    )
    return roc_auc_score(is_case[test], scores(training, test, best))


@pytest.mark.slow
def test_logistic_regression_finds_the_signal_at_the_default_size(tmp_path: Path) -> None:
    aucs, lambdas = [], []
    for seed in range(1, 6):
        cohort = simulate(tmp_path / str(seed), SimulationSettings(seed=seed))
        assert 18_000 < cohort.n_variants < 22_000
        genotypes, keys = read_kept(cohort)
        diagnosis = read_phenotypes(cohort)["diagnosis"].to_numpy()
        genotypes, is_case = genotypes[:, diagnosis != "BP"], diagnosis[diagnosis != "BP"] == "SCZ"
        aucs.append(logistic_l1_auc(genotypes, is_case, seed))
        p, is_safe = genotypic_p(genotypes, is_case)
        truth = pd.read_csv(cohort.truth, sep="\t", dtype={"chrom": str})
        causal = {gene.name for gene in lay_genes(SimulationSettings(seed=seed))} & set(truth.gene)
        spans = [g for g in lay_genes(SimulationSettings(seed=seed)) if g.name in causal]
        is_null = np.array(
            [not any(c == g.chrom and g.start <= pos <= g.end for g in spans) for c, pos, _ in keys]
        )
        median = np.median(stats.chi2.isf(p[is_safe & is_null], 1))
        lambdas.append(median / stats.chi2.ppf(0.5, 1))
    print("AUC", np.round(aucs, 3), "lambda", np.round(lambdas, 3))
    assert np.mean(aucs) >= 0.70
    assert np.mean(lambdas) == pytest.approx(1, abs=0.12)  # one has a standard error of 0.1


def test_no_fitting_gene_is_a_sentence(tmp_path: Path) -> None:
    settings = SimulationSettings(people=20, genes=23, seed=1, architecture="compound")
    with pytest.raises(SettingsError, match="ask for more genes"):
        plant([], choose_genes(lay_genes(settings), settings), settings)


def test_bgzf_round_trip_of_odd_sizes() -> None:
    rng = np.random.default_rng(0)
    for size in (0, 1, 65_279, 65_280, 65_281, 200_000):
        data = rng.integers(256, size=size, dtype=np.uint8).tobytes()
        pieces = [data[k : k + 7_000] for k in range(0, size, 7_000)]
        blocks = list(compress(pieces))
        assert gzip.decompress(b"".join([*blocks, END_OF_FILE])) == data
        assert all(len(block) <= 65_536 for block in blocks)
