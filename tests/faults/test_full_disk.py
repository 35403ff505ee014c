"""A disk that is full, or may only be read, while a report, a story or attributions are written.

Each is told in one sentence; what was there before stays whole; with room again it works.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import re
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dashboard.report import __main__ as reporter
from pipeline import jobs, report, runs
from pipeline.attribution import Attribution, read_attribution
from pipeline.attribution.stored import COLUMNS, model_digests, write_attribution
from pipeline.files import refusal
from pipeline.report import ReportError, report_path, write_report
from pipeline.runs import Run
from pipeline.settings import AnalysisSettings
from pipeline.story.saved import (
    SavedStory,
    Slide,
    broken_stories,
    delete_story,
    list_stories,
    read_story,
    save_story,
)
from pipeline.worker import named_handlers, work
from tests.dashboard.test_pages import press, show
from tests.test_checklist import make_run, write_cohort

__all__ = ["show"]  # a fixture: used by name

SENTENCE = re.compile(r"[A-Z][^\n]*(No space left on device|File too large|Permission denied|"
                      r"Read-only file system)[^\n]*; free space or check the rights, then try "
                      r"again\.")  # fmt: skip


class Disk:
    """The disk under a folder: from its `full_at`-th call that takes room on, every one fails.

    The first write that fails has put `share` of its bytes on the disk before. `calls` has what was
    asked of it, in order.
    """

    def __init__(self, folder: Path, full_at: int | None, share: float, code: int):
        self.folder, self.full_at, self.share, self.code = str(folder), full_at, share, code
        self.calls: list[str] = []

    def refuses(self, call: str) -> bool:
        self.calls.append(call)
        return self.full_at is not None and len(self.calls) >= self.full_at

    def holds(self, path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self.folder)

    def refuse(self, *names: Any) -> None:
        named = os.fspath(names[0]) if names else None
        raise OSError(self.code, os.strerror(self.code), *[named] * bool(names))


@contextmanager
def disk(
    folder: Path, full_at: int | None = None, share: float = 0.0, code: int = errno.ENOSPC
) -> Iterator[Disk]:
    """Put a `Disk` under what writes: files, fsync, rename, new names and folders, Parquet."""
    found = Disk(folder, full_at, share, code)

    class Tight(io.FileIO):
        """A file whose writes may fail half way, as the system's do: they name no file."""

        def write(self, data: Any) -> int:
            if found.refuses("write"):
                super().write(bytes(data)[: int(len(data) * found.share)])
                found.share = 0.0
                found.refuse()
            return super().write(data) or 0

    def opened(original: Callable[..., Any], file: Any, mode: str = "r", *more: Any, **named: Any):
        if not found.holds(file) or not set(mode) & set("wax"):
            return original(file, mode, *more, **named)
        if found.refuses("open"):
            found.refuse(file)
        raw = io.BufferedWriter(Tight(os.fspath(file), mode.replace("b", "").replace("t", "")))
        if "b" in mode:
            return raw
        return io.TextIOWrapper(raw, encoding=named.get("encoding"), newline=named.get("newline"))

    def checked(name: str, original: Callable[..., Any], path: Any, *more: Any, **named: Any):
        is_new = not Path(path).exists()  # else the system says so, on a full disk too
        takes_room = {"os.open": is_new and more and more[0] & os.O_CREAT, "mkdir": is_new}.get(
            name, True
        )
        if found.holds(path) and takes_room and found.refuses(name):
            found.refuse(path)
        return original(path, *more, **named)

    def synced(original: Callable[..., Any], number: int) -> None:
        path = Path("/proc/self/fd", str(number)).readlink()
        if found.holds(path) and found.refuses("fsync"):
            found.refuse()
        original(number)

    def tabled(original: Callable[..., Any], table: pd.DataFrame, path: Path, **named: Any) -> None:
        original(table, path, **named)
        if found.refuses("parquet"):  # which Arrow writes below Python, and words in its own way
            os.truncate(path, int(path.stat().st_size * found.share))
            words = f"Error writing bytes to file. Detail: [errno {code}] {os.strerror(code)}"
            raise OSError(code, words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "open", partial(opened, io.open))
        patch.setattr(builtins, "open", io.open)
        patch.setattr(os, "open", partial(checked, "os.open", os.open))
        patch.setattr(os, "mkdir", partial(checked, "mkdir", os.mkdir))
        patch.setattr(os, "replace", partial(checked, "replace", os.replace))
        patch.setattr(os, "fsync", partial(synced, os.fsync))
        original = pd.DataFrame.to_parquet
        patch.setattr(
            pd.DataFrame, "to_parquet", lambda table, path, **named: tabled(
                original, table, path, **named)
        )  # fmt: skip
        yield found


