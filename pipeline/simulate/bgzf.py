"""BGZF, the block gzip of VCF files: independent blocks, so parts made apart can be joined."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

# Closes every BGZF file (SAM specification, section 4.1.2).
END_OF_FILE = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")

_HEADER = struct.Struct("<4BI2BH2BHH")
_TAIL = struct.Struct("<II")
# Incompressible data must still fit the 16-bit block size, hence below 2**16.
_BLOCK_BYTES = 65_280


def compress_block(data: bytes, level: int = 1) -> bytes:
    """Return `data` (at most 65,280 bytes) as one BGZF block."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    size = _HEADER.size + len(body) + _TAIL.size
    header = _HEADER.pack(31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, size - 1)
    return header + body + _TAIL.pack(zlib.crc32(data), len(data))


def compress(pieces: Iterable[bytes], level: int = 1) -> Iterator[bytes]:
    """Yield the BGZF blocks of the joined `pieces`, without the closing empty block."""
    pending = bytearray()
    for piece in pieces:
        pending += piece
        whole = len(pending) - len(pending) % _BLOCK_BYTES
        for start in range(0, whole, _BLOCK_BYTES):
            yield compress_block(bytes(pending[start : start + _BLOCK_BYTES]), level)
        del pending[:whole]
    if pending:
        yield compress_block(bytes(pending), level)


def write_bgzf(path: Path, pieces: Iterable[bytes], *, closed: bool = True) -> None:
    """Write the joined `pieces` as a BGZF file; one that is not closed is a part for joining."""
    with path.open("wb") as out:
        for block in compress(pieces):
            out.write(block)
        if closed:
            out.write(END_OF_FILE)
