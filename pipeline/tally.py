"""Single genotypes to codes and counts, one record at a time (pure, numba).

The rules, each also told on the Cohort page:
- A call with any allele missing is missing, but on X and Y outside the pseudo-autosomal regions
  and on the mitochondrion a half call (`0/.`) is the haploid call of whoever is not female.
- A haploid call counts like two copies: `1` is 2, `0` is 0; its alleles count once at the site.
- More than two alleles in a call: missing.
- At a split row an allele that is neither the reference nor this alternate makes the call
  missing, or counts as reference, as the setting says; `*` is an alternate like any other.
- A depth or GQ mask turns a call missing; a call without the figure is never masked.
"""

from __future__ import annotations

import numba
import numpy as np

from pipeline.schema import HOM_UNIT, PERSON_TOTALS
from pipeline.sources.block import NO_ALLELE, UNKNOWN_ALLELE


@numba.njit(cache=True, nogil=True)
def code_record(
    alleles, half_is_haploid, n_alts, other_is_missing, depth, gq, min_depth, min_gq, diagnosis,
    codes, site, depth_tally, gq_tally, person_depth,
):  # fmt: skip
    """Fill `codes` (n_rows, n_people) and the tallies of one record.

    `alleles` (n_people, ploidy) are allele numbers, -1 unknown, -2 padding. `depth` and `gq`
    (n_people,) are negative where missing, or empty where the record has none. `n_rows` is
    max(1, n_alts). `site`, `depth_tally`, `gq_tally` are (n_diagnoses, 3 / 2 / 2), all zero on
    entry; `person_depth` (n_people, 2) is added to.
    """
    n_people, ploidy = alleles.shape
    n_rows = max(1, n_alts)
    has_depth = depth.size > 0
    has_gq = gq.size > 0
    for i in range(n_people):
        d = diagnosis[i]
        masked = False
        if has_depth and depth[i] >= 0:
            depth_tally[d, 0] += depth[i]
            depth_tally[d, 1] += 1
            person_depth[i, 0] += depth[i]
            person_depth[i, 1] += 1
            masked = depth[i] < min_depth
        if has_gq and gq[i] >= 0:
            gq_tally[d, 0] += gq[i]
            gq_tally[d, 1] += 1
            masked = masked or gq[i] < min_gq
        a = alleles[i, 0]
        b = alleles[i, 1] if ploidy > 1 else NO_ALLELE
        if b == NO_ALLELE and a == UNKNOWN_ALLELE:
            masked = True
        elif (a == UNKNOWN_ALLELE) != (b == UNKNOWN_ALLELE):
            if half_is_haploid[i]:
                a = max(a, b)
                b = NO_ALLELE
            else:
                masked = True
        elif a == UNKNOWN_ALLELE:
            masked = True
        for extra in range(2, ploidy):
            masked = masked or alleles[i, extra] != NO_ALLELE
        if masked or a < 0:
            site[d, 1] += 1
            for k in range(n_rows):
                codes[k, i] = 3
            continue
        site[d, 0] += 1
        site[d, 2] += (a > 0) + (b > 0)
        haploid = b == NO_ALLELE
        for k in range(1, n_rows + 1):
            other = (a != 0 and a != k) or (not haploid and b != 0 and b != k)
            if other and other_is_missing:
                codes[k - 1, i] = 3
            elif haploid:
                codes[k - 1, i] = 2 if a == k else 0
            else:
                codes[k - 1, i] = (a == k) + (b == k)


@numba.njit(cache=True, nogil=True)
def add_people(codes, is_autosome, is_x, snp_class, n_alt_alleles, expected_hom, totals):
    """Add a block to each person's totals (n_people, `PERSON_TOTALS`).

    `codes` (n_variants, n_people); `snp_class` 0 not a SNP, 1 transition, 2 transversion;
    `n_alt_alleles` (n_variants,) over all people; `expected_hom` (n_variants,) is the chance of a
    homozygote under Hardy-Weinberg in units of 1 / `HOM_UNIT`, so that sums are exact in any order.
    """
    n_variants, n_people = codes.shape
    for v in range(n_variants):
        if is_autosome[v]:
            kind = snp_class[v]
            singleton = n_alt_alleles[v] == 1
            for i in range(n_people):
                g = codes[v, i]
                missing = g == 3
                totals[i, 0] += not missing
                totals[i, 1] += missing
                totals[i, 9] += g == 0 or g == 2
                if not missing:
                    totals[i, 10] += expected_hom[v]
                if g == 1 or g == 2:
                    totals[i, 6] += singleton
                    if kind > 0:
                        totals[i, 2] += g == 1
                        totals[i, 3] += g == 2
                        totals[i, 3 + kind] += 1
        elif is_x[v]:
            for i in range(n_people):
                g = codes[v, i]
                totals[i, 7] += g == 1
                totals[i, 8] += g != 3
                if g != 3:
                    totals[i, 11] += expected_hom[v]


def expected_homozygous(alt: np.ndarray, called: np.ndarray) -> np.ndarray:
    """Return the chance of a homozygote from allele counts (n,), in units of 1 / `HOM_UNIT`.

    1 - 2p(1 - p), as `plink2 --het` has it; 1 where no allele is called.
    """
    p = alt / np.maximum(called, 1)
    return np.rint((1 - 2 * p * (1 - p)) * HOM_UNIT).astype(np.int64)


def snp_class(ref: str, alt: str, kind: str) -> int:
    """Return 1 for a transition (A<->G, C<->T), 2 for a transversion, 0 for what is no SNP."""
    if kind != "snp":
        return 0
    # A SNP of a split site may still carry the bases that its neighbours needed.
    changed = [{r, a} for r, a in zip(ref.upper(), alt.upper(), strict=True) if r != a]
    return 1 if changed in ([{"A", "G"}], [{"C", "T"}]) else 2


def new_person_totals(n_people: int) -> np.ndarray:
    """Return zeros (n_people, n_totals), the columns of `PERSON_TOTALS`."""
    return np.zeros((n_people, len(PERSON_TOTALS)), np.int64)
