"""Tables and plain values in, `altair.Chart` out; nothing is computed that a reader would cite."""

from dashboard.charts.arrow_drawing import arrow_drawing
from dashboard.charts.calibration import calibration
from dashboard.charts.confusion import confusion
from dashboard.charts.cut_histogram import cut_histogram
from dashboard.charts.funnel import funnel
from dashboard.charts.genotype_mosaic import genotype_mosaic
from dashboard.charts.group_histogram import group_histogram
from dashboard.charts.group_metrics import group_metrics
from dashboard.charts.learning_curves import learning_curves
from dashboard.charts.manhattan import manhattan
from dashboard.charts.metric_intervals import metric_intervals
from dashboard.charts.miami import miami
from dashboard.charts.network_drawing import network_drawing
from dashboard.charts.p_histogram import p_histogram
from dashboard.charts.people_mosaic import people_mosaic
from dashboard.charts.people_scatter import people_scatter
from dashboard.charts.precision_recall import precision_recall
from dashboard.charts.qq import qq
from dashboard.charts.region import region
from dashboard.charts.roc import roc
from dashboard.charts.score_histogram import score_histogram
from dashboard.charts.variants_by_chromosome import variants_by_chromosome
from dashboard.charts.volcano import volcano

__all__ = [
    "arrow_drawing",
    "calibration",
    "confusion",
    "cut_histogram",
    "funnel",
    "genotype_mosaic",
    "group_histogram",
    "group_metrics",
    "learning_curves",
    "manhattan",
    "metric_intervals",
    "miami",
    "network_drawing",
    "p_histogram",
    "people_mosaic",
    "people_scatter",
    "precision_recall",
    "qq",
    "region",
    "roc",
    "score_histogram",
    "variants_by_chromosome",
    "volcano",
]
