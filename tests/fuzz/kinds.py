"""Every kind of file that nnbench reads, and the commands that read it (see `project`)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of file: some of it, by patterns, and the commands that read it.

    `part` says which part of the program reads it.
    """

    name: str
    part: str
    files: tuple[str, ...]
    commands: tuple[str, ...]

    def found(self, folder):
        """The files, by their paths in the folder."""
        found = [path for pattern in self.files for path in sorted(folder.glob(pattern))]
        assert found, f"{self.name} has no files"
        return [str(path.relative_to(folder)) for path in found]


HISTORY = (
    *("history {}", "history {} --json", "history check {}", "history check {} --json"),
    *("history check {} --markdown told.md", "history chart told {}", "history export told.csv {}"),
    *("history export told.json {}", "history export told.parquet {}"),
)


def _history(arguments):
    return tuple(command.format(arguments) for command in HISTORY)


KINDS = [
    Kind(
        "run",
        "store",
        ("runs/a/run/*.json*",),
        (
            *("report runs/a/run", "report runs/a/run --json"),
            *("compare runs/a/run runs/b/run --json", "compare runs/a/run runs/b/run"),
            *("compare runs/b/run runs/a/run", "explain 6,6 100,100 --run runs/a/run --json"),
            *("explain runs/a/run runs/b/run", "history --in runs/a --json"),
            *("report runs/b/run --history runs/a", "run 6,6 --results runs/a --backend jax"),
            "run 6,6 --results runs/a --name run --backend jax",
        ),
    ),
    Kind(
        "comparison",
        "store",
        ("runs/sides/run/*.json*",),
        (
            *("report runs/sides/run", "report runs/sides/run --json"),
            *("explain 6,6 100,100 --run runs/sides/run --json", "history --in runs"),
            *("compare runs/sides/run runs/a/run", "history --in runs --json"),
        ),
    ),
    Kind(
        "race",
        "store",
        ("races/race/*.json*",),
        (
            *("report races/race", "report races/race --json"),
            "race 6,6 100,100 --results races --name race",
        ),
    ),
    Kind(
        "recorded commits",
        "history",
        ("recorded/run/*.json*",),
        (*_history("--in recorded"), "report recorded/run", "report recorded/run --json"),
    ),
    Kind("asv", "history", (".asv/results/**/*.json",), _history("--in .asv")),
    Kind("pytest-benchmark", "history", (".benchmarks/**/*.json",), _history("--in .benchmarks")),
    Kind(
        "remarks",
        "history",
        ("nnbench-history.json",),
        (
            *("history check --in .asv", "history check --in .asv --json", "history chart told"),
            *("history annotate HEAD seen", "history check --in .asv --markdown told.md"),
        ),
    ),
    Kind("git", "history", ("odd/commit.git",), _history("--in odd/results --repository odd")),
    Kind(
        "drift study",
        "store",
        ("studies/one/*.json*", "studies/one/trajectories/*.npz"),
        (
            *("drift show studies/one", "drift show studies/one --json"),
            *("drift compare studies/one studies/two", "drift compare studies/two studies/one"),
            "drift compare studies/one studies/two --json",
        ),
    ),
    Kind(
        "golden",
        "store",
        ("golden/*.json", "golden/*.npz"),
        ("drift check golden", "drift check golden --json", "drift check golden --ulp 2"),
    ),
    Kind(
        "calibration",
        "store",
        ("results/calibration/*/000/*.json*",),
        (
            *("predict 6,6 --backend jax", "predict 6,6 64x3 --backend jax --json"),
            *("advise 64x3 --backend jax", "advise 64x3 --backend jax --json"),
            *("advise --backend jax --params 1000 --budget-per-epoch 1ms --json",),
            *("advise 64x3 --backend jax --page", "calibrate --backend jax --budget 1s"),
        ),
    ),
    Kind(
        "study file",
        "text+options",
        ("study.toml",),
        ("run study.toml", "run --study study.toml --epochs 4"),
    ),
    Kind(
        "project",
        "text+options",
        ("pyproject.toml", "requirements.txt"),
        ("compare --against HEAD~1 --architectures 6,6 --backend jax",),
    ),
    Kind(
        "session",
        "store",
        ("session/*.json", "session/*.npz"),
        ("train --go-on-from session --epochs 1 --backend jax",),
    ),
    Kind(
        "table",
        "data",
        ("data/table.csv",),
        (
            *("data show data/table.csv --label label", "data show data/table.csv --label gamma"),
            *("data show data/table.csv --label label --json", "data show data/table.csv"),
            *("show 6,6 --data data/table.csv --label label --standardise",),
            *("data show data/table.csv --label label --features alpha,beta --as regression",),
            *("run 6,6 --data data/table.csv --label label --backend jax --epochs 2",),
        ),
    ),
    Kind(
        "compressed table",
        "data",
        ("data/packed.csv.gz",),
        (
            "data show data/packed.csv.gz --label label",
            "data show data/packed.csv.gz --label label --json",
            "show --data data/packed.csv.gz --label label",
        ),
    ),
    Kind(
        "table in an archive",
        "data",
        ("data/packed.zip",),
        ("data show data/packed.zip --label gamma", "show --data data/packed.zip --label label"),
    ),
    Kind(
        "arrays",
        "data",
        ("data/xy.npz",),
        (
            *("data show data/xy.npz", "data show data/xy.npz --json", "show --data data/xy.npz"),
            *("run 6,6 --data data/xy.npz --backend jax --epochs 2",),
            *("predict 6,6 --data data/xy.npz --backend jax",),
        ),
    ),
    Kind(
        "cached data",
        "data",
        ("cache/*.csv",),
        ("data list", "data show banknotes", "data show banknotes --json", "show 6,6"),
    ),
    Kind(
        "downloaded text", "data", ("downloaded.txt",), ("data fetch --from-file downloaded.txt",)
    ),
    Kind(
        "downloaded archive",
        "data",
        ("downloaded.zip",),
        ("data fetch --from-file downloaded.zip",),
    ),
    Kind(
        "Keras' settings",
        "text+options",
        ("keras/keras.json",),
        ("predict 6,6", "advise 64x3 --json", "calibrate --budget 1s"),
    ),
]
