"""What preset `best` is worth against what it has to beat, on cohorts whose truth is known.

    python -m tests.benchmarks.best --out best.json [--seeds 101 102 103 104 105]
        [--people 4000] [--test-people 4000] [--genes 1300] [--traits additive recessive ...]
        [--contestants best final_2d_weighted ...]

Simulates people, genes and diagnoses in memory; chooses variants by the genotypic test of the
training people; fits every contestant on the training people and tunes it on the validation
people; measures AUC on test people that nothing else has seen. Writes rows as JSON to `--out`
after each cohort and trait, goes on where it stopped, and prints tables as Markdown. Seeds below
100 were used to design the network; those of a table are 101 and above.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from pipeline.baselines import log_odds_ratios
from pipeline.settings import NetworkSettings, TrainingSettings
from pipeline.simulate import SimulationSettings
from pipeline.simulate.coalescent import simulate_gene
from pipeline.simulate.genes import lay_genes
from pipeline.simulate.people import draw_people
from pipeline.simulate.phenotypes import (
    SCZ,
    Allele,
    choose_genes,
    diagnose,
    least_frequency,
    plant,
)
from pipeline.statistics import auc_delong, genotypic

# Name of a trait: what it changes in the settings of the simulator.
TRAITS = {
    "additive": {},
    "polygenic": {"causal_fraction": 0.6},
    "recessive": {"architecture": "recessive"},
    "compound": {"architecture": "compound"},
    "epistatic": {"architecture": "epistatic"},
    "noise": {"null": True},
}
# Additive; a quarter of it where the architecture is another.
N_CAUSAL_GENES = 39
MAX_P = 0.05
VALIDATION_FRACTION = 0.15
MIN_MAC = 5
# What preset `best` sets of network and training.
BEST_NETWORK = NetworkSettings(
    family="gene", filters=16, dropout=0.1, gene_products=True, gene_members=3
)
BEST_TRAINING = TrainingSettings(
    epochs=60, batch_size=128, learning_rate=3e-3, schedule="constant", plateau_factor=1.0,
    patience=12,
)  # fmt: skip
L1_SHARES = np.geomspace(0.9, 0.08, 10)
L2_PENALTIES = np.geomspace(30, 0.03, 7)


@dataclass(frozen=True, eq=False)
class Population:
    """Genotypes of a seed: codes uint8 (n_variants, n_people), 3 = missing, gene of each variant.

    `dosage` are the true counts that codes would be if nothing were missing.
    """

    settings: SimulationSettings
    codes: np.ndarray
    dosage: np.ndarray
    alleles: list[Allele]
    gene: np.ndarray


@dataclass(frozen=True, eq=False)
class Task:
    """Codes (n_people, n_variants) and labels of three parts, and the group of each variant."""

    x: tuple[np.ndarray, np.ndarray, np.ndarray]
    y: tuple[np.ndarray, np.ndarray, np.ndarray]
    groups: np.ndarray
    oracle_auc: float


def simulate_population(seed: int, n_people: int, n_genes: int) -> Population:
    """Return the variants of all autosomal genes, as ingest would see them after its filters."""
    settings = SimulationSettings(
        people=n_people, genes=n_genes, seed=seed, bp_fraction=0.0,
        causal_fraction=min(1.0, N_CAUSAL_GENES / n_genes),
    )  # fmt: skip
    people = draw_people(settings)
    ploidy = np.full(n_people, 2)
    first, second = people.haplotypes(ploidy)
    dosages, alleles, gene_of = [], [], []
    for gene in lay_genes(settings):
        if not gene.is_autosomal:
            continue
        for site in simulate_gene(gene, people.population_sizes(ploidy), seed):
            for number, alt in enumerate(site.alts, 1):
                carried = site.alleles == number
                dosage = carried[first].astype(np.uint8) + carried[second]
                count = int(dosage.sum())
                if alt == "*" or min(count, 2 * n_people - count) < MIN_MAC:
                    continue
                dosages.append(dosage)
                alleles.append(Allele(gene, site.pos, site.ref, alt, dosage))
                gene_of.append(gene.index)
    dosage = np.stack(dosages)
    rng = np.random.default_rng([seed, 77])
    lost = rng.random(dosage.shape, np.float32) < people.missing_rate
    return Population(settings, np.where(lost, 3, dosage).astype(np.uint8), dosage, alleles,
                      np.array(gene_of))  # fmt: skip


def make_task(population: Population, trait: str, n_test: int) -> Task:
    """Return the split of a trait, its variants chosen on training people alone."""
    settings = population.settings.model_copy(update=TRAITS[trait])
    people = draw_people(population.settings)
    floor = least_frequency(settings.architecture)
    alleles = [a for a in population.alleles if a.minor_frequency > floor]
    truth = plant(alleles, choose_genes(lay_genes(population.settings), settings), settings)
    truth, diagnosis = diagnose(truth, people, settings)
    is_case = np.array(diagnosis) == SCZ
    order = np.random.default_rng([settings.seed, 78]).permutation(len(is_case))
    test, rest = order[:n_test], order[n_test:]
    n_validation = round(VALIDATION_FRACTION * len(rest))
    parts = (np.sort(rest[n_validation:]), np.sort(rest[:n_validation]), np.sort(test))
    chosen = select_variants(population.codes[:, parts[0]], is_case[parts[0]])
    value = sum(
        effect * unit.score for unit, effect in zip(truth.units, truth.scz_effects, strict=True)
    )
    for k in np.unique(people.population):
        value[people.population == k] -= value[people.population == k].mean()
    return Task(
        x=tuple(np.ascontiguousarray(population.codes[np.ix_(chosen, part)].T) for part in parts),
        y=tuple(is_case[part] for part in parts),
        groups=np.unique(population.gene[chosen], return_inverse=True)[1].astype(np.int32),
        oracle_auc=auc_delong(is_case[parts[2]], value[parts[2]]).value,
    )


def select_variants(codes: np.ndarray, is_case: np.ndarray) -> np.ndarray:
    """Return the rows whose genotypic p among these people is below the line."""
    tables = []
    for people in (is_case, ~is_case):
        group = codes[:, people]
        tables.append(np.stack([(group == code).sum(axis=1) for code in range(3)], axis=1))
    return np.flatnonzero(genotypic(*tables).neg_log10_p > -np.log10(MAX_P))


def contestants() -> dict[str, Callable[[Task], np.ndarray]]:
    """Return what scores the test people of a task, (n_test,), by name."""
    return {
        "majority": lambda task: np.zeros(len(task.y[2])),
        "additive_score": _additive_score,
        "logistic_l1": lambda task: _logistic(task, l1_ratio=1.0),
        "logistic_l2": lambda task: _logistic(task, l1_ratio=0.0),
        "boosting": lambda task: _boosting(task, [impute(task, part) for part in range(3)]),
        "boosting_by_gene": lambda task: _boosting(task, [by_gene(task, p) for p in range(3)]),
        "best": _best,
        "final_2d": lambda task: _preset(task, "final_2d"),
        "final_2d_weighted": lambda task: _preset(task, "final_2d_weighted"),
    }


def impute(task: Task, part: int) -> np.ndarray:
    """Return dosages of a part, missing calls the mean of the training people."""
    codes = task.x[part]
    train = np.ma.masked_equal(task.x[0], 3)
    mean = train.mean(axis=0).filled(0).astype(np.float32)
    return np.where(codes == 3, mean, codes).astype(np.float32)


def by_gene(task: Task, part: int) -> np.ndarray:
    """Return dosages, and for each gene three pools: risk alleles, and people's two kinds of hits.

    The sign of a variant is that of its log odds ratio among training people. Pools are the
    number of risk alleles, of variants with one at the least, and the sum of log odds.
    """
    dosage = impute(task, part)
    odds = log_odds_ratios(task.x[0], task.y[0])
    risk = np.where(odds > 0, dosage, 2 - dosage)
    n_groups = int(task.groups.max()) + 1
    member = np.zeros((len(odds), n_groups), np.float32)
    member[np.arange(len(odds)), task.groups] = 1
    pools = [risk @ member, (risk > 0.5) @ member, (dosage * odds.astype(np.float32)) @ member]
    return np.hstack([dosage, *pools])


def _additive_score(task: Task) -> np.ndarray:
    return impute(task, 2) @ log_odds_ratios(task.x[0], task.y[0])


def _logistic(task: Task, l1_ratio: float) -> np.ndarray:
    x = [impute(task, part) for part in range(3)]
    spread = x[0].std(axis=0).clip(0.05)
    x = [(part - x[0].mean(axis=0)) / spread for part in x]
    y = task.y[0]
    gradient = x[0].T @ (y - y.mean()).astype(np.float32) / len(y)
    penalties = L1_SHARES * np.abs(gradient).max() if l1_ratio else L2_PENALTIES
    fits = []
    for penalty in penalties:
        model = LogisticRegression(
            C=1 / (penalty * len(y)), l1_ratio=l1_ratio, random_state=1, max_iter=1000,
            solver="liblinear" if l1_ratio else "lbfgs", intercept_scaling=10.0,
        ).fit(x[0], y)  # fmt: skip
        fits.append((auc(task.y[1], model.decision_function(x[1])), model))
    return max(fits, key=lambda fit: fit[0])[1].decision_function(x[2])


def _boosting(task: Task, x: Sequence[np.ndarray]) -> np.ndarray:
    """Return the score at the number of trees, and their size, of the highest validation AUC."""
    best, score = -1.0, None
    for leaves in (3, 6):
        model = HistGradientBoostingClassifier(
            learning_rate=0.1, max_leaf_nodes=leaves, max_iter=400, early_stopping=False,
            min_samples_leaf=20, max_features=0.3, random_state=1,
        ).fit(x[0], task.y[0])  # fmt: skip
        watched = list(model.staged_decision_function(x[1]))
        steps = [auc(task.y[1], stage.ravel()) for stage in watched]
        chosen = int(np.argmax(steps))
        if steps[chosen] > best:
            best = steps[chosen]
            for number, stage in enumerate(model.staged_decision_function(x[2])):
                if number == chosen:
                    score = stage.ravel()
                    break
    return score


def _best(task: Task) -> np.ndarray:
    from pipeline.training.genes import train_gene_network  # TensorFlow takes seconds to load

    model, _ = train_gene_network(
        task.x[0], task.y[0], task.x[1], task.y[1], task.groups, BEST_NETWORK, BEST_TRAINING
    )
    return model.predict(task.x[2], batch_size=1024, verbose=0)[:, -1]


def _preset(task: Task, name: str) -> np.ndarray:
    from pipeline.arrangement import arrange
    from pipeline.encoding import fit_encoding
    from pipeline.network import build_network
    from pipeline.presets import apply_preset
    from pipeline.training import predict_probability, train_network

    settings = apply_preset(name)
    (fit, watch, test), (y_fit, y_watch, _) = task.x, task.y
    entered = arrange(
        fit, y_fit, np.zeros(fit.shape[1]), task.groups, settings.encoding, settings.split.seed
    )
    columns = entered.columns
    encoding = fit_encoding(fit[:, columns], settings.encoding, entered.weights)
    model = build_network(encoding, settings.network, settings.training.seed)
    train_network(model, fit[:, columns], y_fit, watch[:, columns], y_watch, settings.training)
    return predict_probability(model, test[:, columns])


def auc(is_case: np.ndarray, score: np.ndarray) -> float:
    """Return the area under the ROC curve."""
    return auc_delong(is_case, score).value


def run_task(task: Task, names: Sequence[str]) -> dict:
    """Return AUC and seconds of each contestant, and what the task was like."""
    row: dict = {
        "n_train": len(task.y[0]), "n_validation": len(task.y[1]), "n_test": len(task.y[2]),
        "n_variants": task.x[0].shape[1], "n_genes": int(task.groups.max()) + 1,
        "auc": {"oracle": task.oracle_auc}, "seconds": {},
    }  # fmt: skip
    for name in names:
        start = time.perf_counter()
        score = contestants()[name](task)
        row["seconds"][name] = round(time.perf_counter() - start, 2)
        row["auc"][name] = auc(task.y[2], score)
    row["peak_gib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    return row


def run(arguments: argparse.Namespace) -> list[dict]:
    """Return all rows, those already in `--out` as they are; each is written when it is there."""
    out = Path(arguments.out)
    rows = json.loads(out.read_text())["rows"] if out.exists() else []
    for seed in arguments.seeds:
        population = None
        for trait in arguments.traits:
            old = next((r for r in rows if (r["seed"], r["trait"]) == (seed, trait)), None)
            missing = [n for n in arguments.contestants if not old or n not in old["auc"]]
            if not missing:
                continue
            if population is None:
                population = simulate_population(
                    seed, arguments.people + arguments.test_people, arguments.genes
                )
            new = run_task(make_task(population, trait, arguments.test_people), missing)
            if old:
                old["auc"] |= new["auc"]
                old["seconds"] |= new["seconds"]
            else:
                rows.append({"seed": seed, "trait": trait} | new)
            temporary = out.with_name(f".{out.name}.tmp")
            temporary.write_text(json.dumps({"arguments": vars(arguments), "rows": rows}, indent=1))
            temporary.replace(out)
            print(f"seed {seed} {trait}: {(old or rows[-1])['auc']}", flush=True)
    return rows


def tables(rows: Sequence[dict], names: Sequence[str]) -> str:
    """Return Markdown: mean AUC (SD) by trait, and `best` minus each, with 95 % t-intervals."""
    traits = [trait for trait in TRAITS if any(row["trait"] == trait for row in rows)]
    head = "| |" + "|".join(traits) + "|\n|---|" + "---|" * len(traits)
    means, differences, seconds = [head], [head], [head]
    for name in ["oracle", *names]:
        cells, against, took = [], [], []
        for trait in traits:
            own = [row for row in rows if row["trait"] == trait and name in row["auc"]]
            values = np.array([row["auc"][name] for row in own])
            cells.append(f"{values.mean():.3f} ({values.std(ddof=1):.3f})" if len(own) > 1 else
                         f"{values.mean():.3f}" if len(own) else "")  # fmt: skip
            paired = np.array(
                [r["auc"]["best"] - r["auc"][name] for r in own if "best" in r["auc"]]
            )
            against.append(_interval(paired))
            took.append(f"{np.median([r['seconds'].get(name, np.nan) for r in own]):.1f}")
        means.append(f"|{name}|" + "|".join(cells) + "|")
        differences.append(f"|best - {name}|" + "|".join(against) + "|")
        seconds.append(f"|{name}|" + "|".join(took) + "|")
    counts = ", ".join(f"{t} {sum(r['trait'] == t for r in rows)}" for t in traits)
    return "\n\n".join([
        f"Cohorts: {counts}", "Mean AUC (SD over cohorts)\n\n" + "\n".join(means),
        "Paired difference in AUC [95 % t-interval]\n\n" + "\n".join(differences),
        "Seconds, median\n\n" + "\n".join(seconds),
    ])  # fmt: skip


def _interval(values: np.ndarray) -> str:
    if len(values) < 2:
        return f"{values.mean():+.3f}" if len(values) else ""
    margin = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():+.3f} [{values.mean() - margin:+.3f}, {values.mean() + margin:+.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(101, 106)))
    parser.add_argument("--cohorts", type=int, help="take so many seeds from 101 on")
    parser.add_argument("--people", type=int, default=4000, help="to train and validate on")
    parser.add_argument("--test-people", type=int, default=4000)
    parser.add_argument("--genes", type=int, default=1300)
    parser.add_argument("--traits", nargs="+", default=list(TRAITS), choices=list(TRAITS))
    parser.add_argument(
        "--contestants",
        nargs="+",
        choices=list(contestants()),
        default=[name for name in contestants() if not name.startswith("final_2d")],
    )
    arguments = parser.parse_args()
    if arguments.cohorts:
        arguments.seeds = list(range(101, 101 + arguments.cohorts))
    print(tables(run(arguments), list(contestants())))


if __name__ == "__main__":
    main()
