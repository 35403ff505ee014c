"""A model that travels: the `.keras` file with what made it and the variants that it reads.

A `.keras` file is a zip. Beside what Keras writes it holds
    exolens.json       where the model comes from (`model_certificate`)
    variants.parquet   the variants in the order of the network's input (`COLUMNS`)
Keras reads the file as before. It holds no genotype and no name of a person: of the people that
trained there are numbers alone.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.encoding import count_codes
from pipeline.errors import InputError, StaleArtifactError
from pipeline.files import plain, written_beside

if TYPE_CHECKING:
    from pipeline.cohort import Cohort
    from pipeline.runs import Run

FORMAT_VERSION = 1
CERTIFICATE = "exolens.json"
VARIANTS = "variants.parquet"

# What a variant is, how common its alternate was among the training people, and what chose it.
NEEDED = ("chrom", "pos", "ref", "alt", "rsid", "alt_frequency")
COLUMNS = (*NEEDED, "neg_log10_p", "weight", "gene")


def model_certificate(
    run: Run,
    cohort: Cohort,
    *,
    fold: int | None,
    is_case_train: NDArray[np.bool_],
    threshold: float,
    auc: Mapping[str, float | None],
) -> dict[str, Any]:
    """Return where a model comes from, ready for `seal_model`.

    `is_case_train` (n_train,) says who of the people that trained is a case; the numbers are kept.
    `auc` is {value, low, high} on the model's own test people.
    """
    definition = cohort.define_cases(run.analysis().people)
    made_by = dict(cohort.certificate["settings"])
    settings = plain(run.settings)
    # A path tells of the machine; the weights themselves stand beside the variants.
    weights_file = settings["encoding"].get("weights_file")
    if weights_file:
        settings["encoding"]["weights_file"] = Path(weights_file).name
    return {
        "cohort": run.cohort,
        "fingerprint": run.fingerprint,
        "run": run.id,
        "fold": fold,
        "preset": run.preset,
        "protocol": settings["selection"]["protocol"],
        "settings": settings,
        "ingest": made_by,
        "build": made_by["build"],
        "case": list(definition.case),
        "control": list(definition.control),
        "n_train": len(is_case_train),
        "n_train_case": int(np.sum(is_case_train)),
        "threshold": threshold,
        "auc": dict(auc),
        "versions": dict(run.versions),
    }


def model_variants(
    cohort: Cohort,
    variants: NDArray[np.integer],
    genotypes_train: NDArray[np.uint8],
    **columns: NDArray[Any],
) -> pd.DataFrame:
    """Return the table of a model's variants, in the order of `variants` (indices in the cohort).

    `genotypes_train` (n_train, n_variants) are codes of the people that trained, 3 = missing; of
    them the frequency of ALT among the called is kept, NaN where nobody was. `columns` are others
    of `COLUMNS`, shape (n_variants,).
    """
    sites = cohort.store.frame_of(
        "SELECT variant_index, chrom, pos, ref, alt, rsid FROM variants "
        "JOIN wanted ON variant_index = wanted_index",
        variants,
    )
    table = sites.set_index("variant_index").loc[variants].reset_index(drop=True)
    counts = count_codes(genotypes_train)[:, :3]
    n_called = counts.sum(axis=1)
    n_alt = counts[:, 1] + 2 * counts[:, 2]
    with np.errstate(invalid="ignore"):
        table["alt_frequency"] = n_alt / (2 * n_called)
    return table.assign(**columns)


def seal_model(path: Path, certificate: Mapping[str, Any], variants: pd.DataFrame) -> None:
    """Put certificate and variants into a `.keras` file; it changes whole or not at all.

    A file that was sealed before gets the new ones. Raises `InputError` when it is no model file.
    """
    unknown = set(variants.columns) - set(COLUMNS)
    lacking = set(NEEDED) - set(variants.columns)
    if unknown or lacking:  # a table that may hold anything may hold people
        raise ValueError(f"columns of a model's variants: {unknown=}, {lacking=}")
    told = json.dumps(
        {"format": FORMAT_VERSION, **plain(certificate)}, indent=1, ensure_ascii=False
    )
    table = io.BytesIO()
    variants.to_parquet(table, index=False)
    with written_beside(path) as beside:
        with _opened(path) as old, zipfile.ZipFile(beside, "w") as new:
            for member in old.infolist():
                if member.filename not in {CERTIFICATE, VARIANTS}:
                    with old.open(member) as source, new.open(member, "w") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
            new.writestr(CERTIFICATE, told)
            new.writestr(VARIANTS, table.getvalue())
        with beside.open("rb") as stream:
            os.fsync(stream.fileno())
        shutil.copymode(path, beside)


def read_certificate(path: Path) -> dict[str, Any]:
    """Return where a model comes from.

    Raises `InputError` when the file is no model or says nothing, `StaleArtifactError` when it was
    written by another format.
    """
    found = json.loads(_member(path, CERTIFICATE))
    if found.get("format") != FORMAT_VERSION:
        raise StaleArtifactError(
            f"The model file {path.name} is of format {found.get('format')}, and this Exolens "
            f"reads {FORMAT_VERSION}; train the model again."
        )
    return found


def read_variants(path: Path) -> pd.DataFrame:
    """Return the variants of a model in the order of its input. Raises as `read_certificate`."""
    return pd.read_parquet(io.BytesIO(_member(path, VARIANTS)))


def _member(path: Path, name: str) -> bytes:
    with _opened(path) as archive:
        try:
            return archive.read(name)
        except KeyError:
            raise InputError(
                f"A model predicts for others when its file names its variants, but {path.name} "
                f"has no {name}; give a model that a run of Exolens wrote."
            ) from None
        except zipfile.BadZipFile:
            raise _no_model(path) from None


def _opened(path: Path) -> zipfile.ZipFile:
    if not path.is_file():
        raise InputError(f"There is no model file {path}; check its path.")
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise _no_model(path) from None


def _no_model(path: Path) -> InputError:
    return InputError(
        f"A model file is a zip that Keras wrote, but {path.name} is none or is damaged; copy it "
        "again."
    )
