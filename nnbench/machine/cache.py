"""The folder of what is kept between commands; NNBENCH_CACHE moves it, `off` keeps no programs."""

import os
from pathlib import Path

SETTING = "NNBENCH_CACHE"
OFF = "off"


def folder() -> Path:
    """Where downloads and compiled programs are kept."""
    chosen = os.environ.get(SETTING)
    if chosen and chosen != OFF:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("nnbench"))


def keeps_programs() -> bool:
    """Whether compiled programs may be kept, too."""
    return os.environ.get(SETTING) != OFF
