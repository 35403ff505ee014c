"""The walls of the house: who may import what, found by walking the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

_KERAS = {"pipeline/network/", "pipeline/training/", "pipeline/attribution/gradients.py"}

# A package, and the files (or folders) that may import it.
DOORS = {
    "duckdb": {"pipeline/store.py"},
    "cyvcf2": {"pipeline/sources/vcf.py"},
    "bed_reader": {"pipeline/sources/plink.py"},
    "pgenlib": {"pipeline/sources/plink.py"},
    "h5py": {"pipeline/sources/gennet.py", "pipeline/export/gennet.py"},
    "keras": _KERAS,
    "tensorflow": _KERAS,
    "altair": {"dashboard/charts/"},
    "optuna": {"pipeline/sweep/search.py"},
}
ONE_PLACE_ATTRIBUTES = {
    "cache_data": "dashboard/loaders.py",
    "cache_resource": "dashboard/loaders.py",
    "session_state": "dashboard/state.py",
}
NEVER_IN_DASHBOARD = {"pipeline.network", "pipeline.training", "pipeline.experiment", "scipy",
                      "sklearn", "pipeline.statistics", "pipeline.store"}  # fmt: skip


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the dotted names that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def breaches(paths: list[Path], is_bad) -> list[str]:
    return [
        f"{relative(path)} imports {name}"
        for path in paths
        for name in sorted(imported(path))
        if is_bad(relative(path), name)
    ]


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def test_pipeline_knows_no_screen():
    screens = ("streamlit", "altair", "dashboard")
    found = breaches(
        sources("pipeline"), lambda _, name: any(within(name, screen) for screen in screens)
    )
    assert found == []


@pytest.mark.parametrize("package", DOORS)
def test_one_door_a_dependency(package):
    doors = DOORS[package]
    found = breaches(
        sources("pipeline") + sources("dashboard"),
        lambda path, name: (
            within(name, package)
            and not any(path == door or path.startswith(door) for door in doors)
        ),
    )
    assert found == []
    # The rule has to be about something: the door is used (later stages may not be built yet).
    users = {relative(p) for p in sources("pipeline") + sources("dashboard")
             if any(within(name, package) for name in imported(p))}  # fmt: skip
    assert users or package == "tensorflow"


def test_dashboard_computes_nothing():
    found = breaches(
        sources("dashboard"),
        lambda _, name: any(within(name, bad) for bad in NEVER_IN_DASHBOARD),
    )
    assert found == []


@pytest.mark.parametrize("attribute", ONE_PLACE_ATTRIBUTES)
def test_streamlit_state_and_caches_live_in_one_place(attribute):
    found = [
        relative(path)
        for path in sources("dashboard")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == attribute
    ]
    assert set(found) == {ONE_PLACE_ATTRIBUTES[attribute]}


@pytest.mark.parametrize(
    ("imports", "slow"),
    [
        (
            "pipeline, pipeline.jobs, pipeline.runs, pipeline.submit, pipeline.summaries",
            {"tensorflow", "keras", "streamlit", "altair"},
        ),
        # A second or more of a cold start, for what only few pages ask for.
        ("dashboard.frame", {"tensorflow", "keras", "sklearn", "scipy.stats", "distributed"}),
    ],
)
def test_what_is_slow_to_import_waits_until_it_is_used(imports, slow):
    code = f"import sys, {imports}; print(sorted({slow!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_no_file_is_a_second_pipeline():
    names = {path.stem for path in (ROOT / "dashboard").glob("*.py")}
    assert names.isdisjoint({"pipeline", "cache", "tests"})
