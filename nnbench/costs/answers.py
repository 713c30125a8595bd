"""Everything that `nnbench advise` answers, computed once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from nnbench.costs import questions
from nnbench.costs.advice import Advice, advise
from nnbench.costs.context import Context
from nnbench.costs.counting import counted
from nnbench.costs.prediction import Prediction
from nnbench.costs.questions import Alternative, FreeWidth
from nnbench.costs.saved import load, load_if_any, load_nearest
from nnbench.costs.setting import DataShape, Setting, settings
from nnbench.costs.verification import Checked
from nnbench.errors import UserError
from nnbench.stats.interval import Interval
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import PATHS, Case
from nnbench.workload.counts import NetworkCount
from nnbench.workload.datasets import Dataset
from nnbench.workload.study import Machine, TrainingOptions

MOST_VERIFIED = 5


@dataclass(frozen=True)
class Question:
    """A network to be told about, and the parameters and seconds an epoch that others may have."""

    network: Architecture | None = None
    parameters: int | None = None
    budget_s: float | None = None


@dataclass(frozen=True)
class AboutNetwork:
    """What is said of one network; `on_gpu` is a calibrated GPU's epoch / the one here."""

    network: Architecture
    prediction: Prediction
    as_fast: Sequence[Alternative]
    as_many_parameters: Sequence[Alternative]
    as_many_flops: Sequence[Alternative]
    free_width: Sequence[FreeWidth]
    on_gpu: Interval | None


@dataclass(frozen=True)
class Answers:
    """All answers in one context; None where nothing was asked.

    `skipped` is what of calibrations is left out, and why.
    """

    context: Context
    question: Question
    about: AboutNetwork | None = None
    advice: Advice | None = None
    verified: Sequence[Checked] | None = None
    page: Path | None = None
    skipped: Sequence[str] = ()

    @property
    def worth_timing(self) -> list[Architecture]:
        """The networks that the answers name first, at most `MOST_VERIFIED`."""
        named: list[Architecture] = []
        if self.about is not None:
            named += [self.about.network, *(one.architecture for one in self.about.as_fast)]
        if self.advice is not None:
            chosen = [self.advice.widest, self.advice.deepest, *self.advice.candidates]
            named += [one.architecture for one in chosen if one is not None]
        return list(dict.fromkeys(named))[:MOST_VERIFIED]


@dataclass(frozen=True)
class Predicted:
    """A network that was not timed, in a setting that was calibrated at some moment.

    `differs` says in what its training is unlike all that was timed; the calibration took
    `spent_s`.
    """

    prediction: Prediction
    label: str
    calibrated: datetime
    skipped: Sequence[str]
    options: str
    spent_s: float
    differs: Sequence[str] = ()
    not_counted: Sequence[str] = ()


def predictions(
    results: Path, cases: Sequence[Case], epochs: int, load_data: Callable[[], Dataset]
) -> list[Predicted]:
    """Predict every case. Raises UserError for one whose setting is not calibrated.

    Networks that are no chains of Dense layers are built by a worker on the data, and counted.
    """
    asked = {Setting.of(case).folder: Setting.of(case) for case in cases}
    made = {folder: load_nearest(results, one) for folder, one in asked.items()}
    counts = {case: case.step_cost for case in cases}
    unknown = [case for case in cases if counts[case] is None]
    for backend in dict.fromkeys(case.worker for case in unknown):
        mine = [case for case in unknown if case.worker == backend]
        counts |= dict(zip(mine, counted(mine, load_data()), strict=True))
    found = []
    for case in cases:
        calibrated, count = made[Setting.of(case).folder], counts[case]
        assert count is not None
        found.append(
            Predicted(
                calibrated.model.predict(case, epochs, count),
                calibrated.setting.label,
                calibrated.timed,
                calibrated.skipped,
                calibrated.setting.options,
                calibrated.spent_s,
                _differences(case, calibrated.setting, count),
                count.uncounted,
            )
        )
    return found


def _differences(case: Case, setting: Setting, count: NetworkCount) -> list[str]:
    """Of a training: what of it no network had that was timed."""
    timed, like = setting.training, Setting.of(case)
    told = []
    if count.precision != timed.precision and not (
        count.precision.endswith(timed.precision) and case.model is None
    ):
        told.append(f"numbers of {count.precision} (calibrated: {timed.precision})")
    if count.optimizer.lower() != timed.optimizer:
        told.append(f"the optimizer {count.optimizer} (calibrated: {timed.optimizer})")
    for name in ("jit", "steps_per_execution", "source"):
        mine, theirs = getattr(like.training, name), getattr(timed, name)
        if name == "jit" and case.training.jit != mine != theirs:
            # Nobody asked for it: a model of one's own keeps to Keras' choice.
            command = f"nnbench calibrate {like.options}"
            told.append(f"a program without XLA, but for a model compiled with it ({command})")
        elif mine != theirs:
            told.append(f"{name.replace('_', ' ')} {mine} (calibrated: {theirs or 'none'})")
    return told


def context_of(
    results: Path, machine: Machine, training: TrainingOptions, shape: DataShape
) -> tuple[Context, list[str]]:
    """The context of a question, with its cost model, and what is left out of that, and why.

    Raises UserError if it is not calibrated.
    """
    setting, *others = settings(machine, training, shape)
    if others:
        raise UserError("advice is for one backend, device and path: name one of each")
    made = load(results, setting)
    context = Context(made.model, setting, shape.rows, training.batch_size, training.epoch_count)
    if not context.has_chains:
        again = f"nnbench calibrate {setting.options} --families dense"
        raise UserError(f"{setting.label} is calibrated without Dense chains: run {again}")
    return context, made.skipped


def answer(context: Context, results: Path, question: Question) -> Answers:
    """Answer a question; other settings that are calibrated in `results` count, too."""

    skipped: list[str] = []

    def elsewhere(**change: str) -> Context | None:
        setting = replace(context.setting, **change)  # type: ignore[arg-type]
        model, left_out = load_if_any(results, setting)
        skipped.extend(left_out)
        return replace(context, model=model, setting=setting) if model else None

    found = Answers(context, question, skipped=skipped)
    asked, parameters, budget_s = question.network, question.parameters, question.budget_s
    if asked is not None:
        gpu = elsewhere(device="gpu") if context.setting.device == "cpu" else None
        about = AboutNetwork(
            asked,
            context.predict(asked),
            questions.as_fast(context, asked),
            questions.as_many(context, asked, context.parameters),
            questions.as_many(context, asked, context.flops),
            questions.free_width(context),
            questions.between(context, gpu, asked) if gpu else None,
        )
        found = replace(found, about=about)
    if parameters is not None or budget_s is not None:
        advice = advise(context, parameters, budget_s)
        if budget_s is not None and not advice.meeting:
            paths = [path for path in PATHS if path != context.setting.path]
            others = {f"--path {path}": elsewhere(path=path) for path in paths}
            there = {name: one for name, one in others.items() if one is not None}
            advice = advise(context, parameters, budget_s, there)
        found = replace(found, advice=advice)
    return found
