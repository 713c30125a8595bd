"""`python -m nnbench.measure.worker '<configuration>'` starts a worker, see `measure.serve`.

The name of this module is part of the protocol: nnbench of other commits starts workers by it.
"""

from nnbench.measure.serve import main

if __name__ == "__main__":
    main()
