"""Filter, test and draw 1.8 million variants, against DuckDB's own count over the same columns.

    python -m tests.benchmarks.refilter [--variants 1800000] [--repeats 7]

Prints JSON: medians in seconds and ratios within the same round. Every round moves a threshold.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.analysis import analyse
from pipeline.association import associate
from pipeline.cohort import open_cohort
from pipeline.quality import filter_variants
from pipeline.settings import AnalysisSettings, with_changes
from pipeline.summaries import genome_axis, manhattan_points
from tests.benchmarks.counts_cohort import write_counts_cohort

# The least that any answer needs: DuckDB filters and sums in one pass, as an analyst would write.
PEER = """
SELECT count(*) FILTER (qual > 30 AND kind = 'snp'
    AND (depth_sum_1 + depth_sum_2) / (depth_n_1 + depth_n_2) >= 8
    AND (site_n_called_1 + site_n_called_2) / 11214.0 >= 0.9),
  sum(pow(n_het_1 - n_het_2 * 4969.0 / 6245.0, 2) / nullif(n_het_1 + n_het_2, 0)
    + pow(n_hom_alt_1 - n_hom_alt_2 * 4969.0 / 6245.0, 2) / nullif(n_hom_alt_1 + n_hom_alt_2, 0)
    + pow(n_hom_ref_1 - n_hom_ref_2 * 4969.0 / 6245.0, 2) / nullif(n_hom_ref_1 + n_hom_ref_2, 0))
FROM variants POSITIONAL JOIN counts
"""


def timed(call: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def measure(n_variants: int, repeats: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        write_counts_cohort(Path(folder), "big", n_variants)
        cohort = open_cohort(Path(folder), "big")
        axis = genome_axis(cohort)
        rounds = []
        for i in range(repeats + 1):
            settings = with_changes(AnalysisSettings(), {"quality.min_mean_depth": 8.0 + 0.5 * i})
            parts: dict[str, float] = {}
            parts["filter"], filtered = timed(lambda s=settings: filter_variants(cohort, s.quality))
            parts["test"], found = timed(lambda f=filtered: associate(cohort, f))
            parts["manhattan"], _ = timed(
                lambda f=filtered, a=found: manhattan_points(cohort, axis, f, a)
            )
            parts["whole analysis"], _ = timed(lambda s=settings: analyse(cohort, s))
            parts["peer: one DuckDB pass"], _ = timed(lambda: cohort.store.rows(PEER))
            rounds.append(parts)
        rounds = rounds[1:]  # the first compiles kernels and warms the page cache
        medians = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
        return {
            "variants": n_variants,
            "kept": len(filtered.kept),
            "seconds": {name: round(value, 3) for name, value in medians.items()},
            "filter + test, seconds": round(
                statistics.median(r["filter"] + r["test"] for r in rounds), 3
            ),
            "filter + test + manhattan, seconds": round(
                statistics.median(r["filter"] + r["test"] + r["manhattan"] for r in rounds), 3
            ),
            "filter + test / one DuckDB pass": round(
                statistics.median(
                    (r["filter"] + r["test"]) / r["peer: one DuckDB pass"] for r in rounds
                ), 2,
            ),
        }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=1_800_000)
    parser.add_argument("--repeats", type=int, default=7)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.variants, asked.repeats), indent=1))
