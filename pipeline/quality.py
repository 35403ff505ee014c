"""Which variants are kept, and what each rule removed.

The paper's rules in the paper's order: first round on the site, split, second round on the split
variant, sex chromosomes and indels out; then the rules that it leaves out. People who are neither
case nor control are left out of every count. Nothing is written: the figures of all variants are
read once (`measures`), and thresholds move over them.

A missing QUAL, FILTER, depth or GQ never fails a rule; the step's note tells how many there are.
Hardy-Weinberg and differential missingness read labels: an honest run computes them on training
people (`reads_labels`), while the funnel shown here sees all people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.cohort import Cohort
from pipeline.errors import EmptyResultError
from pipeline.measures import Measures, SexCounts, measure
from pipeline.people import CaseDefinition
from pipeline.schema import OTHER_CHROMOSOME, chromosome_order
from pipeline.settings import PeopleSettings, QualitySettings
from pipeline.settings.regions import read_regions
from pipeline.statistics import fisher_2x2, hwe_exact

TITLES = {
    "input": "Sites read",
    "qual": "Site quality",
    "filter": "FILTER is PASS",
    "ac_1": "Allele count above 0",
    "depth_1": "Mean depth",
    "call_rate_1": "Call rate",
    "split": "Multi-allelic sites split",
    "ac_2": "Allele count above 0, split",
    "depth_2": "Mean depth, split",
    "call_rate_2": "Call rate, split",
    "sex_chromosomes": "Autosomes",
    "indels": "Single-nucleotide variants",
    "mac": "Minor allele count",
    "hwe": "Hardy-Weinberg in controls",
    "gq": "Mean genotype quality",
    "missingness": "Differential missingness",
    "regions": "Outside the regions left out",
}
STEPS = tuple(TITLES)
KEPT = len(STEPS)  # the code in `removed_by` of a variant that no step removed
_NOT_AVAILABLE = "not available"
_FIRST_ROUND = STEPS[: STEPS.index("split")]


@dataclass(frozen=True)
class Step:
    """One rule: what is left after it (sites before the split, variants after), what it removed.

    At the split `removed` is negative: the rows that were added. `is_off` where nothing was asked
    of the variants: the rule is switched off, or (`has_no_data`) the source has no such figure.
    """

    step: str
    title: str
    variants: int
    removed: int
    is_off: bool = False
    note: str = ""
    has_no_data: bool = False

    def as_dict(self) -> dict:
        """Return the step as the command line prints it."""
        shown = {"step": self.step, "variants": self.variants, "removed": self.removed}
        return shown | ({"note": self.note} if self.note else {})


@dataclass(frozen=True)
class Filtered:
    """The kept variants with their counts, and the funnel.

    `removed_by` uint8 (n_variants,) is the position in `STEPS` of the rule that removed a
    variant, or `KEPT`. `kept` (n_kept,) are variant indices in genomic order; `case` and
    `control` int32 (n_kept, 4) count hom_ref, het, hom_alt, missing. `region` (n_kept,) is
    `schema.region_of` as text.
    """

    steps: tuple[Step, ...]
    definition: CaseDefinition
    n_case: int
    n_control: int
    n_excluded: int
    removed_by: np.ndarray
    kept: np.ndarray
    case: np.ndarray
    control: np.ndarray
    sex_counts: SexCounts

    def as_dict(self) -> dict:
        """Return what `quality --json` prints."""
        people = {"case": self.n_case, "control": self.n_control, "excluded": self.n_excluded}
        steps = [step.as_dict() for step in self.steps]
        return {"steps": steps, "variants": len(self.kept), "people": people}


def filter_variants(
    cohort: Cohort, settings: QualitySettings, people: PeopleSettings | None = None
) -> Filtered:
    """Return the kept variants of a cohort under these thresholds, with the funnel.

    Raises `EmptyResultError` when nobody is a case or control. Keeping no variant is a result.
    """
    definition = cohort.define_cases(people or PeopleSettings())
    n_people = definition.counts(cohort.n_people)
    if n_people["case"] + n_people["control"] == 0:
        raise EmptyResultError(
            "Quality is counted over cases and controls, but nobody is either; "
            "name the diagnoses that are cases and controls."
        )
    n_everybody = cohort.store.rows("SELECT count(*) FROM samples")[0][0]
    measures = measure(cohort, definition)
    sex_counts = measures.sex_counts
    removed_by = _first_failed(settings, measures)
    on = _asked(settings) | _fail_further(settings, removed_by, sex_counts, measures)
    if settings.without_regions:
        on.add("regions")
        inside = in_regions(cohort, settings.without_regions)
        removed_by[inside[removed_by[inside] == KEPT]] = STEPS.index("regions")
    steps = _funnel(cohort, settings, removed_by, measures.is_first, on)
    is_kept = removed_by == KEPT
    kept = np.flatnonzero(is_kept)
    on_sex = is_kept[sex_counts.rows]
    return Filtered(
        steps,
        definition,
        n_people["case"],
        n_people["control"],
        n_everybody - n_people["case"] - n_people["control"],
        removed_by,
        kept,
        measures.case[kept],
        measures.control[kept],
        SexCounts(
            np.searchsorted(kept, sex_counts.rows[on_sex]),
            sex_counts.case[on_sex],
            sex_counts.control[on_sex],
        ),
    )


def keeps_by_labels(
    settings: QualitySettings, case: np.ndarray, control: np.ndarray, diploid_control: np.ndarray
) -> np.ndarray:
    """Return which variants pass the rules that read labels, bool (n,).

    All counts are (n, 4), hom_ref, het, hom_alt, missing, of the people that may be looked at:
    training people in an honest run. `diploid_control` has females alone on X.
    """
    keeps = np.ones(len(case), bool)
    if settings.max_hwe_log10 is not None:
        keeps &= _keeps_hwe(settings, diploid_control)
    if settings.max_missingness_log10 is not None:
        keeps &= _keeps_missingness(settings, case, control)
    return keeps


def without_label_rules(settings: QualitySettings) -> QualitySettings:
    """Return the thresholds with the rules that read labels switched off."""
    return settings.model_copy(update={"max_hwe_log10": None, "max_missingness_log10": None})


def _keeps_hwe(settings: QualitySettings, control: np.ndarray) -> np.ndarray:
    log_p = hwe_exact(control[:, 0], control[:, 1], control[:, 2])
    return ~(log_p > (settings.max_hwe_log10 or 0.0))


def _keeps_missingness(
    settings: QualitySettings, case: np.ndarray, control: np.ndarray
) -> np.ndarray:
    log_p = fisher_2x2(case[:, 3], case[:, :3].sum(1), control[:, 3], control[:, :3].sum(1))
    return ~(log_p > (settings.max_missingness_log10 or 0.0))


# What a variant has to be to fail a rule, in the order of `STEPS`. NaN, no data, never is.
_RULES: dict[str, tuple[str, Callable[[Measures, Any], NDArray[np.bool_]]]] = {
    "qual": ("qual_above", lambda of, cut: of.qual <= cut),
    "filter": ("filter_pass", lambda of, _: of.is_not_pass),
    "ac_1": ("drop_monomorphic", lambda of, _: of.is_monomorphic_site),
    "depth_1": ("min_mean_depth", lambda of, cut: of.mean_depth < cut),
    "call_rate_1": ("min_call_rate", lambda of, cut: of.site_call_rate < cut),
    "ac_2": ("drop_monomorphic", lambda of, _: of.is_monomorphic),
    "depth_2": ("min_mean_depth", lambda of, cut: of.mean_depth < cut),
    "call_rate_2": ("min_call_rate", lambda of, cut: of.call_rate < cut),
    "sex_chromosomes": ("drop_sex_chromosomes", lambda of, _: of.is_on_sex_chromosome),
    "indels": ("drop_indels", lambda of, _: of.is_not_snp),
}


def _asked(settings: QualitySettings) -> set[str]:
    """Return the rules of `_RULES` that are on."""
    values = {step: getattr(settings, name) for step, (name, _) in _RULES.items()}
    return {step for step, value in values.items() if value is not None and value is not False}


def _first_failed(settings: QualitySettings, measures: Measures) -> NDArray[np.uint8]:
    """Return the position in `STEPS` of the first rule that each variant fails, else `KEPT`."""
    failed = np.full(len(measures.is_first), KEPT, np.uint8)
    asked = _asked(settings)
    for step in reversed([step for step in _RULES if step in asked]):
        name, fails = _RULES[step]
        np.copyto(failed, STEPS.index(step), where=fails(measures, getattr(settings, name)))
    return failed


def _fail_further(
    settings: QualitySettings, removed_by: np.ndarray, sex_counts: SexCounts, measures: Measures
) -> set[str]:
    """Apply the rules that are off in the paper, in the order of `STEPS`; return those on."""
    on: set[str] = set()
    rules = (settings.max_hwe_log10, settings.max_missingness_log10, settings.min_mean_gq)
    if settings.min_mac == 0 and rules == (None, None, None):
        return on
    case, control = measures.case, measures.control

    def remove(step: str, rows: np.ndarray) -> None:
        on.add(step)
        removed_by[rows] = STEPS.index(step)

    alive = np.flatnonzero(removed_by == KEPT)
    if settings.min_mac > 0:
        alt, called = count_alleles(case + control, sex_counts)
        minor = np.minimum(alt, called - alt)
        remove("mac", alive[minor[alive] < settings.min_mac])
        alive = np.flatnonzero(removed_by == KEPT)
    if settings.max_hwe_log10 is not None:
        diploid = control.copy()
        diploid[sex_counts.rows] = sex_counts.control[:, 1]  # females only on X
        remove("hwe", alive[~_keeps_hwe(settings, diploid[alive])])
        alive = np.flatnonzero(removed_by == KEPT)
    if settings.min_mean_gq is not None:
        remove("gq", alive[measures.mean_gq[alive] < settings.min_mean_gq])
        alive = np.flatnonzero(removed_by == KEPT)
    if settings.max_missingness_log10 is not None:
        remove("missingness", alive[~_keeps_missingness(settings, case[alive], control[alive])])
    return on


def in_regions(cohort: Cohort, regions: str | None) -> NDArray[np.int64]:
    """Return the indices of the variants whose position lies in one of the regions, in order.

    `regions` is written as in `quality.without_regions`; `chr6` is `6` on either side.
    """
    wanted = read_regions(regions)
    if not wanted:
        return np.empty(0, np.int64)
    rules: list[str] = []
    values: list[Any] = []
    for chrom, start, end in wanted:
        order = chromosome_order(chrom)
        n = len(values)
        # Chromosomes that have no number of their own share one: their names tell them apart.
        named = ""
        if order == OTHER_CHROMOSOME:
            named = f" AND regexp_replace(chrom, '^chr', '', 'i') = ${n + 4}"
        rules.append(f"(chrom_order = ${n + 1} AND pos BETWEEN ${n + 2} AND ${n + 3}{named})")
        values += [order, start, end, *([chrom] if named else [])]
    found = cohort.store.arrays(
        f"SELECT variant_index FROM variants WHERE {' OR '.join(rules)} ORDER BY variant_index",
        values,
    )
    return found["variant_index"].astype(np.int64)


def n_kept_in(cohort: Cohort, filtered: Filtered, regions: str) -> int:
    """Return how many of the kept variants lie in regions."""
    return int((filtered.removed_by[in_regions(cohort, regions)] == KEPT).sum())


def count_alleles(counts: np.ndarray, sex_counts: SexCounts) -> tuple[np.ndarray, np.ndarray]:
    """Return alternate and called alleles (n,); a male on X or Y has one copy.

    A heterozygous male is an error and has none.
    """
    alt = counts[:, 1] + 2 * counts[:, 2]
    called = 2 * counts[:, :3].sum(1)
    male = sex_counts.case[:, 0] + sex_counts.control[:, 0]
    alt[sex_counts.rows] -= male[:, 1] + male[:, 2]
    called[sex_counts.rows] -= male[:, [0, 2]].sum(1) + 2 * male[:, 1]
    return alt, called


def _funnel(
    cohort: Cohort,
    settings: QualitySettings,
    removed_by: np.ndarray,
    is_first: np.ndarray,
    on: set[str],
) -> tuple[Step, ...]:
    on = on | {"input", "split"}
    n_sites = np.bincount(removed_by[is_first], minlength=KEPT + 1)
    n_variants = np.bincount(removed_by, minlength=KEPT + 1)
    notes = _notes(cohort, settings)
    steps = []
    left = int(is_first.sum())
    for code, step in enumerate(STEPS):
        if step == "split":
            after = int(len(removed_by) - n_variants[:code].sum())
            removed = left - after
        else:
            removed = int((n_sites if step in _FIRST_ROUND else n_variants)[code])
            after = left - removed
        is_off = step not in on
        note = "off" if is_off else notes.get(step, "")
        if step == "split" and removed:
            note = f"{-removed:,} rows added by splitting multi-allelic sites"
        has_no_data = note.startswith(_NOT_AVAILABLE)
        is_off = is_off or has_no_data
        steps.append(Step(step, TITLES[step], after, removed, is_off, note, has_no_data))
        left = after
    return tuple(steps)


def _notes(cohort: Cohort, settings: QualitySettings) -> dict[str, str]:
    """Return what the reader of a step has to know: data that are not there."""
    no_qual, no_filter, n_other = cohort.n_without
    notes = {}
    if no_qual:
        notes["qual"] = f"{no_qual:,} variants have no QUAL and stay"
    if no_filter:
        notes["filter"] = f"{no_filter:,} variants have no FILTER and stay"
    if n_other:
        notes["indels"] = f"{n_other:,} of the input are neither SNP nor indel, and go too"
    if not cohort.certificate["has_depth"]:
        notes["depth_1"] = notes["depth_2"] = f"{_NOT_AVAILABLE}: the source has no depth"
    if not cohort.certificate["has_gq"]:
        notes["gq"] = f"{_NOT_AVAILABLE}: the source has no genotype quality"
    reads = "seen over all cases and controls here; an honest run uses training people"
    notes["hwe"] = notes["missingness"] = reads
    notes["regions"] = ", ".join(region.words for region in read_regions(settings.without_regions))
    return notes
