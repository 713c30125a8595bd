"""What is asked: one frozen record that the command line, a TOML file, suites and Python make.

In a TOML file each of its records is a table of the same name:

    [networks]
    architectures = ["6,6", "100,100"]

    [machine]
    backend = "jax"
    path = "fit,compiled"
"""

import json
import re
import reprlib
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, get_args, get_origin

from nnbench.errors import DamageError, UserError
from nnbench.machine import devices, whole_file
from nnbench.machine.fields import fits
from nnbench.workload import case as choices
from nnbench.workload import handed, networks, quantities, tasks, user_code, user_model
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Case, Training, check_epochs, one_of
from nnbench.workload.families import TABLE, USUAL_DATA
from nnbench.workload.quantities import MOST_ROWS, MOST_SECONDS, MOST_SEED
from nnbench.workload.user_model import UserModel

if TYPE_CHECKING:
    from nnbench.workload.datasets import Dataset
    from nnbench.workload.datasets.streams import Stream

MOST_LAUNCHES, MOST_BLOCKS = 200, 1000
MOST_EPOCHS = 10_000_000

USUAL_EPOCHS, USUAL_LAUNCHES, USUAL_BLOCKS, USUAL_LIMIT_S = 30, 5, 2, 120.0
"""What is measured of networks that take no time, where nothing else is asked."""

USUAL_BATCH = 32
"""Keras' own default, for data other than tables: of images all rows at once are too many."""

NOTEBOOK = ("6,6", "100,100", "6x5")
"""The networks that are timed where none is named."""


@dataclass(frozen=True)
class Networks:
    """What is trained."""

    architectures: tuple[str, ...] = ()
    "6,6 or '[100, 100]' or 6x5 (five layers of 6), or a grid: depth=1..8 width=4,16,64."
    model: tuple[str, ...] = ()
    "Your own: train.py:build, a function that returns a Keras model, or model.keras."

    @classmethod
    def named(cls, names: Sequence[str]) -> Self:
        """Networks of which some are architectures and some refer to a person's own model."""
        own = tuple(name for name in names if user_model.is_model(name))
        return cls(tuple(name for name in names if name not in own), own)

    def parsed(self) -> list[networks.Network]:
        """All of them, each once. Raises UserError for what is not understood."""
        for one in self.model:
            if not user_model.is_model(one.partition(" ")[0]):
                user_code.check(one)
        texts = (*self.model, *self.architectures)
        return networks.parse(texts) if texts else []

    def typed(self) -> dict[str, str]:
        """What was typed for each network whose label is another text."""
        return networks.typed(self.architectures) if self.architectures else {}

    def usual_data(self) -> str:
        """The name of data that all of them can be trained on, as far as there is one."""
        known = [one.kind.takes for one in self.parsed() if isinstance(one, Architecture)]
        common = [kind for kind in USUAL_DATA if all(kind in takes for takes in known)]
        return USUAL_DATA[common[0] if common else known[0][0]]


@dataclass(frozen=True)
class Data:
    """What they are trained on."""

    data: str | None = None
    """banknotes, instagram, digits, waves, keras:mnist, synthetic:rows=1000,features=4, a CSV or
    workbook, an npz with x and y, or data.py:load, a function that returns (x, y), or a
    tf.data.Dataset, a PyDataset, a DataLoader; default: banknotes, or digits or waves for networks
    that take no table."""
    features: str | None = None
    "Feature columns of your CSV, with commas; default: all others."
    label: str | None = None
    "Label column of your CSV, or several with commas."
    as_: str | None = None
    "Take labels as classification, multilabel or regression; default: what they look like."
    standardise: bool = False
    "Scale your CSV's features to mean 0, deviation 1."

    def __post_init__(self) -> None:
        """Raise UserError for a task that there is not."""
        if self.as_ is not None:
            tasks.check_asked(self.as_)

    def load(self, *, as_given: bool = False) -> "Dataset":
        """The data set, bank notes where none is named. Raises UserError as `datasets.load`."""
        from nnbench.workload import datasets

        return datasets.load(
            self.data or USUAL_DATA[TABLE],
            features=self.features.split(",") if self.features else None,
            label=self.label,
            task=self.as_,
            standardise=self.standardise,
            as_given=as_given,
        )


