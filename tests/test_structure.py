"""Pruning, components, kinship: against NumPy and scikit-learn, and on planted families."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.extmath import randomized_svd

from pipeline import files
from pipeline.cohort import CURRENT, Cohort, cohorts_dir, open_cohort
from pipeline.errors import Cancelled, EmptyResultError, SettingsError, StaleArtifactError
from pipeline.genotypes import pack
from pipeline.settings import SplitSettings, with_changes
from pipeline.settings.structure import StructureSettings
from pipeline.splits import make_splits
from pipeline.structure import (
    Relatives,
    build_structure,
    people_to_leave_out,
    read_structure,
    relation_names,
    relative_groups,
)
from pipeline.structure.components import principal_components
from pipeline.structure.kinship import find_relatives
from pipeline.structure.planes import bit_planes
from pipeline.structure.prune import _greedy, r_squared_band
from pipeline.structure.regions import in_long_range_ld
from tests.small_cohorts import make_cohort, vcf_text

CALLS = np.array(["0/0", "0/1", "1/1", "./."])
N_FOUNDERS = 56
# Who is planted behind the founders, by index: children of founders 0 and 1, of 2 and 3, a second
# child of 0 and 1, and founder 4 once more (with more missing calls).
CHILD, OTHER_CHILD, SIBLING, TWIN = range(N_FOUNDERS, N_FOUNDERS + 4)
FIRST_DEGREE = {
    (0, CHILD), (1, CHILD), (2, OTHER_CHILD), (3, OTHER_CHILD), (0, SIBLING), (1, SIBLING),
    (CHILD, SIBLING),
}  # fmt: skip
KEEP_REGIONS = StructureSettings(drop_long_range_ld=False)


def families(n_variants: int = 4000, seed: int = 5) -> np.ndarray:
    """Return genotypes (n_variants, 60): two populations, three children, a duplicate.

    Every fourth variant is nearly a copy of the one before; 1 % of calls are missing.
    """
    rng = np.random.default_rng(seed)
    base = rng.uniform(0.15, 0.85, n_variants)
    by_population = np.clip(base[:, None] + rng.normal(0, 0.08, (n_variants, 2)), 0.08, 0.92)
    population = np.arange(N_FOUNDERS) % 4 // 2
    # Haplotypes (n_variants, n_founders, 2); neighbours in LD are copied with a few errors.
    haplotypes = rng.random((n_variants, N_FOUNDERS, 2)) < by_population[:, population, None]
    is_new = rng.random((n_variants // 4, N_FOUNDERS, 2)) < 0.03
    haplotypes[1::4] = np.where(is_new, haplotypes[1::4], haplotypes[0::4])

    def child(mother: int, father: int) -> np.ndarray:
        parts = []
        for parent in (mother, father):
            # One crossover every 80 variants: two chromosomes are read in turn.
            side = np.cumsum(rng.random(n_variants) < 1 / 80) % 2
            parts.append(haplotypes[np.arange(n_variants), parent, side])
        return np.sum(parts, axis=0)

    people = [haplotypes.sum(axis=2), child(0, 1)[:, None], child(2, 3)[:, None],
              child(0, 1)[:, None], haplotypes[:, [4]].sum(axis=2)]  # fmt: skip
    genotypes = np.concatenate(people, axis=1).astype(np.uint8)
    genotypes[rng.random(genotypes.shape) < 0.01] = 3
    genotypes[rng.random(n_variants) < 0.03, TWIN] = 3
    return genotypes


def family_vcf(genotypes: np.ndarray) -> tuple[str, list[str]]:
    """Return the genotypes as a VCF over all autosomes, and the names of the people."""
    n_variants, n_people = genotypes.shape
    names = [f"p{i:02d}" for i in range(n_people)]
    chrom = np.sort(np.arange(n_variants) % 22 + 1)
    records = [
        [chrom[i], 1_000_000 + 20_000 * i, "A", "G", "GT", *CALLS[genotypes[i]]]
        for i in range(n_variants)
    ]
    # What no structure may be made of: another kind, several alternates, X.
    others = [["22", 90_000_000, "A", "AG", "GT"], ["22", 90_000_001, "A", "C,G", "GT"],
              ["X", 90_000_000, "A", "G", "GT"]]  # fmt: skip
    records += [[*fixed, *CALLS[genotypes[7]]] for fixed in others]
    contigs = [*map(str, range(1, 23)), "X"]
    return vcf_text(records, names, contigs), names


def family_cohort(folder: Path) -> tuple[Cohort, np.ndarray]:
    """Return the planted cohort and its genotypes; every other person is a case."""
    genotypes = families()
    text, names = family_vcf(genotypes)
    diagnoses = {name: "case" if i % 2 else "control" for i, name in enumerate(names)}
    return make_cohort(folder, text, diagnoses), genotypes


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The cache of the planted cohort, the cohort, its genotypes and its structure."""
    folder = tmp_path_factory.mktemp("families")
    cohort, genotypes = family_cohort(folder)
    found = build_structure(folder / "cache", "small", KEEP_REGIONS)
    return folder / "cache", cohort, genotypes, found


