"""What a network looked at: attributions by hand, completeness, files that hold nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from pipeline import runs
from pipeline.attribution import (
    across_folds,
    across_seeds,
    by_chromosome,
    by_gene,
    drawn_points,
    over_folds,
    read_attribution,
)
from pipeline.attribution.gradients import open_network
from pipeline.attribution.integrated import (
    LEAST_PEOPLE,
    MOST_STEPS,
    TOLERANCE,
    attribute_people,
    integrate,
)
from pipeline.attribution.job import attribute, attribute_job
from pipeline.attribution.linear import logistic_weights
from pipeline.attribution.occlusion import occlude
from pipeline.attribution.stability import rank_correlation
from pipeline.attribution.stored import COLUMNS, json_path, parquet_path, write_attribution
from pipeline.baselines.logistic import logistic_regressions
from pipeline.cohort import open_cohort
from pipeline.encoding import encode, fit_encoding
from pipeline.errors import Cancelled, EmptyResultError, InputError, NotFoundError
from pipeline.experiment import run_training
from pipeline.network import GenotypeInput, build_network
from pipeline.network.genes import GeneColumns, build_gene_network
from pipeline.presets import apply_preset
from pipeline.progress import silent
from pipeline.runs import Run
from pipeline.settings import EncodingSettings, NetworkSettings, TrainingSettings, with_changes
from pipeline.statistics import auc_delong
from pipeline.training import precision, predict_probability, train_network
from pipeline.training.genes import train_gene_network
from tests.small_cohorts import make_cohort, vcf_text

RNG = np.random.default_rng(11)
CODES = RNG.integers(0, 4, (90, 23)).astype(np.uint8)
IS_CASE = RNG.random(90) < 0.5
TRAIN, TEST = slice(0, 40), slice(40, 90)


def log_odds(model: keras.Model, codes: np.ndarray) -> np.ndarray:
    """Return the logit by way of the model's own probabilities."""
    return special.logit(predict_probability(model, codes).astype(np.float64))


def shaken(model: keras.Model) -> keras.Model:
    """Give biases and moving statistics values too, so that nothing is at rest at zero."""
    rng = np.random.default_rng(5)
    for layer in model.layers:
        if layer.name != "encoding" and layer.weights:
            layer.set_weights(
                [w + np.abs(rng.normal(0, 0.1, w.shape)) for w in layer.get_weights()]
            )
    return model


def linear_model(encoding, weights: np.ndarray) -> keras.Model:
    """Return a logistic regression on the encoded values."""
    codes = keras.Input((encoding.n_variants,), dtype="uint8")
    first = GenotypeInput(
        encoding.n_variants, encoding.n_channels, encoding.extent, name="encoding"
    )
    flat = keras.layers.Flatten()(first(codes))
    output = keras.layers.Dense(1, activation="sigmoid", name="output")
    model = keras.Model(codes, output(flat))
    first.set_weights([encoding.table])
    output.set_weights([weights.reshape(-1, 1).astype(np.float32), np.float32([0.3])])
    return model


@pytest.mark.parametrize("layout", ["1d", "2d", "3d"])
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_attributions_add_up_for_every_person(layout, output):
    """The oracle of the sum are the probabilities that the whole model gives."""
    encoding = fit_encoding(CODES[TRAIN], EncodingSettings(layout=layout))
    settings = NetworkSettings(filters=4, dense=(6,), dropout=0.3, output=output, attention="both")
    model = shaken(build_network(encoding, settings, seed=1))
    network = open_network(model)
    codes = CODES[TEST]
    values = network.encode(codes)
    np.testing.assert_array_equal(values, encode(encoding, codes))
    baseline = network.mean_values(CODES[TRAIN])
    mean = encode(encoding, CODES[TRAIN]).mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(baseline[0], mean, atol=1e-6)
    wanted = log_odds(model, codes) - network.logit(baseline)
    typical = np.sqrt(np.mean(wanted**2))
    by_entry, error, n_steps = integrate(network.slope, baseline, values, wanted, typical)
    found = by_entry @ network.shares
    assert found.shape == codes.shape
    gap = np.abs(found.sum(axis=1) - wanted) / np.maximum(np.abs(wanted), typical)
    assert gap.max() <= TOLERANCE + 1e-6
    np.testing.assert_allclose(error, gap, atol=1e-5)
    assert n_steps.max() <= MOST_STEPS
    assert np.ptp(wanted) > 0.01


