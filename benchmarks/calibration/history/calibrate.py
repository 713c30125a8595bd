"""Are planted changes found on their commits, and harmless commits left alone?

    python benchmarks/calibration/history/calibrate.py --repetitions 5

Generates the project (`project.py`), measures its 12 commits in turn, once a repetition, and puts
each repetition before the judges (`judges.py`). A command that was interrupted goes on with what
is missing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import judges
import project

from nnbench.history import commits
from nnbench.history import record as recording
from nnbench.measure import run as measuring
from nnbench.show.progress import Bar
from nnbench.workload.study import Effort, Machine, Networks, Study, TrainingOptions

ONCE = {"build", "prepare", "trace", "compile", "first_step"}
STEPS = {"step", "epoch"}
PLANTED = {
    f"{project.STEP}: 8 % slower step": {("step", project.STEP)},
    f"{project.COMPILE}: longer to compile": {
        ("trace", project.COMPILE),
        ("compile", project.COMPILE),
        ("prepare", project.COMPILE),
    },
    f"{project.NUMBERS}: other numbers": {("numbers", project.NUMBERS)},
}
TRUE = (
    {(phase, project.STEP) for phase in STEPS | ONCE | {"numbers"}}
    | {(phase, project.COMPILE) for phase in STEPS | ONCE | {"numbers"}}
    | {("numbers", project.NUMBERS)}
)
"""The planted commits do change these: the extra work is traced and compiled, too."""
SHARE = 0.08
PROBE_REPEATS = 60


def repeats(folder: Path, backend: str) -> int:
    """How many products make a step slower by `SHARE` here; found once, kept in a file."""
    kept = folder / "repeats.json"
    if kept.exists():
        return int(json.loads(kept.read_text()))
    with tempfile.TemporaryDirectory() as scratch:
        for name, end in (("plain", project.STEP), ("worked", project.STEP + 1)):
            tree = Path(scratch) / name
            project.write(tree, PROBE_REPEATS)
            target = f"HEAD~{12 - end}"
            subprocess.run(["git", "checkout", "-q", target], cwd=tree, check=True)
        probe = [sys.executable, str(Path(__file__).with_name("probe.py")), backend, scratch]
        answer = subprocess.run(probe, capture_output=True, text=True, check=True)
    plain_s, worked_s = json.loads(answer.stdout)
    found = max(1, round(SHARE * plain_s / max(worked_s - plain_s, 1e-7) * PROBE_REPEATS))
    print(
        f"a step takes {plain_s * 1e6:.0f} us, with {PROBE_REPEATS} products "
        f"{worked_s * 1e6:.0f} us: {found} products planted"
    )
    folder.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found))
    return found


def measure(number: int, rounds: int, backend: str) -> Path:
    """Measure the 12 commits in turn, `number` of so many repetitions; return the run."""
    study = Study(
        Networks(model=(project.MODEL,)),
        training=TrainingOptions(epochs=20),
        machine=Machine(backend=backend),
        effort=Effort(launches=rounds, blocks=1, seed=number),
    )
    data = study.data.load()
    cases = study.cases(data)
    chosen = commits.log(Path())
    (part,) = recording.plan(chosen, study, cases, together=len(chosen), kinds=("phases",))
    checked_out = recording.check_out(chosen)
    folder = part.folder(Path(f"../repetition-{number}"))
    with Bar(0, "trials") as bar:
        measuring.execute(folder, data, bar.watch, part.environments(checked_out))
        recording.add_digests(part, folder, cases, data, checked_out, bar.watch)
    return folder.resolve()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--backend", default="jax")
    parser.add_argument("--results", type=Path, default=Path("results/calibration-history"))
    parser.add_argument("--ledger", action="store_true", help="keep it for the documentation")
    options = parser.parse_args()

    results = options.results.resolve()
    tree = results / "project"
    project.write(tree, repeats(results, options.backend))
    os.chdir(tree)
    rows = []
    for number in range(options.repetitions):
        folder = measure(number, options.rounds, options.backend)
        for name, judge in judges.JUDGES.items():
            alarms = judge(folder, tree)
            missed = [what for what, any_of in PLANTED.items() if not alarms.keys() & any_of]
            wrong = [
                (phase, commit)
                for (phase, commit), named in alarms.items()
                if not any((phase, each) in TRUE for each in named)
            ]
            rows.append(
                {
                    "repetition": number,
                    "judge": name,
                    "found": [what for what in PLANTED if what not in missed],
                    "missed": missed,
                    "false": sorted(wrong),
                    "open": sorted(key for key, named in alarms.items() if len(named) > 1),
                    "alarms": sorted(alarms),
                }
            )
            print(
                f"{number} {name}: found {3 - len(missed)} of 3"
                f"{', missed ' + '; '.join(missed) if missed else ''}"
                f", false alarms {rows[-1]['false'] or 0}"
                f", naming several commits {rows[-1]['open'] or 0}",
                flush=True,
            )
    print(f"\n{'judge':32}{'found':>12}{'false alarms':>16}{'several commits':>18}")
    shown = []
    for name in judges.JUDGES:
        mine = [row for row in rows if row["judge"] == name]
        found = sum(len(row["found"]) for row in mine)
        wrong, several = (sum(len(row[key]) for row in mine) for key in ("false", "open"))
        print(f"{name:32}{f'{found} of {3 * len(mine)}':>12}{wrong:>16}{several:>18}")
        shown.append([name, f"{found} of {3 * len(mine)}", str(wrong), str(several)])
    (results / "judged.json").write_text(json.dumps(rows, indent=1))
    if options.ledger:
        keep(shown, options.repetitions)


def keep(rows: list[list[str]], repetitions: int) -> None:
    """Write the result file of the documentation's ledger."""
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from benchmarks import ledger

    columns = ["judge", "found", "false alarms", "naming several commits"]
    title = f"{repetitions} times 12 commits, three of which change something"
    answer = "; ".join(
        f"{name}: found {found}, false alarms {wrong}" for name, found, wrong, _ in rows
    )
    question = "Are planted changes found on their commits?"
    table = {"title": title, "columns": columns, "rows": rows}
    ledger.keep("commits", question, f"{answer}.", [table])


if __name__ == "__main__":
    main()
