"""A copy of a file with what ingest asks for first: a declared GT, and people.

Most specification examples stop there, at the header, and their records would never be read.
"""

from __future__ import annotations

import gzip
from pathlib import Path

_GT = b'##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
_N_FIXED = 8


def completed(path: Path) -> bytes | None:
    """Return the text of a VCF with GT declared and two people where it has none.

    None when it has both, or no header line to put them in.
    """
    text = path.read_bytes()
    if text[:2] == b"\x1f\x8b":
        text = gzip.decompress(text)
    lines = text.splitlines(keepends=True)
    head = next((i for i, line in enumerate(lines) if line.startswith(b"#CHROM")), None)
    if head is None:
        return None
    has_gt = any(line.startswith(b"##FORMAT=<ID=GT,") for line in lines[:head])
    has_people = lines[head].count(b"\t") + 1 != _N_FIXED
    if has_gt and has_people:
        return None
    if not has_people:
        lines[head] = _longer(lines[head], b"\tFORMAT\tp1\tp2")
        lines[head + 1 :] = [
            line if line.startswith(b"#") or not line.strip() else _longer(line, b"\tGT\t0/1\t1|1")
            for line in lines[head + 1 :]
        ]
    if not has_gt:
        lines.insert(head, _GT)
    return b"".join(lines)


def _longer(line: bytes, added: bytes) -> bytes:
    body = line.rstrip(b"\r\n")
    return body + added + line[len(body) :]
