"""What pages read, cached: cohorts, analyses, what pictures need, runs.

Caches are keyed by names, fingerprints and settings, never by big data, and all are bounded.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import turns
from dashboard.charts.cut_histogram import cut_histogram
from dashboard.charts.frame import unchecked
from dashboard.theme import Palette
from pipeline import jobs, runs, summaries
from pipeline.analysis import Analysis, analyse, computed
from pipeline.association import effect_allele_frequency
from pipeline.attribution import Attribution, Stability, across_seeds, read_attribution
from pipeline.audit.stored import Question, job_of, read_answer
from pipeline.cohort import CURRENT, Cohort, cohort_names, cohorts_dir, open_cohort
from pipeline.comparison import Pair, RunSummary, compare_pair, summarise
from pipeline.covariates import available_covariates as find_covariates
from pipeline.covariates import structure_warning
from pipeline.engine import LOCAL, Cluster, Watched, engine_address
from pipeline.epochs import EpochRecord
from pipeline.errors import PipelineError
from pipeline.estimate import Estimate, estimate_run
from pipeline.expectation import Expected, expected
from pipeline.files import cache_dir
from pipeline.gene_groups import variant_groups
from pipeline.genes import GeneTable, gene_table
from pipeline.jobs import Job
from pipeline.people import CaseDefinition
from pipeline.progress import OnProgress
from pipeline.published import build_note, joint_axis, published_points
from pipeline.reproduce import Estimate as TimeToReproduce
from pipeline.reproduce import Planned, Reproduced, find_runs, results
from pipeline.reproduce import estimate as time_of
from pipeline.runs import Run
from pipeline.samples import count_people, with_people
from pipeline.settings import AnalysisSettings, GeneSettings, SampleSettings
from pipeline.sources.sumstats import Summary, SummaryBuild, read_summary_file
from pipeline.sources.sumstats_header import SummaryColumns
from pipeline.standing import CHOOSES_DATA, Standing
from pipeline.standing import standings as standings_of
from pipeline.story import Story, question_paths, story_of
from pipeline.structure import Structure, read_structure


def cache() -> Path:
    """Return the cache folder."""
    return cache_dir()


def names() -> list[str]:
    """Return the names of the cohorts that are ready."""
    return cohort_names(cache())


def cohort(name: str) -> Cohort:
    """Return an opened cohort; a new ingest or annotation opens its new files."""
    in_force = (cohorts_dir(cache()) / name / CURRENT).read_text()
    return _cohort(str(cache()), name, in_force)


def summary(name: str) -> dict[str, Any]:
    """Return what the card of a cohort says."""
    in_force = (cohorts_dir(cache()) / name / CURRENT).read_text()
    return _summary(str(cache()), name, in_force)


@st.cache_data(max_entries=256, show_spinner=False)
def _summary(cache_folder: str, name: str, in_force: str) -> dict[str, Any]:
    opened = open_cohort(Path(cache_folder), name)
    with closing(opened.store):
        return opened.summary() | {
            "made": opened.certificate["made"],
            "files": [source["name"] for source in opened.certificate["sources"]],
        }


@st.cache_resource(max_entries=4, show_spinner=False)
def _cohort(cache_folder: str, name: str, in_force: str) -> Cohort:
    return open_cohort(Path(cache_folder), name)


def counted(whole: Cohort, settings: SampleSettings, on_progress: OnProgress) -> Cohort:
    """Return the cohort counted over the people that pass; `on_progress` hears the first time."""
    if settings == SampleSettings():
        return whole
    with turns.lent():
        count_people(whole, settings, on_progress)
    return _counted(_identity(whole), settings.canonical(), whole, settings)


@st.cache_resource(max_entries=6, show_spinner=False)
def _counted(identity: str, thresholds: str, _whole: Cohort, _settings: SampleSettings) -> Cohort:
    return with_people(_whole, _settings)


def _identity(opened: Cohort) -> str:
    return " ".join(map(str, opened.store.files.values()))


def _thresholds(settings: AnalysisSettings, opened: Cohort) -> str:
    """Return the part of the settings that an analysis depends on, and what has been computed."""
    stages = {"people", "samples", "quality", "association", "selection"}
    asked = settings.association
    done = ""
    if asked.test == "logistic" or asked.correction == "permutation":
        done = computed(opened)
    return settings.model_dump_json(include=stages) + done


def analysis(opened: Cohort, settings: AnalysisSettings) -> Analysis:
    """Return the funnel and the association under these thresholds."""
    return _analysis(_identity(opened), _thresholds(settings, opened), opened, settings)


@st.cache_resource(max_entries=2, show_spinner=False)  # 70 MB each at 1.8 million variants
def _analysis(
    identity: str, thresholds: str, _cohort: Cohort, _settings: AnalysisSettings
) -> Analysis:
    with turns.alone:
        return analyse(_cohort, _settings)


@st.cache_resource(max_entries=2, show_spinner=False)
def _axis(identity: str, _cohort: Cohort) -> summaries.GenomeAxis:
    return summaries.genome_axis(_cohort)


def manhattan(
    opened: Cohort, settings: AnalysisSettings, found: Analysis
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the points and the chromosomes of the Manhattan plot."""
    return _manhattan(_identity(opened), _thresholds(settings, opened), opened, found)


