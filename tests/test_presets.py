"""Presets: complete, valid, silent about what is not theirs, and what the paper says they are."""

from __future__ import annotations

import re

import pytest

from pipeline.errors import SettingsError
from pipeline.outline import outline_network
from pipeline.paper_tables import MAJORITY, N_CASE, N_CONTROL, ROWS, STAGES, TABLE_1, TABLE_2
from pipeline.presets import PRESETS, apply_preset
from pipeline.settings import AnalysisSettings, with_changes
from tests.tools import shared_data

OPEN = {"split", "selection"}  # stages of settings that a preset may leave to the user


@pytest.fixture(scope="module")
def paper() -> str:
    return shared_data("../paper.txt").read_text()


def test_final_2d_is_the_default_and_the_paper():
    assert apply_preset("final_2d") == AnalysisSettings()
    for stage in ("network", "training"):
        for field, info in type(getattr(AnalysisSettings(), stage)).model_fields.items():
            paper_value = info.json_schema_extra["paper"]
            if paper_value != "not stated":
                assert PRESETS["final_2d"].changes[f"{stage}.{field}"] == paper_value


def test_the_script():
    settings = apply_preset("published_script")
    assert settings.encoding.layout == "1d"
    network = settings.network
    assert (network.filters, network.dense, network.output) == (16, (128,), "sigmoid")
    assert (network.l1, network.l2, network.convolutions) == (0.01, 0.01, 2)
    assert network.penalise_dense
    assert settings.training.keep == "accuracy"
    assert PRESETS["published_script"].assumed == ()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_overrides_what_was_moved_and_leaves_the_rest(name):
    moved = with_changes(
        AnalysisSettings(),
        {
            "network.kernel": 9,
            "training.patience": 77,
            "training.seed": 5,
            "split.folds": 3,
            "split.seed": 6,
            "selection.protocol": "published",
            "selection.max_p": 0.2,
            "quality.min_call_rate": 0.5,
        },
    )
    applied, fresh = apply_preset(name, moved), apply_preset(name)
    assert applied.network == fresh.network
    assert applied.encoding == fresh.encoding
    assert applied.training.patience == fresh.training.patience
    own = PRESETS[name].changes
    for setting in ("training.seed", "split.folds", "split.seed", "selection.protocol"):
        stage, field = setting.split(".")
        expected = fresh if setting in own else moved
        assert getattr(getattr(applied, stage), field) == getattr(getattr(expected, stage), field)
    assert applied.selection.max_p == 0.2
    assert applied.quality == moved.quality


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_complete_and_says_what_it_assumes(name):
    preset = PRESETS[name]
    assert preset.name == name
    stages = {setting.partition(".")[0] for setting in preset.changes}
    assert stages - OPEN == {"encoding", "network", "training"}
    for stage in ("encoding", "network", "training"):
        fields = set(type(getattr(AnalysisSettings(), stage)).model_fields) - {"seed"}
        assert {f"{stage}.{field}" for field in fields} <= set(preset.changes)
    assert set(preset.assumed) <= set(preset.changes)
    assert preset.note.endswith(".")
    if preset.group in ("table 1", "table 2", "stages"):
        assert "assumed" in preset.note
        assert {"network.kernel", "training.learning_rate"} <= set(preset.assumed)


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "best"])
def test_a_preset_can_be_drawn(name):
    settings = apply_preset(name)
    outline = outline_network(
        900, settings.encoding.layout, settings.network, settings.encoding.row_width
    )
    assert outline[-1].shape == ((1,) if settings.network.output == "sigmoid" else (2,))
    dense = [layer.shape[0] for layer in outline if layer.kind == "dense"]
    assert tuple(dense) == settings.network.dense


def test_best_is_the_gene_family_and_no_other():
    families = {name: apply_preset(name).network.family for name in PRESETS}
    assert [name for name, family in families.items() if family == "gene"] == ["best"]


@pytest.mark.parametrize("row", [*TABLE_1, *TABLE_2], ids=lambda row: row.preset)
def test_a_table_preset_is_its_row(row):
    settings, preset = apply_preset(row.preset), PRESETS[row.preset]
    network = settings.network
    assert settings.encoding.layout == row.dimension.lower()
    assert str(row.test_accuracy) in preset.note
    if row.table == "1":
        assert (network.filters, settings.training.batch_size) == (row.filters, row.batch_size)
        assert network.dense == (500, 100)
        assert "network.dense" in preset.assumed
        assert not {"network.filters", "training.batch_size"} & set(preset.assumed)
    else:
        assert network.dense == (row.n1, row.n2)
        assert (network.filters, settings.training.batch_size) == (64, 32)
        assert {"network.filters", "training.batch_size"} <= set(preset.assumed)
    assert settings.split.folds == (5 if "K-fold" in row.observation else 0)
    assert settings.selection.protocol == "honest"


def test_no_two_rows_of_a_table_are_one_run():
    for rows in (TABLE_1, TABLE_2):
        assert len({apply_preset(row.preset).canonical() for row in rows}) == len(rows)


