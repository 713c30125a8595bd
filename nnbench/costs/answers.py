"""Everything that `nnbench advise` answers, computed once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from nnbench.costs import questions
from nnbench.costs.advice import Advice, advise
from nnbench.costs.context import Context
from nnbench.costs.prediction import Prediction
from nnbench.costs.questions import Alternative, FreeWidth
from nnbench.costs.saved import load, load_if_any
from nnbench.costs.setting import DataShape, settings
from nnbench.costs.verification import Checked
from nnbench.errors import UserError
from nnbench.stats.interval import Interval
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import PATHS
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
    """A network that was not timed, in a setting that was calibrated at some moment."""

    prediction: Prediction
    label: str
    calibrated: datetime
    skipped: Sequence[str]


def predictions(
    results: Path,
    machine: Machine,
    training: TrainingOptions,
    shape: DataShape,
    networks: Sequence[Architecture],
) -> list[Predicted]:
    """Predict every network in every setting. Raises UserError for one that is not calibrated."""
    found = []
    for setting in settings(machine, training, shape):
        made = load(results, setting)
        for network in networks:
            case = setting.case(network, shape.rows, training.batch_size)
            prediction = made.model.predict(case, training.epoch_count)
            found.append(Predicted(prediction, setting.label, made.timed, made.skipped))
    return found


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
