"""A model asked about other files: the same people in any writing get the same scores."""

from __future__ import annotations

import argparse
import json
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import runs, stretches
from pipeline.cli import predict_verbs
from pipeline.cohort import Cohort
from pipeline.errors import InputError, NotFoundError
from pipeline.evaluation import evaluate
from pipeline.model_file import model_certificate, model_variants, seal_model
from pipeline.other_cohort import LENGTHS, read_other_cohort
from pipeline.predict import LEAST_PEOPLE, model_paths, predict, write_people
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings, IngestSettings, with_changes
from tests.small_cohorts import codes, make_cohort, run, vcf_text, write_phenotypes, write_vcf

N_PEOPLE = 40
PEOPLE = [f"secret{i:02}" for i in range(N_PEOPLE)]
SEX = {name: "male" if i % 2 else "female" for i, name in enumerate(PEOPLE)}
DIAGNOSES = {name: "SCZ" if i % 3 else "control" for i, name in enumerate(PEOPLE)}
PAIR = str.maketrans("ACGT", "TGCA")
RNG = np.random.default_rng(5)
# No variant here reads the same on both strands.
ALLELES = [("A", "C"), ("G", "A"), ("T", "C"), ("C", "A"), ("AT", "A"), ("G", "GCC")]


def _records() -> list[list[str]]:
    """Return 30 variants: 24 on 1, six on X, where males have one allele or half a call."""
    found = []
    for i in range(30):
        chrom = "1" if i < 24 else "X"
        ref, alt = ALLELES[i % len(ALLELES)] if i < 24 else ALLELES[i % 4]
        calls = []
        for name in PEOPLE:
            a, b = RNG.random(2) < 0.4
            call = f"{a:d}/{b:d}"
            if chrom == "X" and SEX[name] == "male":
                call = RNG.choice([f"{a:d}", f"{a:d}/.", f"{a:d}/{a:d}"])
            calls.append("./." if RNG.random() < 0.1 else call)
        found.append([chrom, str(5_000_000 + 1000 * i), ref, alt, "GT", *calls])
    return found


RECORDS = _records()
ORDER = RNG.permutation(30)  # of the network's input


@dataclass(frozen=True)
class Known:
    """A run without training: what its model says of its own people is known."""

    cache: Path
    vcf: Path
    phenotypes: Path
    cohort: Cohort
    run: Run
    score: np.ndarray

    @property
    def models(self) -> tuple[Path, ...]:
        return model_paths(self.cache, self.run.id)


def save_linear(path: Path, weights: np.ndarray) -> None:
    """Save a network of plain Keras: a logistic regression on codes, `weights` (n_variants, 4)."""
    import keras

    seen = keras.Input((len(weights),), dtype="uint8")
    rows = keras.ops.reshape(keras.ops.one_hot(seen, 4), (-1, 4 * len(weights)))
    model = keras.Model(seen, keras.layers.Dense(1, activation="sigmoid", use_bias=False)(rows))
    model.layers[-1].set_weights([weights.reshape(-1, 1)])
    model.save(path)


