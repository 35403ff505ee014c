"""The verb about the structure of a cohort: principal components and relatives."""

from __future__ import annotations

import argparse

from pipeline.cli.options import add_name
from pipeline.cli.output import Verb, emit, reporter
from pipeline.settings import Settings, with_changes
from pipeline.settings.structure import StructureSettings

_SHOWN = 20  # pairs of relatives printed for people; --json has them all


class _Asked(Settings):
    """What --set reaches here: components do not belong to the settings of a run."""

    structure: StructureSettings = StructureSettings()


def _structure_arguments(sub: argparse.ArgumentParser) -> None:
    add_name(sub)
    sub.add_argument(
        "--set",
        action="append",
        default=[],
        nargs="+",
        metavar="structure.FIELD=VALUE",
        help="a setting, such as structure.min_kinship=0.0442",
    )


def _structure(asked: argparse.Namespace) -> None:
    from pipeline.cohort import open_cohort
    from pipeline.structure import build_structure, relation_names
    from pipeline.structure.stored import summary

    assignments = [text for texts in asked.set for text in texts]
    settings = with_changes(_Asked(), assignments).structure
    found = build_structure(asked.cache, asked.name, settings, reporter())
    cohort = open_cohort(asked.cache, asked.name)
    ids = [sample_id for (sample_id,) in cohort.store.rows(
        "SELECT sample_id FROM samples ORDER BY sample_index"
    )]  # fmt: skip
    cohort.store.close()
    relatives = found.relatives
    pairs = [
        {
            "first": ids[first],
            "second": ids[second],
            "kinship": kinship,
            "ibs0": ibs0,
            "variants": n_variants,
            "relation": str(relation),
        }
        for first, second, kinship, ibs0, n_variants, relation in zip(
            relatives.first.tolist(),
            relatives.second.tolist(),
            relatives.kinship.tolist(),
            relatives.ibs0.tolist(),
            relatives.n_variants.tolist(),
            relation_names(relatives.kinship),
            strict=True,
        )
    ]
    value = summary(found)
    n_relatives, n_left_out = value["relatives"], value["to_leave_out"]
    value |= {"relatives": pairs, "to_leave_out": [ids[i] for i in found.to_leave_out()]}
    closest = sorted(pairs, key=lambda pair: -pair["kinship"])[:_SHOWN]
    emit(
        asked,
        value,
        lambda: [
            f"{value['variants']:,} of {value['candidates']:,} common variants after pruning, "
            f"{found.n_people:,} people",
            "share of variance: " + ", ".join(f"{share:.2%}" for share in found.variance_share),
            f"{n_relatives:,} pairs of kinship {settings.min_kinship:g} and above in "
            f"{value['groups']:,} groups, {value['duplicates']:,} of them duplicates; leaving out "
            f"{n_left_out:,} people keeps one of each",
            *(
                f"{pair['first']}  {pair['second']}  {pair['kinship']:.4f}  {pair['relation']}"
                for pair in closest
            ),
            *([f"… and {n_relatives - _SHOWN:,} more (--json)"] if n_relatives > _SHOWN else []),
        ],
    )


VERBS = (
    Verb(
        "structure",
        "compute principal components and find relatives",
        _structure_arguments,
        _structure,
    ),
)