def n_calls(folder: Path, act: Callable[[], object], *expected: str) -> int:
    """Return how many calls take room when nothing fails; `expected` are among them."""
    with disk(folder) as roomy:
        act()
    assert set(expected) <= set(roomy.calls), roomy.calls
    return len(roomy.calls)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


shares = pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
codes = pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])


# ---- stories --------------------------------------------------------------------------------

STORY = SavedStory("May", "bb89154ed4490f56", (Slide("audit", "Look here é"), Slide("question")))
OTHER = replace(STORY, slides=(Slide("manhattan", "x" * 300),), is_live=True)


@shares
@codes
def test_story__whatever_write_fails_the_old_one_stays(tmp_path, share, code):
    def act(cache: Path) -> None:
        save_story(cache, OTHER, read_story(cache, OTHER.name), "Bo")

    save_story(tmp_path / "roomy", STORY)
    steps = n_calls(
        tmp_path, lambda: act(tmp_path / "roomy"), "os.open", "open", "write", "fsync", "replace"
    )
    for full_at in range(1, steps + 1):
        cache = tmp_path / str(full_at)
        old = save_story(cache, STORY, who="Ada")
        with disk(tmp_path, full_at, share, code) as full, pytest.raises(OSError) as told:  # noqa: PT011
            act(cache)
        assert SENTENCE.fullmatch(refusal(told.value)), refusal(told.value)
        assert ".tmp" not in refusal(told.value)
        assert list(files_of(cache / "stories")) == ["May.json"], "no half file and no lock"
        assert broken_stories(cache) == {}
        is_placed = "replace" in full.calls[: full_at - 1]  # then only its name may be lost
        assert (read_story(cache, "May") == old) != is_placed, full.calls
        act(cache)
        assert read_story(cache, "May").slides == OTHER.slides


@shares
def test_story__a_first_one_leaves_nothing(tmp_path, share):
    (tmp_path / "roomy").mkdir()
    steps = n_calls(tmp_path, lambda: save_story(tmp_path / "roomy", STORY), "mkdir")
    for full_at in range(1, steps):  # the last is the fsync of a folder that has it
        cache = tmp_path / str(full_at)
        cache.mkdir()
        with disk(tmp_path, full_at, share), pytest.raises(OSError, match="No space left"):
            save_story(cache, STORY)
        assert files_of(cache) == {}
        assert list_stories(cache) == []
        assert save_story(cache, STORY) == read_story(cache, "May")


def test_story__the_page_says_it_in_a_sentence(tmp_path, show, monkeypatch):
    run = make_run(write_cohort(tmp_path))
    old = save_story(run.cache, replace(STORY, run=run.id, name="Old"))
    app = show(run.cache, "present")
    next(one for one in app.text_input if one.label == "Name").set_value("Mine")
    with disk(run.cache / "stories", 1):
        app = press(app, "Save")
    assert not app.exception
    assert [SENTENCE.fullmatch(one.value) is not None for one in app.error] == [True]
    assert list_stories(run.cache) == [old]

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        next(one for one in app.button if one.key == "present_delete_it_Old").click().run()
    assert not app.exception
    assert SENTENCE.fullmatch(app.toast[0].value)
    assert list_stories(run.cache) == [old]
    next(one for one in app.text_input if one.label == "Name").set_value("Mine")
    app = press(app, "Save")
    assert not app.error
    assert {one.name for one in list_stories(run.cache)} == {"Old", "Mine"}
    delete_story(run.cache, "Mine")


# ---- attributions ---------------------------------------------------------------------------


def trained(cache: Path, number: int = 0) -> tuple[Run, dict[str, str]]:
    """Return a finished run with a model file, and the digest of that."""
    run = runs.create(cache, "small", f"f{number}", AnalysisSettings())
    with zipfile.ZipFile(run.model_path(None), "w") as archive:
        archive.writestr("weights", f"of {number}")
    return run, model_digests([run.model_path(None)])


