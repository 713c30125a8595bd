"""A rule for each kind of Keras layer, and for Keras' operations in a graph of layers.

Importing a file of this folder enters its rules in `work.RULES`.
"""

from nnbench.workload.counts.rules import attention, elementwise, products, recurrent
from nnbench.workload.counts.rules.not_counted import NOT_COUNTED, why
from nnbench.workload.counts.work import RULES

__all__ = ["NOT_COUNTED", "RULES", "attention", "elementwise", "products", "recurrent", "why"]
