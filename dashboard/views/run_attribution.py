"""Run: what did the network look at?"""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import chosen, elements, loaders, state
from dashboard.charts.attribution_manhattan import attribution_manhattan
from dashboard.charts.attribution_rollup import chromosome_shares, gene_occlusion, gene_shares
from dashboard.view import View
from pipeline import jobs
from pipeline.attribution import (
    Attribution,
    Stability,
    across_folds,
    by_chromosome,
    by_gene,
    drawn_points,
    over_folds,
    placed_points,
)
from pipeline.errors import StaleArtifactError
from pipeline.runs import Run
from pipeline.schema import plain_chromosome

N_GENES = 20  # drawn
N_TOLD = 200  # rows of a table
N_NAMED = 12  # genes named in the plot
EVERYWHERE = "All"


def show(view: View, run: Run) -> None:
    """Draw what the network of a finished run looked at, or offer to find out."""
    st.subheader("What did it look at?")
    try:
        made = loaders.attribution(run)
    except StaleArtifactError as problem:
        elements.problem(str(problem))
        made = None
    if made is None:
        _offer(run)
        return
    variants = _named(over_folds(made.table, made.n_folds))
    genes = by_gene(variants, made.occlusion)
    if not variants["share"].sum():
        elements.empty(
            "The network says the same of everybody, so that no variant moves it. Choose other "
            "variants or another network on the page Training."
        )
        return
    st.markdown(_sentence(genes))
    if made.n_folds > 1:
        st.caption(_of_folds(across_folds(made.table), variants))
    st.caption(_of_seeds(loaders.attribution_across_seeds(run, made)))
    stretch = _picture(view, variants, genes, made)
    chosen.told(view)
    _rollups(view, genes, variants, made)
    _tables(view, _within(variants, stretch, made), stretch)
    st.caption(_complete(made.completeness))
    elements.method("attribution")


def _named(variants: pd.DataFrame) -> pd.DataFrame:
    """Return the variants with the name by which one is chosen on every page."""
    chrom = variants["chrom"].map(plain_chromosome)
    pos = variants["pos"].astype(str)
    return variants.assign(
        variant_id=chrom + "_" + pos + "_" + variants["ref"] + "_" + variants["alt"]
    )


def _offer(run: Run) -> None:
    """Say what can be asked, and queue it; while it is being done the foot of the window tells."""
    if loaders.attribution_job(run):
        elements.empty("The network is being looked into; this part comes when it is done.")
        return
    elements.empty(
        "Nobody has looked into this network yet. Which variants and genes move what it says of "
        "its test people takes seconds to minutes, in the background."
    )
    if st.button("What did it look at?", icon=":material/troubleshoot:", key=f"look-{run.id}"):
        cache = loaders.cache()
        payload = {"run": run.id, "name": run.cohort}
        job_id = jobs.submit(cache, "attribute", payload, f"attribute-{run.id}")
        jobs.ensure_worker(cache)
        state.put("jobs_seen", [*state.get("jobs_seen", []), job_id])
        st.rerun()


def _sentence(genes: pd.DataFrame) -> str:
    """Return how few genes make half of the attribution, and which come first."""
    n_half = int((genes["share"].cumsum() < 0.5).sum()) + 1
    first = ", ".join(f"{row.gene} ({row.share:.0%})" for row in genes.head(3).itertuples())
    many = "gene makes" if n_half == 1 else "genes make"
    return (
        f"**{n_half:,} of {len(genes):,} {many} half of the attribution.** The first are {first}."
    )


def _of_folds(found: Stability, variants: pd.DataFrame) -> str:
    always = int((variants["selected"] >= 1).sum())
    chosen = f"{always:,} of {len(variants):,} variants were chosen in every fold"
    if not found.n_pairs:
        return f"{chosen}; no two folds have enough in common to be compared."
    return (
        f"{chosen}. Of those that two folds share ({found.n_common:,.0f} on average) the "
        f"attributions have a rank correlation of {found.mean:.2f} ({found.lowest:.2f} to "
        f"{found.highest:.2f})."
    )


def _of_seeds(found: Stability) -> str:
    waiting = ""
    if found.n_waiting:
        runs = "run" if found.n_waiting == 1 else "runs"
        waiting = f" {found.n_waiting:,} more {runs} of another seed can be looked into."
    if not found.n_pairs:
        return (
            waiting.strip()
            or "To see whether another seed looks at the same variants, train again with another "
            "seed and look into that run too."
        )
    return (
        f"With another seed the attributions have a rank correlation of {found.mean:.2f} "
        f"({found.lowest:.2f} to {found.highest:.2f}).{waiting}"
    )


def _complete(found: Any) -> str:
    """Return how well attributions add up, for every person and in the middle."""
    beyond = (
        f"; for {found['n_beyond']:,} of them more than {found['tolerance']:.0%}"
        if found["n_beyond"]
        else ""
    )
    return (
        f"Completeness, checked for each of {found['n_people']:,} test people: the attributions "
        f"miss the change of the log odds by {_share(found['median'])} in the middle and by "
        f"{_share(found['largest'])} at most{beyond}. Up to {found['most_steps']:,} steps."
    )


def _share(value: float) -> str:
    return f"{value:.2%}" if value >= 1e-4 else "less than 0.01%"


