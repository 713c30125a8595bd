"""How much is tried."""

import os

from hypothesis import HealthCheck, Phase, settings

ASKED = int(os.environ.get("NNBENCH_FUZZ", "0"))
FILES, LINES = ASKED or 300, ASKED // 5 or 100


def examples_of(count):
    """Settings for so many examples: always the same ones, unless more are asked for."""
    return settings(
        max_examples=count,
        derandomize=not ASKED,
        database=None,
        deadline=None,
        # Damage is small as it is, and each try takes long: what fails is told as it was found.
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
