"""`asv run`: what a commit did to training times. See "Over commits" in the README.

`asv.conf.json` gives each environment one backend. To measure several in one environment, as
with `--python=same`, name them: `NNBENCH_ASV_BACKENDS=jax,torch asv run --python=same`.
"""
