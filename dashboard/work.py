"""Work that waits, runs or has gone wrong, on every page: progress in words, a stop, the error."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import elements, loaders, state
from pipeline import jobs
from pipeline.engine import ClusterWorker
from pipeline.errors import NotFoundError, PipelineError
from pipeline.expectation import Expected
from pipeline.jobs import Job
from pipeline.submit import submit_job

WORDS = {
    "simulate": "Making the cohort",
    "ingest": "Reading the cohort",
    "annotate": "Joining genes",
    "structure": "Comparing the people of",
    "regress": "Logistic regression of",
    "permute": "Permuting the labels of",
    "train": "Training",
    "sweep": "Trying settings on",
    "audit": "Auditing",
    "attribute": "Looking into a network of",
    "report": "Writing a report of",
}


def submit(kind: str, payload: dict[str, Any]) -> None:
    """Queue a job that makes a cohort; this session turns to the cohort once it is there."""
    job_id = submit_job(loaders.cache(), kind, payload)
    state.put("jobs_seen", [*state.get("jobs_seen", []), job_id])
    state.put("awaited", job_id)
    st.rerun()


def show() -> None:
    """Show what runs and what went wrong at the foot of the window, wherever one has scrolled."""
    with st.bottom:
        _failures()
        _active()
        _cluster()


@st.fragment(run_every="1s")
def _active() -> None:
    """Show what is waiting or running, with a stop; ask for the whole page when one has ended."""
    active = loaders.active_jobs()
    ids = [job.id for job in active]
    ended = set(state.swap("jobs_seen", ids)) - set(ids)
    if ended:
        for job_id in sorted(ended):
            _remember(job_id)
        st.rerun()
    expected = loaders.expected_jobs(active)
    for job in active:
        _line(job, expected.get(job.id))


@st.fragment(run_every="5s")
def _cluster() -> None:
    """Say how the cluster is that work goes to; nothing where it is done on this machine."""
    try:
        found = loaders.cluster()
    except PipelineError as problem:
        elements.problem(str(problem))
        return
    if found is None:
        return
    used = sum(worker.bytes_memory for worker in found.workers) / 1e9
    n_tasks = sum(worker.n_tasks for worker in found.workers)
    title = f"Cluster: {len(found.workers):,} workers, {n_tasks:,} tasks, {used:.1f} GB"
    with st.popover(title, icon=":material/dns:", type="tertiary"):
        has_gpus = any(worker.n_gpus for worker in found.workers)
        st.table([_cluster_row(worker, has_gpus) for worker in found.workers],
                 border="horizontal", hide_index=True)  # fmt: skip
        st.link_button("Open the scheduler's own page", found.page, icon=":material/open_in_new:")


def _cluster_row(worker: ClusterWorker, has_gpus: bool) -> dict[str, Any]:
    limit = f" of {worker.bytes_limit / 1e9:.1f}" if worker.bytes_limit else ""
    row = {
        "Worker": worker.name.removeprefix("tcp://"),
        "Tasks": f"{worker.n_tasks:,}",
        "Memory, GB": f"{worker.bytes_memory / 1e9:.1f}{limit}",
        "Threads": worker.n_threads,
    }
    if worker.host not in worker.name:
        row |= {"Machine": worker.host}
    return row | ({"GPUs": worker.n_gpus} if has_gpus else {})


def _failures() -> None:
    """Say why a cohort could not be made, until it has been read; a run says it on its own page."""
    for job_id, text in state.get("failures", {}).items():
        with st.container(horizontal=True, vertical_alignment="center"):
            elements.problem(text)
            if st.button("Close", key=f"close-{job_id}", icon=":material/close:"):
                failures = state.get("failures")
                state.put("failures", {k: v for k, v in failures.items() if k != job_id})
                st.rerun()


def _remember(job_id: str) -> None:
    """Keep the error of a job that has ended, or turn to the cohort that this session awaited."""
    try:
        job = jobs.job(loaders.cache(), job_id)
    except NotFoundError:
        return
    if job.kind == "train":
        return
    name = job.payload["name"]
    if job.error:
        state.put("failures", state.get("failures", {}) | {job_id: f"{name}: {job.error}"})
    elif job.state == "finished" and state.get("awaited") == job_id:
        state.put("arrived", name)


def _line(job: Job, expected: Expected | None) -> None:
    name = job.payload.get("name") or job.payload["run"][:8]
    by = f", asked by {job.who.translate(elements.ESCAPED)}" if job.who else ""
    what = f"**{WORDS[job.kind]}** {name}{by}"
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        if job.state == "queued":
            place = f"waits, number {job.position}" if job.position else "waits"
            st.markdown(f":material/hourglass_empty: {what}: {place}{_when(expected)}")
        else:
            left = elements.duration(job.remaining_s)
            detail = f" · {job.detail}" if job.detail else ""
            left = f" · {left} left" if left else ""
            text = f"{what}: {job.phase or 'starting'}{detail}{left}"
            st.progress(min(1.0, max(0.0, job.done or 0.0)), text=text)
        if st.button("Stop", key=f"stop-{job.id}", icon=":material/stop_circle:"):
            jobs.cancel(loaders.cache(), job.id)


def _when(expected: Expected | None) -> str:
    """Return when a job that waits will start and how long it takes, "" where nobody knows."""
    if expected is None:
        return ""
    parts = []
    if expected.starts_s is not None:
        parts.append(f"starts in about {elements.duration(expected.starts_s)}")
    if expected.takes_s is not None:
        parts.append(f"takes about {elements.duration(expected.takes_s)}")
    return "".join(f", {part}" for part in parts)
