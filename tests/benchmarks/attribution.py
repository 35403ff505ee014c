"""Which genes are found again by what a network looked at, on cohorts whose truth is known.

    python -m tests.benchmarks.attribution --out attribution.json [--seeds 201 202 203 204 205]
        [--people 3000] [--genes 650] [--traits additive compound] [--presets best quick]

Simulates and ingests a cohort for each seed and trait, trains each preset with variants chosen by
training people, and ranks genes by chi-squared (largest −log10 p), by the weights of L1 and L2
logistic regression and by attribution (sums over the variants of a gene of absolute values; of all
that is learned from training people, and attribution is measured on test people). Precision and
recall of the causal genes of `truth.tsv` among the first k genes, with 95 % t-intervals over
seeds. Writes rows to `--out` after each cohort, goes on where it stopped, prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from pipeline import runs
from pipeline.attribution import over_folds
from pipeline.attribution.job import attribute
from pipeline.cohort import open_cohort
from pipeline.experiment import run_training
from pipeline.presets import apply_preset
from pipeline.progress import silent
from pipeline.settings import with_changes
from tests.truth.known import NAME, Known, simulated

SEEDS = (201, 202, 203, 204, 205)
TRAITS = ("additive", "compound")
PRESETS = ("best", "quick")
TOPS = {"additive": (10, 20, 40), "compound": (5, 10, 20)}
WEIGHTS = {"L1 logistic": "l1_weight", "L2 logistic": "l2_weight"}


def gene_scores(variants: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the score of each gene by chi-squared, regressions and attribution."""
    by = variants.groupby("gene")
    found = {"chi-squared": by["neg_log10_p"].max()}
    for name, column in WEIGHTS.items():
        found[name] = variants[column].abs().groupby(variants["gene"]).sum()
    return found | {"attribution": by["share"].sum()}


def found_again(score: pd.Series, causal: Iterable[str], k: int) -> tuple[float, float]:
    """Return precision and recall of causal genes among the first `k` of positive score.

    Where fewer than `k` have one, precision counts the empty places as misses.
    """
    causal = set(causal)
    first = score[score > 0].sort_values(ascending=False, kind="stable").index[:k]
    n_found = len(causal & set(first))
    return n_found / k, n_found / len(causal)


def cohort_rows(known: Known, trait: str, seed: int, presets: Iterable[str]) -> list[dict]:
    """Return precision and recall of every ranking on one cohort."""
    causal = set(known.truth["gene"])
    rows = []
    for preset in presets:
        start = time.monotonic()
        settings = with_changes(apply_preset(preset), {"evaluation.baselines": False})
        cohort = open_cohort(known.cache, NAME)
        genes = cohort.gene_table
        cohort.store.close()
        run = runs.create(known.cache, NAME, cohort.fingerprint, settings, genes=genes
                          if settings.goes_by_genes else "")  # fmt: skip
        run_training(known.cache, {"run": run.id}, silent)
        runs.update_state(run, "finished")
        trained = time.monotonic()
        made = attribute(known.cache, run.id)
        took = time.monotonic() - trained
        auc = runs.read_metrics(run)["test"]["auc"]["value"]
        variants = over_folds(made.table, made.n_folds)
        for name, score in gene_scores(variants).items():
            if name != "attribution" and preset != presets[0]:
                continue  # the variants are the same, and so are the regressions
            method = f"attribution, {preset}" if name == "attribution" else name
            for k in TOPS[trait]:
                precision, recall = found_again(score, causal, k)
                rows.append(
                    {
                        "trait": trait,
                        "seed": seed,
                        "method": method,
                        "k": k,
                        "precision": precision,
                        "recall": recall,
                        "n_causal": len(causal),
                        "n_genes": len(score),
                        "n_causal_entered": len(causal & set(score.index)),
                        "auc": auc if name == "attribution" else None,
                        "largest_error": made.completeness["largest"],
                        "train_s": trained - start,
                        "attribute_s": took,
                    }
                )
    return rows


def mean_and_half(values: pd.Series) -> str:
    """Return a mean with its 95 % t-interval: .62 [.55, .69]."""
    mean, n = values.mean(), len(values)
    if n < 2:
        return f"{mean:.2f}"
    half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return f"{mean:.2f} [{max(0.0, mean - half):.2f}, {min(1.0, mean + half):.2f}]"


def report(rows: list[dict]) -> str:
    """Return a table a trait, as Markdown."""
    frame = pd.DataFrame(rows)
    lines = []
    for trait, of_trait in frame.groupby("trait", sort=False):
        n = of_trait.groupby("seed")[["n_causal", "n_causal_entered", "n_genes"]].first().mean()
        lines += [
            f"{trait}: {of_trait['seed'].nunique()} cohorts; on average {n['n_causal']:.0f} causal "
            f"genes, {n['n_causal_entered']:.0f} of them among the {n['n_genes']:.0f} that entered",
            "",
        ]
        tops = sorted(of_trait["k"].unique())
        head = [f"precision of {k} | recall of {k}" for k in tops]
        lines += ["| genes by | " + " | ".join(head) + " |", "|---" * (1 + 2 * len(tops)) + "|"]
        for method, of_method in of_trait.groupby("method", sort=False):
            cells = [
                mean_and_half(of_method.loc[of_method["k"] == k, what])
                for k in tops
                for what in ("precision", "recall")
            ]
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
        lines += ["", _differences(of_trait, tops), ""]
    return "\n".join(lines)


def _differences(of_trait: pd.DataFrame, tops: list[int]) -> str:
    """Return attribution minus the others at the middle k, paired over cohorts."""
    k = tops[len(tops) // 2]
    wide = of_trait[of_trait["k"] == k].pivot(index="seed", columns="method", values="precision")
    told = []
    for name in [c for c in wide if c.startswith("attribution")]:
        for other in ("chi-squared", *WEIGHTS):
            gap = (wide[name] - wide[other]).dropna()
            half = stats.t.ppf(0.975, max(1, len(gap) - 1)) * gap.std(ddof=1) / np.sqrt(len(gap))
            told.append(f"{name} − {other}: {gap.mean():+.2f} ± {half:.2f}")
    return f"Precision of {k}, paired: " + "; ".join(told) + "."


def main() -> None:
    """Run what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--people", type=int, default=3000)
    parser.add_argument("--genes", type=int, default=650)
    parser.add_argument("--traits", nargs="+", choices=TRAITS, default=list(TRAITS))
    parser.add_argument("--presets", nargs="+", default=list(PRESETS))
    asked = parser.parse_args()
    rows = json.loads(asked.out.read_text()) if asked.out.exists() else []
    done = {(row["trait"], row["seed"]) for row in rows}
    for seed in asked.seeds:
        for trait in asked.traits:
            if (trait, seed) in done:
                continue
            with tempfile.TemporaryDirectory() as folder:
                known = simulated(
                    Path(folder), people=asked.people, genes=asked.genes, seed=seed,
                    architecture=trait,
                )  # fmt: skip
                rows += cohort_rows(known, trait, seed, asked.presets)
            asked.out.write_text(json.dumps(rows, indent=1))
            print(f"{trait} {seed} done", flush=True)
    print(report(rows))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
