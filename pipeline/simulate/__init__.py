"""A case-control exome with a known truth: VCF, phenotypes, genes, and what was planted.

    people ─┐
    genes ──┴─> coalescent ──> alleles ──> sequencing ──> records ──> bgzf ──> cohort.vcf.gz
                                  └──────> phenotypes ──> phenotypes.tsv, truth.tsv

Effects are stronger than life, so that a cohort of 3,000 shows something. Every draw comes from the
seed and its purpose, never from who computes it: equal settings give equal bytes.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pysam

from pipeline.errors import InputError
from pipeline.processes import FreshProcesses
from pipeline.progress import Clock, OnProgress, silent
from pipeline.settings.simulation import SimulationSettings
from pipeline.simulate.bgzf import END_OF_FILE, write_bgzf
from pipeline.simulate.chunks import Chunk, make_chunk, n_chunks, part_path
from pipeline.simulate.genes import gtf_lines, lay_genes
from pipeline.simulate.people import draw_people
from pipeline.simulate.phenotypes import (
    choose_genes,
    diagnose,
    phenotype_lines,
    plant,
    truth_lines,
)
from pipeline.simulate.records import vcf_header

__all__ = ["Simulated", "SimulationSettings", "simulate"]

# Shares of the time of a run at which its steps end.
_CHUNKS_DONE = 0.85


@dataclass(frozen=True)
class Simulated:
    """The files of a simulated cohort, and what is in them.

    `n_people` by diagnosis; `n_variants` counts VCF records, one with several alternates once;
    `n_causal` counts rows of the truth.
    """

    vcf: Path
    phenotypes: Path
    genes: Path
    truth: Path
    n_people: dict[str, int]
    n_variants: int
    n_causal: int
    seconds: float


def simulate(
    directory: Path,
    settings: SimulationSettings,
    on_progress: OnProgress = silent,
    workers: int = 2,
) -> Simulated:
    """Write a simulated cohort into `directory`; return where its files are and what they hold.

    Files: cohort.vcf.gz with its .tbi, phenotypes.tsv, genes.gtf.gz, truth.tsv. They appear whole,
    at the end; whatever stops the work leaves nothing behind. With more than one worker, genes are
    made in processes of their own. Under `null`, the truth is that before the diagnoses were
    shuffled: no row of it is to be found again. Raises `InputError` where nothing can be written,
    `SettingsError` when no gene fits the architecture.
    """
    start = time.monotonic()
    clock = Clock("drawing genes and people", on_progress)
    directory = Path(directory).absolute()
    with _folder_beside(directory) as folder:
        clock.report(0.0)
        chunks = _make_chunks(
            folder, settings, workers, lambda done: clock.report(done * _CHUNKS_DONE)
        )
        people = draw_people(settings)
        genes = lay_genes(settings)
        alleles = [allele for chunk in chunks for allele in chunk.alleles]
        truth = plant(alleles, choose_genes(genes, settings), settings)
        truth, diagnosis = diagnose(truth, people, settings)
        write_bgzf(folder / "genes.gtf.gz", gtf_lines(genes))
        (folder / "phenotypes.tsv").write_bytes(b"".join(phenotype_lines(people, diagnosis)))
        (folder / "truth.tsv").write_bytes(b"".join(truth_lines(truth, settings.architecture)))
        _join_parts(folder, vcf_header(settings, people), len(chunks))
        clock.report(0.9, "index")
        pysam.tabix_index(str(folder / "cohort.vcf.gz"), preset="vcf", force=True)
        clock.report(1.0)
    return Simulated(
        vcf=directory / "cohort.vcf.gz",
        phenotypes=directory / "phenotypes.tsv",
        genes=directory / "genes.gtf.gz",
        truth=directory / "truth.tsv",
        n_people=dict(Counter(diagnosis).most_common()),
        n_variants=sum(chunk.n_records for chunk in chunks),
        n_causal=truth.n_causal,
        seconds=time.monotonic() - start,
    )


def _make_chunks(
    folder: Path, settings: SimulationSettings, workers: int, report: Callable[[float], None]
) -> list[Chunk]:
    """Return all chunks in genome order, their parts written into `folder`."""
    total = n_chunks(settings)
    workers = max(1, min(workers, total))
    chunks: dict[int, Chunk] = {}
    if workers == 1:
        for number in range(total):
            chunks[number] = make_chunk(folder, number, settings)
            report(len(chunks) / total)
    else:
        with FreshProcesses(workers) as processes:
            futures = {
                processes.submit(make_chunk, folder, number, settings): number
                for number in range(total)
            }
            for future in as_completed(futures):
                chunks[futures[future]] = future.result()
                report(len(chunks) / total)
    return [chunks[number] for number in range(total)]


def _join_parts(folder: Path, header: bytes, n_parts: int) -> None:
    """Join the parts behind the header into cohort.vcf.gz; the parts go as they are joined."""
    vcf = folder / "cohort.vcf.gz"
    write_bgzf(vcf, [header], closed=False)
    with vcf.open("ab") as out:
        for number in range(n_parts):
            part = part_path(folder, number)
            with part.open("rb") as source:
                shutil.copyfileobj(source, out, length=1 << 20)
            part.unlink()
        out.write(END_OF_FILE)


@contextmanager
def _folder_beside(directory: Path) -> Iterator[Path]:
    """Give a folder beside `directory` to write in; its files move there when all went well."""
    if directory.exists() and not directory.is_dir():
        raise InputError(
            f"A cohort is written into a folder, but {directory} is a file; name another place."
        )
    made = [parent for parent in directory.parents if not parent.exists()]
    folder = directory.parent / f".{directory.name}-{os.getpid()}-{time.time_ns()}.tmp"
    try:
        folder.mkdir(parents=True)
        yield folder
        if directory.exists():
            for path in sorted(folder.iterdir()):
                path.replace(directory / path.name)
        else:
            folder.rename(directory)
        made = []
    except OSError as error:
        raise InputError(
            f"The folder {directory} can not be written ({error.strerror}); make room or name "
            "another place."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for parent in made:
            with suppress(OSError):  # never made, or somebody else uses it by now
                parent.rmdir()
