"""Two runs held beside each other, as far as each part can be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline.comparison.people import ChangedClass, PairedAuc, changed_class, paired_auc
from pipeline.comparison.selected import GainedLost, gained_and_lost
from pipeline.errors import PipelineError
from pipeline.files import plain
from pipeline.runs import Run

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Pair:
    """What the second of two runs changed; a part is None where `problems` says why."""

    variants: GainedLost | None
    auc: PairedAuc | None
    classes: ChangedClass | None
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the pair in the JSON shape that scripts rely on."""
        return {
            "variants": None if self.variants is None else _variants(self.variants),
            "auc": plain(self.auc),
            "classes": plain(self.classes),
            "problems": list(self.problems),
        }


def compare_pair(first: Run, second: Run) -> Pair:
    """Return what can be told of two runs; what cannot is a sentence."""
    problems: list[str] = []

    def told(part: Callable[[Run, Run], T]) -> T | None:
        try:
            return part(first, second)
        except PipelineError as problem:
            problems.append(str(problem))
            return None

    parts = told(gained_and_lost), told(paired_auc), told(changed_class)
    return Pair(*parts, tuple(dict.fromkeys(problems)))


def _variants(found: GainedLost) -> dict[str, Any]:
    genes = None
    if found.genes is not None:
        changed = found.genes[found.genes["n_gained"] + found.genes["n_lost"] > 0]
        genes = {
            "gained": found.n_genes_gained, "lost": found.n_genes_lost,
            "shared": found.n_genes_shared, "changed": changed.to_dict("records"),
        }  # fmt: skip
    return plain(
        {
            "first": found.n_first, "second": found.n_second, "shared": found.n_shared,
            "gained": found.n_gained, "lost": found.n_lost, "genes": genes, "note": found.note,
        }
    )  # fmt: skip
