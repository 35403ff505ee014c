"""The attribution of a run on disk.

    cache/runs/<id>/
      attribution.parquet    a row a variant and fold (`COLUMNS`)
      attribution.json       completeness, occlusion, and the models that they are of

It is of the very models that lie there: one that was made before a run was trained anew is not
shown. Nothing in it is of a single person.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import StaleArtifactError
from pipeline.files import read_json, write_json, written_beside
from pipeline.runs import Run

FORMAT_VERSION = 1
VARIANT = ["chrom", "pos", "ref", "alt"]
COLUMNS = (
    "fold", "variant_index", *VARIANT, "rsid", "gene", "neg_log10_p", "mean_abs",
    "case_minus_control", "linear_weight", "l1_weight", "l2_weight",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Attribution:
    """What the networks of a run looked at.

    `table` has a row a fold and variant (`COLUMNS`): what the network of the fold made of it, and
    its weight in regressions of the same training people. `occlusion` has gene, n_variants,
    mean_change, auc_lost, low, high. `chromosomes` has chrom, start, middle, end of the axis of
    the genome. `completeness` has tolerance, largest, median, n_people, n_beyond, most_steps.
    """

    table: pd.DataFrame
    occlusion: pd.DataFrame
    chromosomes: pd.DataFrame
    completeness: Mapping[str, Any]
    n_folds: int


def parquet_path(run: Run) -> Path:
    """Return where the table lies."""
    return run.folder / "attribution.parquet"


def json_path(run: Run) -> Path:
    """Return where all else lies."""
    return run.folder / "attribution.json"


def model_digests(paths: Sequence[Path]) -> dict[str, str]:
    """Return a digest of each model file, by its name, from the check sums that the zip keeps.

    Raises `StaleArtifactError` when a file is no zip.
    """
    found = {}
    for path in paths:
        try:
            with zipfile.ZipFile(path) as archive:
                members = [(one.filename, one.CRC, one.file_size) for one in archive.infolist()]
        except zipfile.BadZipFile:
            raise StaleArtifactError(
                f"A model file is a zip that Keras wrote, but {path.name} is none or is damaged; "
                "train again."
            ) from None
        found[path.name] = hashlib.sha256(repr(sorted(members)).encode()).hexdigest()
    return found


def write_attribution(run: Run, made: Attribution, models: Mapping[str, str]) -> None:
    """Write the attribution of these models; a reader sees the old one, none, or this one."""
    unknown = set(made.table.columns) ^ set(COLUMNS)
    if unknown:  # a table that may hold anything may hold people
        raise ValueError(f"columns of an attribution: {unknown}")
    about = {
        "format": FORMAT_VERSION,
        "run": run.id,
        "models": dict(models),
        "n_folds": made.n_folds,
        "completeness": dict(made.completeness),
        "occlusion": made.occlusion.to_dict("list"),
        "chromosomes": made.chromosomes.to_dict("list"),
    }
    # Both lie there whole before the old one goes: a full disk costs the new one alone. The table
    # takes its place first, and while the two may be of two makings nothing says that they belong.
    with written_beside(json_path(run)) as said, written_beside(parquet_path(run)) as table:
        made.table.to_parquet(table, index=False)
        write_json(said, about)
        json_path(run).unlink(missing_ok=True)


def read_attribution(run: Run) -> Attribution | None:
    """Return the attribution of a run; None when there is none or the models are others by now."""
    about = read_json(json_path(run), optional=True)
    if not about or about.get("format") != FORMAT_VERSION:
        return None
    models = [run.folder / name for name in about["models"]]
    if not all(path.is_file() for path in [*models, parquet_path(run)]):
        return None
    if model_digests(models) != about["models"]:
        return None
    occlusion = pd.DataFrame(about["occlusion"])
    return Attribution(
        pd.read_parquet(parquet_path(run)),
        occlusion.astype(dict.fromkeys(["mean_change", "auc_lost", "low", "high"], float)),
        pd.DataFrame(about["chromosomes"]),
        about["completeness"],
        about["n_folds"],
    )