def by_hand_kinship(first: np.ndarray, second: np.ndarray) -> float:
    """Return the estimator of Manichaikul et al. as it is written there (eq. 11)."""
    called = (first < 3) & (second < 3)
    a, b = first[called], second[called]
    both = np.sum((a == 1) & (b == 1))
    opposite = np.sum(np.abs(a.astype(int) - b) == 2)
    het_a, het_b = np.sum(a == 1), np.sum(b == 1)
    fewer = min(het_a, het_b)
    return (both - 2 * opposite) / (2 * fewer) + 0.5 - (het_a + het_b) / (4 * fewer)


def pairs_of(relatives: Relatives) -> set[tuple[int, int]]:
    return set(zip(relatives.first.tolist(), relatives.second.tolist(), strict=True))


def relatives_of(pairs: list[tuple[int, int]], kinship: float = 0.25) -> Relatives:
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    n = len(pairs)
    return Relatives(first, second, np.full(n, kinship), np.zeros(n), np.full(n, 1000))


# --- planted truth ---------------------------------------------------------------------------


def test_planted_duplicate_and_families_are_found(planted):
    found = planted[3]
    assert pairs_of(found.duplicates) == {(4, TWIN)}
    assert pairs_of(found.relatives.above(0.177)) == FIRST_DEGREE | {(4, TWIN)}
    parents = [k for pair, k in zip(zip(found.relatives.first, found.relatives.second,
               strict=True), found.relatives.kinship, strict=True) if pair in FIRST_DEGREE
               and pair != (CHILD, SIBLING)]  # fmt: skip
    np.testing.assert_allclose(parents, 0.25, atol=0.04)
    groups = found.groups
    assert groups[0] == groups[1] == groups[CHILD] == groups[SIBLING]
    assert groups[2] == groups[3] == groups[OTHER_CHILD] != groups[0]
    assert groups[4] == groups[TWIN]


def test_components_separate_the_planted_populations(planted):
    found = planted[3]
    population = np.arange(N_FOUNDERS) % 4 // 2
    first = found.components[:N_FOUNDERS, 0]
    a, b = first[population == 0], first[population == 1]
    assert max(a.min(), b.min()) > min(a.max(), b.max())  # no overlap
    np.testing.assert_allclose(found.components.T @ found.components, np.eye(10), atol=1e-5)
    assert np.all(np.diff(found.eigenvalues) <= 0)
    assert 0 < found.variance_share.sum() < 1
    highest = np.abs(found.components).argmax(axis=0)
    assert (found.components[highest, np.arange(10)] > 0).all()


def test_candidates_are_common_called_biallelic_autosomal_snps(planted):
    _, cohort, genotypes, found = planted
    called = genotypes < 3
    p = np.where(called, genotypes, 0).sum(1) / (2 * called.sum(1))
    is_candidate = (np.minimum(p, 1 - p) >= 0.05) & ((~called).mean(1) <= 0.02)
    assert found.n_candidates == is_candidate.sum() < len(genotypes)
    assert set(found.variants) <= set(np.flatnonzero(is_candidate))
    assert 0.5 < len(found.variants) / found.n_candidates < 0.95  # there was something to prune
    call_rate = cohort.store.arrays("SELECT n_called / (n_called + n_missing) AS r FROM samples")
    np.testing.assert_allclose(found.call_rate, call_rate["r"])