@dataclass(frozen=True)
class TrainingOptions:
    """How they are trained."""

    epochs: int | None = None
    "Epochs of a training; default: 30, or 10 or 3 where a first look finds epochs slow."
    batch: str | None = None
    "Rows in a batch, or full; default: full for a table, else 32."
    optimizer: str = "adam"
    "adam, sgd, momentum or rmsprop."
    loss: str | None = None
    "A Keras loss; default: the task's usual one."
    activation: str = "relu"
    "relu, tanh, sigmoid or linear."
    dtype: str = "float32"
    "Numbers: float32, bfloat16 or float16 (mixed precision)."
    jit: str = "auto"
    "Keras' jit_compile: auto, on or off."
    steps_per_execution: int | None = None
    "Batches that fit trains in one call; default: 1, or as your own model was compiled."
    source: str | None = None
    "What hands arrays to fit: arrays, tf.data or pydataset; default: arrays."

    def __post_init__(self) -> None:
        """Raise UserError for what no training can have."""
        quantities.check("number of epochs", self.epochs, 1, MOST_EPOCHS)
        quantities.check("batch size", self.batch_size, 1, MOST_ROWS)
        if self.loss is not None:
            one_of("loss", self.loss, tasks.ALL_LOSSES)
        quantities.check("steps per execution", self.steps_per_execution, 1, MOST_ROWS)
        Training(
            optimizer=self.optimizer,
            activation=self.activation,
            precision=self.dtype,
            jit=self.jit,
            source=self.source,
        )

    @property
    def epoch_count(self) -> int:
        """Epochs of a training, as usual where none are asked for."""
        return USUAL_EPOCHS if self.epochs is None else self.epochs

    @property
    def batch_size(self) -> int | None:
        """Rows in a batch, None for the full batch. Raises UserError for anything else."""
        if self.batch in (None, "full"):
            return None
        if not re.fullmatch(r"-?\d{1,10}", self.batch, re.ASCII):
            raise UserError(f"batch '{self.batch}' is not understood: a number of rows, or full")
        return int(self.batch)

    def training(self, task: str, kind: str = TABLE, *, shuffle: bool = True) -> Training:
        """The training of a task on a kind of data. Raises UserError for what cannot be."""
        usual = None if kind == TABLE else USUAL_BATCH
        return Training(
            task=task,
            optimizer=self.optimizer,
            loss=self.loss,
            activation=self.activation,
            precision=self.dtype,
            batch_size=usual if self.batch is None else self.batch_size,
            shuffle=shuffle,
            jit=self.jit,
            steps_per_execution=self.steps_per_execution,
            source=self.source,
        )


