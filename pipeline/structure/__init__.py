"""The people of a cohort beside each other: principal components, duplicates and relatives.

    candidate SNPs ── pruned in windows ──> variants in approximate linkage equilibrium
        ── components ──> where each person lies       ── kinship ──> who is related to whom

Nothing here reads a diagnosis. Components and kinship see the genotypes of all people, test people
of a run included, but never their labels.
"""

from pipeline.structure.kinship import (
    Relatives,
    people_to_leave_out,
    relation_names,
    relative_groups,
)
from pipeline.structure.stored import (
    Families,
    Structure,
    build_structure,
    families,
    read_structure,
)

__all__ = [
    "Families",
    "Relatives",
    "Structure",
    "build_structure",
    "families",
    "people_to_leave_out",
    "read_structure",
    "relation_names",
    "relative_groups",
]