def _picture(
    view: View, variants: pd.DataFrame, genes: pd.DataFrame, made: Attribution
) -> tuple[str | None, float, float] | None:
    """Draw both Manhattan plots; return the stretch that is dragged: chromosome, first, last."""
    held = set(by_chromosome(variants, made.chromosomes)["chrom"])
    names = [EVERYWHERE, *(one for one in made.chromosomes["chrom"] if one in held)]
    place = st.selectbox("Chromosome", names, key="attribution_chromosome", width=160)
    chromosome = None if place == EVERYWHERE else place
    points = drawn_points(variants, made.chromosomes, chromosome)
    placed = placed_points(variants, made.chromosomes, chromosome)
    is_marked = (placed["variant_id"] == chosen.name("variant")) | (
        placed["gene"] == chosen.name("gene")
    )
    made_chart = attribution_manhattan(
        points, made.chromosomes, peaks=_peaks(points, genes), chromosome=chromosome,
        marked=placed[is_marked],
        chosen=chosen.name("variant"),
        palette=elements.palette(),
    )  # fmt: skip
    event = chosen.chart(view, made_chart, f"attribution-{place}", ("stretch",))
    selected = (event.selection if event else {}).get("stretch") or {}
    span = selected.get("x")
    return (chromosome, float(span[0]), float(span[1])) if span else None


def _peaks(points: pd.DataFrame, genes: pd.DataFrame) -> pd.DataFrame:
    """Return the variants that bear the names of the genes of most attribution."""
    first = points.sort_values("share", ascending=False).drop_duplicates("gene")
    first = first.set_index("gene")
    named = [gene for gene in genes["gene"] if gene in first.index][:N_NAMED]
    return first.loc[named, ["x", "share"]].rename_axis("label").reset_index()


def _within(
    variants: pd.DataFrame, stretch: tuple[str | None, float, float] | None, made: Attribution
) -> pd.DataFrame:
    if stretch is None:
        return variants
    chromosome, low, high = stretch
    placed = placed_points(variants, made.chromosomes, chromosome)
    return placed[placed["x"].between(low, high)].sort_values("share", ascending=False)


def _rollups(view: View, genes: pd.DataFrame, variants: pd.DataFrame, made: Attribution) -> None:
    colours, gene = elements.palette(), chosen.name("gene")
    first = genes[genes["share"] > 0].head(N_GENES)
    with st.container(key="wrap_attribution"):
        left, right = st.columns(2)
    with left:
        shares = gene_shares(first, chosen=gene, palette=colours)
        chosen.chart(view, shares, "attribution_genes", what="gene")
    with right:
        hidden = gene_occlusion(first, chosen=gene, palette=colours)
        chosen.chart(view, hidden, "attribution_occlusion", what="gene")
    _beyond_the_first(genes, gene)
    shares = by_chromosome(variants, made.chromosomes)
    elements.chart(chromosome_shares(shares, palette=colours), key="attribution_chromosomes")


def _beyond_the_first(genes: pd.DataFrame, gene: str) -> None:
    """Say where the chosen gene stands when it is not among those drawn."""
    at = genes.index[genes["gene"] == gene]
    if len(at) and (at[0] >= N_GENES or not genes["share"].iloc[at[0]]):
        share = genes["share"].iloc[at[0]]
        words = f"{share:.2%} of the attribution" if share else "no attribution at all"
        st.caption(
            f":material/my_location: {gene.translate(elements.ESCAPED)} is gene {at[0] + 1:,} of "
            f"{len(genes):,}, with {words}."
        )


def _tables(
    view: View, variants: pd.DataFrame, stretch: tuple[str | None, float, float] | None
) -> None:
    where = "in the stretch" if stretch else "of most attribution"
    with st.expander(f"Variants {where}", expanded=stretch is not None):
        shown = variants.head(N_TOLD)
        weight = "Linear path" if shown["linear_weight"].notna().any() else None
        columns = {
            "Variant": [
                f"{row.chrom}:{row.pos:,} {row.ref}>{row.alt}" for row in shown.itertuples()
            ],
            "Gene": shown["gene"],
            "rsID": shown["rsid"],
            "Share": shown["share"],
            "Cases minus controls": shown["case_minus_control"],
            "−log10 p": shown["neg_log10_p"],
            "L1 weight": shown["l1_weight"],
            "L2 weight": shown["l2_weight"],
            "Folds": shown["selected"],
        }
        if weight:
            columns[weight] = shown["linear_weight"]
        number = st.column_config.NumberColumn
        form = {
            "Share": number(format="percent"),
            "Cases minus controls": number(format="%.3f", help="Mean attribution, log odds"),
            "−log10 p": number(format="%.2f", help="Of the training people"),
            "L1 weight": number(format="%.3f", help="Log odds a standard deviation"),
            "L2 weight": number(format="%.3f", help="Log odds a standard deviation"),
            "Folds": number(format="percent", help="Share of folds that chose it"),
            "Linear path": number(format="%.3f", help="Sum of absolute weights of the gate"),
        }
        chosen.table(
            view, pd.DataFrame(columns), "attribution_variants", shown["variant_id"], "variant",
            column_config=form,
        )  # fmt: skip
        if len(variants) > N_TOLD:
            st.caption(f"The first {N_TOLD:,} of {len(variants):,}.")