def test_no_pair_in_a_window_is_correlated_after_pruning(planted):
    _, cohort, genotypes, found = planted
    settings_ = KEEP_REGIONS
    called = genotypes < 3
    p = np.where(called, genotypes, 0).sum(1) / (2 * called.sum(1))
    is_candidate = (np.minimum(p, 1 - p) >= 0.05) & ((~called).mean(1) <= 0.02)
    candidates = np.flatnonzero(is_candidate)
    chrom = cohort.store.arrays("SELECT chrom_order FROM variants")["chrom_order"]
    stays = np.isin(candidates, found.variants)
    worst, n_removed_for_nothing = 0.0, 0
    for row, variant in enumerate(candidates):
        near = candidates[max(0, row - settings_.ld_window + 1) : row + settings_.ld_window]
        near = near[(chrom[near] == chrom[variant]) & (near != variant)]
        r2 = [by_hand_r2(genotypes[variant], genotypes[other]) for other in near]
        if stays[row]:
            kept = np.isin(near, found.variants)
            worst = max(worst, max(np.array(r2)[kept], default=0.0))
        else:
            n_removed_for_nothing += max(r2) <= settings_.max_r2
        if row > 400:
            break
    assert 0.1 < worst <= settings_.max_r2
    assert n_removed_for_nothing == 0


def by_hand_r2(first: np.ndarray, second: np.ndarray) -> float:
    called = (first < 3) & (second < 3)
    return float(np.corrcoef(first[called], second[called])[0, 1] ** 2)


# --- numerics against NumPy and scikit-learn ---------------------------------------------------


@given(seed=st.integers(0, 10_000), n_people=st.integers(5, 140), window=st.integers(2, 9))
@settings(max_examples=25, deadline=None)
def test_r_squared_band__numpy(seed, n_people, window):
    rng = np.random.default_rng(seed)
    genotypes = rng.choice(4, (12, n_people), p=[0.4, 0.3, 0.2, 0.1]).astype(np.uint8)
    genotypes[3] = 1  # does not vary
    band = r_squared_band(bit_planes(genotypes), window)
    assert band.shape == (12, window - 1)
    for variant in range(12):
        for back in range(window - 1):
            other = variant - back - 1
            expected = np.nan
            if other >= 0:
                called = (genotypes[variant] < 3) & (genotypes[other] < 3)
                a, b = genotypes[variant][called], genotypes[other][called]
                if a.size and a.std() > 0 and b.std() > 0:
                    expected = np.corrcoef(a, b)[0, 1] ** 2
            np.testing.assert_allclose(band[variant, back], expected, rtol=1e-9, atol=1e-12)


@given(seed=st.integers(0, 10_000), n=st.integers(1, 60), window=st.integers(2, 80))
@settings(max_examples=40, deadline=None)
def test_greedy_leaves_no_pair_and_removes_none_without_one(seed, n, window):
    rng = np.random.default_rng(seed)
    above = rng.random((n, window - 1)) < 0.15
    maf = rng.choice([0.1, 0.2, 0.3, 0.4], n)
    stays = _greedy(above, maf)
    links = {(i - b - 1, i) for i in range(n) for b in range(min(i, window - 1)) if above[i, b]}
    assert not any(stays[i] and stays[j] for i, j in links)
    linked = {i for pair in links for i in pair}
    assert all(stays[i] for i in range(n) if i not in linked)


