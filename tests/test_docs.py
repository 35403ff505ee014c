"""The README and the method texts keep up with the code."""

from __future__ import annotations

import re
from pathlib import Path

from dashboard.frame import PAGES
from pipeline.cli import parser
from pipeline.settings import NO_PAPER_VALUE, describe

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def cell(value) -> str:
    if value is None or value is False:
        return "off"
    if value is True:
        return "on"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "found by name"
    return f"{value:g}" if isinstance(value, float) else str(value)


def row(setting: dict) -> str:
    bounds = ""
    if setting["choices"]:
        bounds = " or ".join(setting["choices"])
    elif setting["largest"] is not None:
        bounds = f"{setting['smallest']:g} to {setting['largest']:g}"
    paper = ""
    if setting["paper"] != NO_PAPER_VALUE:
        paper = cell(setting["paper"]) + (" (assumed)" if setting["assumed"] else "")
    name, default = setting["setting"], cell(setting["default"])
    return f"| `{name}` | {default} | {bounds} | {paper} | {setting['help']} |"


def test_every_setting_stands_in_the_readme_as_it_is():
    lacking = [row(setting) for setting in describe() if row(setting) not in README]
    assert lacking == []
    named = set(re.findall(r"^\| `(\w+\.\w+)` \|", README, re.MULTILINE))
    assert named == {setting["setting"] for setting in describe()}


def test_every_verb_is_named():
    verbs = next(a for a in parser()._actions if a.dest == "verb").choices
    assert [verb for verb in verbs if f"{verb}" not in README] == []


def test_every_module_stands_in_the_tree():
    tree = README.split("## The tree")[1].split("```")[1]
    for folder in ("pipeline", "dashboard"):
        for path in sorted((ROOT / folder).iterdir()):
            if path.suffix == ".py" and path.name != "__init__.py":
                assert path.name in tree, path
            elif path.is_dir() and (path / "__init__.py").is_file():
                assert f"{path.name}/" in tree, path


def test_every_page_has_its_method_text():
    for name in PAGES:
        text = (ROOT / "dashboard" / "text" / f"{name}.md").read_text(encoding="utf-8")
        assert "does not mean" in text


def test_environment_variables_are_named():
    used = set()
    for folder in ("pipeline", "dashboard"):
        for path in (ROOT / folder).rglob("*.py"):
            used |= set(re.findall(r"EXOLENS_[A-Z_]+", path.read_text()))
    assert {name for name in used if f"`{name}`" not in README} == set()


def test_the_picture_is_there():
    picture = re.search(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert picture
    assert (ROOT / picture.group(1)).is_file()
