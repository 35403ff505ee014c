"""Logistic regression with covariates against `plink2 --glm` on the same files.

    python -m tests.benchmarks.logistic [--people 11214] [--variants 4000] [--covariates 12]

Both take two threads in one run of this program. Prints JSON with seconds a thousand variants, the
ratio, and what 100,000 variants would take at this pace.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "2")

import numpy as np

from pipeline.cohort import open_cohort
from pipeline.ingest import ingest
from pipeline.logistic import regress
from pipeline.quality import filter_variants
from pipeline.settings import AssociationSettings, QualitySettings
from tests.benchmarks.ingest import seconds
from tests.benchmarks.people_recount import write_bed

STUDY = 100_000
KEEP_ALL = QualitySettings(qual_above=None, filter_pass=False, min_call_rate=None)


def write_people(prefix: Path, n_covariates: int) -> tuple[str, ...]:
    """Write the phenotypes and PLINK's covariates; returns the names of the covariates."""
    rng = np.random.default_rng(2)
    names = tuple(f"c{i}" for i in range(1, n_covariates + 1))
    people, covariates = (
        ["\t".join(["IID", "diagnosis", *names])],
        [" ".join(["FID", "IID", *names])],
    )
    for line in prefix.with_suffix(".fam").read_text().splitlines():
        family, person, _, _, _, status = line.split()
        values = [f"{x:.6f}" for x in rng.standard_normal(n_covariates)]
        role = "case" if status == "2" else "control"
        people.append("\t".join([person, role, *values]))
        covariates.append(" ".join([family, person, *values]))
    prefix.with_suffix(".tsv").write_text("\n".join(people) + "\n")
    prefix.with_suffix(".cov").write_text("\n".join(covariates) + "\n")
    return names


def measure(people: int, variants: int, n_covariates: int) -> dict:
    result: dict = {"people": people, "variants": variants, "covariates": n_covariates}
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / "wide"
        write_bed(prefix, people, variants)
        names = write_people(prefix, n_covariates)
        cache = Path(folder) / "cache"
        ingest(cache, "wide", [prefix.with_suffix(".bed")], prefix.with_suffix(".tsv"))
        cohort = open_cohort(cache, "wide")
        filtered = filter_variants(cohort, KEEP_ALL)
        settings = AssociationSettings(test="logistic", covariates=names)
        start = time.perf_counter()
        found = regress(cohort, filtered, settings)
        spent = time.perf_counter() - start
        n_tested = int(np.count_nonzero(~np.isnan(found.neg_log10_p)))
        result |= {
            "tested": n_tested,
            "firth": int(found.is_firth.sum()),
            "seconds": round(spent, 2),
            "seconds_for_1,000": round(1000 * spent / n_tested, 2),
            "seconds_for_100,000": round(STUDY * spent / n_tested, 1),
        }
        start = time.perf_counter()
        regress(cohort, filtered, settings)
        result["seconds_when_computed_before"] = round(time.perf_counter() - start, 3)
        cohort.store.close()
        if shutil.which("plink2"):
            peer = seconds(["plink2", "--bfile", str(prefix), "--threads", "2", "--covar",
                            f"{prefix}.cov", "--glm", "firth-fallback", "hide-covar",
                            "--out", str(prefix)])  # fmt: skip
            result["plink2_seconds"] = round(peer, 2)
            result["ours / plink2"] = round(spent / peer, 3)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=11_214)
    parser.add_argument("--variants", type=int, default=4000)
    parser.add_argument("--covariates", type=int, default=12)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.people, asked.variants, asked.covariates), indent=1))
