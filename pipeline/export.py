"""The kept set in the formats of other programs: VCF, PLINK 1, GenNet, GWAS-SSF, lists.

What is written: the variants that the thresholds keep, and the cases and controls. Genotypes are
read and written in blocks, so memory does not grow with the number of variants. An export holds
single people's genotypes (GWAS-SSF excepted): it goes to a path that the user names, never through
a page. Files appear whole: all are written in a folder beside the target, then renamed.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pysam

from pipeline.association import associate, association_table, genes_of, write_association
from pipeline.cohort import Cohort
from pipeline.errors import EmptyResultError, InputError, SettingsError
from pipeline.genotypes import GENOTYPE_MISSING, pack, unpack
from pipeline.people import require_both
from pipeline.progress import Clock, OnProgress, silent
from pipeline.quality import Filtered, filter_variants
from pipeline.samples import with_people
from pipeline.schema import CHROMOSOME_ORDER, plain_chromosome
from pipeline.settings import AnalysisSettings
from pipeline.simulate.bgzf import write_bgzf
from pipeline.splits import make_splits

if TYPE_CHECKING:  # loaded by DuckDB when the first frame is asked for
    import pandas as pd

_BLOCK_GENOTYPES = 1 << 23  # unpacked together: 8 MB, and four times that as text
_MOST_VARIANTS = 4096
_TBI_END = 1 << 29  # a .tbi cannot point beyond; a .csi can
_SETS = {"train": 1, "validation": 2, "test": 3}  # as GenNet numbers them
_SSF_FIRST = (
    "chromosome", "base_pair_location", "effect_allele", "other_allele", "odds_ratio",
    "standard_error", "effect_allele_frequency", "p_value",
)  # fmt: skip

# A cell of a VCF by genotype code. Who has one copy and yet is heterozygous keeps both alleles:
# an error of the source is not hidden. NUL pads a short cell and is taken out of the line.
_TWO_COPIES = np.array([b"\t0/0", b"\t0/1", b"\t1/1", b"\t./."])
_ONE_COPY = np.array([b"\t0", b"\t0/1", b"\t1", b"\t."], _TWO_COPIES.dtype)

_FIXED_HEAD = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"

# Four codes of ours in a byte (0, 1, 2 alternates, 3 missing; low bits first) as .bed has them
# with A1 = ALT: 11, 10, 00, 01.
_BED_CODES = np.array([0b11, 0b10, 0b00, 0b01], np.uint8)
_BED_MAGIC = bytes([0x6C, 0x1B, 0x01])
_BED_BYTES = np.bitwise_or.reduce(
    [
        _BED_CODES[(np.arange(256, dtype=np.uint8) >> shift) & 3] << np.uint8(shift)
        for shift in (0, 2, 4, 6)
    ]
).astype(np.uint8)


@dataclass(frozen=True)
class Exported:
    """The files written, what is in them, and what their reader has to know."""

    format: str
    files: tuple[Path, ...]
    variants: int
    people: dict[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Kept:
    """What is exported: kept variants of chosen people.

    `people` (n_people,) are positions in the cohort; `is_case` (n_people,) are their roles.
    """

    cohort: Cohort
    filtered: Filtered
    settings: AnalysisSettings
    people: np.ndarray
    is_case: np.ndarray

    @cached_property
    def samples(self) -> pd.DataFrame:
        """Return the people that are exported, in order (see `schema.SAMPLES`)."""
        return self.cohort.samples.iloc[self.people].reset_index(drop=True)

    def table(self, variants: np.ndarray) -> pd.DataFrame:
        """Return those variants in the order given, with `variant_id` chrom_pos_ref_alt."""
        table = self.cohort.store.frame_of(
            "SELECT variant_index, chrom, pos, rsid, ref, alt, qual, filter, region FROM variants "
            "WHERE variant_index IN (SELECT wanted_index FROM wanted)",
            variants,
        )
        table = table.set_index("variant_index").loc[variants].reset_index()
        plain = {chrom: plain_chromosome(chrom) for chrom in table["chrom"].unique()}
        table["variant_id"] = (
            table["chrom"].map(plain) + "_" + table["pos"].astype(str)
            + "_" + table["ref"] + "_" + table["alt"]
        )  # fmt: skip
        return table

    def blocks(
        self, variants: np.ndarray, on_progress: OnProgress
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield variants and their genotypes uint8 (n_variants, n_people), in the order given."""
        n_all = len(self.cohort.samples)
        n_together = int(np.clip(_BLOCK_GENOTYPES // n_all, 1, _MOST_VARIANTS))
        clock = Clock("writing genotypes", on_progress)
        clock.report(0.0)
        done = 0
        for start in range(0, len(variants), _MOST_VARIANTS):
            wanted = variants[start : start + _MOST_VARIANTS]
            packed = self._packed(wanted)
            for first in range(0, len(wanted), n_together):
                part = slice(first, first + n_together)
                codes = unpack(packed[part], n_all)
                if len(self.people) < n_all:
                    codes = codes[:, self.people]
                yield wanted[part], codes
                done += len(codes)
                clock.report(done / len(variants), f"{done:,} of {len(variants):,} variants")

    def _packed(self, variants: np.ndarray) -> np.ndarray:
        """Return the packed genotypes of a few thousand variants, in their order."""
        pieces = list(self.cohort.packed_genotypes(variants))
        found = np.concatenate([indices for indices, _ in pieces])
        in_order = np.argsort(found)
        rank = np.searchsorted(found[in_order], variants)
        return np.concatenate([packed for _, packed in pieces])[in_order[rank]]


@dataclass
class _Staging:
    """Where files are written before they get their names, and which names they get."""

    folder: Path
    targets: dict[str, Path] = field(default_factory=dict)

    def path(self, role: str) -> Path:
        return self.folder / self.targets[role].name

    def drop(self, role: str) -> None:
        del self.targets[role]


def export(
    cohort: Cohort,
    out: Path,
    what: str,
    settings: AnalysisSettings | None = None,
    *,
    force: bool = False,
    on_progress: OnProgress = silent,
) -> Exported:
    """Write the kept variants of cases and controls; returns what was written.

    `what` is one of `FORMATS`. `out` is a file ending in .vcf.gz (vcf) or .tsv (ssf), a prefix
    (plink, lists), or a folder (gennet). Raises `InputError` for a path that cannot be used or,
    without `force`, exists; `EmptyResultError` when nothing is kept.
    """
    if what not in FORMATS:
        raise SettingsError(
            f"A format is one of {', '.join(FORMATS)}, but {what!r} was given; choose one of them."
        )
    settings = settings or AnalysisSettings()
    names, write = FORMATS[what]
    targets = names(out)
    if not force:
        _refuse_existing(targets)
    cohort = with_people(cohort, settings.samples, on_progress)
    filtered = filter_variants(cohort, settings.quality, settings.people)
    if not len(filtered.kept):
        raise EmptyResultError(
            "An export holds the variants that are kept, but these thresholds keep none of "
            f"{cohort.n_variants:,}; loosen the one that removes most."
        )
    case = cohort.is_in(filtered.definition.case)
    people = np.flatnonzero(case | cohort.is_in(filtered.definition.control))
    kept = Kept(cohort, filtered, settings, people, case[people])
    with _staged(targets) as staging:
        notes = write(kept, staging, on_progress)
    n_case = int(kept.is_case.sum())
    return Exported(
        what,
        tuple(staging.targets.values()),
        len(filtered.kept),
        {"case": n_case, "control": len(people) - n_case},
        tuple(notes),
    )


def _refuse_existing(targets: dict[str, Path]) -> None:
    for path in targets.values():
        if path.exists():
            raise InputError(
                f"An export overwrites nothing unasked, but {path} exists; name another path, or "
                "add --force."
            )


@contextmanager
def _staged(targets: dict[str, Path]) -> Iterator[_Staging]:
    """Give a folder to write into; its files get their names when the block ends well."""
    beside = next(iter(targets.values())).parent
    is_new = not beside.exists()
    if is_new:
        beside.mkdir()  # of GenNet alone: what is above it has to be there
    staging = _Staging(Path(tempfile.mkdtemp(prefix=".export-", suffix=".tmp", dir=beside)))
    staging.targets.update(targets)
    try:
        yield staging
        for role, path in staging.targets.items():
            staging.path(role).replace(path)
    finally:
        shutil.rmtree(staging.folder, ignore_errors=True)
        if is_new and not any(beside.iterdir()):
            beside.rmdir()


def _vcf_names(out: Path) -> dict[str, Path]:
    if not out.name.endswith(".vcf.gz"):
        raise InputError(
            f"A VCF is exported bgzipped, so its name ends in .vcf.gz, but {out.name} was given; "
            "name it so."
        )
    return {
        "tbi": out.with_name(f"{out.name}.tbi"),
        "csi": out.with_name(f"{out.name}.csi"),
        "vcf": out,
    }


def _write_vcf(kept: Kept, staging: _Staging, on_progress: OnProgress) -> list[str]:
    write_bgzf(staging.path("vcf"), _vcf_lines(kept, on_progress))
    last = kept.cohort.store.rows("SELECT max(pos) FROM variants")[0][0]
    kind, other = ("csi", "tbi") if last >= _TBI_END else ("tbi", "csi")
    pysam.tabix_index(str(staging.path("vcf")), preset="vcf", force=True, csi=kind == "csi")
    staging.drop(other)
    return []


def _vcf_lines(kept: Kept, on_progress: OnProgress) -> Iterator[bytes]:
    yield _vcf_header(kept)
    male = np.flatnonzero(kept.samples["sex"] == "male")
    everyone = np.arange(len(kept.people))
    one_copy = {"x": male, "y": male, "mt": everyone}
    for variants, codes in kept.blocks(kept.filtered.kept, on_progress):
        table = kept.table(variants)
        cells = _TWO_COPIES[codes]
        fixed = _fixed_fields(table)
        lines = []
        for row, region in enumerate(table["region"]):
            if region in one_copy:
                haploid = one_copy[region]
                cells[row, haploid] = _ONE_COPY[codes[row, haploid]]
                calls = cells[row].tobytes().translate(None, b"\0")
            else:
                calls = cells[row].tobytes()
            lines += [fixed[row], calls, b"\n"]
        yield b"".join(lines)


def _fixed_fields(table: pd.DataFrame) -> list[bytes]:
    """Return CHROM to FORMAT of each variant."""
    qual = [
        "." if np.isnan(value) else np.format_float_positional(np.float32(value), trim="-")
        for value in table["qual"]
    ]
    rsid, failed = (table[name].fillna(".").replace("", ".") for name in ("rsid", "filter"))
    columns = (table["chrom"], table["pos"], rsid, table["ref"], table["alt"], qual, failed)
    return ["\t".join([*map(str, row), ".", "GT"]).encode() for row in zip(*columns, strict=True)]


def _vcf_header(kept: Kept) -> bytes:
    store = kept.cohort.store
    contigs = store.rows("SELECT chrom FROM variants GROUP BY chrom ORDER BY min(variant_index)")
    written = store.rows("SELECT DISTINCT filter FROM variants WHERE filter IS NOT NULL")
    filters = sorted({name for (names,) in written for name in names.split(";")} - {"PASS", ""})
    lines = [
        "##fileformat=VCFv4.2",
        f"##source=Exolens, cohort {kept.cohort.name} {kept.cohort.fingerprint}",
        '##FILTER=<ID=PASS,Description="All filters passed">',
        *(f'##FILTER=<ID={name},Description="As in the source">' for name in filters),
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        *(f"##contig=<ID={contig}>" for (contig,) in contigs),
        _FIXED_HEAD + "".join(f"\t{name}" for name in kept.samples["sample_id"]),
    ]
    return ("\n".join(lines) + "\n").encode()


def _plink_names(out: Path) -> dict[str, Path]:
    return {role: out.with_name(f"{out.name}.{role}") for role in ("bim", "fam", "bed")}


def _write_plink(kept: Kept, staging: _Staging, on_progress: OnProgress) -> list[str]:
    _write_fam(kept, staging.path("fam"))
    variants, is_par_of_x = _plink_order(kept)
    # The last byte of a row may hold fewer than four people; the rest of it is zero.
    n_people = len(kept.people)
    n_bytes = -(-n_people // 4)
    in_last = np.uint8(0xFF >> (2 * (4 * n_bytes - n_people)))
    extra: set[str] = set()
    with staging.path("bed").open("wb") as bed, staging.path("bim").open("w") as bim:
        bed.write(_BED_MAGIC)
        for block, codes in kept.blocks(variants, on_progress):
            rows = _BED_BYTES[pack(codes)[:, :n_bytes]]
            rows[:, -1] &= in_last
            bed.write(rows.tobytes())
            table = kept.table(block)
            chrom = np.where(np.isin(block, is_par_of_x), "XY", table["chrom"])
            alt = table["alt"].replace(".", "0")  # PLINK's word for an allele that is not there
            bim.writelines(
                f"{c}\t{i}\t0\t{p}\t{a}\t{r}\n"
                for c, i, p, a, r in zip(
                    chrom, table["variant_id"], table["pos"], alt, table["ref"], strict=True
                )
            )
            extra |= {c for c in table["chrom"].unique() if _is_extra(c)}
    notes = []
    if len(is_par_of_x):
        notes.append(
            f"{len(is_par_of_x):,} variants of the pseudo-autosomal regions stand after X as "
            "chromosome XY, as PLINK has it"
        )
    if extra:
        notes.append(
            f"PLINK reads the chromosomes {', '.join(sorted(extra)[:5])} with --allow-extra-chr"
        )
    return notes


def _is_extra(chrom: str) -> bool:
    return plain_chromosome(chrom) not in CHROMOSOME_ORDER


def _plink_order(kept: Kept) -> tuple[np.ndarray, np.ndarray]:
    """Return the kept variants with the PAR of X after X, and which these are.

    PLINK takes males on X as haploid everywhere, and each chromosome has to stand in one piece.
    """
    on_x = kept.cohort.store.arrays(
        "SELECT variant_index, region = 'par' AS in_par FROM variants "
        "WHERE chrom_order = 23 ORDER BY variant_index"
    )
    variants = kept.filtered.kept
    x = on_x["variant_index"].astype(np.int64)
    par = np.intersect1d(variants, x[on_x["in_par"]])
    if not len(par):
        return variants, par
    place = variants.astype(np.float64)
    place[np.isin(variants, par)] = x[-1] + 0.5
    return variants[np.argsort(place, kind="stable")], par


def _write_fam(kept: Kept, path: Path) -> None:
    sex = kept.samples["sex"].map({"male": 1, "female": 2}).fillna(0).astype(int)
    with path.open("w") as fam:
        fam.writelines(
            f"{fid}\t{iid}\t0\t0\t{s}\t{2 if is_case else 1}\n"
            for (fid, iid), s, is_case in zip(_plink_people(kept), sex, kept.is_case, strict=True)
        )


def _plink_people(kept: Kept) -> list[tuple[str, str]]:
    """Return FID and IID of each person; FID is 0 where no family is known."""
    families = kept.samples["family_id"].fillna("0")
    people = list(zip(families, kept.samples["sample_id"], strict=True))
    for names in people:
        for name in names:
            if not name or len(name.split()) != 1 or name != name.strip():
                raise InputError(
                    f"PLINK parts its columns at blanks, but a person or family is called "
                    f"{name!r}; rename it (bcftools reheader), or export as vcf."
                )
    return people


def _list_names(out: Path) -> dict[str, Path]:
    return {role: out.with_name(f"{out.name}.{role}.txt") for role in ("keep", "extract")}


def _write_lists(kept: Kept, staging: _Staging, on_progress: OnProgress) -> list[str]:
    with staging.path("keep").open("w") as keep:
        keep.writelines(f"{fid}\t{iid}\n" for fid, iid in _plink_people(kept))
    clock = Clock("writing the list", on_progress)
    variants = kept.filtered.kept
    with staging.path("extract").open("w") as extract:
        for start in range(0, len(variants), _MOST_VARIANTS):
            part = variants[start : start + _MOST_VARIANTS]
            extract.writelines(f"{name}\n" for name in kept.table(part)["variant_id"])
            clock.report(min(1.0, (start + _MOST_VARIANTS) / len(variants)))
    return [
        "Variants are named chrom_pos_ref_alt, one alternate each; give the source these names "
        "with plink2 --set-all-var-ids '@_#_$r_$a' (after bcftools norm -m- where it has more)"
    ]


def _gennet_names(out: Path) -> dict[str, Path]:
    return {
        "subjects": out / "subjects.csv",
        "snps": out / "snps.csv",
        "genotype": out / "genotype.h5",
    }


def _write_gennet(kept: Kept, staging: _Staging, on_progress: OnProgress) -> list[str]:
    """Write GenNet's folder: genotypes (people x variants), subjects, and the variants by column.

    GenNet's reader knows no missing genotype: its converter puts the rounded mean of the variant
    there. So do we, with the mean of the training people alone, and `snps.csv` counts them.
    References: van Hilten et al. 2021, Communications Biology 4:1094.
    """
    import h5py
    import pandas as pd

    require_both(kept.filtered.definition, kept.cohort.n_people)
    split_settings = kept.settings.split.model_copy(update={"folds": 0})
    split = make_splits(kept.is_case, split_settings)[0]
    n_people, n_variants = len(kept.people), len(kept.filtered.kept)
    in_set = np.empty(n_people, np.int64)
    for part, number in _SETS.items():
        in_set[getattr(split, part)] = number
    pd.DataFrame(
        {
            "patient_id": kept.samples["sample_id"],
            "labels": kept.is_case.astype(int),
            "genotype_row": np.arange(n_people),
            "set": in_set,
        }
    ).to_csv(staging.path("subjects"), index=False)
    n_imputed = np.empty(n_variants, np.int64)
    # A batch of people is read whole, a block of variants is written: a chunk serves both.
    chunks = (min(n_people, 16), min(n_variants, _MOST_VARIANTS))
    done = 0
    with h5py.File(staging.path("genotype"), "w") as made:
        data = made.create_dataset(
            "data", (n_people, n_variants), np.int8, chunks=chunks, compression=1
        )
        pending: list[np.ndarray] = []
        for variants, codes in kept.blocks(kept.filtered.kept, on_progress):
            n_imputed[done : done + len(variants)] = _impute(codes, split.train)
            done += len(variants)
            pending.append(codes)
            if done % _MOST_VARIANTS == 0 or done == n_variants:
                columns = np.concatenate(pending)
                data[:, done - len(columns) : done] = columns.T.astype(np.int8)
                pending = []
    _write_snps(kept, n_imputed, staging.path("snps"))
    total = int(n_imputed.sum())
    return [f"{total:,} missing genotypes hold the rounded mean of the training people"] * (
        total > 0
    )


def _impute(codes: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Fill what is missing in `codes` (n_variants, n_people) in place; returns how many, each.

    The value is the mean over the called people of `train`, rounded to a genotype, 0 without any.
    """
    is_missing = codes == GENOTYPE_MISSING
    seen = codes[:, train]
    is_called = seen != GENOTYPE_MISSING
    total = (seen * is_called).sum(1, dtype=np.int64)
    mean = np.rint(total / np.maximum(is_called.sum(1), 1)).astype(np.uint8)
    np.copyto(codes, mean[:, None], where=is_missing)
    return is_missing.sum(1)


def _write_snps(kept: Kept, n_imputed: np.ndarray, path: Path) -> None:
    variants = kept.filtered.kept
    genes = genes_of(kept.cohort, variants).to_numpy()
    names = ["variant_id", "rsid", "chrom", "pos", "ref", "alt"]
    with path.open("w", newline="") as out:
        for start in range(0, len(variants), _MOST_VARIANTS):
            part = slice(start, start + _MOST_VARIANTS)
            table = kept.table(variants[part])[names]
            table.insert(0, "column", np.arange(start, start + len(table)))
            table["gene"] = genes[part]
            table["n_imputed"] = n_imputed[part]
            table.to_csv(out, index=False, header=start == 0)


def _ssf_names(out: Path) -> dict[str, Path]:
    if not out.name.endswith(".tsv"):
        raise InputError(
            f"A GWAS-SSF file is a table whose name ends in .tsv, but {out.name} was given; "
            "name it so."
        )
    return {"meta": out.with_name(f"{out.name}-meta.yaml"), "table": out}


def _write_ssf(kept: Kept, staging: _Staging, on_progress: OnProgress) -> list[str]:
    """Write what GWAS-SSF can hold: tested variants of chromosomes 1 to 25, effect allele ALT.

    Odds ratio and standard error are allelic whatever the test. References: Hayhurst et al. 2022,
    A community driven GWAS summary statistics standard (version 1.0).
    """
    clock = Clock("testing variants", on_progress)
    clock.report(0.0)
    found = associate(kept.cohort, kept.filtered, kept.settings.association)
    table = association_table(kept.cohort, kept.filtered, found)
    number = table["chromosome"].map(CHROMOSOME_ORDER)
    can_hold = (number.notna() & table["p_value"].notna()).to_numpy()
    if not can_hold.any():
        raise EmptyResultError(
            f"GWAS-SSF holds tested variants, but none of the {len(table):,} kept ones has a p; "
            "loosen the thresholds or choose another test."
        )
    table = table[can_hold].reset_index(drop=True)
    table["chromosome"] = number[can_hold].astype(int).to_numpy()
    others = [name for name in table.columns if name not in _SSF_FIRST]
    write_association(table[[*_SSF_FIRST, *others]], staging.path("table"))
    _write_ssf_meta(kept, found.test, staging)
    clock.report(1.0)
    n_left_out = len(can_hold) - len(table)
    note = f"{n_left_out:,} variants without a p, or not on chromosomes 1 to 25, are left out"
    return [note] * (n_left_out > 0)


def _write_ssf_meta(kept: Kept, test: str, staging: _Staging) -> None:
    with staging.path("table").open("rb") as handle:
        digest = hashlib.file_digest(handle, "md5").hexdigest()
    build = {"hg19": "GRCh37", "hg38": "GRCh38"}[kept.cohort.certificate["settings"]["build"]]
    n_case = int(kept.is_case.sum())
    lines = [
        f"date_metadata_last_modified: {datetime.now(UTC).date().isoformat()}",
        f"genome_assembly: {build}",
        "coordinate_system: 1-based",
        f"data_file_name: {staging.targets['table'].name}",
        "file_type: GWAS-SSF v1.0",
        f"data_file_md5sum: {digest}",
        "is_harmonised: false",
        "is_sorted: true",
        f"analysis_software: Exolens, test {test}, allelic odds ratio (Woolf)",
        "samples:",
        f"  - sample_size: {len(kept.people)}",
        "    case_control_study: true",
        f"    case_count: {n_case}",
        f"    control_count: {len(kept.people) - n_case}",
    ]
    staging.path("meta").write_text("\n".join(lines) + "\n")


_Names = Callable[[Path], dict[str, Path]]
_Write = Callable[[Kept, _Staging, OnProgress], list[str]]
FORMATS: dict[str, tuple[_Names, _Write]] = {
    "vcf": (_vcf_names, _write_vcf),
    "plink": (_plink_names, _write_plink),
    "gennet": (_gennet_names, _write_gennet),
    "ssf": (_ssf_names, _write_ssf),
    "lists": (_list_names, _write_lists),
}
