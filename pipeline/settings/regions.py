"""Stretches of chromosomes as people write them: `6:28000000-34000000, 17:43000000-46000000`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator

from pipeline.schema import chromosome_order, plain_chromosome

MOST = 50
FARTHEST = 300_000_000  # bases: the longest chromosome has 249 million
# A comma within a number parts thousands, `28,000,000`; another one parts regions.
_NUMBER = r"\d{1,3}(?:,\d{3})+(?!\d)|\d+"
_REGION = re.compile(
    rf"(?P<chrom>[A-Za-z0-9_.]{{1,40}}):(?P<start>{_NUMBER})\s*[-–]\s*(?P<end>{_NUMBER})"
)
_BETWEEN = re.compile(r"[\s,;]*")


class Region(NamedTuple):
    """A stretch of a chromosome, 1-based and closed; the chromosome has no `chr`."""

    chrom: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.chrom}:{self.start}-{self.end}"

    @property
    def words(self) -> str:
        """The region as people read it: `6:28,000,000–34,000,000`."""
        return f"{self.chrom}:{self.start:,}–{self.end:,}"

    def meets(self, other: Region) -> bool:
        """Say whether two regions share a base."""
        return self.chrom == other.chrom and self.start <= other.end and other.start <= self.end


def read_regions(text: str | None) -> tuple[Region, ...]:
    """Return the regions that a text names, in genomic order, joined where they overlap or touch.

    Raises `ValueError` with the rule where the text is something else.
    """
    found: list[Region] = []
    text = (text or "").strip(" \t\r\n,;")
    at = 0
    while at < len(text):
        match = _REGION.match(text, at)
        if not match:
            raise ValueError("regions such as 6:28000000-34000000, parted by commas")
        start, end = (int(match[name].replace(",", "")) for name in ("start", "end"))
        if not 1 <= start <= end <= FARTHEST:
            raise ValueError(f"regions from a smaller to a larger base, between 1 and {FARTHEST:,}")
        found.append(Region(plain_chromosome(match["chrom"]), start, end))
        at = _BETWEEN.match(text, match.end()).end()  # type: ignore[union-attr]
        if at == match.end() < len(text):
            raise ValueError("regions such as 6:28000000-34000000, parted by commas")
    if len(found) > MOST:
        raise ValueError(f"at most {MOST} regions")
    return _joined(found)


def write_regions(regions: Iterable[Region]) -> str | None:
    """Return regions as the setting holds them, None for none: one text for one set of bases."""
    return ", ".join(map(str, _joined(regions))) or None


def _joined(regions: Iterable[Region]) -> tuple[Region, ...]:
    joined: list[Region] = []
    for region in sorted(regions, key=lambda one: (chromosome_order(one.chrom), *one)):
        last = joined[-1] if joined else None
        if last and last.chrom == region.chrom and region.start <= last.end + 1:
            joined[-1] = last._replace(end=max(last.end, region.end))
        else:
            joined.append(region)
    return tuple(joined)


def _written(given: Any) -> Any:
    if isinstance(given, list | tuple):
        given = ", ".join(map(str, given))
    return write_regions(read_regions(given)) if isinstance(given, str) else given


# None is off. What is equal is written alike, so that it gives the same run.
Regions = Annotated[str | None, BeforeValidator(_written)]