def test_of_a_linear_network_by_hand():
    """Weight times distance from the mean, whatever the order in which variants entered."""
    order = RNG.permutation(23)
    encoding = fit_encoding(CODES[TRAIN], EncodingSettings(layout="1d"))
    weights = RNG.normal(size=23)
    values = encode(encoding, CODES)[:, :, 0].astype(np.float64)
    exact = weights * (values[TEST] - values[TRAIN].mean(axis=0))
    of_case = IS_CASE[TEST]
    for columns in (np.arange(23), order):
        taken = fit_encoding(CODES[TRAIN][:, columns], EncodingSettings(layout="1d"))
        network = open_network(linear_model(taken, weights[columns]))
        codes = CODES[:, columns]
        found = attribute_people(network, network.mean_values(codes[TRAIN]), codes[TEST], of_case)
        np.testing.assert_allclose(found.mean_abs, np.abs(exact).mean(axis=0)[columns], rtol=1e-4)
        signed = exact[of_case].mean(axis=0) - exact[~of_case].mean(axis=0)
        np.testing.assert_allclose(found.case_minus_control, signed[columns], atol=1e-5)
        assert found.error.max() < 1e-4
        assert set(found.n_steps) == {9}


def test_padding_and_channels_belong_where_they_should():
    """A linear network on the map of three planes: 23 variants on 25 places."""
    encoding = fit_encoding(CODES[TRAIN], EncodingSettings(layout="3d"))
    weights = RNG.normal(size=(25, 3))
    network = open_network(linear_model(encoding, weights))
    values = encode(encoding, CODES).reshape(90, 25, 3).astype(np.float64)
    exact = (weights * (values[TEST] - values[TRAIN].mean(axis=0))).sum(axis=2)[:, :23]
    found = attribute_people(network, network.mean_values(CODES[TRAIN]), CODES[TEST], IS_CASE[TEST])
    np.testing.assert_allclose(found.mean_abs, np.abs(exact).mean(axis=0), rtol=1e-4)


def test_of_a_product_by_hand():
    """f = x0 x1 from 0: each has half (Sundararajan et al. 2017); midpoints are exact for it."""
    values = np.float32([[2, 3], [-1, 4]])

    def slope(points):
        return points[:, ::-1]

    found, error, n_steps = integrate(
        slope, np.zeros((1, 2), np.float32), values, np.float64([6, -4])
    )
    np.testing.assert_allclose(found, [[3, 3], [-2, -2]], rtol=1e-6)
    assert error.max() < 1e-6
    assert set(n_steps) == {9}


def test_steps_are_added_for_whom_they_are_needed():
    """A kink at a tenth of the way: 9 steps miss it; a straight line needs no more."""
    values = np.float32([[1.0], [0.05]])

    def slope(points):
        return (points > 0.1).astype(np.float32)

    found, error, n_steps = integrate(
        slope, np.zeros((1, 1), np.float32), values, np.float64([0.9, 0])
    )
    assert error.max() <= TOLERANCE
    assert found[0, 0] == pytest.approx(0.9, rel=TOLERANCE)
    assert n_steps[0] > 9
    assert n_steps[1] == 9
    # What never adds up is told, not hidden.
    _, error, n_steps = integrate(
        slope, np.zeros((1, 1), np.float32), values[:1], np.float64([2.0])
    )
    assert error[0] == pytest.approx(0.55, abs=0.01)
    assert n_steps[0] == MOST_STEPS


def gene_columns() -> GeneColumns:
    """Return alternate alleles of variant 2, and the product of variants 0 and 1."""
    dosage = np.float32([0, 1, 2, 0.5])
    carried = np.float32([0, 1, 1, 0.5])
    return GeneColumns(
        variants=np.int32([[2, 2], [0, 1]]),
        tables=np.stack([np.stack([dosage, np.ones(4, np.float32)]), np.stack([carried, carried])]),
        centre=np.float32([0.1, 0.2]),
        scale=np.float32([1.5, 2]),
        plane=np.uint8([0, 0]),
        group=np.int32([1, 0]),
    )


