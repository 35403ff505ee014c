"""The form that makes a cohort from files on the server."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import access, elements, folders, work
from dashboard.fields import option_label
from dashboard.views.genes import GENE_FILES
from pipeline.errors import PipelineError
from pipeline.sources.formats import SUFFIXES, people_table
from pipeline.sources.phenotypes import Columns, read_header_line, read_phenotypes

TABLES = (".tsv", ".txt", ".csv", ".tsv.gz", ".tab", ".fam", ".psam")
_PREVIEW = 5  # people shown of a phenotype table


def form() -> None:
    """Draw folder, files, mapping of the phenotypes and the button; errors stand beneath."""
    try:
        _form()
    except PipelineError as problem:
        elements.problem(str(problem))


def _form() -> None:
    folder = folders.choose("ingest")
    genotypes = access.files_in(folder, SUFFIXES)
    if not genotypes:
        elements.empty("This folder has no VCF, BCF, PLINK or GenNet file; name another one above.")
        return
    left, middle, right = st.columns(3)
    chosen = left.multiselect(
        "Genotypes", genotypes, key="ingest_files", help="One file, or one a chromosome."
    )
    tables = access.files_in(folder, TABLES)
    own = people_table(folder / chosen[0]) if chosen else None
    table = middle.selectbox(
        "Phenotypes",
        tables,
        index=tables.index(own.name) if own and own.name in tables else None,
        key=f"ingest_table_{own.name if own else ''}",
        help="PLINK and GenNet files bring their own: .fam, .psam, subjects.csv.",
    )
    genes = right.selectbox(
        "Genes (may be left out)",
        access.files_in(folder, GENE_FILES),
        index=None,
        key="ingest_genes",
    )
    if not chosen or not table:
        elements.empty("Choose the genotypes and the phenotype table of the study.")
        return
    columns = _columns(folder / table)
    first, second, third = st.columns([2, 1, 1])
    name = first.text_input("Name of the cohort", value=Path(chosen[0]).name.split(".")[0],
                            key="ingest_name")  # fmt: skip
    build = second.segmented_control(
        "Genome build", ["hg19", "hg38"], default="hg19", key="ingest_build", required=True
    )
    others = third.segmented_control(
        "Other alleles of a split site", ["missing", "reference"], default="missing",
        key="ingest_others", required=True, format_func=option_label,
        help="The paper makes them missing.",
    )  # fmt: skip
    if st.button("Read the cohort", type="primary", icon=":material/play_arrow:"):
        payload = {
            "name": name,
            "paths": [str(folder / file) for file in chosen],
            "phenotypes": str(folder / table),
            "genes": str(folder / genes) if genes else None,
            "settings": {"build": build, "other_alleles": others},
            "columns": {
                "sample": columns.sample, "diagnosis": columns.diagnosis, "sex": columns.sex
            },
        }  # fmt: skip
        work.submit("ingest", payload)


def _columns(table: Path) -> Columns:
    """Return the columns that the user confirms, with what each diagnosis counts."""
    header = read_header_line(table)
    try:
        found = read_phenotypes(table).columns
    except PipelineError:
        st.caption("The columns cannot be told by their names; say which is which.")
        found = Columns()
    boxes = st.columns(3)
    picked = {}
    for box, role in zip(boxes, ("sample", "diagnosis", "sex"), strict=True):
        guess = getattr(found, role)
        picked[role] = box.selectbox(
            f"Column with the {role}",
            header,
            index=header.index(guess) if guess else None,
            key=f"ingest_column_{role}_{table.name}",
        )
    columns = Columns(**picked)
    if columns.sample and columns.diagnosis:
        phenotypes = read_phenotypes(table, columns)
        sexes = Counter(person.sex for person in phenotypes.people.values())
        diagnoses = ", ".join(f"{n:,} {d}" for d, n in phenotypes.diagnoses.most_common(12))
        st.caption(
            f"{len(phenotypes.people):,} people: {diagnoses}; "
            + ", ".join(f"{n:,} {sex}" for sex, n in sexes.most_common())
        )
        rows = [
            {"Person": p.sample_id, "Diagnosis": p.diagnosis, "Sex": p.sex} | dict(p.covariates)
            for p in islice(phenotypes.people.values(), _PREVIEW)
        ]
        elements.table(pd.DataFrame(rows))
    return columns