@dataclass(frozen=True)
class Machine:
    """What trains them."""

    backend: str | None = None
    """tensorflow, jax, torch, or several with commas; default: KERAS_BACKEND, else Keras' own
    configuration, else the first that is installed."""
    device: str = "cpu"
    "cpu, gpu, gpu:1, or several with commas."
    replicas: str | None = None
    """Devices that train one network together, each on its share of a batch: 2, or 1,2 to compare;
    of a CPU they are virtual and share its cores."""
    threads: int | None = None
    "CPU threads; default: the backend's choice."
    path: str = "fit"
    "fit (Keras' own), compiled (all epochs as one program), or fit,compiled."

    def __post_init__(self) -> None:
        """Raise UserError for what this machine cannot be asked for."""
        for name in self.backend.split(",") if self.backend is not None else ():
            one_of("backend", name, devices.BACKENDS)
        for names in (self.backend, self.device, self.path, self.replicas):
            several = names.split(",") if names is not None else []
            if len(set(several)) < len(several):
                raise UserError(f"'{names}' names one of them twice")
        for one in self.replicas.split(",") if self.replicas is not None else ():
            if not re.fullmatch(f"1|{devices.REPLICAS}", one, re.ASCII):
                raise UserError(f"'{one}' is no number of replicas: write 2, or 1,2 to compare")
        for name in self.devices:
            devices.check_name(name)
        for name in self.paths:
            one_of("path", name, choices.PATHS)
        devices.check_threads(self.threads)

    @property
    def chosen(self) -> devices.ChosenBackend | None:
        """The backend that was chosen because none was asked for; None where one was."""
        return None if self.backend is not None else devices.chosen_backend()

    @property
    def backends(self) -> list[str]:
        """The backends. Raises UserError for one that is unknown or not installed."""
        chosen = self.chosen.name if self.chosen else str(self.backend)
        names = chosen.split(",")
        for name in names:
            devices.check_installed(name)
        return names

    @property
    def devices(self) -> list[str]:
        """The devices' names, such as `gpu*2` where two train together."""
        names = self.device.split(",")
        counts = self.replicas.split(",") if self.replicas is not None else ["1"]
        return [name if one == "1" else f"{name}*{one}" for name in names for one in counts]

    def check_one_device(self, command: str) -> None:
        """Raise UserError where several devices train together, which `command` does not know."""
        if any(devices.replicas(name) > 1 for name in self.devices):
            raise UserError(f"{command} trains on one device: leave --replicas out")

    @property
    def paths(self) -> list[str]:
        """The training paths."""
        return self.path.split(",")


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    launches: int | None = None
    "Fresh processes for each backend; default: 5, or 3 where they would take many minutes."
    blocks: int | None = None
    "Times each case's turn comes in a launch; default: 2, or 1 where they would."
    budget: str | None = None
    "Measure for this long, such as 5min; a number is seconds."
    precision: str | None = None
    "Measure until intervals are this narrow, such as 2% or 0.02."
    seed: int = 0
    "Seed of the order of measurement."
    limit: float | None = None
    "Seconds after which a trial is given up; default: 120, more where trials are long."

    def __post_init__(self) -> None:
        """Raise UserError for an effort that cannot be spent."""
        quantities.check("number of launches", self.launches, 1, MOST_LAUNCHES)
        quantities.check("number of blocks", self.blocks, 1, MOST_BLOCKS)
        quantities.check("seed", self.seed, 0, MOST_SEED)
        quantities.check("limit in seconds", self.limit, 0.001, MOST_SECONDS)
        _ = self.budget_s, self.wanted_precision

    @property
    def launch_count(self) -> int:
        """Launches, as usual where no number is asked for."""
        return USUAL_LAUNCHES if self.launches is None else self.launches

    @property
    def block_count(self) -> int:
        """Blocks of a launch, as usual where no number is asked for."""
        return USUAL_BLOCKS if self.blocks is None else self.blocks

    @property
    def limit_s(self) -> float:
        """Seconds after which a trial is given up."""
        return USUAL_LIMIT_S if self.limit is None else self.limit

    @property
    def budget_s(self) -> float | None:
        """Seconds to measure for. Raises UserError for what is no time."""
        return None if self.budget is None else quantities.parse_seconds(self.budget)

    @property
    def wanted_precision(self) -> float | None:
        """Half the relative width that intervals may have. Raises UserError for what is none."""
        return None if self.precision is None else quantities.parse_share(self.precision)