@st.cache_data(max_entries=12, show_spinner=False)
def _manhattan(
    identity: str, thresholds: str, _cohort: Cohort, _found: Analysis
) -> tuple[pd.DataFrame, pd.DataFrame]:
    axis = _axis(identity, _cohort)
    points = summaries.manhattan_points(_cohort, axis, _found.filtered, _found.association)
    return points, axis.chromosomes


def chromosome_names(opened: Cohort) -> list[str]:
    """Return the chromosomes in the order of the axis."""
    return list(_axis(_identity(opened), opened).chromosomes["chrom"])


def chromosome_points(
    opened: Cohort, settings: AnalysisSettings, found: Analysis, chrom_order: int
) -> pd.DataFrame:
    """Return the points of one chromosome."""
    key = _thresholds(settings, opened)
    return _chromosome_points(_identity(opened), key, chrom_order, opened, found)


@st.cache_data(max_entries=12, show_spinner=False)
def _chromosome_points(
    identity: str, thresholds: str, chrom_order: int, _cohort: Cohort, _found: Analysis
) -> pd.DataFrame:
    return summaries.chromosome_points(_cohort, _found.filtered, _found.association, chrom_order)


def region(
    opened: Cohort,
    settings: AnalysisSettings,
    found: Analysis,
    span: tuple[int, int, int],
    lead: int | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return points and genes of a region: `span` is chromosome order, first and last base."""
    return _region(_identity(opened), _thresholds(settings, opened), span, lead, opened, found)


@st.cache_data(max_entries=12, show_spinner=False)
def _region(
    identity: str,
    thresholds: str,
    span: tuple[int, int, int],
    lead: int | None,
    _cohort: Cohort,
    _found: Analysis,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    points = summaries.region_points(_cohort, _found.filtered, _found.association, *span, lead)
    return points, summaries.region_genes(_cohort, *span)


def qq(
    opened: Cohort, settings: AnalysisSettings, found: Analysis
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the points of the QQ plot by frequency, and its band."""
    return _qq(_identity(opened), _thresholds(settings, opened), opened, found)


@st.cache_data(max_entries=12, show_spinner=False)
def _qq(
    identity: str, thresholds: str, _cohort: Cohort, _found: Analysis
) -> tuple[pd.DataFrame, pd.DataFrame]:
    frequency = effect_allele_frequency(_found.filtered)
    points, band = summaries.qq_points(_found.association, frequency, _found.filtered.kept)
    alone = points["variant_index"][points["variant_index"] >= 0]
    names = summaries.name_variants(_cohort, np.unique(alone.to_numpy(np.int64)))
    named = names.set_index("variant_index")[["variant_id", "gene"]]
    return points.join(named, on="variant_index").drop(columns="variant_index"), band


def marked_variant(
    opened: Cohort, settings: AnalysisSettings, found: Analysis, variant_id: str
) -> summaries.MarkedVariant | None:
    """Return where a variant stands under these thresholds, None if the cohort lacks it."""
    key = _thresholds(settings, opened)
    return _marked_variant(_identity(opened), key, variant_id, opened, found)


@st.cache_data(max_entries=128, show_spinner=False)
def _marked_variant(
    identity: str, thresholds: str, variant_id: str, _cohort: Cohort, _found: Analysis
) -> summaries.MarkedVariant | None:
    return summaries.marked_variant(_cohort, _found.filtered, _found.association, variant_id)


def qq_place(
    opened: Cohort, settings: AnalysisSettings, found: Analysis, variant_index: int
) -> tuple[float, float, str] | None:
    """Return expected, observed −log10 p and the stratum of a kept variant in the QQ plot."""
    return _qq_place(_identity(opened), _thresholds(settings, opened), variant_index, found)


@st.cache_data(max_entries=128, show_spinner=False)
def _qq_place(
    identity: str, thresholds: str, variant_index: int, _found: Analysis
) -> tuple[float, float, str] | None:
    row = int(np.searchsorted(_found.filtered.kept, variant_index))
    frequency = effect_allele_frequency(_found.filtered)
    return summaries.qq_place(_found.association, frequency, row)


def gene_place(opened: Cohort, gene: str) -> summaries.GenePlace | None:
    """Return where a gene lies, None where the cohort has no such gene."""
    return _gene_place(_identity(opened), gene, opened)


@st.cache_data(max_entries=128, show_spinner=False)
def _gene_place(identity: str, gene: str, _cohort: Cohort) -> summaries.GenePlace | None:
    return summaries.gene_place(_cohort, gene)


def gene_variants(
    opened: Cohort, settings: AnalysisSettings, found: Analysis, gene: str
) -> pd.DataFrame:
    """Return the tested variants of a gene, those of the smallest p first."""
    return _gene_variants(_identity(opened), _thresholds(settings, opened), gene, opened, found)


@st.cache_data(max_entries=64, show_spinner=False)
def _gene_variants(
    identity: str, thresholds: str, gene: str, _cohort: Cohort, _found: Analysis
) -> pd.DataFrame:
    return summaries.gene_variants(_cohort, _found.filtered, _found.association, gene)


def volcano(opened: Cohort, settings: AnalysisSettings, found: Analysis) -> pd.DataFrame:
    """Return odds ratios against p."""
    return _volcano(_identity(opened), _thresholds(settings, opened), opened, found)


@st.cache_data(max_entries=12, show_spinner=False)
def _volcano(identity: str, thresholds: str, _cohort: Cohort, _found: Analysis) -> pd.DataFrame:
    return summaries.volcano_points(_cohort, _found.filtered, _found.association)


def structure_doubt(
    opened: Cohort, settings: AnalysisSettings, found: Analysis, definition: CaseDefinition
) -> str:
    """Return why ancestry or batch may look like association here, "" where nothing says so."""
    in_force = (cohorts_dir(cache()) / opened.name / CURRENT).read_text()
    key = _thresholds(settings, opened) + in_force
    return _structure_doubt(_identity(opened), key, opened, settings, found, definition)


@st.cache_data(max_entries=12, show_spinner=False)
def _structure_doubt(
    identity: str,
    thresholds: str,
    _cohort: Cohort,
    _settings: AnalysisSettings,
    _found: Analysis,
    _definition: CaseDefinition,
) -> str:
    tested = _found.association
    if tested is None:
        return ""
    return structure_warning(
        _cohort, _definition, tested.lambda_gc, _settings.association, tested.n_of_lambda
    )


def genes(
    opened: Cohort, settings: AnalysisSettings, found: Analysis, gene_settings: GeneSettings
) -> GeneTable:
    """Return the gene table under these thresholds."""
    key = _thresholds(settings, opened) + gene_settings.canonical()
    return _genes(_identity(opened), key, opened, settings, found, gene_settings)


@st.cache_resource(max_entries=4, show_spinner="Counting who carries what")
def _genes(
    identity: str,
    thresholds: str,
    _cohort: Cohort,
    _settings: AnalysisSettings,
    _found: Analysis,
    _gene_settings: GeneSettings,
) -> GeneTable:
    with turns.lent():
        return gene_table(
            _cohort, _found.filtered, _found.association, _gene_settings, _settings.association
        )


@st.cache_resource(max_entries=2, show_spinner="Reading the published file")
def _summary_file(path: str, mtime: int, roles: str, build: str, _columns: Any) -> Summary:
    with turns.lent():
        return read_summary_file(_columns.path, _columns, build=build)


def published(
    opened: Cohort,
    settings: AnalysisSettings,
    found: Analysis,
    columns: SummaryColumns,
    build: SummaryBuild,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """Return points of the cohort, of a published file, their chromosomes, and notes."""
    path = columns.path
    summary = _summary_file(
        str(path), path.stat().st_mtime_ns, repr(sorted(columns.roles.items())), build, columns
    )
    axis = joint_axis(_axis(_identity(opened), opened), summary)
    upper = summaries.manhattan_points(opened, axis, found.filtered, found.association)
    lower = published_points(summary, axis.chromosomes)
    note = build_note(summary, opened.certificate["settings"]["build"])
    return upper, lower, axis.chromosomes, (*summary.notes(), *([note] if note else []))


def genome_chromosomes(opened: Cohort) -> pd.DataFrame:
    """Return start, middle and end of each chromosome on the axis of the Manhattan plot."""
    return _axis(_identity(opened), opened).chromosomes


def top_table(opened: Cohort, settings: AnalysisSettings, found: Analysis) -> pd.DataFrame:
    """Return the variants of smallest p."""
    return _top_table(_identity(opened), _thresholds(settings, opened), opened, found)


@st.cache_data(max_entries=12, show_spinner=False)
def _top_table(identity: str, thresholds: str, _cohort: Cohort, _found: Analysis) -> pd.DataFrame:
    return summaries.top_table(_cohort, _found.filtered, _found.association)


def quality_bins(opened: Cohort, definition: CaseDefinition, measure: str) -> pd.DataFrame:
    """Return the histogram of a quality measure over the sites of cases and controls."""
    roles = repr((definition.case, definition.control))
    return _quality_bins(_identity(opened), roles, measure, opened, definition)


@st.cache_data(max_entries=32, show_spinner=False)
def _quality_bins(
    identity: str, roles: str, measure: str, _cohort: Cohort, _definition: CaseDefinition
) -> pd.DataFrame:
    return summaries.quality_bins(_cohort, _definition, measure)


def small_histogram(
    bins: pd.DataFrame,
    cut: float | None,
    paper: float | None,
    label: str,
    unit: str,
    removes: str,
    counted: str,
    palette: Palette,
) -> dict[str, Any]:
    """Return the histogram behind a slider as Vega-Lite; of many one moves, the rest stay drawn."""
    return _small_histogram(bins, cut, paper, label, unit, removes, counted, palette.mode, palette)


@st.cache_data(max_entries=256, show_spinner=False)
def _small_histogram(
    bins: pd.DataFrame,
    cut: float | None,
    paper: float | None,
    label: str,
    unit: str,
    removes: str,
    counted: str,
    mode: str,
    _palette: Palette,
) -> dict[str, Any]:
    made = cut_histogram(
        bins, cut, paper, label, unit, removes=removes, counted=counted, small=True,
        root_scale=True, palette=_palette,
    )  # fmt: skip
    return unchecked(made).to_dict()


@st.cache_data(max_entries=32, show_spinner=False)
def _person_bins(identity: str, measure: str, _cohort: Cohort) -> pd.DataFrame:
    return summaries.person_bins(_cohort, measure)


def person_bins(opened: Cohort, measure: str) -> pd.DataFrame:
    """Return the histogram of a quality measure over people."""
    return _person_bins(_identity(opened), measure, opened)


def person_bins_by(opened: Cohort, measure: str, sets: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return the histogram of a quality measure over each set of people."""
    return summaries.person_bins(opened, measure, sets)


def structure(whole: Cohort) -> Structure | None:
    """Return components and relatives of a cohort, None while they are not computed."""
    in_force = (cohorts_dir(cache()) / whole.name / CURRENT).read_text()
    return _structure(_identity(whole), in_force, whole)


@st.cache_resource(max_entries=4, show_spinner=False)
def _structure(identity: str, in_force: str, _whole: Cohort) -> Structure | None:
    return read_structure(_whole)


@st.cache_data(max_entries=8, show_spinner=False)
def _covariates(identity: str, _whole: Cohort) -> list[str]:
    return find_covariates(_whole)


def available_covariates(whole: Cohort) -> list[str]:
    """Return what logistic regression can adjust for."""
    return _covariates(_identity(whole), whole)


@st.cache_data(max_entries=8, show_spinner=False)
def _chromosomes(identity: str, _cohort: Cohort) -> pd.DataFrame:
    return summaries.chromosome_table(_cohort)


def chromosomes(opened: Cohort) -> pd.DataFrame:
    """Return variants by chromosome and kind."""
    return _chromosomes(_identity(opened), opened)


def entering_groups(opened: Cohort, settings: AnalysisSettings, found: Analysis) -> np.ndarray:
    """Return the gene or neighbourhood of each variant that would enter the network."""
    return _entering_groups(_identity(opened), _thresholds(settings, opened), opened, found)


@st.cache_data(max_entries=12, show_spinner=False)
def _entering_groups(
    identity: str, thresholds: str, _cohort: Cohort, _found: Analysis
) -> np.ndarray:
    return variant_groups(_cohort, _found.entering)


@st.cache_data(ttl=60, max_entries=256, show_spinner=False)
def estimate(
    cache_folder: str, n_variants: int, n_train: int, n_watch: int, asked: str
) -> Estimate:
    """Return what a training would take; `asked` are its settings as JSON."""
    settings = AnalysisSettings.model_validate_json(asked)
    return estimate_run(Path(cache_folder), n_variants, n_train, n_watch, settings)


def reproduced(whole: Cohort, planned: tuple[Planned, ...]) -> tuple[Reproduced, ...]:
    """Return the rows of the paper beside our runs of them, as far as there are any."""
    return results(planned, find_runs(cache(), whole, planned))


def time_to_reproduce(whole: Cohort, planned: tuple[Planned, ...]) -> TimeToReproduce:
    """Return how long the rows that are not trained yet take."""
    asked = "\n".join(one.settings.canonical() for one in planned)
    return _time_to_reproduce(str(cache()), _identity(whole), asked, whole, planned)


@st.cache_data(ttl=60, max_entries=16, show_spinner=False)
def _time_to_reproduce(
    cache_folder: str, identity: str, asked: str, _whole: Cohort, _planned: tuple[Planned, ...]
) -> TimeToReproduce:
    return time_of(Path(cache_folder), _whole, _planned)


def active_jobs() -> list[Job]:
    """Return the jobs that wait or run."""
    return jobs.jobs(cache(), active_only=True)


def expected_jobs(open_jobs: list[Job]) -> dict[str, Expected]:
    """Return when each open job will start and how long it takes, as far as that is known."""
    if all(job.position is None for job in open_jobs):
        return {}
    asked = " ".join(f"{job.id}:{job.position}" for job in open_jobs)
    return _expected_jobs(str(cache()), asked, open_jobs)


@st.cache_data(ttl=2, max_entries=16, show_spinner=False)
def _expected_jobs(cache_folder: str, asked: str, _open_jobs: list[Job]) -> dict[str, Expected]:
    return expected(Path(cache_folder), _open_jobs)


def all_runs() -> list[Run]:
    """Return all runs, newest first."""
    return runs.list_runs(cache())


def standings(opened: Cohort, settings: AnalysisSettings) -> dict[str, Standing]:
    """Return how far the study has come along the arrow, by page."""
    known = all_runs()
    ended = tuple(run.id for run in known if run.state == "finished")
    audits = opened.store.path.parent / "audits"
    stamp = audits.stat().st_mtime_ns if audits.exists() else 0
    stages = {*CHOOSES_DATA, "association"}
    asked = settings.model_dump_json(include=stages) + computed(opened)
    return _standings(_identity(opened), asked, hash(ended), stamp, opened, settings, known)


@st.cache_data(max_entries=32, show_spinner=False)
def _standings(
    identity: str, asked: str, ended: int, audits: int, _cohort: Cohort,
    _settings: AnalysisSettings, _known: list[Run],
) -> dict[str, Standing]:  # fmt: skip
    return standings_of(_cohort, _settings, _known)


def run(run_id: str) -> Run:
    """Return one run."""
    return runs.load(cache(), run_id)


def epochs(of: Run) -> list[EpochRecord]:
    """Return the epochs of a run so far."""
    return runs.read_progress(of)


def metrics(of: Run) -> dict[str, Any] | None:
    """Return the metrics of a run, None while there are none."""
    return runs.read_metrics(of)


def log_tail(of: Run, n_lines: int = 50) -> str:
    """Return the end of a run's log."""
    if not of.log_path.is_file():
        return ""
    return "\n".join(of.log_path.read_text(errors="replace").splitlines()[-n_lines:])


def attribution(of: Run) -> Attribution | None:
    """Return what the network of a run looked at, None while nobody has asked or it is stale."""
    return read_attribution(of)


def attribution_across_seeds(of: Run, made: Attribution) -> Stability:
    """Return how alike the attributions of runs of other seeds are."""
    return across_seeds(cache(), of, made)


def attribution_job(of: Run) -> Job | None:
    """Return the open job that looks at a run, None without one."""
    asked = (one for one in active_jobs() if one.kind == "attribute")
    return next((one for one in asked if one.payload.get("run") == of.id), None)


def audit_answer(asked: Question, part: str) -> dict[str, Any] | None:
    """Return what is known of a part of an audit so far."""
    return read_answer(cache(), asked, part)


def audit_job(asked: Question, part: str) -> Job | None:
    """Return the job of a part of an audit, None where nobody has asked."""
    return job_of(cache(), asked, part)


def is_open(asked: Question, part: str) -> bool:
    """Say whether a part of an audit waits or is being answered."""
    found = audit_job(asked, part)
    return found is not None and found.is_open


def story(of: Run) -> Story:
    """Return the story of a run, told anew when its files, its cohort or its audits change."""
    in_force = cohorts_dir(cache()) / of.cohort / CURRENT
    notes = cache() / "notes" / f"{of.id}.json"
    read = [in_force, in_force.parent, of.metrics_path, of.progress_path, notes]
    try:
        opened = cohort(of.cohort)
    except (FileNotFoundError, PipelineError):  # gone, or not to be read any more
        audits: tuple[Path, ...] = ()
    else:
        audits = _question_paths(str(of.folder), repr(_stamp(in_force.parent)), opened, of)
    return _story(str(of.folder), f"{_stamp(*read, *audits)} {of.state}", of)


@st.cache_data(max_entries=64, show_spinner=False)
def _question_paths(folder: str, stamp: str, _cohort: Cohort, _run: Run) -> tuple[Path, ...]:
    return question_paths(_cohort, _run)


@st.cache_resource(max_entries=4, show_spinner="Telling the story of this run")
def _story(folder: str, stamps: str, _run: Run) -> Story:
    return story_of(_run)


def run_summary(of: Run) -> RunSummary:
    """Return the few figures of a run, read again only when its files have changed."""
    return _run_summary(str(of.folder), _stamp(of.metrics_path, of.progress_path), of)


@st.cache_data(max_entries=5_000, show_spinner=False)
def _run_summary(folder: str, stamp: tuple[int, ...], _run: Run) -> RunSummary:
    return summarise(_run)


def run_pair(first: Run, second: Run) -> Pair:
    """Return what the second of two runs changed; no person is in it."""
    read = [
        _stamp(one.metrics_path, one.selection_path, one.predictions_path)
        for one in (first, second)
    ]
    in_force = [cohorts_dir(cache()) / one.cohort / CURRENT for one in (first, second)]
    key = (first.state, second.state, *read, _stamp(*in_force))
    return _run_pair(str(first.folder), str(second.folder), repr(key), first, second)


@st.cache_resource(max_entries=32, show_spinner="Holding the runs beside each other")
def _run_pair(first: str, second: str, key: str, _first: Run, _second: Run) -> Pair:
    return compare_pair(_first, _second)


def _stamp(*paths: Path) -> tuple[int, ...]:
    """Return when each file was written, its size and rights, 0 for one that is not there."""
    found: list[int] = []
    for path in paths:
        try:
            about = path.stat()
        except OSError:
            found += [0, 0, 0]
        else:
            found += [about.st_mtime_ns, about.st_size, about.st_mode]
    return tuple(found)


@st.cache_resource(max_entries=2, show_spinner=False)
def _watched(address: str) -> Watched:
    return Watched(address)


@st.cache_data(ttl=4, max_entries=2, show_spinner=False)
def _cluster(address: str) -> Cluster:
    return _watched(address).look()


def cluster() -> Cluster | None:
    """Return the cluster that work goes to, None where it is done here; raises `EngineError`."""
    address = engine_address()
    return None if address == LOCAL else _cluster(address)
