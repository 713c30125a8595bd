"""How a network's architecture changes the time it takes to train, and why.

Importing this package loads no deep learning framework: Keras and its backend load only when
a network is built.
"""

__version__ = "0.1.0"
