"""What every settings class shares: frozen, strict, and one declaration a field.

A field carries its type, bounds, default, unit, help and the paper's value. The widget, the
command-line flag, the error sentence, the run's identity and the README's table come from it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import SettingsError

NO_PAPER_VALUE = "not stated"


class Settings(BaseModel):
    """A frozen group of settings; unknown names and values out of bounds are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def canonical(self) -> str:
        """Return the settings as JSON with sorted keys: equal settings, equal text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def digest(self, length: int = 12) -> str:
        """Return the first `length` hexadecimal digits of the SHA-256 of the canonical text."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:length]


def setting(
    default: Any,
    help: str,  # noqa: A002 - the word that users read
    *,
    label: str,
    unit: str = "",
    paper: Any = NO_PAPER_VALUE,
    assumed: bool = False,
    step: float | None = None,
    start: Any = None,
    **bounds: Any,
) -> Any:
    """Declare one setting.

    `start` is where a slider stands when a setting that is off by default is switched on.

    `paper` is the value of Henriques et al. 2025; `assumed` marks a paper value that the text
    leaves open. `bounds` are pydantic's (`ge`, `gt`, `le`, `lt`, `max_length`).
    """
    extra = {"label": label, "unit": unit, "paper": paper, "assumed": assumed, "step": step,
             "start": start}  # fmt: skip
    return Field(default, description=help, json_schema_extra=extra, **bounds)


def explain(error: ValidationError, stage: str = "") -> SettingsError:
    """Return pydantic's first complaint as one sentence: which setting, the rule, what came."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"] if not str(part).startswith("function"))
    name = f"{stage}.{where}" if stage and where else where or stage
    if first["type"] == "extra_forbidden":
        return SettingsError(
            f"There is no setting {name}; `python -m pipeline settings` lists them all."
        )
    rule = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return SettingsError(f"{name} should be {rule}, but {first['input']!r} was given; change it.")