def linear(genotypes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return what that network says of codes (n_variants, n_people)."""
    logit = weights[np.arange(len(weights))[:, None], genotypes].sum(axis=0)
    return 1 / (1 + np.exp(-logit))


def weights_of(fold: int | None, n_variants: int) -> np.ndarray:
    seed = 99 if fold is None else fold
    return np.random.default_rng(seed).normal(0, 0.4, (n_variants, 4)).astype(np.float32)


def add_model(cohort: Cohort, made: Run, fold: int | None, order, threshold=0.5) -> np.ndarray:
    """Write the model of a fold on the variants in `order`; return the scores it gives."""
    genotypes = codes(cohort)[order]
    weights = weights_of(fold, len(order))
    made.folder.mkdir(parents=True, exist_ok=True)
    save_linear(made.model_path(fold), weights)
    certificate = model_certificate(
        made, cohort, fold=fold, is_case_train=np.arange(20) < 13, threshold=threshold,
        auc={"value": 0.6, "low": 0.5, "high": 0.7},
    )  # fmt: skip
    seal_model(made.model_path(fold), certificate, model_variants(cohort, order, genotypes.T))
    return linear(genotypes, weights)


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> Known:
    folder = tmp_path_factory.mktemp("predict")
    cohort = make_cohort(folder, vcf_text(RECORDS, PEOPLE), DIAGNOSES, SEX)
    made = runs.create(folder / "cache", "small", cohort.fingerprint, AnalysisSettings())
    score = add_model(cohort, made, None, ORDER)
    runs.update_state(made, "finished")
    return Known(folder / "cache", folder / "small.vcf", folder / "small.tsv", cohort, made, score)


def scores(known: Known, *files: Path, **options) -> np.ndarray:
    """Return the probabilities of the people in their own order."""
    made = predict(known.models, files, phenotypes=known.phenotypes, **options)
    return made.people.set_index("sample_id")["probability"].loc[PEOPLE].to_numpy()


def swapped_call(call: str) -> str:
    return call.translate(str.maketrans("01", "10"))


def rewritten(records: list[list[str]], swap: np.ndarray, flip: np.ndarray) -> list[list[str]]:
    """Return single-base variants with alleles swapped, on the other strand, or both."""
    found = []
    for record, swapped, flipped in zip(records, swap, flip, strict=True):
        chrom, pos, ref, alt, form, *calls = record
        if len(ref + alt) == 2:
            if swapped:
                ref, alt, calls = alt, ref, [swapped_call(call) for call in calls]
            if flipped:
                ref, alt = ref.translate(PAIR), alt.translate(PAIR)
        found.append([chrom, pos, ref, alt, form, *calls])
    return found


def test_its_own_vcf_gets_the_scores_that_it_has_in_memory(known):
    made = predict(known.models, [known.vcf], phenotypes=known.phenotypes)
    np.testing.assert_allclose(made.people["probability"], known.score, atol=1e-6)
    assert made.n_variants["exact"] == 30
    assert made.share_missing == 0
    called = codes(known.cohort) != 3
    np.testing.assert_allclose(made.people["share_called"], called.mean(axis=0))
    assert (made.people["is_called_case"] == (known.score > 0.5)).all()


@pytest.mark.parametrize("suffix", [".vcf.gz", ".bcf"])
def test_other_containers_and_names_of_chromosomes(known, tmp_path, suffix):
    renamed = [["chr" + chrom, *rest] for chrom, *rest in RECORDS[::-1]]
    renamed.sort(key=lambda record: (record[0], int(record[1])))
    text = vcf_text(renamed, PEOPLE[::-1], contigs=("chr1", "chrX"))
    vcf = write_vcf(tmp_path / f"other{suffix}", text)
    turned = dict(zip(PEOPLE[::-1], known.score, strict=True))  # columns are named the other way
    sexes = {name: SEX[old] for name, old in zip(PEOPLE[::-1], PEOPLE, strict=True)}
    phenotypes = write_phenotypes(tmp_path / "p.tsv", DIAGNOSES, sexes)
    made = predict(known.models, [vcf], phenotypes=phenotypes)
    wanted = [turned[name] for name in made.people["sample_id"]]
    np.testing.assert_allclose(made.people["probability"], wanted, atol=1e-6)


def test_swapped_alleles_and_flipped_strands_change_nothing(known, tmp_path):
    swap, flip = RNG.random((2, 30)) < 0.5
    text = vcf_text(rewritten(RECORDS, swap, flip), PEOPLE)
    vcf = write_vcf(tmp_path / "other.vcf", text)
    np.testing.assert_allclose(scores(known, vcf), known.score, atol=1e-6)
    counts = predict(known.models, [vcf], phenotypes=known.phenotypes).n_variants
    is_base = np.array([len(r[2] + r[3]) == 2 for r in RECORDS])
    assert counts["swapped"] == (swap & ~flip & is_base).sum() > 0
    assert counts["flipped"] == (flip & ~swap & is_base).sum() > 0
    assert counts["flipped_swapped"] == (flip & swap & is_base).sum() > 0
    assert counts["exact"] == 30 - sum(counts[k] for k in counts if k != "exact")


def test_plink_files_that_call_the_commoner_allele_a2(known, tmp_path):
    """PLINK 1.9 swaps alleles by frequency; its indels with them, which cannot be told apart."""
    snps = [r for r in RECORDS if len(r[2] + r[3]) == 2 and r[0] == "1"]
    common = [[*r[:5], *map(swapped_call, r[5:])] for r in snps[:4]] + snps[4:]
    cohort = make_cohort(tmp_path, vcf_text(common, PEOPLE), DIAGNOSES, SEX)
    made = runs.create(tmp_path / "cache", "small", cohort.fingerprint, AnalysisSettings())
    wanted = add_model(cohort, made, None, np.arange(len(common)))
    run("plink1.9", "--vcf", tmp_path / "small.vcf", "--make-bed", "--out", tmp_path / "one",
        "--double-id")  # fmt: skip
    run("plink2", "--vcf", tmp_path / "small.vcf", "--make-pgen", "--maj-ref", "force",
        "--out", tmp_path / "two")  # fmt: skip
    for name in ("one.bed", "two.pgen"):
        found = predict([made.model_path()], [tmp_path / name])
        assert found.n_variants["swapped"] >= 4
        assert found.n_variants["exact"] > 0
        np.testing.assert_allclose(found.people["probability"], wanted, atol=1e-6)


def test_sites_that_bcftools_joined_are_split_as_in_ingest(tmp_path):
    """A site of three alleles: asked from the other side, each rule says what ingest said."""
    calls = ["0/0", "0/1", "1/1", "0/2", "1/2", "2/2", "./."] + ["0/0"] * 33
    site = [["1", "100", "A", "C,G", "GT", *calls], ["1", "200", "C", "T", "GT", *calls[:3],
            *["0/1"] * 37]]  # fmt: skip
    # The same people where C is the reference: 0 = C, 1 = A, 2 = G.
    turned = [call.translate(str.maketrans("01", "10")) for call in calls]
    other = [["1", "100", "C", "A,G", "GT", *turned], site[1]]
    for rule in ("missing", "reference"):
        settings = IngestSettings(other_alleles=rule)
        cohort = make_cohort(
            tmp_path, vcf_text(site, PEOPLE), DIAGNOSES, settings=settings, name=rule
        )
        vcf = write_vcf(tmp_path / "other.vcf", vcf_text(other, PEOPLE))
        variants = cohort.store.frame("SELECT chrom, pos, ref, alt FROM variants ORDER BY 2, 4")
        assert variants["alt"].tolist() == ["C", "G", "T"]
        found = read_other_cohort([vcf], variants, settings)
        np.testing.assert_array_equal(found.codes[0], codes(cohort)[0])
        assert (found.codes[1] == 3).all()  # A>G does not stand among C>A and C>G
        np.testing.assert_array_equal(found.codes[2], codes(cohort)[2])


def test_half_calls_on_x_are_read_by_sex_as_in_ingest(known):
    variants = known.cohort.store.frame("SELECT chrom, pos, ref, alt FROM variants")
    found = read_other_cohort([known.vcf], variants, IngestSettings(), SEX)
    np.testing.assert_array_equal(found.codes, codes(known.cohort))
    women = read_other_cohort([known.vcf], variants, IngestSettings(), dict.fromkeys(SEX, "female"))
    assert (women.codes != found.codes).any()


def test_a_variant_that_is_not_there_is_missing_and_counted(known, tmp_path):
    vcf = write_vcf(tmp_path / "less.vcf", vcf_text(RECORDS[:20], PEOPLE))
    made = predict(known.models, [vcf], phenotypes=known.phenotypes)
    assert (made.n_variants["exact"], made.n_variants["missing"]) == (20, 10)
    assert made.share_missing == pytest.approx(1 / 3)
    genotypes = codes(known.cohort).copy()
    genotypes[20:] = 3
    wanted = linear(genotypes[ORDER], weights_of(None, 30))
    np.testing.assert_allclose(made.people["probability"], wanted, atol=1e-6)
    np.testing.assert_allclose(made.people["share_called"], np.mean(genotypes != 3, axis=0))
    assert any("10 of 30 variants" in text for text in made.warnings)


def test_a_file_of_other_variants_or_of_another_build_is_refused(known, tmp_path):
    moved = [[r[0], str(int(r[1]) + 500_000 * (i > 13)), *r[2:]] for i, r in enumerate(RECORDS)]
    vcf = write_vcf(tmp_path / "unrelated.vcf", vcf_text(moved, PEOPLE))
    with pytest.raises(InputError, match=r"14 of 30 stand in unrelated\.vcf"):
        predict(known.models, [vcf])
    text = vcf_text(RECORDS, PEOPLE)
    for build, lengths in LENGTHS.items():
        told = text.replace("##contig=<ID=X>", f"##contig=<ID=X,length={lengths[22]}>")
        assert told != text
        vcf = write_vcf(tmp_path / f"{build}.vcf", told)
        if build == "hg19":
            predict(known.models, [vcf])
        else:
            with pytest.raises(InputError, match=r"positions in hg19.*chromosomes of hg38"):
                predict(known.models, [vcf])


def test_a_cohort_in_two_files_is_read_together_and_two_cohorts_are_not(known, tmp_path):
    one = write_vcf(tmp_path / "one.vcf", vcf_text(RECORDS[:24], PEOPLE))
    two = write_vcf(tmp_path / "two.vcf", vcf_text(RECORDS[24:], PEOPLE))
    np.testing.assert_allclose(scores(known, one, two), known.score, atol=1e-6)
    others = write_vcf(tmp_path / "others.vcf", vcf_text(RECORDS, [f"x{p}" for p in PEOPLE]))
    with pytest.raises(InputError, match="same people"):
        predict(known.models, [one, others])


def test_folds_have_variants_of_their_own_and_their_mean_counts(known, tmp_path):
    settings = with_changes(AnalysisSettings(), {"split.folds": 3})
    made = runs.create(tmp_path, "small", known.cohort.fingerprint, settings)
    orders = [np.arange(12), np.arange(20)[::-1], np.arange(8, 30, 2)]
    wanted = [
        add_model(known.cohort, made, fold, order, threshold=0.4 + 0.1 * fold)
        for fold, order in enumerate(orders)
    ]
    with pytest.raises(NotFoundError, match="when it has finished"):
        model_paths(tmp_path, made.id)
    runs.update_state(made, "finished")
    found = predict(model_paths(tmp_path, made.id), [known.vcf], phenotypes=known.phenotypes)
    np.testing.assert_allclose(found.people["probability"], np.mean(wanted, axis=0), atol=1e-6)
    assert found.threshold == pytest.approx(0.5)
    assert found.n_variants["exact"] == 25  # of any fold: 0-19, 20, 22, 24, 26, 28
    with pytest.raises(InputError, match="folds of one run"):
        predict([made.model_path(0), *known.models], [known.vcf])


@pytest.mark.parametrize("suffix", [".vcf.gz", ".bcf"])
def test_only_the_stretches_of_the_variants_are_read(tmp_path, monkeypatch, suffix):
    """Many blocks on two chromosomes: what is read by region is what a whole pass reads."""
    rng = np.random.default_rng(3)
    people = [f"p{i}" for i in range(150)]
    words = np.array(["0/0", "0/1", "1/1", "./."])
    records = [
        [chrom, str(1000 + 700 * i), "A", "C", "GT", *words[rng.integers(0, 4, 150)]]
        for chrom in ("1", "2")
        for i in range(1500)
    ]
    vcf = write_vcf(tmp_path / f"many{suffix}", vcf_text(records, people))
    picked = [0, 3, 4, 900, 901, 1499, 1503, 2999]
    rows = [[*records[i][:2], *records[i][2:4]] for i in picked] + [["2", "1001", "A", "C"]]
    variants = pd.DataFrame(rows, columns=["chrom", "pos", "ref", "alt"]).astype({"pos": int})
    whole = read_other_cohort([vcf], variants, IngestSettings())
    monkeypatch.setattr(stretches, "WHOLE_BYTES", 0)
    monkeypatch.setattr(stretches, "_GAP_BYTES", 0)
    given = []
    give = stretches.parts_at
    monkeypatch.setattr(
        "pipeline.other_cohort.parts_at", lambda *a: given.append(give(*a)) or given[-1]
    )
    found = read_other_cohort([vcf], variants, IngestSettings())
    assert len(given[0][0]) > 2  # spans, not the whole file
    np.testing.assert_array_equal(found.codes, whole.codes)
    assert found.matches.counts() == whole.matches.counts()
    assert found.matches.counts()["exact"] == 8
    wanted = np.array([[words.tolist().index(c) for c in records[i][5:]] for i in picked])
    np.testing.assert_array_equal(found.codes[:8], wanted)

    damaged = bytearray(vcf.read_bytes())
    at = given[0][0][-1].offset >> 16
    damaged[at + 200 : at + 260] = bytes(60)
    vcf.write_bytes(damaged)
    with pytest.raises(InputError, match="is damaged; copy the file"):
        read_other_cohort([vcf], variants, IngestSettings())


def test_plink_rows_are_read_near_the_variants_alone(known, tmp_path, monkeypatch):
    monkeypatch.setattr(stretches, "_GAP_ROWS", 0)
    autosomal = write_vcf(tmp_path / "one.vcf", vcf_text(RECORDS[:24], PEOPLE))
    run("plink2", "--vcf", autosomal, "--make-bed", "--out", tmp_path / "all")
    variants = known.cohort.store.frame("SELECT chrom, pos, ref, alt FROM variants")
    some = variants.iloc[[2, 3, 9]].reset_index(drop=True)
    found = read_other_cohort([tmp_path / "all.bed"], some, IngestSettings())
    np.testing.assert_array_equal(found.codes, codes(known.cohort)[[2, 3, 9]])


def test_phenotypes_measure_the_score(known):
    made = predict(known.models, [known.vcf], phenotypes=known.phenotypes)
    is_case = np.array([DIAGNOSES[name] == "SCZ" for name in PEOPLE])
    wanted = evaluate(is_case, made.people["probability"].to_numpy(), 0.5)
    assert made.metrics == wanted
    assert predict(known.models, [known.vcf]).metrics is None


def test_scores_of_single_people_go_to_the_named_file_alone(known, tmp_path, capsys):
    out = tmp_path / "scores.tsv"
    printed = ask(known, [known.vcf], ["--out", str(out), "--json"])
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    table = pd.read_csv(out, sep="\t")
    assert table["sample_id"].tolist() == PEOPLE
    told = capsys.readouterr()
    shown = json.loads(told.out)
    assert "secret" not in told.out + told.err
    assert shown["people"] == 40
    assert shown["variants"]["exact"] == 30
    assert shown["score"]["q50"] == pytest.approx(np.median(table["probability"]), abs=1e-5)
    assert shown["called_case"] == (table["probability"] > 0.5).sum()
    assert "65%" in shown["warnings"][0]
    assert [path.name for path in tmp_path.iterdir()] == ["scores.tsv"]
    assert printed is None
    with pytest.raises(InputError, match="overwrites nothing"):
        ask(known, [known.vcf], ["--out", str(out)])
    ask(known, [known.vcf], ["--out", str(out), "--force"])
    assert "secret" not in capsys.readouterr().out


def test_a_summary_of_few_people_would_be_of_one(known, tmp_path):
    few = LEAST_PEOPLE - 1
    records = [record[: 5 + few] for record in RECORDS]
    vcf = write_vcf(tmp_path / "few.vcf", vcf_text(records, PEOPLE[:few]))
    made = predict(known.models, [vcf], phenotypes=known.phenotypes)
    shown = made.summary()
    assert (shown["called_case"], shown["metrics"], shown["score"]["q50"]) == (None, None, None)
    np.testing.assert_allclose(made.people["probability"], known.score[:few], atol=1e-6)
    write_people(made, tmp_path / "few.tsv")
    assert len(pd.read_csv(tmp_path / "few.tsv", sep="\t")) == few


def ask(known: Known, files: list[Path], more: list[str]) -> None:
    """Run the verb as the command line does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    (verb,) = predict_verbs.VERBS
    verb.arguments(parser)
    asked = parser.parse_args([known.run.id, "--vcf", *map(str, files), *more])
    asked.cache = known.cache
    return verb.run(asked)
