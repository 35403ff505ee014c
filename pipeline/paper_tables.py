"""The figures that Henriques et al. 2025 print, as data: Table 1, Table 2, and stages of the text.

Percentages are as printed. Each row names the preset that stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

N_CASE, N_CONTROL = 4_969, 6_245
N_VARIANTS = 18_970
MAJORITY = N_CONTROL / (N_CASE + N_CONTROL)

Which = Literal["1", "2", "stages"]


@dataclass(frozen=True)
class TableRow:
    """A row of Table 1 (filters, batch_size) or Table 2 (n1, n2); accuracies in percent."""

    table: Literal["1", "2"]
    id: int
    dimension: str
    train_accuracy: float
    test_accuracy: float
    observation: str
    filters: int | None = None
    batch_size: int | None = None
    n1: int | None = None
    n2: int | None = None

    @property
    def accuracy_of(self) -> str:
        """On whom `test_accuracy` was measured."""
        return "test people"

    @property
    def prediction_error(self) -> None:
        """No table gives one."""
        return None

    @property
    def preset(self) -> str:
        """The preset of this row; ids of Table 1 begin anew with the 3D models."""
        if self.table == "1":
            return f"table1_{self.dimension.lower()}_{self.id}"
        return f"table2_{self.id}"

    @property
    def label(self) -> str:
        """How the row is called: 2D 3."""
        return f"{self.dimension} {self.id}"

    @property
    def setup(self) -> str:
        """What the table says of the network."""
        if self.table == "2":
            return f"dense {self.n1:,} and {self.n2:,}"
        folds = ", K-fold" if self.is_k_fold else ""
        return f"{self.filters} filters, batch {self.batch_size}{folds}"

    @property
    def is_k_fold(self) -> bool:
        """Whether the row is of a cross-validation."""
        return self.observation.startswith("K-fold")


@dataclass(frozen=True)
class StageRow:
    """A stage of section 3; what the text does not state is None, figures in percent.

    `setup` is what the section states of the network, in our words; `quotes` are the words of the
    paper that state the figures; `accuracy_of` says on whom it measures the accuracy.
    """

    section: str
    title: str
    setup: str
    quotes: tuple[str, ...]
    accuracy: float | None = None
    accuracy_of: Literal["test people", "not stated", ""] = ""
    loss: float | None = None
    prediction_error: float | None = None

    @property
    def table(self) -> Literal["stages"]:
        """Which of the three lists the row belongs to."""
        return "stages"

    @property
    def preset(self) -> str:
        """The preset of this stage."""
        return f"stage_{self.section.replace('.', '_')}"

    @property
    def label(self) -> str:
        """How the row is called: 3.4."""
        return self.section

    @property
    def train_accuracy(self) -> None:
        """No stage states one."""
        return None

    @property
    def test_accuracy(self) -> float | None:
        """The accuracy of the text, whoever it was measured on (see `accuracy_of`)."""
        return self.accuracy

    @property
    def observation(self) -> str:
        """What the text says came of it."""
        return "; ".join(self.quotes)


Row = TableRow | StageRow

TABLE_1 = tuple(
    TableRow("1", number, dimension, train, test, seen, filters=filters, batch_size=batch)
    for number, dimension, filters, batch, train, test, seen in (
        (1, "2D", 64, 64, 99.56, 72.06, "Baseline reference"),
        (2, "2D", 32, 32, 96.93, 70.39, "Best parameter combination"),
        (3, "2D", 64, 32, 99.9, 72.29, "Highest accuracy for both sets"),
        (4, "2D", 32, 64, 99.51, 71.28, "Second-best results"),
        (5, "2D", 64, 32, 86.28, 69.08, "Reference for ID – 3"),
        (6, "2D", 64, 32, 99.39, 64.1, "K-fold validation applied to ID – 3"),
        (1, "3D", 64, 64, 91.56, 70.89, "Highest test accuracy in 3D"),
        (2, "3D", 64, 64, 98.42, 69.42, "Best train-test accuracy balance"),
        (3, "3D", 32, 32, 90.45, 70.22, "Lowest overall accuracy"),
        (4, "3D", 64, 32, 90.8, 70.49, "3D model reference: ID – 2"),
        (5, "3D", 32, 64, 92.78, 70.44, "K-fold applied to 3D model: ID – 2"),
    )
)

TABLE_2 = tuple(
    TableRow("2", number, dimension, train, test, seen, n1=n1, n2=n2)
    for number, dimension, n1, n2, train, test, seen in (
        (1, "2D", 500, 100, 98.76, 70.34, "Minimal impact on accuracy"),
        (2, "2D", 1000, 500, 99.12, 71.56, "Slight improvement observed"),
        (3, "2D", 1000, 1000, 99.34, 71.89, "No significant accuracy gain"),
        (4, "3D", 500, 100, 92.45, 69.78, "Lowest recorded accuracy"),
        (5, "3D", 1000, 500, 93.67, 70.12, "Minor improvement noted"),
        (6, "3D", 1000, 1000, 94.23, 70.01, "No significant impact observed"),
    )
)

STAGES = (
    StageRow(
        "3.1",
        "Initial model testing",
        "1 % tested, dense 100, 15 epochs",
        ("an accuracy of 100 % with an impressively low loss value of 4.9557 × 10^−5^ %",),
        accuracy=100.0,
        accuracy_of="not stated",
        loss=4.9557e-5,
    ),
    StageRow(
        "3.2",
        "Optimized data split and architectural refinements",
        "15 % tested, dense 500, 20 epochs",
        (
            "the loss value stabilizing at approximately 2 %",
            "around 50 % of the predictions remained incorrect",
        ),
        loss=2.0,
        prediction_error=50.0,
    ),
    StageRow(
        "3.3",
        "Parameter optimization and additional refinements",
        "2 dense layers, dropout, 100 epochs",
        (
            "The testing accuracy improved to 68 %",
            "the prediction error rate decreased to 10 %",
        ),
        accuracy=68.0,
        accuracy_of="test people",
        prediction_error=10.0,
    ),
    StageRow(
        "3.4",
        "Overfitting reduction and model optimization",
        "1 dense layer, early stopping",
        (
            # 68 % and about one more; the text gives no other figure.
            "Accuracy saw a slight increase of approximately 1 %",
            "the prediction error dropped from 10 % to 8 %",
        ),
        accuracy=69.0,
        accuracy_of="test people",
        prediction_error=8.0,
    ),
    StageRow(
        "3.5",
        "K-Fold cross-validation and model adjustments",
        "3D, K-fold cross-validation",
        ("accuracy and loss values comparable to previous tests",),
    ),
    StageRow(
        "3.6",
        "Final model",
        "batch norm., schedule, dense 1,000",
        (
            "the highest recorded accuracy of 80 %",
            "the model still exhibits a 20 % prediction error rate",
        ),
        accuracy=80.0,
        accuracy_of="not stated",
        prediction_error=20.0,
    ),
)

ROWS: dict[str, tuple[Row, ...]] = {"1": TABLE_1, "2": TABLE_2, "stages": STAGES}
