"""The first answer of an audit, and the whole of it, beside the same fits written down plainly.

    python -m tests.benchmarks.audit [--people 3000] [--permutations 20]

Simulates a cohort and audits L2 regression. The peer does the same in this minute with genotypes
already in memory as a matrix: a chi-squared test a column by SciPy's contingency, scikit-learn's
standard scaling, L2 regression at the same penalties, one labelling after the other, once honest
and once published. Prints JSON: seconds and their ratio.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
from scipy.stats import chi2_contingency
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from pipeline.audit import LOGISTIC
from pipeline.audit.models import first_plan
from pipeline.audit.protocols import audit
from pipeline.baselines import L2_PENALTIES
from pipeline.cohort import Cohort, open_cohort
from pipeline.example import example_job
from pipeline.genotypes import GENOTYPE_MISSING
from pipeline.progress import silent
from pipeline.recount import fetch_genotypes
from pipeline.settings import AnalysisSettings

NAME = "simulated"


def seconds_of_audit(cohort: Cohort, n_permutations: int) -> tuple[float, float]:
    """Return seconds until both orders are known on the true labels, and until all are."""
    start = time.perf_counter()
    first: list[float] = []
    audit(
        cohort, AnalysisSettings(), LOGISTIC, n_permutations,
        on_part=lambda _: first.append(time.perf_counter() - start),
    )  # fmt: skip
    return first[0], time.perf_counter() - start


def plain_seconds(cohort: Cohort, n_labellings: int) -> float:
    """Return seconds of the same, a labelling after the other, the genotypes in memory."""
    plan = first_plan(cohort, AnalysisSettings())
    split = plan.splits[0]
    codes = fetch_genotypes(cohort, plan.filtered.kept, plan.people)
    codes = np.where(codes == GENOTYPE_MISSING, 0, codes)
    rng = np.random.default_rng(1)
    start = time.perf_counter()
    for number in range(n_labellings):
        is_case = plan.is_case if number == 0 else rng.permutation(plan.is_case)
        for looked_at in (split.train, np.arange(len(is_case))):
            p = _p_values(codes[looked_at], is_case[looked_at])
            chosen = np.flatnonzero(p < 0.05)
            scaler = StandardScaler().fit(codes[np.ix_(split.train, chosen)])
            x, x_watch = (
                scaler.transform(codes[np.ix_(part, chosen)])
                for part in (split.train, split.validation)
            )
            losses = []
            for penalty in L2_PENALTIES:
                model = LogisticRegression(C=1 / (penalty * len(x)), max_iter=1000)
                model.fit(x, is_case[split.train])
                scores = model.predict_proba(x_watch)[:, 1]
                losses.append(log_loss(is_case[split.validation], scores, labels=[0, 1]))
    return time.perf_counter() - start


def _p_values(codes: np.ndarray, is_case: np.ndarray) -> np.ndarray:
    found = np.ones(codes.shape[1])
    for column in range(codes.shape[1]):
        table = np.array(
            [np.bincount(codes[side, column], minlength=3) for side in (is_case, ~is_case)]
        )
        table = table[:, table.any(axis=0)]
        if table.shape[1] > 1:
            found[column] = chi2_contingency(table, correction=False).pvalue
    return found


def main() -> None:
    """Print the figures as one JSON value."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=3000)
    parser.add_argument("--permutations", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        example_job(cache, {"name": NAME, "settings": {"people": asked.people}}, silent)
        cohort = open_cohort(cache, NAME)
        with closing(cohort.store), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first, whole = seconds_of_audit(cohort, asked.permutations)
            plain_first = plain_seconds(cohort, 1)
        plain = plain_first * (1 + asked.permutations)
    print(
        json.dumps(
            {
                "first_answer_s": round(first, 2),
                "audit_s": round(whole, 2),
                "plain_first_s": round(plain_first, 2),
                "plain_s_extrapolated": round(plain, 2),
                "ratio_first": round(first / plain_first, 3),
                "ratio": round(whole / plain, 3),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