@dataclass(frozen=True)
class Study:
    """Everything that a command can ask."""

    networks: Networks = field(default_factory=Networks)
    data: Data = field(default_factory=Data)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    machine: Machine = field(default_factory=Machine)
    effort: Effort = field(default_factory=Effort)

    @classmethod
    def of(cls, networks: Sequence[str], **options: Any) -> Self:
        """A study of these networks; options by the names of the records' fields, else UserError.

        `Study.of(["6,6", "train.py:build"], epochs=10, backend="jax", as_="regression")`; numbers
        may stand for texts, and lists for texts with commas.
        """
        study = cls(Networks.named(networks))
        parts = {name: part for name, part in vars(study).items() if name != "networks"}
        return replace(study, **with_options(parts, options))

    def or_networks(self, usual: Sequence[str] = NOTEBOOK) -> "Study":
        """The same; where no network is named, with the architectures that are usual."""
        if self.networks.architectures or self.networks.model:
            return self
        return replace(self, networks=Networks(tuple(usual)))

    def command(self) -> str:
        """The line that asks for the same again: `nnbench run 6,6 100,100 --epochs 10`."""
        if handed.names() or handed.is_handed(self.data.data):
            return self._call()
        named = [*self.networks.architectures]
        named += [part for one in self.networks.model for part in ("--model", one)]
        return shlex.join(["nnbench", "run", *named, *self.arguments()])

    def arguments(self) -> list[str]:
        """The options that ask for all but its networks again, whichever command takes them."""
        named: list[str] = []
        # Which backend is used where none is named is another thing elsewhere.
        machine = replace(self.machine, backend=",".join(self.machine.backends))
        for part in (self.data, self.training, machine, self.effort):
            for one in fields(part):
                value = getattr(part, one.name)
                if value != one.default:
                    option = f"--{one.name.strip('_').replace('_', '-')}"
                    text = f"{value:g}" if isinstance(value, float) else str(value)
                    named += [option] if value is True else [option, text]
        return named

    def _call(self) -> str:
        """The same in Python, where a notebook's own networks or arrays are asked about."""
        names, typed = handed.names(), self.networks.typed()
        texts = {
            one.label: one.label.partition(":")[2]
            if handed.is_handed(one.label)
            else repr(typed.get(one.label, one.label))
            for one in self.networks.parsed()
        }
        keys = (names.get(label, typed.get(label, label)) for label in texts)
        named = (f"{key!r}: {text}" for key, text in zip(keys, texts.values(), strict=True))
        written = [f"{{{', '.join(named)}}}" if names else f"[{', '.join(texts.values())}]"]
        for part in (self.data, self.training, self.machine, self.effort):
            for one in fields(part):
                value = getattr(part, one.name)
                if value != one.default:
                    own = one.name == "data" and handed.is_handed(value)
                    written.append(f"{one.name}={'data' if own else repr(value)}")
        return f"nnbench.run({', '.join(written)})"

    def check(self) -> None:
        """Raise UserError for what no data could make right, before any is loaded."""
        check_epochs(self.training.epoch_count)
        self.networks.parsed()
        _ = self.machine.backends

    def load(self) -> "Dataset":
        """Its data, as its networks take them. Raises UserError as `datasets.load` does.

        Classes of arrays keep their numbers where a person's own model is trained.
        """
        networks = self.or_networks().networks
        parsed = networks.parsed()
        own = any(isinstance(one, UserModel) for one in parsed)
        named = replace(self.data, data=self.data.data or networks.usual_data())
        return named.load(as_given=own).taken_by(parsed)

    def cases(self, data: "Dataset", *, shuffle: bool = True) -> list[Case]:
        """Every combination of backend, device, path and network; UserError for unknown ones."""
        named = self.networks.parsed()
        for one in named:
            if isinstance(one, Architecture):
                data.check_takes(one)
        training = self.training.training(data.task, data.kind, shuffle=shuffle)
        if data.stream is not None:
            training = replace(training, batch_size=self._batch_of(data.name, data.stream))
        return [
            Case(
                architecture=network if isinstance(network, Architecture) else None,
                model=network.label if isinstance(network, UserModel) else None,
                training=self._pinned(training, backend),
                data=data.name,
                data_digest=data.digest,
                rows=data.rows,
                features=data.width,
                shape="x".join(map(str, data.shape)) if len(data.shape) > 1 else None,
                vocabulary=data.vocabulary,
                parts=data.parts,
                backend=backend,
                device=device,
                threads=self.machine.threads,
                path=path,
                cold_epochs=self.training.epoch_count,
            )
            for backend in self.machine.backends
            for device in self.machine.devices
            for path in self.machine.paths
            for network in named
        ]

    def _pinned(self, training: Training, backend: str) -> Training:
        """Without XLA where one device is compared with several, which TensorFlow trains so."""
        several = any(devices.replicas(one) > 1 for one in self.machine.devices)
        if backend == "tensorflow" and several and training.jit == "auto":
            return replace(training, jit="off")
        return training

    def _batch_of(self, name: str, stream: "Stream") -> int:
        """Rows of a stream's batches. Raises UserError where others were asked for."""
        if self.training.batch not in (None, str(stream.batch_rows)):
            raise UserError(
                f"{name} makes its own batches, of {stream.batch_rows} rows: leave --batch "
                f"{self.training.batch} out"
            )
        return stream.batch_rows

    def overridden_by(self, other: "Study") -> "Study":
        """This study, with whatever `other` has other than by default."""
        changed = {}
        for part, theirs in vars(other).items():
            usual = vars(type(theirs)())
            given = {name: value for name, value in vars(theirs).items() if value != usual[name]}
            changed[part] = replace(getattr(self, part), **given)
        return replace(self, **changed)


