"""The parts of an audit on disk, each made by a job of its own and read while it grows.

    cache/cohorts/<name>/audits/<what is audited>-<part>.json

What is audited is named by a hash of the cohort, the settings and the model, so that the same
question finds its answer again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import jobs
from pipeline.audit import LOGISTIC
from pipeline.cohort import Cohort, cohorts_dir
from pipeline.errors import NotFoundError, StaleArtifactError
from pipeline.files import forget_oldest, read_json, write_json
from pipeline.jobs import Job
from pipeline.settings import AnalysisSettings
from pipeline.structure import families

FORMAT_VERSION = 1
_BYTES_KEPT = 64 << 20  # of answers of one cohort


@dataclass(frozen=True)
class Question:
    """What is audited: a model on a cohort under settings.

    `model` is `logistic_l2`, or `network` for the network of the settings.
    """

    cohort: str
    fingerprint: str
    model: str
    settings: AnalysisSettings
    key: str

    def job_id(self, part: str) -> str:
        """Return the job that answers this part."""
        return f"audit-{self.key}-{part}"

    def path(self, cache: Path, part: str) -> Path:
        """Return where the answer lies."""
        return cohorts_dir(cache) / self.cohort / "audits" / f"{self.key}-{part}.json"


def question(cohort: Cohort, settings: AnalysisSettings, model: str) -> Question:
    """Return what asking this of the cohort as it is now means."""
    related = families(cohort)
    ignored = {"association"}
    if model == LOGISTIC:
        ignored |= {"network", "encoding", "training"}
    told = {
        "format": FORMAT_VERSION,
        "cohort": cohort.fingerprint,
        "model": model,
        "settings": settings.model_dump(mode="json", exclude=ignored),
        "seed": settings.training.seed,
        "relatives": related.digest if related else "",
        "genes": cohort.gene_table,
    }
    digest = hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8)
    return Question(cohort.name, cohort.fingerprint, model, settings, digest.hexdigest())


def submit_audit(cache: Path, asked: Question, part: str) -> str:
    """Queue one part and return the id of its job; one that waits or runs is left alone."""
    payload = {
        "name": asked.cohort,
        "fingerprint": asked.fingerprint,
        "model": asked.model,
        "settings": asked.settings.model_dump(mode="json"),
        "key": asked.key,
        "part": part,
    }
    job_id = jobs.submit(cache, "audit", payload, asked.job_id(part))
    jobs.ensure_worker(cache)
    return job_id


def read_answer(cache: Path, asked: Question, part: str) -> dict[str, Any] | None:
    """Return what is known of a part so far, with `is_complete`; None before there is anything."""
    try:
        told = read_json(asked.path(cache, part), optional=True)
    except StaleArtifactError:
        return None
    return told if isinstance(told, dict) and told.get("format") == FORMAT_VERSION else None


def write_answer(
    cache: Path, asked: Question, part: str, found: Mapping[str, Any], *, is_complete: bool
) -> None:
    """Write what is known of a part; the oldest answers of the cohort go where they are many."""
    path = asked.path(cache, part)
    path.parent.mkdir(exist_ok=True)
    told = {"format": FORMAT_VERSION, "part": part, "model": asked.model}
    write_json(path, told | {"is_complete": is_complete, "found": found}, durable=is_complete)
    if is_complete:
        forget_oldest(path.parent, "*.json", _BYTES_KEPT, path)


def job_of(cache: Path, asked: Question, part: str) -> Job | None:
    """Return the job of a part, None where nobody has asked."""
    try:
        return jobs.job(cache, asked.job_id(part))
    except NotFoundError:
        return None