def looked(value: float, n_rows: int = 2_000) -> Attribution:
    """Return an attribution that bears `value` in its table and in all else."""
    table = pd.DataFrame({name: [value] * n_rows for name in COLUMNS})
    occlusion = pd.DataFrame(
        {"gene": ["A"], "n_folds": 1, "mean_change": value, "auc_lost": value, "low": value,
         "high": value}
    )  # fmt: skip
    chromosomes = pd.DataFrame({"chrom": ["1"], "start": 0, "middle": 1, "end": 2})
    return Attribution(table, occlusion, chromosomes, {"largest": value}, 1)


def value_of(run: Run) -> float | None:
    """Return the value of the attribution that is there; its parts are of one making."""
    found = read_attribution(run)
    if found is None:
        return None
    told = {*found.table["mean_abs"], *found.occlusion["auc_lost"], found.completeness["largest"]}
    assert len(told) == 1, told
    assert len(found.table) == 2_000
    return told.pop()


@shares
@codes
def test_attribution__whatever_write_fails_the_old_one_stays(tmp_path, share, code):
    run, models = trained(tmp_path, 99)
    steps = n_calls(
        run.folder, lambda: write_attribution(run, looked(2.0), models),
        "parquet", "open", "write", "fsync", "replace",
    )  # fmt: skip
    for full_at in range(1, steps + 1):
        run, models = trained(tmp_path, full_at)
        write_attribution(run, looked(1.0), models)
        before = files_of(run.folder)
        with disk(run.folder, full_at, share, code) as full, pytest.raises(OSError) as told:  # noqa: PT011
            write_attribution(run, looked(2.0), models)
        assert SENTENCE.fullmatch(refusal(told.value)), refusal(told.value)
        assert "attribution." in refusal(told.value)
        assert ".tmp" not in refusal(told.value)
        # Renames onto their places are the last two, and the disk has all it needs for them: one
        # that fails all the same costs the old attribution, and never mixes the two.
        is_last = full_at > steps - 2
        if is_last:
            assert full.calls[full_at - 1] == "replace"
            assert value_of(run) is None
            assert set(files_of(run.folder)) < set(before)
        else:
            assert value_of(run) == 1.0
            assert files_of(run.folder) == before
        write_attribution(run, looked(2.0), models)
        assert value_of(run) == 2.0
        assert set(files_of(run.folder)) == set(before)


def test_attribution__a_job_says_it_and_a_second_one_works(tmp_path, capsys):
    run, models = trained(tmp_path)
    write_attribution(run, looked(1.0), models)

    def look(*_: object) -> dict[str, str]:
        write_attribution(run, looked(2.0), models)
        return {"run": run.id}

    job_id = jobs.submit(tmp_path, "attribute", {"run": run.id})
    with disk(run.folder, 1):
        assert work(tmp_path, {"attribute": look}, idle_s=0) == 1
    failed = jobs.job(tmp_path, job_id)
    assert failed.state == "failed"
    assert SENTENCE.fullmatch(failed.error)
    assert str(run.folder / "attribution.parquet") in failed.error
    assert "Traceback" not in capsys.readouterr().err
    assert value_of(run) == 1.0
    again = jobs.submit(tmp_path, "attribute", {"run": run.id})
    work(tmp_path, {"attribute": look}, idle_s=0)
    assert jobs.job(tmp_path, again).state == "finished"
    assert value_of(run) == 2.0


def test_job__a_file_that_is_missing_is_a_bug_and_keeps_its_traceback(tmp_path, capsys):
    job_id = jobs.submit(tmp_path, "attribute", {})
    work(tmp_path, {"attribute": lambda *_: Path("none/such").read_bytes()}, idle_s=0)
    assert "unexpected FileNotFoundError" in jobs.job(tmp_path, job_id).error
    assert "Traceback" in capsys.readouterr().err


# ---- reports --------------------------------------------------------------------------------

OLD, NEW = "2026-11-22", "2026-11-23"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return make_run(write_cohort(tmp_path_factory.mktemp("report")))


def written(run: Run, out: Path, monkeypatch) -> int:
    """Do what the process of a report does, and return its exit status."""
    arguments = [run.id, "--cache", str(run.cache), "--out", str(out), "--made", NEW]
    monkeypatch.setattr(sys, "argv", ["dashboard.report", *arguments])
    return reporter.main()


