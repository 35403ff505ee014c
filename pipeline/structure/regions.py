"""Regions of long-range linkage disequilibrium, where pruning in windows does not reach far enough.

The list is that of Price et al. (2008), Long-range LD can confound genome scans in admixed
populations, AJHG 83:132-135, as it is in use with PLINK for build 37; Anderson et al. (2010), Data
quality control in genetic case-control association studies, Nat Protoc 5:1564-1573, leave the same
regions out before components are computed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Chromosome, first and last base in Mb. The edges are rounded, and no more is known of them.
# hg38: fifteen regions are carried over whole; in the nine beside a centromere, whose inside does
# not lift, each edge is moved by the shift of the sequence next to it.
LONG_RANGE_LD_MB = {
    "hg19": (
        (1, 48.0, 52.0), (2, 86.0, 100.5), (2, 134.5, 138.0), (2, 183.0, 190.0), (3, 47.5, 50.0),
        (3, 83.5, 87.0), (3, 89.0, 97.5), (5, 44.5, 50.5), (5, 98.0, 100.5), (5, 129.0, 132.0),
        (5, 135.5, 138.5), (6, 25.0, 35.0), (6, 57.0, 64.0), (6, 140.0, 142.5), (7, 55.0, 66.0),
        (8, 7.0, 13.0), (8, 43.0, 50.0), (8, 112.0, 115.0), (10, 37.0, 43.0), (11, 46.0, 57.0),
        (11, 87.5, 90.5), (12, 33.0, 40.0), (12, 109.5, 112.0), (20, 32.0, 34.5),
    ),
    "hg38": (
        (1, 47.53, 51.53), (2, 85.77, 99.88), (2, 133.74, 137.24), (2, 182.14, 189.14),
        (3, 47.46, 49.96), (3, 83.45, 86.95), (3, 88.95, 97.78), (5, 44.50, 51.20),
        (5, 98.66, 101.16), (5, 129.66, 132.66), (5, 136.16, 139.16), (6, 25.00, 35.03),
        (6, 57.13, 63.29), (6, 139.68, 142.18), (7, 54.93, 66.54), (8, 7.14, 13.14),
        (8, 43.14, 49.09), (8, 110.99, 113.99), (10, 36.71, 42.50), (11, 45.98, 57.23),
        (11, 87.79, 90.77), (12, 32.85, 39.61), (12, 109.06, 111.56), (20, 33.41, 35.91),
    ),
}  # fmt: skip


def in_long_range_ld(
    chrom_order: NDArray[np.integer], pos: NDArray[np.integer], build: str
) -> NDArray[np.bool_]:
    """Return which variants lie in a region of long-range LD, (n_variants,).

    `chrom_order` and `pos` (1-based) are those of the table `variants`; `build` is hg19 or hg38.
    """
    inside = np.zeros(len(pos), bool)
    for chrom, first, last in LONG_RANGE_LD_MB[build]:
        here = (chrom_order == chrom) & (pos >= first * 1e6) & (pos <= last * 1e6)
        inside |= here
    return inside
