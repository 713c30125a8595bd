"""Parameters, FLOPs and bytes of a network, layer by layer.

`dense` counts chains of Dense layers by arithmetic alone, `built` any network that Keras has built,
by the rules in `rules`; both make the records in `records`.
"""

from nnbench.workload.counts.records import LayerCount, NetworkCount

__all__ = ["LayerCount", "NetworkCount"]