def test_rows_that_repeat_get_another_seed_and_say_so():
    for row, first in (("table1_2d_5", "table1_2d_3"), ("table1_3d_2", "table1_3d_1")):
        one, other = apply_preset(row), apply_preset(first)
        assert one.network == other.network
        assert one.training.batch_size == other.training.batch_size
        assert one.training.seed != other.training.seed
        assert one.split.seed != other.split.seed
        assert "another seed" in PRESETS[row].note
        assert {"training.seed", "split.seed"} <= set(PRESETS[row].assumed)


def test_rows_of_table_2_that_stand_in_table_1_say_so():
    assert apply_preset("table2_1") == apply_preset("table1_2d_3")
    assert "the very run of Table 1, 2D 3" in PRESETS["table2_1"].note
    assert apply_preset("table2_4").network == apply_preset("table1_3d_4").network
    assert "the network of Table 1, 3D 4" in PRESETS["table2_4"].note
    first = {apply_preset(row.preset).canonical() for row in TABLE_1}
    again = [row.id for row in TABLE_2 if apply_preset(row.preset).canonical() in first]
    assert again == [1]


def test_the_stages_are_what_the_text_tells():
    stages = [apply_preset(row.preset) for row in STAGES]
    assert [s.split.test_fraction for s in stages] == [0.01, *[0.15] * 5]
    assert [s.training.epochs for s in stages] == [15, 20, 100, 100, 100, 50]
    assert [s.network.dense[0] for s in stages] == [100, 500, 500, 500, 500, 1000]
    assert [len(s.network.dense) for s in stages] == [1, 1, 2, 1, 1, 1]
    assert [s.network.dropout > 0 for s in stages] == [False, False, True, True, True, True]
    assert [s.training.patience > 0 for s in stages] == [False] * 3 + [True] * 3
    assert {s.training.optimizer for s in stages} == {"adam"}
    assert [s.encoding.layout for s in stages] == ["2d"] * 4 + ["3d", "2d"]
    assert [s.split.folds for s in stages] == [0] * 4 + [5, 0]
    assert [s.network.batch_norm for s in stages] == [False] * 5 + [True]
    assert [s.training.schedule for s in stages] == ["constant"] * 5 + ["staircase"]
    assert stages[-1] == AnalysisSettings()


def test_figure_2_is_the_final_network_to_its_last_epoch():
    figure, final = apply_preset("figure2"), apply_preset("final_2d")
    assert (figure.network, figure.encoding) == (final.network, final.encoding)
    assert (figure.training.epochs, figure.training.patience) == (50, 0)
    assert figure.selection.protocol == "published"
    assert "published protocol" in PRESETS["figure2"].note


def test_the_repaired_network_keeps_the_shape_of_the_final_one():
    repaired, final = apply_preset("final_2d_weighted"), apply_preset("final_2d").network
    pooled_first = final.model_copy(update={"norm_after_pool": True})
    assert repaired.network == pooled_first
    assert apply_preset("final_2d_fast").network == pooled_first
    encoding = repaired.encoding
    assert (encoding.weights, encoding.order) == ("logistic_l1", "gene")
    assert encoding.drop_unweighted


def test_the_tables_are_those_of_the_paper(paper):
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in paper.splitlines()
        if re.match(r"\| \d \|", line)
    ]
    printed = [
        (int(number), dimension, *(int(n.replace(",", "")) for n in sizes), float(train),
         float(test), seen)
        for number, dimension, *sizes, train, test, seen in cells
    ]  # fmt: skip
    ours = [
        (row.id, row.dimension,
         *((row.filters, row.batch_size) if row.table == "1" else (row.n1, row.n2)),
         row.train_accuracy, row.test_accuracy, row.observation)
        for row in (*TABLE_1, *TABLE_2)
    ]  # fmt: skip
    assert printed == ours


def test_the_figures_of_the_stages_stand_in_the_paper(paper):
    for row in STAGES:
        heading, body = paper.split(f"\n{row.section}\n")[0].splitlines()[-1], paper
        assert heading == row.title
        for quote in row.quotes:
            assert quote in body
        said = " ".join(row.quotes)
        if row.section == "3.4":  # 68 %, and about one more
            assert row.accuracy == STAGES[2].accuracy + 1
        elif row.accuracy is not None:
            assert f"{row.accuracy:.0f} %" in said
        if row.prediction_error is not None:
            assert f"{row.prediction_error:.0f} %" in said
        if row.loss is not None:
            assert f"{row.loss:g}".split("e")[0] in said
    assert f"{N_CONTROL:,} controls" in paper
    assert f"{N_CASE:,} were diagnosed with SCZ" in paper
    assert pytest.approx(0.557, abs=5e-4) == MAJORITY


def test_each_row_has_a_preset_of_its_group():
    groups = {"1": "table 1", "2": "table 2", "stages": "stages"}
    for which, rows in ROWS.items():
        members = [name for name, preset in PRESETS.items() if preset.group == groups[which]]
        assert members == [row.preset for row in rows]


def test_an_unknown_preset_is_a_sentence():
    with pytest.raises(SettingsError, match="choose one of final_2d, quick"):
        apply_preset("huge")
