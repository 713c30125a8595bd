"""How far off are predictions of networks that were never timed?

    python benchmarks/calibration/predictions.py --backends jax --paths compiled

For each backend and path: draws networks of six families that no calibration times, calibrates
within a budget, and writes down what the cost model, which has seen nothing else, predicts of them.
They are timed between the parts of the calibration: a shared machine is slower by a tenth for
minutes, and what is compared is timed in turn here as it is elsewhere. Then models as people have
them are predicted, and only then timed, where `--models` names a folder of files with `build` and
`load`, and Keras' applications on images of 32x32. Then each family is left out of all that was
timed, and predicted from the others. Beside it: how far one timing of a held-out network lies from
another, in another process, which no prediction can know. Prints for a step, an epoch, the whole
cold training and peak memory the median and 95th percentile of the absolute relative error and how
often the 95 % interval held, against the goals; the exit status is 1 where one was missed, and the
last line says which. Everything is kept below `--results`; the same command goes on where it was
stopped, and repeats nothing that is there.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import geometric_mean

import numpy as np
from rich import print as show
from rich.table import Table

from nnbench.costs import calibration, counting, design, saved
from nnbench.costs.prediction import CostModel, Observed
from nnbench.costs.setting import Setting
from nnbench.errors import UserError
from nnbench.machine import devices, fingerprint, whole_file
from nnbench.measure import decision
from nnbench.measure import run as measuring
from nnbench.phases import COLD, EPOCH, STEP
from nnbench.show import units
from nnbench.show.progress import Bar
from nnbench.store import runs
from nnbench.workload import quantities
from nnbench.workload.case import Case
from nnbench.workload.counts import NetworkCount
from nnbench.workload.study import Effort, Study

FAMILIES = ("dense", "residual", "conv", "separable", "lstm", "transformer")
MEMORY = "peak memory"
GROUPS = (STEP, EPOCH, COLD, MEMORY)
MEDIAN, FAR, HELD = "median", "95th percentile", "coverage"
GOALS = {
    STEP: {MEDIAN: 0.10, FAR: 0.25, HELD: 0.90},
    EPOCH: {MEDIAN: 0.10, FAR: 0.25, HELD: 0.90},
    COLD: {MEDIAN: 0.06, FAR: 0.18, HELD: 0.90},
    MEMORY: {MEDIAN: 0.08},
}
ELSEWHERE = {COLD: {MEDIAN: 0.15}}
"""Of models as people have them, and of a family that was left out."""

LAUNCHES = 4
"""Processes that the held-out networks are shared among."""

TIMED_IN = 3
"""Of these, so many time each network: what one process has of its own is no one's mistake."""

AGAIN = "The same networks timed twice: how far one process is from another"

LEAST_HELD_OUT = 12
PREDICTED_FILE, FRAMEWORK = "predicted.json", "framework"
"""The second stands there for what a process of the calibration held before any training."""

APPLICATIONS = "MobileNetV2,ResNet50,EfficientNetB0,DenseNet121"
"""Of keras.applications: two small, two with many layers."""

NO_INTERVAL = [float("nan")] * 2

Pair = tuple[str, str, str, float, list[float]]
"""Group, network, its family, timed (seconds or bytes), predicted (value, low, high)."""


OWN_BLOCKS = 2
"""Trainings of each model as people have them, in one process."""


def calibrated(
    folder: Path, setting: Setting, options: argparse.Namespace, share: float = 1.0
) -> CostModel:
    """The cost model, calibrated for what is left of so large a share of the budget."""
    made, _ = saved.read(folder, setting)
    budget_s = share * quantities.parse_seconds(options.budget)
    left_s = budget_s - sum(decision.seconds_spent(run) for run in made)
    start_s = calibration.GUESSED_START_S[setting.backend]
    if made and left_s < start_s + calibration.LEAST_RUN_S:
        return saved.load(folder, setting).model
    with Bar(round(budget_s), "s") as bar:
        return calibration.calibrate(
            folder,
            setting,
            left_s,
            lambda spent_s, note: bar.show(
                round(budget_s - left_s + spent_s), f"{setting.label}: {note}"
            ),
            options.families.split(","),
        ).model


