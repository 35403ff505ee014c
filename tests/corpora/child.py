"""A process that ingests one file after another: a path a line on stdin, a verdict a line out."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from pipeline.cohort import open_cohort
from pipeline.errors import PipelineError
from pipeline.ingest import ingest
from pipeline.settings import IngestSettings

_TINY = """##fileformat=VCFv4.2
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##contig=<ID=1>
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta
1\t1\t.\tA\tC\t.\t.\t.\tGT\t0/1
"""
NOBODY = "nobody"  # stands in the phenotypes of a file without people


def sample_names(path: Path) -> list[str]:
    """Return the people of a file's own header line, each once; `nobody` without any."""
    with path.open("rb") as probe:
        opened = gzip.open if probe.read(2) == b"\x1f\x8b" else open
    with opened(path, "rt", encoding="utf-8", errors="replace", newline="\n") as handle:  # type: ignore[operator]
        for line in handle:
            if line.startswith("#CHROM"):
                names = [name for name in line.rstrip("\r\n").split("\t")[9:] if name]
                return list(dict.fromkeys(names)) or [NOBODY]
    return [NOBODY]


def judge(path: Path, folder: Path) -> dict[str, Any]:
    """Return `sentence`, `traceback`, or the `rows` of the cohort with their genotype counts."""
    phenotypes = folder / "phenotypes.tsv"
    lines = [f"{name}\t{('case', 'control')[i % 2]}" for i, name in enumerate(sample_names(path))]
    phenotypes.write_text("\n".join(["sample_id\tdiagnosis", *lines]) + "\n")
    settings = IngestSettings(other_alleles="reference")
    cache = folder / "cache"
    try:
        ingest(cache, "c", [path], phenotypes, settings, workers=1)
        cohort = open_cohort(cache, "c")
        total = ", ".join(
            " + ".join(f"n_{row}_{d}" for d in range(len(cohort.diagnoses)))
            for row in ("hom_ref", "het", "hom_alt", "missing")
        )
        rows = cohort.store.rows(
            f"SELECT chrom, pos, ref, alt, {total} FROM variants POSITIONAL JOIN counts"
        )
        cohort.store.close()
        return {"rows": rows}
    except PipelineError as error:
        left = [file.name for file in cache.rglob("*") if file.is_file()]
        if left:
            return {"traceback": f"left behind {left} after: {error}"}
        return {"sentence": str(error)}
    except Exception:  # noqa: BLE001 - whatever escapes is the finding
        return {"traceback": traceback.format_exc()}
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def main() -> None:
    """Judge each path of stdin until it ends."""
    # What a library may print to stdout goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        tiny = folder / "tiny.vcf"
        tiny.write_text(_TINY)
        # Compiling and loading is over before the first file is timed.
        print(json.dumps(judge(tiny, folder)), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(judge(Path(line.rstrip("\n")), folder)), file=answers, flush=True)


if __name__ == "__main__":
    main()