@shares
@codes
def test_report__whatever_write_fails_the_old_one_stays(
    run, tmp_path, monkeypatch, capfd, share, code
):
    contents = b"<html>new" * 200_000
    monkeypatch.setitem(reporter._WRITTEN, "html", lambda *_: contents)
    monkeypatch.setattr(reporter, "gather", lambda *_: None)
    out = tmp_path / "r.html"
    steps = n_calls(
        tmp_path, lambda: written(run, out, monkeypatch), "open", "write", "replace"
    )  # fmt: skip
    for full_at in range(1, steps + 1):
        out.write_bytes(b"old")
        capfd.readouterr()
        with disk(tmp_path, full_at, share, code):
            assert written(run, out, monkeypatch) == report.MENDABLE
        said = capfd.readouterr().err.strip()
        assert SENTENCE.fullmatch(said), said
        assert str(out) in said
        assert files_of(tmp_path) == {"r.html": b"old"}
        assert written(run, out, monkeypatch) == 0
        assert files_of(tmp_path) == {"r.html": contents}


def test_report__no_room_for_the_files_that_a_pdf_is_made_of(run, tmp_path, monkeypatch, capfd):
    out, scratch = tmp_path / "r.pdf", tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    steps = n_calls(scratch, lambda: written(run, out, monkeypatch), "mkdir", "open", "write")
    old = out.read_bytes()
    for full_at in (1, 2, 3, steps // 2, steps):
        capfd.readouterr()
        with disk(scratch, full_at, 0.5):
            assert written(run, out, monkeypatch) == report.MENDABLE
        said = capfd.readouterr().err.strip()
        assert SENTENCE.fullmatch(said), said
        assert str(out) not in said, "room is wanted elsewhere"
        assert files_of(tmp_path) == {"r.pdf": old}
        assert list(scratch.iterdir()) == []
    assert written(run, out, monkeypatch) == 0
    assert out.read_bytes() == old


@contextmanager
def processes_write_at_most(n_bytes: int) -> Iterator[None]:
    """Let the processes of reports write no file beyond so many bytes: the system refuses it."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report.subprocess, "Popen", partial(subprocess.Popen, preexec_fn=limit))
        yield


@pytest.fixture(scope="module")
def old(run, tmp_path_factory) -> bytes:
    """An earlier report."""
    return write_report(run, tmp_path_factory.mktemp("old") / "r.html", made=OLD).read_bytes()


@shares
def test_report__a_process_that_the_system_refuses(run, old, tmp_path, share):
    """Nothing is replaced here by a test: the first, a middle and the last byte do not fit."""
    out = tmp_path / "r.html"
    out.write_bytes(old)
    with (
        processes_write_at_most(int((len(old) - 1) * share)),
        pytest.raises(ReportError) as told,
    ):
        write_report(run, out, made=NEW)
    assert SENTENCE.fullmatch(str(told.value))
    assert str(out) in str(told.value)
    assert files_of(tmp_path) == {"r.html": old}
    if share == 0.5:
        write_report(run, out, made=NEW)
        assert out.read_bytes() == old.replace(OLD.encode(), NEW.encode())


def test_report__a_job_says_it_and_a_second_one_works(run, old):
    handlers = named_handlers(run.cache)
    report_path(run, "html").parent.mkdir()
    report_path(run, "html").write_bytes(old)

    def ask() -> Any:
        job_id = jobs.submit(run.cache, "report", {"run": run.id, "ending": "html"})
        work(run.cache, handlers, idle_s=0)
        return jobs.job(run.cache, job_id)

    with processes_write_at_most(100_000):
        failed = ask()
    assert (failed.state, SENTENCE.fullmatch(failed.error) is None) == ("failed", False)
    assert files_of(report_path(run, "html").parent) == {"report.html": old}
    with disk(report_path(run, "html").parent, 1, code=errno.EROFS):
        report_path(run, "html").unlink()
        report_path(run, "html").parent.rmdir()
        failed = ask()  # the folder itself cannot be made
    assert (failed.state, SENTENCE.fullmatch(failed.error) is None) == ("failed", False)
    assert ask().state == "finished"
    assert files_of(report_path(run, "html").parent).keys() == {"report.html"}


def test_report__a_process_that_crashes_is_a_bug(run, tmp_path, monkeypatch):
    """A traceback is nobody's sentence, though its status is that of an ordinary refusal."""
    monkeypatch.setattr(report, "PROJECT_ROOT", tmp_path)  # where there is no dashboard
    with pytest.raises(RuntimeError, match="status 1"):
        write_report(run, tmp_path / "r.html")