def held_out(setting: Setting, options: argparse.Namespace) -> list[Case]:
    """Networks drawn at random from each family's space, as many as the budget allows."""
    budget_s = quantities.parse_seconds(options.held_out)
    families = options.families.split(",")
    known = {case.key for case in design.candidates(setting, families)}
    slower = design.slowdown([])
    chosen: list[Case] = []
    spent_s = LAUNCHES * calibration.GUESSED_START_S[setting.backend]
    for case in design.candidates(setting, FAMILIES, seed=10_000 + options.seed):
        if case.key in known:
            continue
        # Whole trainings, and their phases.
        spent_s += TIMED_IN * 2 * slower * design.guessed_trial_s(case)
        if spent_s > budget_s and len(chosen) >= LEAST_HELD_OUT:
            break
        chosen.append(case)
    return chosen


def predictions(
    model: CostModel, cases: Sequence[Case], counts: Sequence[NetworkCount | None]
) -> dict[str, dict[str, list[float]]]:
    """For each case the value, low and high of each group, in seconds and bytes."""
    framework = model.memory.framework_bytes if model.memory else 0.0
    told = {FRAMEWORK: {MEMORY: [framework] * 3}}
    for case, count in zip(cases, counts, strict=True):
        found = model.predict(case, case.cold_epochs, count)
        groups = {STEP: found.step_s, EPOCH: found.epoch_s, COLD: found.total_s}
        if found.peak_host_bytes is not None:
            groups[MEMORY] = found.peak_host_bytes
        told[case.key] = {
            name: [interval.value, interval.low, interval.high] for name, interval in groups.items()
        }
    return told


def time_held_out(folder: Path, setting: Setting, options: argparse.Namespace) -> CostModel:
    """Calibrate, and between the parts of that time the networks that are held out of it."""
    here = folder / "held-out" / setting.folder
    cases = held_out(setting, options)
    for number in range(LAUNCHES):
        calibrated(folder, setting, options, (number + 1) / (LAUNCHES + 1))
        mine = [case for turn, case in enumerate(cases) if (number - turn) % LAUNCHES < TIMED_IN]
        lay_out(here, str(number), mine, options.seed)
        measure(here / str(number), setting)
    return calibrated(folder, setting, options)


def predict(here: Path, model: CostModel) -> None:
    """Write down what is predicted of all that is held out, also by a command that was stopped."""
    laid_out = {case.key: case for one in runs.find(here) for case in runs.read(one).cases.values()}
    every = list(laid_out.values())
    unknown = [case for case in every if case.step_cost is None]
    data = saved.data_of(runs.read(here / "0"))
    built = dict(zip(unknown, counting.counted(unknown, data), strict=True))
    told = predictions(model, every, [built.get(case) for case in every])
    whole_file.write(here / PREDICTED_FILE, json.dumps(told, indent=1))


def lay_out(here: Path, name: str, cases: Sequence[Case], seed: int, blocks: int = 1) -> None:
    """Make a run of one launch that times the cases, unless it is there."""
    if (here / name / runs.RUN_FILE).exists():
        return
    effort = Effort(launches=1, blocks=blocks, seed=seed, limit=4 * calibration.LIMIT_S)
    sweeps = design.SWEEPS[cases[0].path]
    kinds = ("cold", "phases")
    wanted = measuring.specification(Study(effort=effort), cases, kinds=kinds, sweeps=sweeps)
    runs.create(here, name, wanted, fingerprint.take())


def measure(folder: Path, setting: Setting) -> None:
    """Time what is missing of a run."""
    run = runs.read(folder)
    if measuring.is_complete(run):
        return
    with Bar(0, "trials") as bar:
        measuring.execute(
            folder,
            saved.data_of(run),
            lambda state: bar.show(
                state.done, f"{setting.label}, held out: {state.now}", state.total
            ),
        )


