"""Options that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.settings import AnalysisSettings, PeopleSettings, with_changes


def add_name(sub: argparse.ArgumentParser) -> None:
    """Add the cohort's name."""
    sub.add_argument("name", metavar="NAME", help="name of a cohort")


def add_settings(sub: argparse.ArgumentParser) -> None:
    """Add --set and the case definition."""
    sub.add_argument(
        "--set",
        action="append",
        default=[],
        nargs="+",
        metavar="STAGE.FIELD=VALUE",
        help="a setting (see `settings`); none or off switches a threshold off",
    )
    add_people(sub)


def add_people(sub: argparse.ArgumentParser) -> None:
    """Add the diagnoses that are cases, controls, left out."""
    for role, what in (
        ("case", "cases"),
        ("control", "controls"),
        ("exclude", "left out"),
    ):
        sub.add_argument(
            f"--{role}",
            action="extend",
            nargs="+",
            default=[],
            metavar="DIAGNOSIS",
            help=f"diagnoses that are {what}",
        )


def people_settings(asked: argparse.Namespace) -> PeopleSettings:
    """Return the case definition that was asked for."""
    return with_changes(AnalysisSettings(), _people_changes(asked)).people


def analysis_settings(
    asked: argparse.Namespace, base: AnalysisSettings | None = None
) -> AnalysisSettings:
    """Return `base` with --set and the case definition applied."""
    assignments = [text for texts in asked.set for text in texts]
    settings = with_changes(base or AnalysisSettings(), assignments)
    return with_changes(settings, _people_changes(asked))


def _people_changes(asked: argparse.Namespace) -> dict[str, tuple[str, ...]]:
    return {
        f"people.{role}": tuple(getattr(asked, role))
        for role in ("case", "control", "exclude")
        if getattr(asked, role)
    }


def existing_parent(path: Path) -> Path:
    """Return a path to write to; its folder has to be there."""
    from pipeline.errors import InputError

    if not path.resolve().parent.is_dir():
        raise InputError(
            f"A file is written into a folder that exists, but {path.resolve().parent} does not; "
            "make it first."
        )
    return path
