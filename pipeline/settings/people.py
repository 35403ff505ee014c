"""Who is a case, who is a control, who is left out."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from pipeline.settings.base import Settings, setting


class PeopleSettings(Settings):
    """A mapping of the diagnoses of a cohort; all empty means that it is found by name."""

    case: tuple[str, ...] = setting(
        (), "Diagnoses that count as cases.", label="Cases", paper=("SCZ",)
    )
    control: tuple[str, ...] = setting(
        (), "Diagnoses that count as controls.", label="Controls", paper=("control",)
    )
    exclude: tuple[str, ...] = setting(
        (), "Diagnoses that are left out of every count.", label="Left out", paper=("BP",)
    )

    @model_validator(mode="after")
    def _each_diagnosis_once(self) -> Self:
        named = [*self.case, *self.control, *self.exclude]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"given each diagnosis once ({', '.join(twice)} stands twice)")
        return self
