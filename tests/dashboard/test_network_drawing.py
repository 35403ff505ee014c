"""The drawing of a network: every layer of a small one, what computes of a large one."""

from __future__ import annotations

import re
from dataclasses import asdict

import pytest
import vl_convert as vlc

from dashboard.charts.network_drawing import MOST, TENDS, network_drawing
from pipeline.outline import outline_network
from pipeline.settings import NetworkSettings

RICH = NetworkSettings(attention="both", dropout_kind="blocks", filters=16)


def drawn(settings: NetworkSettings, width: int) -> tuple[list[str], int]:
    """Return the words of the drawing, and how many layers there are."""
    layers = [
        asdict(layer) | {"name": layer.name.replace("_", " ").capitalize()}
        for layer in outline_network(18_970, "2d", settings)
    ]
    chart = network_drawing(layers).properties(width=width)
    return re.findall(r">([^<>]+)<", vlc.vegalite_to_svg(chart.to_dict())), len(layers)


@pytest.mark.parametrize("width", [360, 2600])
def test_a_small_network_shows_every_layer(width):
    words, n_layers = drawn(RICH, width)
    assert n_layers <= MOST
    assert {"Channel attention 1", "Spatial attention 2", "Block dropout 2"} <= set(words)
    assert {"69 × 69 × 16", "99"} <= set(words)  # spatial attention: 2 * 7 * 7 + 1


@pytest.mark.parametrize("width", [360, 1300])
def test_a_large_network_names_what_tends_a_convolution_below_it(width):
    words, n_layers = drawn(RICH.model_copy(update={"convolutions": 6}), width)
    assert n_layers > MOST
    assert {f"Convolution {number}" for number in range(1, 7)} <= set(words)
    assert "Channel attention 1" not in words
    # After pooling, with all weights: 3 * 3 * 16 + 16, normalisation 64, attention 82 and 99.
    assert {"69 × 69 × 16", "405"} <= set(words)
    if width == 360:
        line = "Batch norm, max pool, channel attention, spatial attention, DropBlock"
        assert words.count(line) == 6
    else:
        assert words.count("Spatial attention") == words.count("DropBlock") == 6


def test_whatever_an_outline_puts_between_has_a_word():
    kinds = {"input", "encoding", "convolution", "flatten", "dense", "output"}
    for attention in ("none", "both"):
        for dropout_kind in ("units", "channels", "blocks"):
            settings = NetworkSettings(attention=attention, dropout_kind=dropout_kind)
            outlined = {layer.kind for layer in outline_network(900, "2d", settings)}
            assert outlined - kinds <= set(TENDS)
