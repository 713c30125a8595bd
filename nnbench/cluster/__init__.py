"""One study on several hosts: Dask hands out rounds, nnbench's own processes measure them."""
