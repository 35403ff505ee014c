"""The kept set in the formats of other programs: VCF, PLINK 1, GenNet, summary statistics, lists.

What is written: the variants that the thresholds keep, and the cases and controls. Genotypes are
read and written in blocks, so memory does not grow with the number of variants. An export holds
single people's genotypes (summary statistics excepted): it goes to a path that the user names,
never through a page. Files appear whole.
"""

from __future__ import annotations

from pipeline.export.formats import FORMATS, Exported, export
from pipeline.export.kept import Kept

__all__ = ["FORMATS", "Exported", "Kept", "export"]
