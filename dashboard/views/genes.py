"""Genes: which genes carry the signal, and who carries what?"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import (
    access,
    chosen,
    chosen_marks,
    controls,
    elements,
    folders,
    loaders,
    state,
    strip,
    work,
)
from dashboard.charts.gene_manhattan import carriers_by_class, gene_manhattan
from dashboard.view import View
from pipeline.errors import PipelineError
from pipeline.genes import GeneTable, carriers_of_gene, gene_lines, gene_points
from pipeline.settings import GeneSettings

GENE_FILES = (".gtf", ".gtf.gz", ".gff3", ".gff3.gz", ".bed", ".bed.gz", ".txt", ".txt.gz")
_CONSEQUENCES = (".vcf", ".vcf.gz", ".bcf", "multianno.txt", "multianno.txt.gz")
_FASTA = (".fa", ".fasta", ".fa.gz", ".fasta.gz", ".fna", ".fna.gz")
_COLUMNS = {
    "gene": "Gene",
    "chrom": "Chromosome",
    "n_variants": "Variants kept",
    "n_tested": "Tested",
    "p_smallest": "Smallest p of a variant",
    "n_qualifying": "Qualifying",
    "n_case_carriers": "Carriers, cases",
    "n_control_carriers": "Carriers, controls",
    "burden_p": "Burden p",
    "burden_odds_ratio": "Odds ratio",
    "burden_ci_low": "Low",
    "burden_ci_high": "High",
}
_CLASS_COLUMNS = {
    "lof": "Loss of function", "missense": "Missense", "synonymous": "Synonymous", "other": "Other"
}  # fmt: skip

TEST_WORDS = {"fisher": "Fisher's exact", "logistic": "logistic regression"}


def show(view: View) -> None:
    """Draw the page."""
    st.title("Which genes carry the signal?")
    strip.show(view)
    if not view.cohort.has_genes:
        elements.empty("No gene table is joined to this cohort yet; name one and join it.")
        _join(view)
        return
    if view.analysis.association is None:
        elements.empty(view.analysis.problem)
        return
    settings = _settings()
    try:
        found = loaders.genes(view.cohort, view.settings, view.analysis, settings)
    except PipelineError as problem:
        elements.problem(str(problem))
        return
    _manhattan(view, found, settings)
    elements.method("genes")
    _said(view, found)
    _table(view, found)
    with st.expander("Join another gene table, consequences or a reference sequence"):
        _join(view)


def _settings() -> GeneSettings:
    defaults = GeneSettings()
    changes: dict[str, object] = {}
    for place, field in zip(st.columns([2, 2, 1]), ("classes", "max_maf", "test"), strict=True):
        with place:
            changes |= controls.settings_widgets(GeneSettings, "genes", defaults, only=(field,))
    return GeneSettings(**{name.split(".")[1]: value for name, value in changes.items()})


def _manhattan(view: View, found: GeneTable, settings: GeneSettings) -> None:
    rows = found.table[found.table["gene"] == chosen.name("gene")]
    place, beside = st.columns([5, 3]) if len(rows) else (st.container(), None)
    chromosomes = loaders.genome_chromosomes(view.cohort)
    with place:
        made = gene_manhattan(
            gene_points(found, chromosomes), chromosomes, gene_lines(found),
            test=TEST_WORDS[settings.test], marks=chosen_marks.of_genes(found, chromosomes),
            palette=elements.palette(),
        )  # fmt: skip
        chosen.chart(view, made, "genes", what="gene")
        chosen.told(view)
    if beside is not None:
        with beside:
            _card(view, found, rows.iloc[0], settings)


def _card(view: View, found: GeneTable, row: pd.Series, settings: GeneSettings) -> None:
    with st.container(border=True):
        st.markdown(f"**{row['gene']}**")
        st.caption(f"{row['chrom']}:{row['gene_start']:,}-{row['gene_end']:,}")
        made = carriers_by_class(
            carriers_of_gene(found, row["gene"]), row["gene"], max_maf=settings.max_maf,
            palette=elements.palette(),
        )  # fmt: skip
        elements.chart(made, key="carriers")
        _variants(view, row["gene"])
        with st.container(horizontal=True):
            if st.button("Its region", icon=":material/zoom_in:"):
                span = str(row["chrom"]), int(row["gene_start"]), int(row["gene_end"])
                state.put("go_to_place", span)
                st.switch_page(view.pages["association"])
            st.button("Close", key="close_gene", on_click=chosen.clear)


def _variants(view: View, gene: str) -> None:
    """Draw the tested variants of the gene; a row chooses one."""
    rows = loaders.gene_variants(view.cohort, view.settings, view.analysis, gene)
    if rows.empty:
        st.caption("None of its variants is tested.")
        return
    shown = pd.DataFrame(
        {
            "Variant": rows["variant_id"],
            "p": 10.0 ** -rows["neg_log10_p"],
            "Odds ratio": rows["odds_ratio"],
        }
    )
    number = st.column_config.NumberColumn
    form = {"p": number(format="%.2e"), "Odds ratio": number(format="%.2f")}
    chosen.table(
        view, shown, f"variants_of_{gene}", rows["variant_id"], "variant",
        column_config=form, height=min(220, 38 + 35 * len(rows)),
    )  # fmt: skip


def _said(view: View, found: GeneTable) -> None:
    past = found.significant()
    entering = view.analysis.n_genes_entering
    st.caption(
        f"{len(found.table):,} genes have a kept variant, {found.n_tested:,} are tested: "
        f"{past['exome_wide']:,} pass 2.2e-6, {past['bonferroni']:,} Bonferroni. The variants that "
        f"would enter the network lie in {entering:,} unique genes (the paper: 9,160)."
    )
    for note in found.notes:
        st.caption(note)


def _table(view: View, found: GeneTable) -> None:
    st.subheader("Smallest burden p")
    rows = found.table.sort_values("burden_neg_log10_p", ascending=False, na_position="last")
    rows = rows.head(500).reset_index(drop=True)
    rows["burden_p"] = 10.0 ** -rows["burden_neg_log10_p"]
    rows["p_smallest"] = 10.0 ** -rows["neg_log10_p_smallest"]
    shown = rows[list(_COLUMNS)].rename(columns=_COLUMNS)
    if found.has_consequences:
        for name, words in _CLASS_COLUMNS.items():
            shown[f"{words}, cases"] = rows[f"n_case_{name}"]
            shown[f"{words}, controls"] = rows[f"n_control_{name}"]
    number = st.column_config.NumberColumn
    form = {
        "Smallest p of a variant": number(format="%.2e"),
        "Burden p": number(format="%.2e"),
        "Odds ratio": number(format="%.2f"),
        "Low": number(format="%.2f", help="95 % limit"),
        "High": number(format="%.2f", help="95 % limit"),
    }
    chosen.table(view, shown, "gene_table", rows["gene"], "gene", column_config=form)


def _join(view: View) -> None:
    """Offer the files of a folder to be joined to the cohort."""
    try:
        folder = folders.choose("genes")
    except PipelineError as problem:
        elements.problem(str(problem))
        return
    left, middle, right = st.columns(3)
    table = left.selectbox(
        "Gene table", access.files_in(folder, GENE_FILES), index=None, key="genes_table",
        help="GTF, GFF3, BED, refFlat or refGene, of the cohort's build.",
    )  # fmt: skip
    consequences = middle.selectbox(
        "Consequences (may be left out)", access.files_in(folder, _CONSEQUENCES), index=None,
        key="genes_consequences", help="VEP, SnpEff, bcftools csq or ANNOVAR; sites alone do.",
    )  # fmt: skip
    fasta = right.selectbox(
        "Reference sequence (may be left out)", access.files_in(folder, _FASTA), index=None,
        key="genes_fasta",
    )  # fmt: skip
    if st.button("Join", icon=":material/join:", disabled=table is None):
        chosen = {"genes": table, "consequences": consequences, "fasta": fasta}
        paths = {kind: str(folder / name) for kind, name in chosen.items() if name}
        work.submit("annotate", {"name": view.whole.name} | paths)
