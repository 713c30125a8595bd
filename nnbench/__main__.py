"""`python -m nnbench` is the command `nnbench`."""

from nnbench.cli import main

main()