@given(seed=st.integers(0, 10_000), n_people=st.integers(2, 150), n_variants=st.integers(1, 200))
@settings(max_examples=25, deadline=None)
def test_kinship_of_all_pairs__by_hand(seed, n_people, n_variants):
    rng = np.random.default_rng(seed)
    genotypes = rng.choice(4, (n_variants, n_people), p=[0.3, 0.4, 0.2, 0.1]).astype(np.uint8)
    found = find_relatives(pack(genotypes), n_people, -np.inf)
    assert np.all(found.first < found.second)
    with np.errstate(all="ignore"):
        expected = {
            (i, j): by_hand_kinship(genotypes[:, i], genotypes[:, j])
            for i in range(n_people) for j in range(i + 1, min(n_people, i + 6))
        }  # fmt: skip
    expected = {pair: k for pair, k in expected.items() if np.isfinite(k)}
    ours = dict(zip(zip(found.first.tolist(), found.second.tolist(), strict=True),
                    found.kinship, strict=True))  # fmt: skip
    assert len(ours) == len(found.first)
    for pair, kinship in expected.items():
        np.testing.assert_allclose(ours[pair], kinship, atol=1e-12)
    order = np.lexsort((found.second, found.first))
    np.testing.assert_array_equal(order, np.arange(len(order)))


def standardised(genotypes: np.ndarray) -> np.ndarray:
    """Return Z (n_people, n_variants) as Patterson, Price and Reich define it."""
    called = genotypes < 3
    p = np.where(called, genotypes, 0).sum(1, keepdims=True) / (2 * called.sum(1, keepdims=True))
    z = np.where(called, genotypes - 2 * p, 0) / np.sqrt(2 * p * (1 - p))
    return z.T


@pytest.mark.parametrize("n_people", [59, 60])
def test_components__exact_and_scikit_learn(n_people):
    genotypes = families(1500)[:, :n_people]
    z = standardised(genotypes)
    u, s, _ = np.linalg.svd(z, full_matrices=False)
    found = principal_components(pack(genotypes), n_people, 5, seed=1)
    np.testing.assert_allclose(found.eigenvalues, s[:5] ** 2 / len(genotypes), rtol=1e-3)
    np.testing.assert_allclose(found.variance_share, (s**2 / (s**2).sum())[:5], rtol=1e-3)
    theirs, _, _ = randomized_svd(z, 5, random_state=0)
    for k in range(2):  # the populations, then the largest family: clear gaps
        assert abs(found.scores[:, k] @ u[:, k]) > 0.999
        np.testing.assert_allclose(found.scores[:, k], theirs[:, k], atol=0.02)  # sign as well
    again = principal_components(pack(genotypes), n_people, 5, seed=1)
    np.testing.assert_allclose(again.scores, found.scores, atol=1e-5)


def test_components_of_many_people__exact(monkeypatch):
    """Above a thousand people a subspace is searched; here it is searched for 300."""
    monkeypatch.setattr("pipeline.structure.components._MOST_EXACT", 0)
    rng = np.random.default_rng(4)
    shared = rng.uniform(0.2, 0.8, (3000, 1))
    p = np.clip(shared + rng.normal(0, 0.06, (3000, 4)), 0.05, 0.95)[:, np.arange(300) % 4]
    genotypes = rng.binomial(2, p).astype(np.uint8)
    genotypes[rng.random(genotypes.shape) < 0.02] = 3
    z = standardised(genotypes)
    u, s, _ = np.linalg.svd(z, full_matrices=False)
    found = principal_components(pack(genotypes), 300, 6, seed=1)
    np.testing.assert_allclose(found.eigenvalues, s[:6] ** 2 / 3000, rtol=2e-3)
    for k in range(3):  # four populations
        assert abs(found.scores[:, k] @ u[:, k]) > 0.9999
    other = principal_components(pack(genotypes), 300, 6, seed=2)
    np.testing.assert_allclose(other.scores[:, :3], found.scores[:, :3], atol=1e-3)
    # Fewer variants than vectors: what is left over is rounding, and has to stay out.
    few = genotypes[:40]
    s = np.linalg.svd(standardised(few), compute_uv=False)
    found = principal_components(pack(few), 300, 6, seed=1)
    np.testing.assert_allclose(found.eigenvalues, s[:6] ** 2 / 40, rtol=1e-3)