def test_a_product_of_variants_belongs_to_each_by_half():
    columns = gene_columns()
    settings = NetworkSettings(family="gene")
    model = build_gene_network(3, columns, np.array([0.7, -1.1]), 0.2, None, settings, seed=1)
    network = open_network(model)
    codes = CODES[:, :3]
    seen = columns.values(codes).astype(np.float64)
    exact = np.array([0.7, -1.1]) * (seen[TEST] - seen[TRAIN].mean(axis=0))
    found = attribute_people(network, network.mean_values(codes[TRAIN]), codes[TEST], IS_CASE[TEST])
    size = np.abs(exact).mean(axis=0)
    np.testing.assert_allclose(found.mean_abs, [size[1] / 2, size[1] / 2, size[0]], rtol=1e-4)
    np.testing.assert_allclose(network.linear_by_variant, [0.55, 0.55, 0.7], rtol=1e-5)


def gene_data(n: int = 700) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return codes, cases and groups: two hits within the fourth of ten genes make a case."""
    rng = np.random.default_rng(2)
    codes = rng.choice(3, (n, 40), p=[0.55, 0.35, 0.1]).astype(np.uint8)
    logit = 3 * ((codes[:, 12] > 0) & (codes[:, 13] > 0)) + 1.0 * codes[:, 14] - 1.5
    return codes, rng.random(n) < special.expit(logit), np.arange(40) // 4


def test_networks_of_genes():
    """Complete for everybody, the planted gene first, and only it is missed when hidden."""
    codes, is_case, groups = gene_data()
    model, _ = train_gene_network(
        codes[:400], is_case[:400], codes[400:500], is_case[400:500], groups,
        NetworkSettings(family="gene", filters=4, gene_members=1),
        TrainingSettings(epochs=4, learning_rate=0.01),
    )  # fmt: skip
    network, test, truth = open_network(model), codes[500:], is_case[500:]
    baseline = network.mean_values(codes[:400])
    found = attribute_people(network, baseline, test, truth)
    assert found.error.max() <= TOLERANCE
    by_group = np.bincount(groups, weights=found.mean_abs)
    assert by_group.argmax() == 3
    assert by_group[3] > 0.5 * by_group.sum()
    hidden = occlude(network, baseline, test, truth, [np.arange(4 * g, 4 * g + 4) for g in (3, 7)])
    assert hidden[0].auc_lost.low > 0.05
    assert abs(hidden[1].auc_lost.value) < 0.05
    assert network.linear_by_variant is not None


def test_a_planted_variant_comes_first_in_a_convolution():
    rng = np.random.default_rng(4)
    codes = rng.choice(3, (600, 30), p=[0.5, 0.4, 0.1]).astype(np.uint8)
    is_case = rng.random(600) < special.expit(2.0 * codes[:, 17] - 1.2)
    encoding = fit_encoding(codes[:400], EncodingSettings(layout="1d"))
    settings = NetworkSettings(convolutions=1, filters=4, pool=1, dense=(), dropout=0.0)
    model = build_network(encoding, settings, seed=1)
    train_network(
        model, codes[:400], is_case[:400], codes[400:], is_case[400:],
        TrainingSettings(epochs=8, learning_rate=0.01),
    )  # fmt: skip
    network = open_network(model)
    found = attribute_people(network, network.mean_values(codes[:400]), codes[400:], is_case[400:])
    assert found.mean_abs.argmax() == 17
    assert found.case_minus_control.argmax() == 17


def test_hidden_genes_of_a_linear_network_by_hand():
    encoding = fit_encoding(CODES[TRAIN], EncodingSettings(layout="1d"))
    weights = RNG.normal(size=23)
    network = open_network(linear_model(encoding, weights))
    values = encode(encoding, CODES)[:, :, 0].astype(np.float64)
    away = weights * (values[TEST] - values[TRAIN].mean(axis=0))
    sets = [np.arange(10), np.array([5, 12])]  # what the first hid comes back
    baseline = network.mean_values(CODES[TRAIN])
    hidden = occlude(network, baseline, CODES[TEST], IS_CASE[TEST], sets)
    whole = away.sum(axis=1)
    for one, columns in zip(hidden, sets, strict=True):
        part = away[:, columns].sum(axis=1)
        assert one.mean_change == pytest.approx(np.abs(part).mean(), rel=1e-4)
        lost = (
            auc_delong(IS_CASE[TEST], whole).value - auc_delong(IS_CASE[TEST], whole - part).value
        )
        assert one.auc_lost.value == pytest.approx(lost, abs=1e-9)
        assert one.auc_lost.low <= lost <= one.auc_lost.high


def test_a_network_that_learned_in_small_numbers_is_looked_at_in_float32():
    encoding = fit_encoding(CODES[TRAIN], EncodingSettings(layout="2d"))
    settings = NetworkSettings(filters=4, dense=(6,))
    with precision(TrainingSettings(precision="bfloat16")):
        model = shaken(build_network(encoding, settings, seed=1))
    same = build_network(encoding, settings, seed=2)
    same.set_weights(model.get_weights())
    network = open_network(model)
    found = attribute_people(network, network.mean_values(CODES[TRAIN]), CODES[TEST], IS_CASE[TEST])
    assert found.error.max() <= TOLERANCE
    logit = open_network(same).logit(network.encode(CODES))
    np.testing.assert_allclose(network.logit(network.encode(CODES)), logit, atol=1e-5)


def test_a_strange_network_is_refused():
    codes = keras.Input((3,))
    model = keras.Model(codes, keras.layers.Dense(1, name="output")(codes))
    with pytest.raises(InputError, match="first layer"):
        open_network(model)


def test_memory_is_bounded_by_the_size_of_a_person():
    encoding = fit_encoding(CODES[TRAIN], EncodingSettings(layout="1d"))
    network = open_network(linear_model(encoding, np.ones(23)))
    small = list(network.batches(1000))
    assert small[0] == slice(0, 256)
    assert small[-1].stop == 1000
    object.__setattr__(network, "bytes_a_person", 1 << 40)
    assert len(list(network.batches(7))) == 7


def test_with_few_people_of_a_class_nothing_is_said_of_it():
    encoding = fit_encoding(CODES[TRAIN], EncodingSettings(layout="1d"))
    network = open_network(linear_model(encoding, np.ones(23)))
    few = np.arange(50) < LEAST_PEOPLE - 1
    found = attribute_people(network, network.mean_values(CODES[TRAIN]), CODES[TEST], few)
    assert np.isnan(found.case_minus_control).all()
    assert np.isfinite(found.mean_abs).all()


def test_weights_are_those_behind_the_baselines():
    """Their score of test people differs from that of the baselines by the intercept alone."""
    codes, is_case, _ = gene_data()
    parts = codes[:400], codes[400:500], codes[500:]
    weights = logistic_weights(parts[0], is_case[:400], parts[1], is_case[400:500])
    known = logistic_regressions(
        parts, is_case[:400], is_case[400:500], ["logistic_l1", "logistic_l2"]
    )
    encoding = fit_encoding(parts[0], EncodingSettings(layout="1d"))
    x = encode(encoding, parts[2])[:, :, 0]
    for found, name in zip(weights, known, strict=True):
        rest = special.logit(known[name].score.astype(np.float64)) - x @ found
        assert np.ptp(rest) < 1e-3
        assert np.abs(found).max() > 0.1


def test_rank_correlation_is_spearmans():
    first, second = RNG.integers(0, 9, 200), RNG.integers(0, 9, 200)
    wanted = stats.spearmanr(first, second).statistic
    assert rank_correlation(first, second) == pytest.approx(wanted, abs=1e-12)
    assert np.isnan(rank_correlation(first, np.ones(200)))


def table_by_hand() -> pd.DataFrame:
    """Return two folds: variants 0 to 2 in the first, 1 to 3 in the second."""
    rows = [
        (0, 0, 1.0), (0, 1, 3.0), (0, 2, 4.0),
        (1, 1, 2.0), (1, 2, 0.0), (1, 3, 2.0),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["fold", "variant_index", "mean_abs"])
    place = table["variant_index"].to_numpy()
    gene = np.array(["A", "A", "B", "C"])[place]
    chrom = np.array(["chr1", "chr1", "chr2", "chr2"])[place]
    table = table.assign(gene=gene, chrom=chrom, pos=100 * (place + 1), ref="A", alt="G", rsid=None)
    numbers = ["neg_log10_p", "case_minus_control", "linear_weight", "l1_weight", "l2_weight"]
    return table.assign(**dict.fromkeys(numbers, 1.0))[[*COLUMNS]]


AXIS = pd.DataFrame(
    {"chrom": ["1", "2"], "start": [0.0, 1000], "middle": [250.0, 1250], "end": [500.0, 1500]}
)


def test_over_folds_genes_and_chromosomes_by_hand():
    found = over_folds(table_by_hand(), 2).set_index("variant_index")
    np.testing.assert_allclose(
        found.loc[[0, 1, 2, 3], "share"], [1 / 16, 3 / 16 + 1 / 4, 1 / 4, 1 / 4]
    )
    np.testing.assert_allclose(found.loc[[0, 1, 2, 3], "selected"], [0.5, 1, 1, 0.5])
    np.testing.assert_allclose(found.loc[[0, 1, 2, 3], "mean_abs"], [0.5, 2.5, 2, 1])
    variants = found.reset_index()
    genes = by_gene(variants).set_index("gene")
    np.testing.assert_allclose(genes.loc[["A", "B", "C"], "share"], [0.5, 0.25, 0.25])
    assert genes.loc["A", "n_variants"] == 2
    chromosomes = by_chromosome(variants, AXIS)
    np.testing.assert_allclose(chromosomes["share"], [0.5, 0.5])
    np.testing.assert_allclose(chromosomes["share_of_variants"], [0.5, 0.5])
    np.testing.assert_allclose(
        drawn_points(variants, AXIS)["x"].sort_values(), [100, 200, 1300, 1400]
    )
    alone = drawn_points(variants, AXIS, "2")
    np.testing.assert_allclose(alone["x"].sort_values(), [300, 400])
    assert across_folds(table_by_hand()).n_pairs == 0  # two in common are too few


def test_of_many_variants_few_are_drawn_and_none_is_lost():
    n = 20_000
    place = np.arange(n)
    variants = pd.DataFrame(
        {"variant_index": place, "chrom": np.where(place < n / 2, "1", "2"), "pos": place % 400 + 1,
         "neg_log10_p": RNG.exponential(1, n), "share": RNG.dirichlet(np.ones(n))}
    )  # fmt: skip
    drawn = drawn_points(variants, AXIS)
    assert len(drawn) <= 2_500
    assert drawn["n_binned"].sum() == n
    assert set(variants.nlargest(20, "share")["variant_index"]) <= set(drawn["variant_index"])
    assert set(variants.nlargest(20, "neg_log10_p")["variant_index"]) <= set(drawn["variant_index"])


# A run from its cohort to its files.

PEOPLE = [f"secret{i:03}" for i in range(150)]


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """A cohort of 150 people, 60 variants without genes; the tenth is planted."""
    folder = tmp_path_factory.mktemp("attribution")
    rng = np.random.default_rng(8)
    codes = rng.choice(3, (60, 150), p=[0.45, 0.4, 0.15])
    is_case = rng.random(150) < special.expit(2.5 * codes[10] - 1.8)
    words = np.array(["0/0", "0/1", "1/1"])
    records = [
        [str(1 + i // 30), str(1_000_000 * (1 + i % 30)), "A", "G", "GT", *words[row]]
        for i, row in enumerate(codes)
    ]
    diagnoses = {name: "SCZ" if is_case[i] else "control" for i, name in enumerate(PEOPLE)}
    cohort = make_cohort(folder, vcf_text(records, PEOPLE), diagnoses)
    cohort.store.close()
    return folder / "cache"


def trained(cache: Path, preset: str = "quick", **changes) -> Run:
    """Return a finished run of two folds on all variants, trained in this process."""
    asked = {
        "quality.qual_above": None, "quality.min_mean_depth": None, "selection.max_p": 1.0,
        "split.folds": 2, "training.epochs": 3, "evaluation.baselines": False,
    }  # fmt: skip
    cohort = open_cohort(cache, "small")
    cohort.store.close()
    settings = with_changes(apply_preset(preset), asked | changes)
    run = runs.create(cache, "small", cohort.fingerprint, settings)
    run_training(cache, {"run": run.id}, silent)
    runs.update_state(run, "finished")
    return runs.load(cache, run.id)


@pytest.fixture(scope="module")
def run(cache) -> Run:
    return trained(cache)


def test_a_run_from_its_models_to_its_files(cache):
    """Each fold on its own test people; what is stored comes back; nobody is in it."""
    run = trained(cache, "best")
    phases = []
    result = attribute_job(cache, {"run": run.id, "name": "small"}, phases.append)
    shares = [progress.done for progress in phases]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    made = read_attribution(run)
    assert result == {"run": run.id, "variants": made.table["variant_index"].nunique()}
    assert made.n_folds == 2
    assert made.completeness["n_people"] == 150
    assert made.completeness["largest"] <= TOLERANCE
    assert made.completeness["n_beyond"] == 0
    variants = over_folds(made.table, 2)
    assert variants["variant_index"].iloc[0] == 10
    assert variants["share"].sum() == pytest.approx(1)
    genes = by_gene(variants, made.occlusion)
    assert genes["gene"].iloc[0] == "1:11.00 Mb"
    assert genes["auc_lost"].iloc[0] > 0.05
    assert across_folds(made.table).n_pairs == 1
    told = json_path(run).read_text() + parquet_path(run).read_bytes().decode("latin-1")
    assert "secret" not in told
    for values in json.loads(json_path(run).read_text()).values():
        for one in values.values() if isinstance(values, dict) else [values]:
            assert not isinstance(one, list) or len(one) not in (75, 150)
    again = attribute(cache, run.id, lambda _: pytest.fail("it is on disk"))
    pd.testing.assert_frame_equal(again.table, made.table)


def test_other_seeds_are_compared_and_other_settings_are_not(cache, run):
    made = attribute(cache, run.id)
    other = trained(cache, **{"training.seed": 7})
    trained(cache, **{"training.learning_rate": 0.01})
    assert across_seeds(cache, run, made).n_waiting == 1
    attribute(cache, other.id)
    found = across_seeds(cache, run, made)
    assert found.n_waiting == 0
    assert found.n_pairs == 2
    assert -1 <= found.lowest <= found.highest <= 1


def test_trained_anew_it_is_not_shown(cache, tmp_path):
    run = trained(cache, **{"training.seed": 21})
    attribute(cache, run.id)
    run_training(cache, {"run": run.id}, silent)
    assert read_attribution(run) is None
    made = attribute(cache, run.id)
    run.model_path(1).unlink()
    assert read_attribution(run) is None
    with pytest.raises(NotFoundError, match=r"model-1\.keras"):
        attribute(cache, run.id)
    with pytest.raises(ValueError, match="columns"):
        write_attribution(run, type(made)(**vars(made) | {"table": made.table.assign(who=1)}), {})


def test_stopped_it_leaves_nothing(cache):
    run = trained(cache, **{"training.seed": 22})

    def stop(progress):
        if progress.done > 0.2:
            raise Cancelled

    with pytest.raises(Cancelled):
        attribute(cache, run.id, stop)
    assert not json_path(run).exists()
    assert not parquet_path(run).exists()


def test_too_few_test_people_are_refused(cache):
    run = trained(cache, **{"split.folds": 8, "training.epochs": 1})
    with pytest.raises(EmptyResultError, match="at least 20 test people"):
        attribute(cache, run.id)


def test_a_run_that_has_not_finished_is_refused(cache, run):
    with pytest.raises(NotFoundError):
        attribute(cache, "00000000")
    waiting = runs.create(
        cache, "small", run.fingerprint, with_changes(run.analysis(), {"training.seed": 99})
    )
    with pytest.raises(NotFoundError, match="queued"):
        attribute(cache, waiting.id)


OTHER_BACKEND = """
import numpy as np
from pipeline.attribution.gradients import open_network
from pipeline.attribution.integrated import attribute_people
from pipeline.encoding import count_codes, fit_encoding
from pipeline.network import build_gene_network, build_network
from pipeline.network.genes import place_columns, set_head
from pipeline.settings import EncodingSettings, NetworkSettings
from pipeline.training.gene_columns import plane_columns, plane_table
rng = np.random.default_rng(0)
codes = rng.integers(0, 4, (60, 8)).astype(np.uint8)
is_case = codes[:, 0] > 0
columns = plane_columns(plane_table(count_codes(codes)), np.arange(8) // 2)
genes = NetworkSettings(family="gene", filters=2, gene_members=1)
place = place_columns(columns, np.ones(24), 4)
model = build_gene_network(8, columns, rng.normal(size=24), 0.1, place, genes, seed=1)
members = model.get_layer("members")
members.set_weights([rng.normal(size=w.shape) for w in members.get_weights()])
set_head(model, "mean", genes)
encoding = fit_encoding(codes, EncodingSettings(layout="2d"))
models = [model, build_network(encoding, NetworkSettings(filters=4, dense=(4,)), seed=1)]
for model in models:
    network = open_network(model)
    found = attribute_people(network, network.mean_values(codes[:30]), codes[30:], is_case[30:])
    assert found.mean_abs.shape == (8,) and found.mean_abs.max() > 0
    assert found.error.max() <= 0.01, found.error.max()
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends(backend):
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    done = subprocess.run(
        [sys.executable, "-c", OTHER_BACKEND], env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
