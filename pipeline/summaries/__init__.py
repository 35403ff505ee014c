"""What pictures show, reduced before it is drawn: no picture gets more than some 10,000 rows."""

from __future__ import annotations

from pipeline.summaries.genome import GenomeAxis, genome_axis, manhattan_points
from pipeline.summaries.marked import (
    GenePlace,
    MarkedVariant,
    gene_place,
    gene_variants,
    marked_variant,
    nearest_gene,
    qq_place,
)
from pipeline.summaries.people import (
    colourings,
    missingness_verdict,
    people_table,
    person_bins,
    relatives_table,
    structure_points,
)
from pipeline.summaries.places import locate
from pipeline.summaries.region import chromosome_points, region_genes, region_points
from pipeline.summaries.sites import chromosome_table, quality_bins
from pipeline.summaries.tested import STRATA, p_bins, peaks, qq_points, top_table, volcano_points
from pipeline.summaries.variants import (
    find_variants,
    links,
    name_variants,
    removed_examples,
    variant_card,
)

__all__ = [
    "STRATA",
    "GenePlace",
    "GenomeAxis",
    "MarkedVariant",
    "chromosome_points",
    "chromosome_table",
    "colourings",
    "find_variants",
    "gene_place",
    "gene_variants",
    "genome_axis",
    "links",
    "locate",
    "manhattan_points",
    "marked_variant",
    "missingness_verdict",
    "name_variants",
    "nearest_gene",
    "p_bins",
    "peaks",
    "people_table",
    "person_bins",
    "qq_place",
    "qq_points",
    "quality_bins",
    "region_genes",
    "region_points",
    "relatives_table",
    "removed_examples",
    "structure_points",
    "top_table",
    "variant_card",
    "volcano_points",
]