def test_a_variant_that_nobody_carries_changes_nothing():
    genotypes = families(1000)
    with_constant = np.concatenate([genotypes, np.zeros((1000, 60), np.uint8)])
    one = principal_components(pack(genotypes), 60, 3, seed=1)
    two = principal_components(pack(with_constant), 60, 3, seed=1)
    assert np.isfinite(two.scores).all()
    np.testing.assert_allclose(two.scores[:, 0], one.scores[:, 0], atol=1e-3)
    np.testing.assert_allclose(two.variance_share, one.variance_share, rtol=1e-3)


# --- relatives --------------------------------------------------------------------------------


def test_groups_are_numbered_by_their_first_member():
    groups = relative_groups(relatives_of([(1, 4), (4, 5), (2, 3)]), 7)
    assert groups.tolist() == [0, 1, 2, 2, 1, 1, 3]
    assert relative_groups(relatives_of([]), 3).tolist() == [0, 1, 2]


def test_the_better_called_of_a_pair_is_kept():
    pairs = relatives_of([(0, 1), (2, 3), (3, 4)])
    # 0 and 1 tie: the first stays. 3 is called best: 2 and 4 go. Then 3 is worst: it goes alone.
    assert people_to_leave_out(pairs, np.array([0.9, 0.9, 0.8, 0.99, 0.9])).tolist() == [1, 2, 4]
    assert people_to_leave_out(pairs, np.array([0.9, 0.9, 0.8, 0.7, 0.9])).tolist() == [1, 3]
    assert people_to_leave_out(pairs, np.array([np.nan, 0.9, 0.8, 0.7, 0.9])).tolist() == [0, 3]
    assert people_to_leave_out(relatives_of([]), np.ones(3)).tolist() == []


def test_leaving_people_out_leaves_no_pair(planted):
    found = planted[3]
    for cut in (0.0884, 0.177, 0.354):
        gone = set(found.to_leave_out(cut).tolist())
        assert all(gone & {i, j} for i, j in pairs_of(found.relatives.above(cut)))
    assert found.to_leave_out(0.354).tolist() == [TWIN]  # more of its calls are missing


def test_names_of_relations():
    names = relation_names(np.array([0.5, 0.3, 0.25, 0.13, 0.06, 0.02]))
    assert names.tolist() == [
        "duplicate", "first degree", "first degree", "second degree", "third degree", "distant",
    ]  # fmt: skip


def test_relatives_stay_on_one_side_of_a_split(planted):
    groups = planted[3].groups
    is_case = np.arange(60) % 2 == 1
    for wanted in (SplitSettings(test_fraction=0.3), SplitSettings(folds=4)):
        for split in make_splits(is_case, wanted, groups):
            parts = (split.train, split.validation, split.test)
            n_sides = sum(np.unique(groups[part]).size for part in parts)
            assert n_sides == np.unique(groups).size


# --- the file ---------------------------------------------------------------------------------


def test_what_was_written_is_read_again(planted):
    cache, cohort, _, found = planted
    again = read_structure(open_cohort(cache, "small"))
    assert again.fingerprint == found.fingerprint
    assert again.settings == KEEP_REGIONS
    np.testing.assert_array_equal(again.components, found.components)
    np.testing.assert_array_equal(again.variants, found.variants)
    assert pairs_of(again.relatives) == pairs_of(found.relatives)
    # The certificate names the cohort, so a file of another ingest is refused.
    object.__setattr__(cohort, "fingerprint", "another")
    try:
        with pytest.raises(StaleArtifactError, match="another ingest"):
            read_structure(cohort)
    finally:
        object.__setattr__(cohort, "fingerprint", open_cohort(cache, "small").fingerprint)


