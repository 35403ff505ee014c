"""Presets: complete, valid, and silent about what is not theirs."""

from __future__ import annotations

import pytest

from pipeline.errors import SettingsError
from pipeline.presets import PRESETS, apply_preset
from pipeline.settings import AnalysisSettings, with_changes


def test_final_2d_is_the_default_and_the_paper():
    assert apply_preset("final_2d") == AnalysisSettings()
    for stage in ("network", "training"):
        for field, info in type(getattr(AnalysisSettings(), stage)).model_fields.items():
            paper = info.json_schema_extra["paper"]
            if paper != "not stated":
                assert PRESETS["final_2d"].changes[f"{stage}.{field}"] == paper


def test_the_script():
    settings = apply_preset("published_script")
    assert settings.encoding.layout == "1d"
    network = settings.network
    assert (network.filters, network.dense, network.output) == (16, (128,), "sigmoid")
    assert (network.l1, network.l2, network.convolutions) == (0.01, 0.01, 2)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_overrides_what_was_moved_and_leaves_the_rest(name):
    moved = with_changes(
        AnalysisSettings(),
        {
            "network.kernel": 9,
            "training.patience": 77,
            "training.seed": 5,
            "split.folds": 3,
            "selection.protocol": "published",
        },
    )
    applied = apply_preset(name, moved)
    assert applied.network == apply_preset(name).network
    assert applied.training.patience == apply_preset(name).training.patience
    assert applied.training.seed == 5
    assert applied.split.folds == 3
    assert applied.selection.protocol == "published"


def test_an_unknown_preset_is_a_sentence():
    with pytest.raises(SettingsError, match="choose one of final_2d, quick"):
        apply_preset("best")
