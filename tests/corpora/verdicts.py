"""The verdict on each file, and the committed table of all of them."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.corpora import oracle
from tests.corpora.completed import completed
from tests.tools import SHARED_DATA, shared_data

CORPORA = ("hail", "hts-specs-vcf")
TABLE = Path(__file__).with_name("verdicts.md")
LIMIT_S = 10.0
_START_S = 120.0  # a child compiles its kernels first, where nobody has
_ROOT = Path(__file__).resolve().parents[2]
_HEAD = """# What ingest makes of every file of the corpora

Made by `python -m tests.corpora`; do not edit. A file becomes a cohort whose rows and genotype
counts equal those of bcftools, or it is refused in one sentence. Many files declare no GT, or have
no people: the last two columns judge a copy that has both (`completed.py`).

| file | bcftools reads it | verdict | bcftools reads the copy | verdict on the copy |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Outcome:
    """What became of a file: rows or a sentence in `text`; `problem` is what must not be."""

    is_readable: bool
    text: str
    problem: str = ""

    def cells(self) -> tuple[str, str]:
        """Return the two cells of the table."""
        text = f"**{self.problem.splitlines()[-1]}**" if self.problem else self.text
        return ("yes" if self.is_readable else "no", text)


@dataclass(frozen=True)
class Verdict:
    """The outcome of a file, and of its completed copy where it needs one."""

    file: str
    as_it_is: Outcome
    copy: Outcome | None

    @property
    def problems(self) -> list[str]:
        """Return what must not be, of both."""
        return [o.problem for o in (self.as_it_is, self.copy) if o and o.problem]

    def as_line(self) -> str:
        """Return the row of the table."""
        of_copy = self.copy.cells() if self.copy else ("", "")
        cells = (self.file, *self.as_it_is.cells(), *of_copy)
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def corpus_files() -> list[str]:
    """Return every file of the corpora, relative to the shared data, in order."""
    return sorted(
        path.relative_to(SHARED_DATA).as_posix()
        for corpus in CORPORA
        for path in shared_data(corpus).rglob("*")
        if path.is_file()
    )


def judge(files: Sequence[str], n_children: int = 2) -> list[Verdict]:
    """Return the verdict on each file, in order."""
    with tempfile.TemporaryDirectory() as place:
        paths = [SHARED_DATA / file for file in files]
        copies: dict[str, Path] = {}
        for file in files:
            text = completed(SHARED_DATA / file)
            if text is not None:
                plain = file.removesuffix(".gz")  # a copy is not compressed
                copies[file] = Path(place) / plain
                copies[file].parent.mkdir(parents=True, exist_ok=True)
                copies[file].write_bytes(text)
        paths += copies.values()
        found = outcomes(paths, n_children)
    return [
        Verdict(
            file,
            found[SHARED_DATA / file],
            found[copies[file]] if file in copies else None,
        )
        for file in files
    ]


def outcomes(paths: Sequence[Path], n_children: int = 2) -> dict[Path, Outcome]:
    """Return the outcome of each path, ingested by that many children."""
    parts = [paths[i::n_children] for i in range(n_children)]
    with ThreadPoolExecutor(n_children) as threads:
        answers = {
            path: answer
            for part, of_part in zip(parts, threads.map(_answers, parts), strict=True)
            for path, answer in zip(part, of_part, strict=True)
        }
        readings = dict(zip(paths, threads.map(oracle.read, paths), strict=True))
    return {path: _outcome(answers[path], readings[path]) for path in paths}


def committed() -> dict[str, str]:
    """Return the lines of the committed table by file."""
    lines = TABLE.read_text(encoding="utf-8").removeprefix(_HEAD).splitlines()
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines if line[:2] == "| "}


def write_table(verdicts: Sequence[Verdict]) -> None:
    """Write the table that is committed."""
    TABLE.write_text(
        _HEAD + "".join(f"{verdict.as_line()}\n" for verdict in verdicts), encoding="utf-8"
    )


def _outcome(answer: dict[str, Any], reading: oracle.Reading) -> Outcome:
    readable = reading.is_readable
    if "rows" in answer:
        rows = [(*row[:4], tuple(row[4:])) for row in answer["rows"]]
        return Outcome(readable, f"{len(rows)} rows", _difference(rows, reading))
    if "sentence" in answer:
        text = answer["sentence"]
        is_one = "\n" not in text and text.endswith(".") and len(text) < 500
        return Outcome(readable, text, "" if is_one else f"not one sentence: {text}")
    return Outcome(readable, "", answer["traceback"].strip())


def _difference(rows: list[oracle.Row], reading: oracle.Reading) -> str:
    """Return how the rows of a cohort differ from bcftools'; empty where they do not."""
    if reading.rows is None:
        return "a cohort from a file whose genotypes bcftools does not read"
    if reading.n_split is not None and reading.n_split != len(rows):
        return f"{len(rows)} rows, but bcftools norm has {reading.n_split}"
    ours = Counter(rows)
    if ours != reading.rows:
        extra, lacking = ours - reading.rows, reading.rows - ours
        return f"{extra.total()} rows differ: {_first(extra)}, but bcftools has {_first(lacking)}"
    return ""


def _first(rows: Counter[oracle.Row]) -> str:
    return " ".join(map(str, next(iter(sorted(rows)), ("none",))))[:200]


def _answers(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return what the children say about each file; one that dies or hangs is replaced."""
    answers: list[dict[str, Any]] = []
    while len(answers) < len(paths):
        with tempfile.TemporaryFile() as errors:
            with subprocess.Popen(
                [sys.executable, "-m", "tests.corpora.child"], cwd=_ROOT, bufsize=0,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            ) as child:  # fmt: skip
                try:
                    _ask_all(child, paths, answers)
                finally:
                    child.kill()
            errors.seek(0)
            said = errors.read().decode(errors="replace")
        if answers and said and "traceback" in answers[-1]:
            answers[-1]["traceback"] += f"\n{said[-2000:]}\n{answers[-1]['traceback']}"
    return answers


def _ask_all(child: subprocess.Popen, paths: Sequence[Path], answers: list[dict[str, Any]]) -> None:
    ready = _line(child, _START_S)
    if ready is None or "rows" not in json.loads(ready):
        raise RuntimeError(f"a child could not even ingest its own file: {ready!r}")
    for path in paths[len(answers) :]:
        assert child.stdin is not None
        child.stdin.write(f"{path}\n".encode())
        try:
            answer = _line(child, LIMIT_S)
        except TimeoutError:
            answers.append({"traceback": f"hang: no verdict after {LIMIT_S:g} s"})
            return
        if answer is None:
            answers.append({"traceback": f"crash: the process ended with {child.wait()}"})
            return
        answers.append(json.loads(answer))


def _line(child: subprocess.Popen, limit_s: float) -> bytes | None:
    """Return the next line a child prints, None when it has ended. Raises `TimeoutError`."""
    assert child.stdout is not None
    handle = child.stdout.fileno()
    deadline = time.monotonic() + limit_s
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([handle], [], [], left)[0]:
            raise TimeoutError
        piece = os.read(handle, 1 << 16)
        if not piece:
            return None
        line += piece
    return line
