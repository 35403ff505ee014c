"""All folds of a run: one after the other here, or side by side on the workers of a cluster.

On a cluster a fold is a task that finds everything by path: it writes its model into the run and
its epochs into a file of its own, from which this process, the only writer of the run's progress,
takes them over. What a lost worker had begun is trained again on another, and gives the same.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, Future
from concurrent.futures import wait as wait_for
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from pipeline import runs
from pipeline.cohort import Cohort
from pipeline.engine import LOCAL, engine_address, executor
from pipeline.epochs import EpochRecord, restored
from pipeline.errors import Cancelled, Enough, StaleArtifactError
from pipeline.files import append_json_line, read_json, write_json
from pipeline.fold import Fold, Plan, plan_folds, select_variants, train_fold
from pipeline.progress import OnProgress, Progress, silent
from pipeline.runs import Run
from pipeline.samples import opened as opened_cohort
from pipeline.settings import AnalysisSettings

_LOOK_S = 0.2  # how often the tasks of a cluster are looked at, and look whether to stop


def train_folds(
    cohort: Cohort, run: Run, settings: AnalysisSettings, plan: Plan, on_progress: OnProgress
) -> Iterator[Fold]:
    """Yield each fold of the plan, in order."""
    if engine_address() != LOCAL and len(plan.splits) > 1:
        yield from _on_cluster(run, len(plan.splits), on_progress)
        return
    n_folds = len(plan.splits)
    on_progress(Progress("choosing variants", 0.0))
    selections = select_variants(cohort, plan, settings, range(n_folds), on_progress)
    runs.update_state(run, selected=len(selections[0].variants))

    def on_epoch(record: EpochRecord) -> None:
        runs.append_progress(run, record)

    for number, selection in enumerate(selections):

        def report(part: Progress, number: int = number) -> None:
            named = part.phase if n_folds == 1 else f"{part.phase}, {number + 1} of {n_folds} folds"
            done = (number + part.done) / n_folds
            on_progress(replace(part, phase=named, done=done))

        yield train_fold(cohort, run, settings, plan, number, selection, on_epoch, report)


def fold_task(cache: str, run_id: str, number: int) -> Fold:
    """Return one trained fold of a run, on whatever machine this is.

    Raises `Cancelled` within one batch when the run's folder says stop.
    """
    run = runs.load(Path(cache), run_id)
    folder = _folder(run)
    epochs = folder / f"{number}.jsonl"
    epochs.unlink(missing_ok=True)  # of a worker that was lost
    seen = [0.0]

    def report(progress: Progress) -> None:
        if time.monotonic() - seen[0] < _LOOK_S:
            return
        seen[0] = time.monotonic()
        if not folder.is_dir() or (folder / "stop").exists():
            raise Cancelled
        if progress.may_end and (folder / "keep").exists():
            raise Enough
        write_json(folder / f"{number}.json", progress, durable=False)

    def on_epoch(record: EpochRecord) -> None:
        append_json_line(epochs, record)

    with opened(run) as (cohort, settings):
        plan = plan_folds(cohort, settings, run.relatives, run.genes)
        (selection,) = select_variants(cohort, plan, settings, [number], report)
        return train_fold(cohort, run, settings, plan, number, selection, on_epoch, report)


@contextmanager
def opened(run: Run, on_progress: OnProgress = silent) -> Iterator[tuple[Cohort, AnalysisSettings]]:
    """Give the cohort of a run over the people that its settings keep, and these settings.

    Raises `StaleArtifactError` when the cohort is another one by now.
    """
    settings = run.analysis()
    with opened_cohort(
        run.cache, run.cohort, run.fingerprint, settings.samples, on_progress
    ) as cohort:
        yield cohort, settings


def _on_cluster(run: Run, n_folds: int, on_progress: OnProgress) -> Iterator[Fold]:
    folder = _folder(run)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    taken = [0] * n_folds
    try:
        with executor(None, "pipeline.fold", folder, trains=True) as (pool, _):
            futures = [
                pool.submit(fold_task, str(run.cache), run.id, number) for number in range(n_folds)
            ]
            try:
                _watch(run, futures, taken, on_progress)
            except BaseException:
                (folder / "stop").touch()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            for number, future in enumerate(futures):
                fold = future.result()
                if number == 0:
                    runs.update_state(run, selected=fold.n_selected)
                yield fold
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _watch(run: Run, futures: list[Future], taken: list[int], on_progress: OnProgress) -> None:
    """Take over the epochs of all folds until each is done; `taken` counts those of each fold.

    A fold that is trained again begins its epochs anew, the same ones, which are not taken twice.
    """
    open_ones = set(futures)
    while open_ones:
        done, open_ones = wait_for(open_ones, timeout=_LOOK_S, return_when=FIRST_EXCEPTION)
        for number in range(len(futures)):
            records = _epochs(_folder(run) / f"{number}.jsonl")
            for record in records[taken[number] :]:
                runs.append_progress(run, record)
            taken[number] = max(taken[number], len(records))
        for future in done:
            future.result()  # raises what the fold raised
        shares = [_share(run, number, future) for number, future in enumerate(futures)]
        n_done = sum(future.done() for future in futures)
        phase = f"training on the cluster, {n_done} of {len(futures)} folds done"
        try:
            on_progress(Progress(phase, sum(shares) / len(shares), may_end=True))
        except Enough:
            (_folder(run) / "keep").touch()


def _share(run: Run, number: int, future: Future) -> float:
    if future.done():
        return 1.0
    with suppress(StaleArtifactError):
        told = read_json(_folder(run) / f"{number}.json", optional=True)
        return float(told["done"]) if told else 0.0
    return 0.0


def _epochs(path: Path) -> list[EpochRecord]:
    """Return the whole lines of a file that another machine is writing."""
    if not path.is_file():
        return []
    return [restored(json.loads(line)) for line in path.read_bytes().split(b"\n")[:-1]]


def _folder(run: Run) -> Path:
    return run.folder / "folds"
