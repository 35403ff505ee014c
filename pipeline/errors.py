"""What can go wrong in a way that the user can mend.

A message is one sentence: the rule, what was received, the remedy. The dashboard and the command
line print it as it stands; anything that is not a `PipelineError` is a bug and keeps its traceback.
"""

from __future__ import annotations


class PipelineError(Exception):
    """A problem that the user can mend, told in one sentence."""


class InputError(PipelineError):
    """A file given by the user cannot be used as it is."""


class SettingsError(PipelineError):
    """A setting is unknown, has the wrong type, or is out of bounds."""


class EmptyResultError(PipelineError):
    """The thresholds, or the people chosen, leave nothing to work on."""


class LeakageError(PipelineError):
    """Something that learns was about to see test people under the honest protocol."""


class StaleArtifactError(PipelineError):
    """A stored file was made by another format, cohort or setting than the one asked for."""


class NotFoundError(PipelineError):
    """There is no cohort, run or job of that name."""


class NotComputedError(PipelineError):
    """What is asked for takes a job of its own, which has not been run yet."""


class EngineError(PipelineError):
    """The machines that should do the work cannot be used as they are."""


class Cancelled(Exception):  # noqa: N818 - a stop that was asked for is not an error
    """The user stopped the work; whoever holds the work tidies up and passes this on."""


class Enough(Exception):  # noqa: N818 - a stop that was asked for is not an error
    """The user ended the training early; the best weights so far are kept and measured."""