def own_models(folder: Path, setting: Setting, options: argparse.Namespace) -> Path:
    """Predict models as people have them, then time what is missing of these; where they are.

    Where these are compiled otherwise, that is calibrated as well, for as long.
    """
    here = folder / "models" / setting.folder
    models = {setting.training: saved.load(folder, setting).model}
    asked = [
        (f"{one}:build", f"{one}:load") for one in sorted(options.models.resolve().glob("*.py"))
    ]
    own = Path(__file__).with_name("applications.py")
    named = [name for name in options.applications.split(",") if name]
    asked += [(f"{own}:build(name={name})", f"{own}:load") for name in named]
    predicted = here / PREDICTED_FILE
    told = json.loads(predicted.read_text()) if predicted.exists() else {}
    for network, load in asked:
        options_of = {"backend": setting.backend, "path": setting.path, "epochs": 3}
        try:
            study = Study.of([network], data=load, **options_of)
            data = study.load()
            (case,) = study.cases(data)
            if case.key not in told:
                like = replace(setting.training, jit=Setting.of(case).training.jit)
                if like not in models:
                    other = replace(setting, training=like)
                    models[like] = calibrated(folder, other, options)
                told |= predictions(models[like], [case], counting.counted([case], data))
                here.mkdir(parents=True, exist_ok=True)
                whole_file.write(predicted, json.dumps(told, indent=1))
            lay_out(here, case.key, [case], options.seed, OWN_BLOCKS)
            if not measuring.is_complete(runs.read(here / case.key)):
                measuring.execute(here / case.key, data, lambda state: None)
        except UserError as mistake:
            show(f"{network}: {mistake}")
    return here


def pairs(here: Path) -> Iterator[Pair]:
    """All that was predicted beside what was timed then."""
    predicted = json.loads((here / PREDICTED_FILE).read_text())
    held = [runs.read(folder) for folder in runs.find(here)]
    found = saved.observed(held)
    held_bytes = predicted[FRAMEWORK][MEMORY][0]
    for case in dict.fromkeys(one.case for one in found):
        if case.key not in predicted:
            continue
        mine = [one for one in found if one.case == case]
        for group, timed in _timed(mine, held_bytes).items():
            if group in predicted[case.key]:
                yield group, _name(case), _family(case), timed, predicted[case.key][group]


def timed_again(here: Path) -> Iterator[Pair]:
    """One timing of each held-out network in place of its prediction, beside the next."""
    found = saved.observed([runs.read(folder) for folder in runs.find(here)])
    for case in dict.fromkeys(one.case for one in found):
        mine = [_timed([one], 0.0) for one in found if one.case == case]
        for first, second in itertools.pairwise(mine):
            for group in first.keys() & second.keys() - {MEMORY}:
                once = [first[group], *NO_INTERVAL]
                yield group, _name(case), _family(case), second[group], once


def _name(case: Case) -> str:
    batch = case.training.batch_size or "full"
    label = case.label.rpartition("/")[2]
    return f"{label}, {case.rows} rows, batch {batch}"


def _family(case: Case) -> str:
    return case.architecture.family if case.architecture else "own"


def _timed(mine: Sequence[Observed], held_bytes: float) -> dict[str, float]:
    """Seconds of a case by group, and bytes: what it adds to what a process holds before any."""
    found = {}
    for group in (STEP, EPOCH, COLD):
        times_s = [one.times_s[group] for one in mine if group in one.times_s]
        if times_s:
            found[group] = geometric_mean(times_s)
    added = [
        one.peak_host_bytes - one.held_bytes
        for one in mine
        if one.peak_host_bytes and one.held_bytes
    ]
    if added:
        # A process that has trained others still holds some of theirs, and may give it back.
        found[MEMORY] = held_bytes + max(0.0, float(np.median(added)))
    return found


