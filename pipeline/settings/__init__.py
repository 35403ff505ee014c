"""Every threshold and hyperparameter, declared once; one file a stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from pipeline.errors import SettingsError
from pipeline.settings.association import AssociationSettings
from pipeline.settings.base import NO_PAPER_VALUE, Settings, explain
from pipeline.settings.encoding import EncodingSettings
from pipeline.settings.evaluation import EvaluationSettings
from pipeline.settings.genes import GeneSettings
from pipeline.settings.ingest import IngestSettings
from pipeline.settings.network import NetworkSettings
from pipeline.settings.people import PeopleSettings
from pipeline.settings.quality import QualitySettings
from pipeline.settings.samples import SampleSettings
from pipeline.settings.selection import SelectionSettings
from pipeline.settings.split import SplitSettings
from pipeline.settings.structure import StructureSettings
from pipeline.settings.sweep import SweepSettings
from pipeline.settings.training import TrainingSettings

__all__ = [
    "NO_PAPER_VALUE",
    "AnalysisSettings",
    "AssociationSettings",
    "EncodingSettings",
    "EvaluationSettings",
    "GeneSettings",
    "IngestSettings",
    "NetworkSettings",
    "PeopleSettings",
    "QualitySettings",
    "SampleSettings",
    "SelectionSettings",
    "Settings",
    "SplitSettings",
    "StructureSettings",
    "SweepSettings",
    "TrainingSettings",
    "describe",
    "parse_value",
    "with_changes",
]


S = TypeVar("S", bound=Settings)


class AnalysisSettings(Settings):
    """Everything between a cohort and a metric; what is equal here gives the same run."""

    people: PeopleSettings = PeopleSettings()
    samples: SampleSettings = SampleSettings()
    quality: QualitySettings = QualitySettings()
    association: AssociationSettings = AssociationSettings()
    split: SplitSettings = SplitSettings()
    selection: SelectionSettings = SelectionSettings()
    encoding: EncodingSettings = EncodingSettings()
    network: NetworkSettings = NetworkSettings()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    @property
    def goes_by_genes(self) -> bool:
        """Say whether the gene table decides what the network learns."""
        return self.network.family == "gene" or self.encoding.order == "gene"


def parse_value(text: str) -> Any:
    """Return what a `stage.field=value` text means: off or none, numbers, lists by comma."""
    lowered = text.strip().lower()
    if lowered in {"none", "off", "null"}:
        return None
    if lowered in {"true", "yes", "on"}:
        return True
    if lowered in {"false", "no"}:
        return False
    return text.strip()


def with_changes(settings: S, changes: Mapping[str, Any] | Iterable[str]) -> S:
    """Return `settings` with `{"stage.field": value}`, or `["stage.field=value"]`, applied.

    Raises `SettingsError` for an unknown name or a value out of bounds.
    """
    if not isinstance(changes, Mapping):
        changes = dict(_assignment(text) for text in changes)
    data = settings.model_dump()
    for name, value in changes.items():
        stage, _, field = name.partition(".")
        group = type(settings).model_fields.get(stage)
        fields = getattr(group.annotation, "model_fields", {}) if group else {}
        if field not in fields:
            raise SettingsError(
                f"There is no setting {name}; `python -m pipeline settings` lists them all."
            )
        if isinstance(value, str) and "tuple" in str(fields[field].annotation):
            value = [part.strip() for part in value.split(",") if part.strip()]
        data[stage][field] = value
    try:
        return type(settings).model_validate(data)
    except ValidationError as error:
        raise explain(error) from error


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"A setting is given as stage.field=value, but {text!r} has no '='.")
    return name.strip(), parse_value(value)


def describe() -> list[dict[str, Any]]:
    """Return one row a setting: name, default, bounds, unit, help, the paper's value."""
    rows = []
    stages: dict[str, Any] = {
        "ingest": IngestSettings,
        "structure": StructureSettings,
        "genes": GeneSettings,
        "sweep": SweepSettings,
    } | {stage: info.annotation for stage, info in AnalysisSettings.model_fields.items()}
    for stage, group in stages.items():
        schema = group.model_json_schema()["properties"]
        for field, info in group.model_fields.items():
            extra: Any = info.json_schema_extra
            options = schema[field].get("anyOf", [schema[field]])[0]
            rows.append(
                {
                    "setting": f"{stage}.{field}",
                    "label": extra["label"],
                    "default": info.default,
                    "smallest": options.get("minimum", options.get("exclusiveMinimum")),
                    "largest": options.get("maximum", options.get("exclusiveMaximum")),
                    "choices": options.get("enum"),
                    "unit": extra["unit"],
                    "help": info.description,
                    "paper": extra["paper"],
                    "assumed": extra["assumed"],
                }
            )
    return rows
