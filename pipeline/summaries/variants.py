"""Single variants: their names, what removed them, all that is known of one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.association import Association, genes_of, odds_ratios
from pipeline.cohort import Cohort
from pipeline.quality import KEPT, STEPS, Filtered
from pipeline.schema import GENOTYPE_ROWS, plain_chromosome
from pipeline.statistics import TESTS, hwe_exact


def name_variants(cohort: Cohort, variants: np.ndarray) -> pd.DataFrame:
    """Return variant_index, chrom, pos, rsid, ref, alt, variant_id, gene of some variants."""
    if not len(variants):
        return pd.DataFrame(columns=["variant_index", "chrom", "pos", "rsid", "ref", "alt",
                                     "variant_id", "gene"])  # fmt: skip
    named = cohort.store.frame_of(
        "SELECT variant_index, chrom, pos, rsid, ref, alt FROM variants "
        "WHERE variant_index IN (SELECT wanted_index FROM wanted) ORDER BY variant_index",
        variants,
    )
    chrom = [plain_chromosome(written) for written in named["chrom"]]
    named["chrom"] = chrom
    named["variant_id"] = [
        f"{c}_{pos}_{ref}_{alt}"
        for c, pos, ref, alt in zip(chrom, named["pos"], named["ref"], named["alt"], strict=True)
    ]
    named["gene"] = genes_of(cohort, named["variant_index"].to_numpy()).to_numpy()
    return named


def removed_examples(cohort: Cohort, filtered: Filtered, step: str, n: int = 20) -> pd.DataFrame:
    """Return some of the variants that a step removed, spread over the genome."""
    rows = np.flatnonzero(filtered.removed_by == STEPS.index(step))
    if len(rows) > n:
        rows = rows[np.linspace(0, len(rows) - 1, n).astype(int)]
    return name_variants(cohort, rows)


def find_variants(cohort: Cohort, filtered: Filtered, text: str, n: int = 50) -> pd.DataFrame:
    """Return variants by rsID, `chrom:pos`, `chrom_pos_ref_alt` or gene, with what removed each.

    `removed_by` is the step, or `kept`. Empty when nothing matches.
    """
    text = text.strip()
    place = text.replace(":", "_").replace("-", "_").split("_")
    if len(place) >= 2 and place[1].replace(",", "").isdigit():
        found = cohort.store.arrays(
            "SELECT variant_index FROM variants WHERE pos = $1 "
            "AND (chrom = $2 OR chrom = 'chr' || $2) LIMIT $3",
            [int(place[1].replace(",", "")), place[0].removeprefix("chr"), n],
        )
    elif text.lower().startswith("rs") and text[2:].isdigit():
        found = cohort.store.arrays(
            "SELECT variant_index FROM variants WHERE lower(rsid) = lower($1) LIMIT $2", [text, n]
        )
    elif cohort.has_genes:
        found = cohort.store.arrays(
            "SELECT variant_index FROM annotation.variant_genes WHERE lower(gene) = lower($1) "
            "ORDER BY variant_index LIMIT $2",
            [text, n],
        )
    else:
        found = {"variant_index": np.array([], np.int64)}
    variants = np.unique(found["variant_index"]).astype(np.int64)
    table = name_variants(cohort, variants)
    codes = filtered.removed_by[variants]
    table["removed_by"] = ["kept" if code == KEPT else STEPS[code] for code in codes]
    return table


def variant_card(
    cohort: Cohort, filtered: Filtered, found: Association, variant_index: int
) -> dict[str, Any]:
    """Return what is known of one variant: names, quality, genotype table, every test.

    `genotypes` has group, genotype, n. A variant that a step removed has its step in
    `removed_by` and no tests.
    """
    named = name_variants(cohort, np.array([variant_index]))
    if named.empty:
        return {}
    quality = cohort.store.frame(
        "SELECT qual, filter, kind, region FROM variants WHERE variant_index = $1",
        [int(variant_index)],
    ).iloc[0]
    card: dict[str, Any] = named.iloc[0].to_dict() | quality.to_dict()
    code = int(filtered.removed_by[variant_index])
    card["removed_by"] = None if code == KEPT else STEPS[code]
    if code != KEPT:
        return card
    row = int(np.searchsorted(filtered.kept, variant_index))
    counts = {"case": filtered.case[row], "control": filtered.control[row]}
    card["genotypes"] = pd.DataFrame(
        [
            {"group": role, "genotype": genotype, "n": int(n)}
            for role, numbers in counts.items()
            for genotype, n in zip(GENOTYPE_ROWS, numbers, strict=True)
        ]
    )
    for name in ("neg_log10_p", "statistic", "df"):
        card[name] = float(getattr(found, name)[row])
    ratio = odds_ratios(cohort, filtered, np.array([row]))
    for name in ("odds_ratio", "ci_low", "ci_high"):
        card[name] = float(getattr(ratio, name)[0])
    card["is_doubtful"] = bool(found.is_doubtful[row])
    tables = [numbers[None, :3] for numbers in counts.values()]
    card["tests"] = {name: float(test(*tables).neg_log10_p[0]) for name, test in TESTS.items()}
    control = counts["control"]
    card["hwe_neg_log10_p"] = float(hwe_exact(control[:1], control[1:2], control[2:3])[0])
    for role, numbers in counts.items():
        called, total = int(numbers[:3].sum()), int(numbers.sum())
        card[f"{role}_call_rate"] = called / total if total else float("nan")
        alt = int(numbers[1] + 2 * numbers[2])
        card[f"{role}_alt_frequency"] = alt / (2 * called) if called else float("nan")
    return card
