"""Which diagnoses are cases, which controls, who is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.errors import EmptyResultError, SettingsError
from pipeline.settings import PeopleSettings

_CASE_WORDS = {"case", "cases", "scz", "schizophrenia", "affected", "patient", "patients"}
_CONTROL_WORDS = {"control", "controls", "ctrl", "unaffected", "healthy", "con"}
ALPHABETICAL = "two diagnoses in alphabetical order, control first"
_OUT_WORDS = {"bp", "bipolar", "unknown", "-9", "other"}


@dataclass(frozen=True)
class CaseDefinition:
    """Diagnoses by role, and how the mapping was found (`named`, or by which rule)."""

    case: tuple[str, ...]
    control: tuple[str, ...]
    excluded: tuple[str, ...]
    rule: str

    @property
    def is_guess(self) -> bool:
        """Say whether the roles follow from no word, so that people should look at them."""
        return self.rule == ALPHABETICAL

    def counts(self, n_people: Mapping[str, int]) -> dict[str, int]:
        """Return the people of each role."""
        return {
            role: sum(n_people.get(diagnosis, 0) for diagnosis in getattr(self, role))
            for role in ("case", "control", "excluded")
        }


def define_cases(n_people: Mapping[str, int], settings: PeopleSettings) -> CaseDefinition:
    """Return the role of each diagnosis of a cohort (`n_people`: people by diagnosis).

    Named diagnoses are taken as named and all others are left out, where only one side is named
    and one diagnosis remains it is the other side. With nothing named: case / control and SCZ /
    BP / control by their words; 1 / 2 as PLINK writes control / case (0 and -9 missing); 0 / 1 as
    control / case; any other two in alphabetical order, control first (the rule says so).

    Raises `SettingsError` for a diagnosis that the cohort lacks, or when the roles are unclear.
    """
    for name in (*settings.case, *settings.control, *settings.exclude):
        if name not in n_people:
            raise SettingsError(
                f"A case definition names diagnoses of the cohort, but {name!r} is none of "
                f"{', '.join(sorted(n_people))}; choose among these."
            )
    if settings.case or settings.control:
        return _named(n_people, settings)
    present = [d for d in n_people if d not in settings.exclude]
    case, control, rule = _by_words(present)
    used = {*case, *control}
    excluded = tuple(sorted(d for d in n_people if d not in used))
    return CaseDefinition(tuple(case), tuple(control), excluded, rule)


def require_both(definition: CaseDefinition, n_people: Mapping[str, int]) -> None:
    """Raise `EmptyResultError` unless there are cases and controls."""
    counts = definition.counts(n_people)
    for role in ("case", "control"):
        if counts[role] == 0:
            raise EmptyResultError(
                "An association needs cases and controls, but there are "
                f"{counts['case']:,} cases and {counts['control']:,} controls; name the "
                f"diagnoses that are {role}s."
            )


def _named(n_people: Mapping[str, int], settings: PeopleSettings) -> CaseDefinition:
    case, control = settings.case, settings.control
    others = [d for d in n_people if d not in {*case, *control, *settings.exclude}]
    likely = [d for d in others if d.lower() not in _OUT_WORDS]
    if not control and len(likely) == 1:
        control = tuple(likely)
    elif not case and len(likely) == 1:
        case = tuple(likely)
    elif not control:
        control = tuple(d for d in others if d.lower() in _CONTROL_WORDS)
    elif not case:
        case = tuple(d for d in others if d.lower() in _CASE_WORDS)
    excluded = tuple(sorted(d for d in n_people if d not in {*case, *control}))
    return CaseDefinition(case, control, excluded, "named")


def _by_words(present: list[str]) -> tuple[list[str], list[str], str]:
    case = sorted(d for d in present if d.lower() in _CASE_WORDS)
    control = sorted(d for d in present if d.lower() in _CONTROL_WORDS)
    likely = sorted(d for d in present if d.lower() not in _OUT_WORDS)
    if case and control:
        return case, control, "by their words"
    if {"1", "2"} <= set(likely) <= {"0", "1", "2"}:
        return ["2"], ["1"], "as PLINK codes them: 2 case, 1 control"
    if set(likely) == {"0", "2"}:
        return ["2"], [], "as PLINK codes them: 2 case, 0 missing"
    if set(likely) == {"0", "1"}:
        return ["1"], ["0"], "1 case, 0 control"
    if len(likely) == 2:
        if case:
            return case, [d for d in likely if d not in case], "by the word of the cases"
        if control:
            return [d for d in likely if d not in control], control, "by the word of the controls"
        return [likely[1]], [likely[0]], ALPHABETICAL
    if len(likely) <= 1:
        known_control = bool(control) or likely in (["0"],)
        return ([], likely, "one diagnosis") if known_control else (likely, [], "one diagnosis")
    raise SettingsError(
        "Cases and controls cannot be told from the diagnoses "
        f"{', '.join(likely[:12])}; name them with --case and --control."
    )
