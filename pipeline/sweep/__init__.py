"""A search for good settings that never sees the test people.

ask (search) ──> settings ──> a trial: select, train, judge ──> told ──> ask …
                                                      best ──> an ordinary run
"""

from pipeline.sweep.loop import run_sweep, sweep_job
from pipeline.sweep.stored import Sweep, Trial, list_sweeps, read_sweep, show
from pipeline.sweep.submit import submit_sweep
from pipeline.sweep.trial import run_trial

__all__ = [
    "Sweep",
    "Trial",
    "list_sweeps",
    "read_sweep",
    "run_sweep",
    "run_trial",
    "show",
    "submit_sweep",
    "sweep_job",
]
