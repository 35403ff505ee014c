"""What a change does to a protein: Sequence Ontology terms, from the most severe, and classes.

The order is Ensembl's. The classes are those of gnomAD's browser: `lof` is what is expected to
end the protein early or to break its splicing; loss of the start or stop codon and in-frame
changes count as `missense`, a codon of the same meaning as `synonymous`.

References: Ensembl, Calculated consequences; Karczewski et al. 2020, Nature 581:434-443.
"""

from __future__ import annotations

LOF = ("transcript_ablation", "splice_acceptor_variant", "splice_donor_variant",
       "splice_site_variant", "stop_gained", "frameshift_variant")  # fmt: skip
MISSENSE = (
    "stop_lost", "start_lost", "initiator_codon_variant", "transcript_amplification",
    "inframe_insertion", "disruptive_inframe_insertion", "conservative_inframe_insertion",
    "inframe_deletion", "disruptive_inframe_deletion", "conservative_inframe_deletion",
    "missense_variant", "rare_amino_acid_variant", "protein_altering_variant",
)  # fmt: skip
SYNONYMOUS = ("start_retained_variant", "stop_retained_variant", "synonymous_variant")
SEVERITY = (
    # SnpEff's loss of an exon is as grave as that of a transcript; ANNOVAR says no side.
    "transcript_ablation", "exon_loss_variant", "splice_acceptor_variant", "splice_donor_variant",
    "splice_site_variant", "stop_gained", "frameshift_variant", "stop_lost", "start_lost",
    "initiator_codon_variant", "transcript_amplification", "feature_elongation",
    "feature_truncation", "inframe_insertion", "disruptive_inframe_insertion",
    "conservative_inframe_insertion", "inframe_deletion", "disruptive_inframe_deletion",
    "conservative_inframe_deletion", "missense_variant", "rare_amino_acid_variant",
    "protein_altering_variant", "splice_donor_5th_base_variant", "splice_region_variant",
    "splice_donor_region_variant", "splice_polypyrimidine_tract_variant",
    "incomplete_terminal_codon_variant", "start_retained_variant", "stop_retained_variant",
    "synonymous_variant", "coding_sequence_variant", "mature_miRNA_variant",
    "5_prime_UTR_premature_start_codon_gain_variant", "5_prime_UTR_variant",
    "3_prime_UTR_variant", "non_coding_transcript_exon_variant", "intron_variant",
    "NMD_transcript_variant", "non_coding_transcript_variant", "coding_transcript_variant",
    "upstream_gene_variant", "downstream_gene_variant", "TFBS_ablation", "TFBS_amplification",
    "TF_binding_site_variant", "regulatory_region_ablation", "regulatory_region_amplification",
    "regulatory_region_variant", "intergenic_variant", "sequence_variant",
)  # fmt: skip
RANK = {term: rank for rank, term in enumerate(SEVERITY)}
UNRANKED = len(SEVERITY)  # of a term that is not known here
_CLASS = (
    dict.fromkeys((*LOF, "exon_loss_variant"), "lof")
    | dict.fromkeys(MISSENSE, "missense")
    | dict.fromkeys(SYNONYMOUS, "synonymous")
)

# bcftools csq shortens the terms.
_BCSQ = {
    "missense": "missense_variant", "synonymous": "synonymous_variant",
    "frameshift": "frameshift_variant", "splice_donor": "splice_donor_variant",
    "splice_acceptor": "splice_acceptor_variant", "splice_region": "splice_region_variant",
    "inframe_altering": "protein_altering_variant", "stop_retained": "stop_retained_variant",
    "start_retained": "start_retained_variant", "coding_sequence": "coding_sequence_variant",
    "5_prime_utr": "5_prime_UTR_variant", "3_prime_utr": "3_prime_UTR_variant",
    "intron": "intron_variant", "non_coding": "non_coding_transcript_exon_variant",
    "intergenic": "intergenic_variant",
}  # fmt: skip
_ANNOVAR = {
    "frameshift deletion": "frameshift_variant", "frameshift insertion": "frameshift_variant",
    "frameshift substitution": "frameshift_variant",
    "frameshift block substitution": "frameshift_variant",
    "stopgain": "stop_gained", "stopgain snv": "stop_gained",
    "stoploss": "stop_lost", "stoploss snv": "stop_lost", "startloss": "start_lost",
    "startgain": "5_prime_UTR_premature_start_codon_gain_variant",
    "nonframeshift deletion": "inframe_deletion", "nonframeshift insertion": "inframe_insertion",
    "nonframeshift substitution": "protein_altering_variant",
    "nonframeshift block substitution": "protein_altering_variant",
    "nonsynonymous snv": "missense_variant", "synonymous snv": "synonymous_variant",
    "unknown": "coding_sequence_variant",
    "exonic": "coding_sequence_variant", "splicing": "splice_site_variant",
    "utr5": "5_prime_UTR_variant", "utr3": "3_prime_UTR_variant", "intronic": "intron_variant",
    "upstream": "upstream_gene_variant", "downstream": "downstream_gene_variant",
    "ncrna_exonic": "non_coding_transcript_exon_variant",
    "ncrna_splicing": "non_coding_transcript_variant",
    "ncrna_intronic": "non_coding_transcript_variant",
    "ncrna_utr5": "non_coding_transcript_variant", "ncrna_utr3": "non_coding_transcript_variant",
    "intergenic": "intergenic_variant",
}  # fmt: skip


def class_of(term: str) -> str:
    """Return `lof`, `missense`, `synonymous` or `other`."""
    return _CLASS.get(term, "other")


def most_severe(terms: str, source: str) -> str:
    """Return the most severe of terms joined by `&`, spelled as in Sequence Ontology."""
    if source == "ANNOVAR":
        named = [_ANNOVAR.get(term.replace("_snv", " snv").replace("shift_", "shift ")
                              .replace("block_sub", "block sub"), term)
                 for term in terms.lower().split("&")]  # fmt: skip
    elif source == "BCSQ":
        named = [_BCSQ.get(term, term) for term in terms.lstrip("*").split("&")]
    else:
        named = terms.split("&")
    return min(named, key=lambda term: RANK.get(term, UNRANKED))
