"""Single variants: their names, what removed them, all that is known of one."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from pipeline.association import Association, associate, genes_of, odds_ratios
from pipeline.cohort import Cohort
from pipeline.measures import SexCounts
from pipeline.quality import KEPT, STEPS, TITLES, Filtered, count_alleles
from pipeline.schema import CHROMOSOME_ORDER, GENOTYPE_ROWS, chromosome_order, plain_chromosome
from pipeline.settings import AssociationSettings
from pipeline.statistics import TESTS, hwe_exact

_FEMALE = 1  # of the sexes in `SexCounts`
# From the most severe on.
_CLASSES = ("lof", "missense", "synonymous", "other")
_NEEDS_PEOPLE = "logistic"  # the one test that the counts of a variant do not suffice for


def name_variants(cohort: Cohort, variants: np.ndarray) -> pd.DataFrame:
    """Return variant_index, chrom, pos, rsid, ref, alt, variant_id, gene of some variants."""
    if not len(variants):
        return pd.DataFrame(columns=["variant_index", "chrom", "pos", "rsid", "ref", "alt",
                                     "variant_id", "gene"])  # fmt: skip
    named = cohort.sites(np.sort(variants)).drop(columns="chrom_order")
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


def has_annotation(cohort: Cohort, table: str) -> bool:
    """Say whether the annotation of a cohort has a table; old annotations lack some."""
    return bool(
        cohort.store.rows(
            "SELECT 1 FROM information_schema.tables "
            "WHERE table_catalog = 'annotation' AND table_name = $1",
            [table],
        )
    )


def consequences_of(cohort: Cohort, variants: np.ndarray) -> pd.DataFrame:
    """Return the consequences of some variants, the most severe of each first.

    Columns variant_index, gene, consequence, consequence_class, source; no rows where none has
    been read.
    """
    columns = ["variant_index", "gene", "consequence", "consequence_class", "source"]
    if not len(variants) or not has_annotation(cohort, "consequences"):
        return pd.DataFrame(columns=columns)
    found = cohort.store.frame_of(
        f"SELECT {', '.join(columns)} FROM annotation.consequences "
        "WHERE variant_index IN (SELECT wanted_index FROM wanted) ORDER BY variant_index, gene",
        variants,
    )
    severity = found["consequence_class"].map({name: n for n, name in enumerate(_CLASSES)})
    order = np.lexsort((severity.fillna(len(_CLASSES)), found["variant_index"]))
    return found.iloc[order].reset_index(drop=True)


def find_variants(
    cohort: Cohort,
    filtered: Filtered,
    text: str,
    n: int = 50,
    *,
    found: Association | None = None,
    drawn: np.ndarray | None = None,
) -> pd.DataFrame:
    """Return variants by rsID, `chrom:pos`, `chrom_pos_ref_alt` or gene, with what became of each.

    `removed_by` is the step, or `kept`; `reason` says in words whether the variant was removed,
    is not tested and why, is hidden for a small expected count, or is in the plot, as far as
    `found` and `drawn` (the variant indices of the plot's points) are given. Empty when nothing
    matches.
    """
    variants = _matching(cohort, text.strip(), n)
    table = name_variants(cohort, variants)
    codes = filtered.removed_by[variants]
    table["removed_by"] = ["kept" if code == KEPT else STEPS[code] for code in codes]
    table["reason"] = [
        _reason(cohort, filtered, int(variant), found, drawn) for variant in variants
    ]
    return table


def _matching(cohort: Cohort, text: str, n: int) -> np.ndarray:
    """Return the indices of the variants that a search means, in genomic order, at most n."""
    place = text.replace(":", "_").replace("-", "_").replace(">", "_").split("_")
    matches: list[np.ndarray] = []
    if len(place) >= 2 and place[1].replace(",", "").isdigit():
        chrom = plain_chromosome(place[0])
        by = "chrom_order = $2" if chrom in CHROMOSOME_ORDER else "chrom = $2"
        name = chromosome_order(chrom) if chrom in CHROMOSOME_ORDER else place[0]
        values: list[Any] = [int(place[1].replace(",", "")), name]
        if len(place) >= 4:
            by += " AND upper(ref) = $3 AND upper(alt) = $4"
            values += [place[2].upper(), place[3].upper()]
        if values[0] < 2**32:
            matches.append(
                cohort.store.arrays(
                    f"SELECT variant_index FROM variants WHERE pos = $1 AND {by} "
                    f"ORDER BY variant_index LIMIT {int(n)}",
                    values,
                )["variant_index"]
            )
    if not any(map(len, matches)) and text:
        matches.append(
            cohort.store.arrays(
                "SELECT variant_index FROM variants WHERE lower(rsid) = lower($1) "
                "ORDER BY variant_index LIMIT $2",
                [text, n],
            )["variant_index"]
        )
    if not any(map(len, matches)) and cohort.has_genes:
        matches.append(
            cohort.store.arrays(
                "SELECT variant_index FROM annotation.variant_genes "
                "WHERE lower(gene) = lower($1) ORDER BY variant_index LIMIT $2",
                [text, n],
            )["variant_index"]
        )
    return np.unique(np.concatenate([np.array([], np.int64), *matches])).astype(np.int64)


def _reason(
    cohort: Cohort,
    filtered: Filtered,
    variant: int,
    found: Association | None,
    drawn: np.ndarray | None,
) -> str:
    """Return what became of a variant, in words."""
    code = int(filtered.removed_by[variant])
    if code != KEPT:
        return f"removed by “{TITLES[STEPS[code]]}”"
    if found is None:
        return "kept"
    row = int(np.searchsorted(filtered.kept, variant))
    log_p = float(found.neg_log10_p[row])
    if np.isnan(log_p):
        return f"kept, not tested: {_untested(cohort, filtered, found, row)}"
    tested = f"tested, −log10 p {log_p:.2f}"
    if drawn is None:
        return tested
    if variant in drawn:
        return f"in the plot, −log10 p {log_p:.2f}"
    return f"{tested}; thinned out of the plot, where a neighbour stands for it"


def _untested(cohort: Cohort, filtered: Filtered, found: Association, row: int) -> str:
    case, control = filtered.case[row, :3], filtered.control[row, :3]
    if _region(cohort, int(filtered.kept[row])) == "y":
        return "no test is defined on Y"
    if not case.sum() or not control.sum():
        return f"no {'control' if case.sum() else 'case'} has a called genotype"
    if np.count_nonzero(case + control) < 2:
        return "everybody called has the same genotype"
    if found.is_doubtful[row]:
        return "hidden, because an expected count is small"
    return f"the {found.test} test gives no p for these genotypes"


def _region(cohort: Cohort, variant: int) -> str:
    rows = cohort.store.rows("SELECT region FROM variants WHERE variant_index = $1", [variant])
    return rows[0][0]


def variant_card(
    cohort: Cohort,
    filtered: Filtered,
    found: Association,
    variant_index: int,
    settings: AssociationSettings | None = None,
) -> dict[str, Any]:
    """Return what is known of one variant: names, quality, genotype table, every test.

    `genotypes` has group, genotype, n. `tests` has the -log10 p of each test of counts (of
    logistic regression too where `found` is of it), NaN where there is none; on X all know who
    has one copy, and `hwe_neg_log10_p` is of female controls. `case_mean_depth` is NaN where the
    source has no depth. `consequences` and `gene_region` are empty where nothing was read. A
    variant that a step removed has its step in `removed_by` and no tests.
    """
    named = name_variants(cohort, np.array([variant_index]))
    if named.empty:
        return {}
    quality = cohort.store.frame(
        "SELECT qual, filter, kind, region FROM variants WHERE variant_index = $1",
        [int(variant_index)],
    ).iloc[0]
    card: dict[str, Any] = named.iloc[0].to_dict() | quality.to_dict()
    card |= _annotations(cohort, variant_index) | _depths(cohort, filtered, variant_index)
    card["links"] = links(card, cohort.certificate["settings"]["build"])
    code = int(filtered.removed_by[variant_index])
    card["removed_by"] = None if code == KEPT else STEPS[code]
    if code != KEPT:
        return card
    row = int(np.searchsorted(filtered.kept, variant_index))
    alone = _alone(filtered, row)
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
    ratio = odds_ratios(cohort, filtered, np.array([row]), found)
    for name in ("odds_ratio", "ci_low", "ci_high"):
        card[name] = float(getattr(ratio, name)[0])
    card["is_doubtful"] = bool(found.is_doubtful[row])
    card["tests"] = _tests(cohort, alone, settings or AssociationSettings())
    if found.test == _NEEDS_PEOPLE:
        card["tests"][_NEEDS_PEOPLE] = card["neg_log10_p"]
    card["hwe_neg_log10_p"] = _hwe(alone, card["region"])
    for role, numbers in counts.items():
        called, total = int(numbers[:3].sum()), int(numbers.sum())
        card[f"{role}_call_rate"] = called / total if total else float("nan")
        card[f"{role}_alt_frequency"] = _alt_frequency(alone, role, card["region"])
    return card


def _alone(filtered: Filtered, row: int) -> Filtered:
    """Return the filtered variants with one of the kept ones alone."""
    of_sex = np.flatnonzero(filtered.sex_counts.rows == row)
    return replace(
        filtered,
        kept=filtered.kept[[row]],
        case=filtered.case[[row]],
        control=filtered.control[[row]],
        sex_counts=SexCounts(
            np.zeros(len(of_sex), np.int64),
            filtered.sex_counts.case[of_sex],
            filtered.sex_counts.control[of_sex],
        ),
    )


def _tests(cohort: Cohort, alone: Filtered, settings: AssociationSettings) -> dict[str, float]:
    """Return the -log10 p of one variant by every test of its counts, as each test gives it."""
    return {
        name: float(
            associate(
                cohort,
                alone,
                settings.model_copy(update={"test": name, "small_expected": "flag"}),
            ).neg_log10_p[0]
        )
        for name in TESTS
        if name != _NEEDS_PEOPLE
    }


def _hwe(alone: Filtered, region: str) -> float:
    """Return the -log10 p of Hardy-Weinberg in controls, of females on X; NaN if haploid."""
    if region in {"y", "mt"}:
        return float("nan")
    control = alone.control
    if region == "x":
        control = alone.sex_counts.control[:, _FEMALE]
    return float(hwe_exact(control[:, 0], control[:, 1], control[:, 2])[0])


def _alt_frequency(alone: Filtered, role: str, region: str) -> float:
    """Return the frequency of ALT in a group; who has one copy counts once, NaN if nobody does."""
    counts = getattr(alone, role)
    if region == "mt":
        alt, called = counts[:, 2], counts[:, 0] + counts[:, 2]
    else:
        of_sex = getattr(alone.sex_counts, role)
        sexed = SexCounts(alone.sex_counts.rows, of_sex, np.zeros_like(of_sex))
        alt, called = count_alleles(counts, sexed)
    return float(alt[0] / called[0]) if called[0] else float("nan")


def _depths(cohort: Cohort, filtered: Filtered, variant_index: int) -> dict[str, float]:
    """Return the mean depth of a variant in cases and in controls, NaN without depths."""
    depths = {}
    for role in ("case", "control"):
        numbers = cohort.diagnosis_numbers(getattr(filtered.definition, role))
        total, n = (
            " + ".join(f"{name}_{d}" for d in numbers) or "0" for name in ("depth_sum", "depth_n")
        )
        ((depth_sum, depth_n),) = cohort.store.rows(
            f"SELECT {total}, {n} FROM variants POSITIONAL JOIN counts WHERE variant_index = $1",
            [int(variant_index)],
        )
        depths[f"{role}_mean_depth"] = depth_sum / depth_n if depth_n else float("nan")
    return depths


def _annotations(cohort: Cohort, variant_index: int) -> dict[str, Any]:
    """Return gene_region, region_genes, region_detail (None if not read) and consequences."""
    card: dict[str, Any] = dict.fromkeys(("gene_region", "region_genes", "region_detail"))
    card["consequences"] = (
        consequences_of(cohort, np.array([variant_index]))
        .drop(columns="variant_index")
        .to_dict("records")
    )
    if has_annotation(cohort, "variant_regions"):
        rows = cohort.store.rows(
            f"SELECT {', '.join(list(card)[:3])} FROM annotation.variant_regions "
            "WHERE variant_index = $1",
            [int(variant_index)],
        )
        if rows:
            card |= dict(zip(list(card)[:3], rows[0], strict=True))
    return card


def links(card: dict[str, Any], build: str) -> list[tuple[str, str]]:
    """Return (name, URL) of a variant's pages elsewhere, for its build; nothing is loaded.

    A link is left out where chromosome or alleles are not ones that the site knows.
    """
    chrom, pos = str(card["chrom"]), int(card["pos"])
    made: list[tuple[str, str]] = []
    if chrom in CHROMOSOME_ORDER:
        ref, alt = str(card["ref"]).upper(), str(card["alt"]).upper()
        # gnomAD 2.1 has no mitochondrion, gnomAD 4 names it M.
        is_known = chrom != "MT" or build == "hg38"
        if is_known and re.fullmatch("[ACGT]+", ref) and re.fullmatch("[ACGT]+", alt):
            dataset = {"hg19": "gnomad_r2_1", "hg38": "gnomad_r4"}[build]
            name = quote(f"{'M' if chrom == 'MT' else chrom}-{pos}-{ref}-{alt}", safe="")
            made.append(
                ("gnomAD", f"https://gnomad.broadinstitute.org/variant/{name}?dataset={dataset}")
            )
    rsid = card.get("rsid")
    if isinstance(rsid, str) and re.fullmatch(r"rs\d+", rsid.lower()):
        made.append(("dbSNP", f"https://www.ncbi.nlm.nih.gov/snp/{quote(rsid.lower(), safe='')}"))
    if chrom in CHROMOSOME_ORDER:
        span = f"{max(1, pos - 50)}-{pos + len(str(card['ref'])) + 50}"
        host = {"hg19": "grch37.ensembl.org", "hg38": "www.ensembl.org"}[build]
        region = quote(f"{chrom}:{span}", safe="")
        made.append(("Ensembl", f"https://{host}/Homo_sapiens/Location/View?r={region}"))
        # UCSC's chrM of hg19 is another sequence than that of VCFs; theirs is chrMT.
        ucsc = "M" if chrom == "MT" and build == "hg38" else chrom
        position = quote(f"chr{ucsc}:{span}", safe="")
        made.append(
            ("UCSC", f"https://genome.ucsc.edu/cgi-bin/hgTracks?db={build}&position={position}")
        )
    return made