def judged(found: Sequence[Pair]) -> dict[str, dict[str, float | str]]:
    """Errors and coverage of each group."""
    told: dict[str, dict[str, float | str]] = {}
    for group in GROUPS:
        mine = [one for one in found if one[0] == group]
        if not mine:
            continue
        errors = [value / timed - 1 for _, _, _, timed, (value, _, _) in mine]
        inside = [
            np.nan if np.isnan(low) else low <= timed <= high
            for _, _, _, timed, (_, low, high) in mine
        ]
        worst = int(np.argmax(np.abs(errors)))
        told[group] = {
            "networks": len(mine),
            MEDIAN: float(np.median(np.abs(errors))),
            FAR: float(np.quantile(np.abs(errors), 0.95)),
            HELD: float(np.mean(inside)),
            "worst": f"{mine[worst][1]} ({errors[worst]:+.0%})",
        }
    return told


def left_out(folder: Path, setting: Setting) -> dict[str, list[Pair]]:
    """Each family, predicted from all others that were timed."""
    held = [runs.read(one) for one in runs.find(folder / "held-out" / setting.folder)]
    strangers = saved.observed(held)
    every = [*saved.load(folder, setting).model.observed, *strangers]
    found: dict[str, list[Pair]] = {}
    for family in FAMILIES:
        model = CostModel.fit([one for one in every if _family(one.case) != family])
        mine = {one.case.key: one for one in strangers if _family(one.case) == family}
        for key, one in mine.items():
            told = predictions(model, [one.case], [one.count])[key]
            alike = [other for other in strangers if other.case == one.case]
            timed = _timed(alike, 0.0)
            found.setdefault(family, []).extend(
                (group, _name(one.case), family, timed[group], told[group])
                for group in (STEP, EPOCH, COLD)
                if group in timed
            )
    return found


def reached(goals: dict[str, dict[str, float]], group: str, name: str, value: float) -> bool:
    """Whether a figure reaches its goal, where there is one."""
    goal = goals.get(group, {}).get(name)
    if goal is None:
        return True
    return value >= goal if name == HELD else value <= goal


def table_of(
    title: str,
    found: dict[str, dict[str, dict[str, float | str]]],
    goals: dict[str, dict[str, float]],
) -> Table:
    """All that was judged, one line a group."""
    told = [
        f"{group}: {', '.join(f'{name} {goal:.0%}' for name, goal in of.items())}"
        for group, of in goals.items()
    ]
    table = Table(title=title, caption=f"goals: {'; '.join(told)}" if told else None)
    # Names are broken in two rather than cut.
    table.add_column("what", overflow="fold")
    for name in ("of", "networks"):
        table.add_column(name)
    for name in (MEDIAN, FAR, HELD):
        table.add_column(name, justify="right")
    table.add_column("worst", overflow="fold", min_width=20)
    for label, groups in found.items():
        for group, figures in groups.items():
            cells = []
            for name in (MEDIAN, FAR, HELD):
                value = float(figures[name])
                if np.isnan(value):
                    cells.append("")
                    continue
                colour = "green" if reached(goals, group, name, value) else "red"
                cells.append(f"[{colour}]{value:.1%}[/]")
            table.add_row(label, group, str(figures["networks"]), *cells, str(figures["worst"]))
        table.add_section()
    return table


def missed(
    label: str, found: dict[str, dict[str, float | str]], goals: dict[str, dict[str, float]]
) -> list[str]:
    """Where a goal was missed."""
    return [
        f"{label}: {group} {name} {float(figures[name]):.0%}"
        for group, figures in found.items()
        for name in goals.get(group, {})
        if not reached(goals, group, name, float(figures[name]))
    ]


