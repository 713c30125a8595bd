"""Tunings on simulated times: the real rule, the real records, no process."""

import json
import random

from nnbench.tune import halving, saved
from nnbench.tune.saved import Tuning
from nnbench.tune.space import Space
from nnbench.workload.architecture import parse
from nnbench.workload.case import Case, Training

BACKENDS = ("tensorflow", "jax", "torch")
GRIDS = {}
START_S, READY_S, TURN_S = 3.0, 1.5, 0.2


def present(batch=32, rows=2000, **fields):
    training = Training(batch_size=batch, **fields)
    return Case(parse("6x5"), training, "some data", "0" * 64, rows, 4)


def new(case=None, *, budget_s=300.0, backends=BACKENDS, keep=(), cpus=2, folder=None):
    """A tuning that has only looked at the present setting, with epochs of 20 ms."""
    case = case or present()
    space = Space.around(case, backends=backends, keep=keep, cpus=cpus, stream=False)
    plan = {"budget_s": budget_s, "limit_s": None, "epochs": 10, "seed": 0}
    wanted = saved.specification(case, space, left_out=[], models={}, **plan)
    look = {"kind": "look", "once_s": 1.0, "step_s": 1e-3, "epoch_s": 0.02, "rows": case.rows}
    return Tuning(folder, "2026-01-01T00:00:00+00:00", wanted, {}).plus(look | {"wall_s": 5.0})


def simulated(tuning, epoch_s, *, noise=0.01, seed=0, ready_s=READY_S, rule=halving.next_rung):
    """The same when it is through; `epoch_s` of a case are seconds, or None where it fails."""
    drawn = random.Random(seed)
    while rung := rule(tuning):
        tuning = tuning.plus(rung_record(rung))
        tuning = _timed(tuning, rung, epoch_s, drawn, noise, ready_s)
        tuning = tuning.plus({"kind": "end", "rung": rung.number})
    return tuning


def rung_record(rung):
    settings = [case.to_json() for case in rung.cases]
    plan = {"rung": rung.number, "stage": rung.stage, "turns": rung.turns}
    return {"kind": "rung", **plan, "until_s": rung.until_s, "settings": settings}


def _timed(tuning, rung, epoch_s, drawn, noise, ready_s):
    ready, found = {}, []
    for process in {saved.process_of(case): case for case in rung.cases}.values():
        start = {"kind": "start", "launch": rung.number, "rung": rung.number}
        found.append({**start, "backend": process.backend, "wall_s": START_S})
    for case in rung.cases:
        taken_s = epoch_s(case)
        record = {"kind": "ready", "launch": rung.number, "case": case.key, "wall_s": ready_s}
        if taken_s is None:
            found.append({**record, "outcome": "failed", "message": "no such thing\n  here"})
        else:
            ready[case.key] = taken_s * drawn.lognormvariate(0, noise)
            told = {"outcome": "ok", "once_s": 1.0, "jit_compiled": False}
            found.append({**record, **told})
    for turn in range(rung.turns):
        for key, taken_s in ready.items():
            time = {"kind": "time", "launch": rung.number, "rung": rung.number, "turn": turn}
            one_s = taken_s * drawn.lognormvariate(0, noise)
            time |= {"case": key, "outcome": "ok", "epoch_s": one_s, "epochs": 5}
            found.append({**time, "wall_s": TURN_S})
    return tuning.plus(*found)


def everything(space):
    """The full grid, made once for each space."""
    named = json.dumps([space.present.to_json(), space.values, space.rows])
    if named not in GRIDS:
        GRIDS[named] = space.everything()
    return GRIDS[named]
