"""What the columns of a published file of summary statistics are: a guess by name, to be confirmed.

The names are those of GWAS-SSF, PLINK 1 and 2, SAIGE, REGENIE, BOLT-LMM, METAL, GCTA, SNPTEST,
FinnGen, PheWeb, LocusZoom, topr and gap. A name alone gives no role: the first rows have to fit it.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import InputError

BLANKS = " "  # the delimiter of columns that any run of blanks parts
NOT_THERE = {"", ".", "na", "#na", "nan", "n/a", "null", "none", "-nan"}
_N_PREVIEW = 20
_MOST_LINES = 5_000  # of comments before the header
_GZIP = b"\x1f\x8b"

# Names as `_plain` writes them; where a file has several, the first here wins.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "chromosome": (
        "chromosome", "chrom", "chr", "hm_chrom", "chr_id", "seqnames", "contig", "scaffold",
    ),
    "position": (
        "base_pair_location", "bp", "pos", "position", "hm_pos", "pos_b37", "pos_b38", "bp_hg19",
        "bp_hg38", "chr_pos", "ps", "base_pair", "basepair", "genpos", "start",
    ),
    "neg_log10_p": (
        "neg_log_10_p_value", "neg_log10_p_value", "neg_log_pvalue", "neg_log10_pvalue",
        "neg_log10_p", "neglog10_pval", "neglog10p", "log10p", "log10_p", "mlogp", "mlog10p",
        "log_pvalue", "logp", "minus_log10_p", "lp",
    ),
    "p_value": (
        "p_value", "pvalue", "p", "pval", "p_val", "p_bolt_lmm", "p_bolt_lmm_inf", "p_wald",
        "p_lrt", "p_score", "p_linreg", "frequentist_add_pvalue", "all_inv_var_meta_p", "gwas_p",
    ),
    "effect_allele": (
        "effect_allele", "ea", "a1", "tested_allele", "alt", "allele1", "allele_1", "alleleb",
        "allele_b", "alternate", "hm_effect_allele", "coded_allele", "risk_allele",
    ),
    "other_allele": (
        "other_allele", "oa", "nea", "non_effect_allele", "a2", "omitted", "ax", "ref", "allele0",
        "allele2", "allele_2", "a0", "allelea", "allele_a", "reference", "hm_other_allele",
        "noncoded_allele",
    ),
    "odds_ratio": ("odds_ratio", "or", "hm_odds_ratio", "oddsratio"),
    "beta": ("beta", "b", "effect", "log_or", "logor", "hm_beta", "effect_size", "es"),
    "standard_error": (
        "standard_error", "se", "sebeta", "stderr", "stderr_beta", "log_or_se", "se_beta",
        "beta_se",
    ),
    "frequency": (
        "effect_allele_frequency", "eaf", "a1_freq", "a1freq", "af", "af_alt", "alt_allele_freq",
        "af_allele2", "freq1", "freq", "frq", "maf", "alt_freqs",
    ),
    "rsid": (
        "rsid", "rsids", "rs_id", "rs", "dbsnp", "snp", "rsn", "snpid", "snp_id", "id", "markerid",
        "markername", "marker", "hm_rsid", "variant_id", "variant",
    ),
    "gene": (
        "gene", "nearest_genes", "nearest_gene", "gene_name", "gene_symbol", "genes", "symbol",
    ),
    "test": ("test",),
}  # fmt: skip
ROLES = tuple(SYNONYMS)
_MARKER = re.compile(r"^(?:chr)?[0-9A-Za-z]{1,2}[:_-][0-9]+(?:[:_-]|$)", re.IGNORECASE)
_CHROMOSOME = re.compile(r"^(?:chr)?(?:[1-9]|1[0-9]|2[0-6]|0[1-9]|X|Y|XY|M|MT)$", re.IGNORECASE)


@dataclass(frozen=True)
class SummaryColumns:
    """How a file is laid out, and the column of each role (`roles` holds those that have one).

    `header` are the names as written, `preview` its first rows. `n_before` lines stand before the
    header. The roles are a guess: show them with the preview, and correct them by `with_roles`.
    """

    path: Path
    delimiter: str
    is_gzip: bool
    encoding: str
    n_before: int
    header: tuple[str, ...]
    preview: tuple[tuple[str, ...], ...]
    roles: dict[str, str]

    @property
    def missing(self) -> tuple[str, ...]:
        """Return what is needed and has no column, in words."""
        needed = []
        if not self.has_marker:
            needed += [role for role in ("chromosome", "position") if role not in self.roles]
        if not {"p_value", "neg_log10_p"} & set(self.roles):
            needed.append("p value (or -log10 p)")
        return tuple(needed)

    @property
    def has_marker(self) -> bool:
        """Say whether chromosome and position are read from names such as 1:12345:A:G."""
        if {"chromosome", "position"} & set(self.roles) or "rsid" not in self.roles:
            return False
        values = self.values("rsid")
        return bool(values) and all(_MARKER.match(value) for value in values)

    def values(self, role: str) -> list[str]:
        """Return what the first rows hold in the column of a role, missing values apart."""
        return _values(self.preview, self.header.index(self.roles[role]))

    def with_roles(self, chosen: Mapping[str, str | None]) -> SummaryColumns:
        """Return these columns with roles as the user has them; None takes a role away.

        Raises `InputError` for a role or a column that there is not.
        """
        roles = dict(self.roles)
        for role, column in chosen.items():
            if role not in ROLES:
                raise InputError(
                    f"A column of summary statistics is one of {', '.join(ROLES)}, but {role!r} "
                    "was given; choose one of them."
                )
            if column is None:
                roles.pop(role, None)
                continue
            if column not in self.header:
                raise InputError(
                    f"The {role} is a column of {self.path.name}, but {column!r} was given; choose "
                    f"one of {', '.join(self.header)}."
                )
            roles[role] = column
        return replace(self, roles=roles)

    def question(self) -> str:
        """Return the guess as one sentence that a person can confirm."""
        said = ", ".join(f"{role} = {column}" for role, column in self.roles.items())
        if self.has_marker:
            said += f", chromosome and position from {self.roles['rsid']}"
        lacking = f"; {' and '.join(self.missing)} not found" if self.missing else ""
        return f"{self.path.name} is read with {said or 'no column'}{lacking}: is that right?"


def sniff_summary_file(path: Path) -> SummaryColumns:
    """Return delimiter, compression, header, first 20 rows and the role of each known column.

    Raises `InputError` for what is no table with a header line.
    """
    if not path.is_file():
        raise InputError(
            f"Summary statistics are read from a file, but there is none at {path}; check the path."
        )
    with path.open("rb") as raw:
        is_gzip = raw.read(2) == _GZIP
    encoding, n_before, lines = _first_lines(path, is_gzip)
    header_line = lines[0]
    delimiter = next((mark for mark in "\t,;" if mark in header_line), BLANKS)
    header = tuple(name.strip() for name in _cells(header_line, delimiter))
    preview = tuple(tuple(_cells(line, delimiter)) for line in lines[1:])
    if len(header) < 3 or sum(map(_is_number, header)) * 2 > len(header):
        raise InputError(
            f"Summary statistics begin with a line that names their columns, but {path.name} "
            f"begins with {header_line[:60]!r}; add such a line."
        )
    if not preview:
        raise InputError(
            f"Summary statistics hold one variant a line, but {path.name} has a header and no "
            "line after it; give the whole file."
        )
    return SummaryColumns(
        path, delimiter, is_gzip, encoding, n_before, header, preview, _guess(header, preview)
    )


def _first_lines(path: Path, is_gzip: bool) -> tuple[str, int, list[str]]:
    """Return the encoding, how many lines stand before the header, and header and first rows."""
    lines: list[bytes] = []
    n_before = 0
    try:
        with gzip.open(path, "rb") if is_gzip else path.open("rb") as stream:
            while len(lines) <= _N_PREVIEW and n_before < _MOST_LINES:
                line = stream.readline(1 << 20)
                if not line:
                    break
                if not lines and (line.startswith(b"##") or not line.strip()):
                    n_before += 1
                elif line.strip():
                    lines.append(line.rstrip(b"\r\n"))
    except (OSError, EOFError, zlib.error) as error:
        raise broken(path, error) from error
    joined = b"\n".join(lines)
    if b"\0" in joined or not joined:
        raise InputError(
            f"Summary statistics are a table of text, plain or gzipped, but {path.name} is "
            f"{'empty' if not joined else 'not text'}; convert it first."
        )
    try:
        text, encoding = joined.decode("utf-8-sig"), "utf8"
    except UnicodeDecodeError:
        text, encoding = joined.decode("latin-1"), "latin-1"
    return encoding, n_before, text.split("\n")


def broken(path: Path, error: Exception) -> InputError:
    """Return the error of a file that cannot be read to its end."""
    return InputError(
        f"A file is read to its end, but {path.name} cannot be ({error}); copy or make it again."
    )


def _cells(line: str, delimiter: str) -> list[str]:
    if delimiter == BLANKS:
        return line.split()
    return next(csv.reader([line], delimiter=delimiter))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _guess(header: tuple[str, ...], preview: tuple[tuple[str, ...], ...]) -> dict[str, str]:
    """Return the column of each role that is found by a known name whose first rows fit."""
    by_name: dict[str, int] = {}
    for index, name in enumerate(header):
        by_name.setdefault(_plain(name), index)
    roles: dict[str, str] = {}
    for role, names in SYNONYMS.items():
        for name in _of_program(role, names, by_name):
            if name not in by_name or header[by_name[name]] in roles.values():
                continue
            index = by_name[name]
            if _fits(role, _values(preview, index)):
                roles[role] = header[index]
                break
    return roles


def _of_program(role: str, names: tuple[str, ...], by_name: Mapping[str, int]) -> tuple[str, ...]:
    """Return the names of a role in the order of the program that wrote the file."""
    if "af_allele2" in by_name:  # SAIGE: the effect is that of Allele2
        if role == "effect_allele":
            return ("allele2",)
        if role == "other_allele":
            return ("allele1",)
    return names


def _values(preview: tuple[tuple[str, ...], ...], index: int) -> list[str]:
    cells = (row[index].strip() for row in preview if index < len(row))
    return [cell for cell in cells if cell.lower() not in NOT_THERE]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip().lower() not in NOT_THERE


def _fits(role: str, values: list[str]) -> bool:
    """Return whether the first rows can be values of a role; a column without any can be."""
    if role == "chromosome":
        # Contigs that are not chromosomes may come first; a name is then as good as another.
        return not values or any(_CHROMOSOME.match(value) for value in values)
    if role in ("rsid", "gene", "test", "effect_allele", "other_allele"):
        return not values or not all(map(_is_number, values))
    if not all(map(_is_number, values)):
        return False
    numbers = [float(value) for value in values]
    if role == "position":
        return all(number == int(number) and number > 0 for number in numbers)
    if role in ("p_value", "frequency"):
        return all(0 <= number <= 1 for number in numbers)
    if role in ("neg_log10_p", "odds_ratio", "standard_error"):
        return all(number >= 0 for number in numbers)
    return True