def test_computed_once_and_replaced_by_other_settings(tmp_path):
    cohort, _ = family_cohort(tmp_path)
    assert read_structure(cohort) is None
    cache = tmp_path / "cache"
    folder = cohorts_dir(cache) / "small"
    phases = []
    first = build_structure(cache, "small", KEEP_REGIONS, lambda p: phases.append(p.phase))
    assert {"pruning variants", "principal components", "comparing people"} <= set(phases)
    phases.clear()
    again = build_structure(cache, "small", KEEP_REGIONS, lambda p: phases.append(p.phase))
    assert "principal components" not in phases
    np.testing.assert_array_equal(again.components, first.components)
    other = build_structure(cache, "small", KEEP_REGIONS.model_copy(update={"components": 4}))
    assert other.components.shape == (60, 4)
    assert [p.name for p in folder.glob("structure-*")] == [f"structure-{other.fingerprint}.duckdb"]
    current = files.read_json(folder / CURRENT)
    assert current["structure"].endswith(f"{other.fingerprint}.duckdb")
    assert "annotation" in current
    family_cohort(tmp_path)[0].store.close()  # a new ingest starts without a structure
    assert read_structure(open_cohort(cache, "small")) is None
    assert list(folder.glob("structure-*")) == []


def test_a_stop_leaves_nothing(tmp_path):
    cohort, _ = family_cohort(tmp_path)

    def stop(progress):
        if progress.phase == "comparing people":
            raise Cancelled

    with pytest.raises(Cancelled):
        build_structure(tmp_path / "cache", "small", KEEP_REGIONS, stop)
    assert read_structure(cohort) is None
    assert list(cohort.store.path.parent.glob("*structure*")) == []


def test_too_few_people_or_variants(tmp_path):
    genotypes = families(400)
    text, names = family_vcf(genotypes[:, :8])
    diagnoses = dict.fromkeys(names, "case") | {names[0]: "control"}
    make_cohort(tmp_path, text, diagnoses).store.close()
    cache = tmp_path / "cache"
    with pytest.raises(EmptyResultError, match="8 people and structure") as told:
        build_structure(cache, "small")
    assert str(told.value).endswith(".")
    few = StructureSettings(components=3, max_r2=0.01)
    with pytest.raises(EmptyResultError, match="at least 100 common autosomal SNPs") as told:
        build_structure(cache, "small", few)
    assert str(told.value).endswith(".")
    assert "structure" not in files.read_json(cohorts_dir(cache) / "small" / CURRENT)


@pytest.mark.parametrize(
    ("build", "inside", "outside"),
    [
        ("hg19", (6, 30_000_000), (6, 36_000_000)),  # HLA
        ("hg19", (2, 136_600_000), (2, 139_000_000)),  # lactase
        ("hg38", (2, 135_850_000), (2, 138_000_000)),
        ("hg38", (8, 10_000_000), (8, 14_000_000)),  # the inversion of 8p23
        ("hg38", (11, 55_000_000), (11, 58_000_000)),  # centromere
    ],
)
def test_long_range_ld_by_build(build, inside, outside):
    chrom, pos = np.array([inside, outside]).T
    assert in_long_range_ld(chrom, pos, build).tolist() == [True, False]
    assert not in_long_range_ld(chrom + 15, pos, build).any()


def test_settings_of_structure():
    from pipeline.cli.structure_verbs import _Asked

    asked = with_changes(_Asked(), ["structure.min_kinship=0.0442", "structure.components=4"])
    assert asked.structure.min_kinship == 0.0442
    with pytest.raises(SettingsError, match="min_duplicate_kinship"):
        with_changes(_Asked(), ["structure.min_kinship=0.4"])
    for field in StructureSettings.model_fields.values():
        assert field.description.endswith(".")
        assert field.json_schema_extra["label"]


def test_the_verb_prints_one_json_value(planted, capsys):
    import argparse

    from pipeline.cli.structure_verbs import VERBS

    (verb,) = VERBS
    parser = argparse.ArgumentParser()
    verb.arguments(parser)
    asked = parser.parse_args(["small", "--set", "structure.drop_long_range_ld=no"])
    asked.cache, asked.json = planted[0], True
    verb.run(asked)
    said = json.loads(capsys.readouterr().out)
    assert said["variants"] == len(planted[3].variants)
    assert said["duplicates"] == 1
    assert {"first": "p04", "second": "p59", "relation": "duplicate"}.items() <= max(
        said["relatives"], key=lambda pair: pair["kinship"]
    ).items()
    asked.json = False
    verb.run(asked)
    shown = capsys.readouterr().out
    assert "p04  p59" in shown
    assert "1 of them duplicates" in shown