def setting_judged(setting: Setting, options: argparse.Namespace) -> list[str]:
    """Do all that is missing of a backend and path, show it; the goals that were missed."""
    folder, label = options.results, setting.label
    here = folder / "held-out" / setting.folder
    model = time_held_out(folder, setting, options)
    if not (here / PREDICTED_FILE).exists():
        predict(here, model)
    every = list(pairs(here))
    strangers = {label: judged(every)}
    for family in FAMILIES:
        strangers[family] = judged([one for one in every if one[2] == family])
    show(table_of("Networks that were never timed, predicted and then timed", strangers, GOALS))
    again = {label: judged(list(timed_again(here)))}
    show(table_of(AGAIN, again, {}))
    out = left_out(folder, setting)
    without = {f"without {family}": judged(found) for family, found in out.items()}
    without["all"] = judged([one for found in out.values() for one in found])
    show(table_of(f"{label}: a family left out, predicted from the others", without, ELSEWHERE))
    own = judged(list(pairs(own_models(folder, setting, options))))
    show(table_of("Models as people have them", {label: own}, ELSEWHERE))
    record = {"label": label, "all": "all", "held out": strangers, "left out": without}
    record |= {"own": {label: own}, "again": again}
    made, _ = saved.read(folder, setting)
    record["calibrated_s"] = sum(decision.seconds_spent(run) for run in made)
    whole_file.write(folder / f"judged-{setting.folder}.json", json.dumps(record, indent=1))
    return [
        *missed(label, strangers[label], GOALS),
        *missed(f"{label}, a family left out", without["all"], ELSEWHERE),
        *missed(f"{label}, own models", own, ELSEWHERE),
    ]


def keep(folder: Path) -> None:
    """Write the result file of the documentation's ledger, of every setting judged so far."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from benchmarks import ledger

    records = [json.loads(path.read_text()) for path in sorted(folder.glob("judged-*.json"))]
    tables = [
        table_of(title, {one["label"]: one[part][one[name]] for one in records}, goals)
        for title, part, name, goals in (
            ("Networks that were never timed", "held out", "label", GOALS),
            (AGAIN, "again", "label", {}),
            ("A family left out, predicted from the others", "left out", "all", ELSEWHERE),
            ("Models as people have them", "own", "label", ELSEWHERE),
        )
    ]
    budgets = Table(title="How long each was calibrated, and what was predicted")
    for name in ("what", "calibrated for", "networks held out", "models as people have them"):
        budgets.add_column(name)
    for one in records:
        label = one["label"]
        counts = (one[part][label][COLD]["networks"] for part in ("held out", "own"))
        budgets.add_row(label, units.about(one["calibrated_s"]), *map(str, counts))
    tables.append(budgets)
    question = "How far off are predictions of networks that were never timed?"
    told = []
    for one in records:
        label, out = one["label"], one["left out"]["all"]
        seen, own = one["held out"][label], one["own"][label]
        told.append(
            f"{label}: a step {seen[STEP][MEDIAN]:.0%}, a whole training {seen[COLD][MEDIAN]:.0%}, "
            f"of a family left out {out[COLD][MEDIAN]:.0%}, "
            f"of models as people have them {own[COLD][MEDIAN]:.0%}"
        )
    answer = f"Half of the predictions are as near as this. {'; '.join(told)}."
    ledger.keep("predictions", question, answer, tables)


def main() -> int:
    """Calibrate, predict, time and judge every setting; 1 where a goal was missed."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", default="jax,tensorflow,torch")
    parser.add_argument("--paths", default="fit,compiled")
    parser.add_argument("--budget", default="10min", help="of each calibration")
    parser.add_argument("--families", default="dense,conv,lstm,transformer,residual,separable")
    parser.add_argument("--held-out", default="6min", help="for timing the held-out networks")
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of files")
    parser.add_argument("--applications", default=APPLICATIONS, help="of Keras, with commas")
    parser.add_argument("--seed", type=int, default=0, help="of the held-out networks")
    parser.add_argument("--results", type=Path, default=Path("results/predictions"))
    parser.add_argument("--ledger", action="store_true", help="keep it for the documentation")
    options = parser.parse_args()
    if not list(options.models.glob("*.py")):
        raise UserError(f"{options.models} is no folder with files of models: --models names one")
    backends = options.backends.split(",")
    for backend in backends:
        devices.check_installed(backend)
    paths = options.paths.split(",")
    settings = [Setting(backend, path=path) for backend in backends for path in paths]
    found = [one for setting in settings for one in setting_judged(setting, options)]
    if options.ledger:
        keep(options.results)
    show("every goal reached" if not found else "missed: " + "; ".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as mistake:
        sys.exit(f"predictions: {mistake}")
