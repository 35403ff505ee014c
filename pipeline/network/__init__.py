"""The networks, in plain Keras 3, so that they run on any of its backends.

Only the worker imports this package.
"""

from pipeline.network.build import MAX_PARAMETERS, build_network
from pipeline.network.fused import BatchNorm
from pipeline.network.genes import build_gene_network
from pipeline.network.layers import GenotypeInput

__all__ = ["MAX_PARAMETERS", "BatchNorm", "GenotypeInput", "build_gene_network", "build_network"]