def read(path: Path) -> Study:
    """Read a study file. Raises UserError, which names the line, for what is not understood."""
    try:
        text = whole_file.read(path).decode()
        tables = tomllib.loads(text)
    except DamageError as failure:
        if path.is_dir():
            raise UserError(f"{path} is a folder: name a study's TOML file") from failure
        raise UserError(f"{path} cannot be read: {failure.reason}") from failure
    except RecursionError as failure:
        raise UserError(f"{path} is nested too deep") from failure
    except ValueError as failure:
        raise UserError(f"{path} is not TOML: {failure}") from failure
    source = _Source(path, text)
    study, found = Study(), {}
    parts = vars(study)
    for name, table in tables.items():
        if name not in parts:
            raise UserError(f"{source.at(name)}: {_unknown(name, parts)}")
        if not isinstance(table, Mapping):
            raise UserError(f"{source.at(name)}: {name} is a table, written [{name}]")
        found[name] = _record(source, name, parts[name], table)
    study = replace(study, **found)
    if study.networks.architectures:
        try:
            networks.parse(study.networks.architectures)
        except UserError as mistake:
            # Parts of a grid are read together: the first of these words that is told of is wrong.
            told = (one for one in study.networks.architectures if f"'{one}'" in str(mistake))
            where = source.at("networks", "architectures", next(told, ""))
            raise UserError(f"{where}: [networks] {mistake}") from None
    return study


def as_toml(study: Study) -> str:
    """The text of a study file that `read` makes the same record of; usual values are left out.

    Raises UserError for a text that no TOML file can hold.
    """
    tables = []
    for name, part in vars(study).items():
        given = {one.name: getattr(part, one.name) for one in fields(part)}
        changed = [
            f"{one.name.rstrip('_')} = {_written(given[one.name])}"
            for one in fields(part)
            if given[one.name] != one.default
        ]
        if changed:
            tables.append("\n".join([f"[{name}]", *changed]))
    return "\n\n".join(tables) + "\n"


