"""Which reader a genotype file needs, by its name. A reader is loaded when its format is met."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import InputError
from pipeline.sources.base import Source

VCF = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
PLINK1 = (".bed",)
PLINK2 = (".pgen",)
GENNET = (".h5", ".hdf5")
SUFFIXES = (*VCF, *PLINK1, *PLINK2, *GENNET)


def open_source(path: Path) -> Source:
    """Return the source that a path names.

    Raises `InputError` when the name tells no format, or the file or one beside it cannot be used.
    """
    name = path.name.lower()
    if name.endswith(PLINK1):
        from pipeline.sources.plink import read_bed_header

        return read_bed_header(path)
    if name.endswith(PLINK2):
        from pipeline.sources.plink import read_pgen_header

        return read_pgen_header(path)
    if name.endswith(GENNET):
        from pipeline.sources.gennet import read_gennet_header

        return read_gennet_header(path)
    if path.is_file() and not path.name.endswith(VCF):
        raise InputError(
            f"A cohort is made from {', '.join(SUFFIXES)} files, but {path.name} was "
            "given; convert it, or rename it if it is one."
        )
    from pipeline.sources.vcf import read_header

    return read_header(path)


def people_table(path: Path) -> Path | None:
    """Return the file beside a genotype file that tells diagnosis and sex, if it is there."""
    name = path.name.lower()
    beside = None
    if name.endswith(PLINK1):
        beside = path.with_suffix(".fam")
    elif name.endswith(PLINK2):
        beside = path.with_suffix(".psam")
    elif name.endswith(GENNET):
        beside = path.with_name("subjects.csv")
    return beside if beside and beside.is_file() else None