def _written(value: Any) -> str:
    """A value as TOML: its numbers are Python's, and its texts JSON's but for one character."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UserError(f"{value!r} is no text that a study file can hold: rename it") from None
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


@dataclass(frozen=True)
class _Source:
    """The text of a file, to say where in it something stands: TOML's reader keeps no lines."""

    path: Path
    text: str

    def at(self, table: str, key: str = "", value: str = "") -> str:
        """The file, with the line of a key of a table, or from there on of a text in its value."""
        lines = self.text.splitlines()
        number = self._line(lines, table, key)
        if number and value:
            spelled = (json.dumps(value, ensure_ascii=False), f"'{value}'")
            rest = range(number, len(lines) + 1)
            found = (at for at in rest if any(one in lines[at - 1] for one in spelled))
            number = next(found, number)
        return f"{self.path}, line {number}" if number else f"{self.path}"

    def _line(self, lines: Sequence[str], table: str, key: str) -> int | None:
        """The line from which on the file holds a table, or a key of it."""
        for number, line in enumerate(lines, start=1):
            # Only here may anything begin to be there; else each line would be read with all above.
            if not re.search(r"[=\]]|\"{3}|'{3}", line):
                continue
            try:
                found = tomllib.loads("\n".join(lines[:number]))
            except ValueError:
                # Within an array or a text of several lines.
                continue
            there = found.get(table, None)
            if there is not None and (not key or (isinstance(there, Mapping) and key in there)):
                return self._begin(lines, number)
        return None

    def _begin(self, lines: Sequence[str], number: int) -> int:
        """The first of the lines of what ends at a line: all before it is whole by itself."""
        begin = number
        while begin > 1:
            try:
                tomllib.loads("\n".join(lines[: begin - 1]))
            except ValueError:
                begin -= 1
            else:
                break
        return begin


def _record(source: _Source, name: str, usual: Any, table: Mapping[str, Any]) -> Any:
    known = {one.name.rstrip("_"): one for one in fields(usual)}
    for key, value in table.items():
        try:
            if key not in known:
                raise UserError(_unknown(key, known))
            one = known[key]
            usual = replace(usual, **{one.name: _value(key, one.type, value)})
        except UserError as mistake:
            raise UserError(f"{source.at(name, key)}: [{name}] {mistake}") from None
    return usual


def with_options(parts: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """These records, with options by the names of their fields; UserError for what is not known."""
    made, left = {}, dict(options)
    for part, record in parts.items():
        kinds = {one.name: one.type for one in fields(record) if one.name in left}
        given = {name: _given(name, kind, left.pop(name)) for name, kind in kinds.items()}
        made[part] = replace(record, **given)
    if left:
        known = {one.name: None for record in parts.values() for one in fields(record)}
        raise UserError(f"option {_unknown(next(iter(left)), known)}")
    return made


def _given(name: str, kind: Any, value: Any) -> Any:
    """A value that Python gives for an option of this type."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if kind is Path and isinstance(value, (str, Path)):
        return Path(value)
    if value is None and "None" in str(kind):
        return None
    if str(kind).startswith(("str", "<class 'str'")):
        if isinstance(value, (list, tuple)) and value:
            return ",".join(map(str, value))
        if isinstance(value, Path):
            return str(value)
    return _value(name, kind, value)


def _value(where: str, kind: Any, value: Any) -> Any:
    """A value of a field of this type: numbers may stand for texts, as in `batch = 32`.

    In `precision = 0.05` it is a share, in `budget = 90` seconds.
    """
    names = str(kind) if not isinstance(kind, type) else kind.__name__
    if "tuple" in names and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if "tuple" in names and isinstance(value, str):
        return (value,)
    if "bool" in names and isinstance(value, bool):
        return value
    if "float" in names and fits(value, float):
        return float(value)
    if "int" in names and fits(value, int):
        return value
    if names.startswith("str") and (isinstance(value, str) or fits(value, float)):
        return str(value)
    wanted = names.removesuffix(" | None")
    raise UserError(f"{where} = {reprlib.repr(value)} is not of the right kind: {wanted} is wanted")


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"{reprlib.repr(name)} is not known: {hint}"
