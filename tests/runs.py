"""Runs made of given numbers, through the real files, for tests that need no training."""

import numpy as np

from nnbench.measure.schedule import SWEEPS
from nnbench.store import runs
from nnbench.workload.architecture import parse
from nnbench.workload.case import Case, Training

FINGERPRINT = {
    "host": "<host>",
    "system": "Linux",
    "cpu": "A CPU",
    "cpus": 2,
    "memory_bytes": 8 << 30,
    "gpus": [],
    "python": "3.11.7",
    "versions": {"keras": "3.15.1"},
    "settings": {},
    "commit": None,
}

TIMES_S = {
    "build": 0.02,
    "prepare": 0.04,
    "trace": 0.4,
    "compile": 0.1,
    "first_step": 0.004,
    "epoch": 0.03,
    "step": 0.001,
}


def case(text, *, task="classification", data="banknotes", **changes):
    batch, jit = changes.pop("batch_size", None), changes.pop("jit", "auto")
    training = Training(task=task, batch_size=batch, jit=jit)
    return Case(parse(text), training, data, "digest", 1372, 4, **changes)


def trial(number, of, **changes):
    """A trial's record of the case `of`, which ended well and has no samples unless given some."""
    return {
        "kind": "trial",
        "trial": number,
        "launch": 0,
        "round": 0,
        "side": "",
        "block": 0,
        "case": of.key,
        "trial_kind": "step",
        "sweep": number,
        "began": "2026-01-01T00:00:00.125000+00:00",
        "wall_s": 2.0,
        "outcome": "ok",
        **changes,
    }


def make_run(
    folder,
    times_s,
    *,
    launches=5,
    blocks=2,
    spread=0.02,
    seed=0,
    outcomes=None,
    noise=None,
    sides=("",),
    slower=1.0,
    counted=None,
    **case_options,
):
    """Write and read a run. `times_s` maps an architecture to seconds by phase (see TIMES_S).

    `slower` multiplies all times of the second side; `outcomes` maps an architecture to an
    outcome that all its trials have instead of `ok`, `counted` to what its trials know of it.
    """
    backends = case_options.pop("backends", ("tensorflow",))
    cases = {
        (text, backend): case(text, backend=backend, **case_options)
        for backend in backends
        for text in times_s
    }
    wanted = {
        "cases": [one.to_json() for one in cases.values()],
        "launches": launches,
        "blocks": blocks,
        "seed": seed,
        "limit_s": 10.0,
        "precision": None,
        "budget_s": None,
        "sides": list(sides),
    }
    path = runs.create(folder, "run", wanted, FINGERPRINT)
    writer = runs.Writer(path)
    rng = np.random.default_rng(seed)
    trial = launch = 0
    for number in range(launches):
        for position, side in enumerate(sides):
            for backend in backends:
                launch_effect = np.exp(rng.normal(0, spread)) * (slower if position else 1.0)
                writer.append(_launch(launch, number, side, backend))
                for block in range(blocks):
                    for (text, its_backend), one in cases.items():
                        if its_backend != backend:
                            continue
                        outcome = (outcomes or {}).get(text, "ok")
                        for record in _trials(
                            one, {**TIMES_S, **times_s[text]}, outcome, launch_effect, rng, spread
                        ):
                            head = {
                                "kind": "trial",
                                "trial": trial,
                                "launch": launch,
                                "round": number,
                                "side": side,
                                "block": block,
                                "case": one.key,
                                "began": "2026-01-01T00:00:00+00:00",
                                "wall_s": 1.0,
                                "noise": noise or {},
                            }
                            known = (counted or {}).get(text, {})
                            writer.append({**head, **known, **record}, sync=False)
                            trial += 1
                launch += 1
    writer.close()
    return runs.read(path)


def _launch(number, round_number, side, backend):
    return {
        "kind": "launch",
        "launch": number,
        "round": round_number,
        "side": side,
        "began": "2026-01-01T00:00:00+00:00",
        "backend": backend,
        "device": "cpu",
        "threads": None,
        "import_s": 4.0,
        "first_use_s": 1.0,
        "device_name": "2 usable CPUs",
    }


def _trials(one, times_s, outcome, launch_effect, rng, spread):
    if outcome != "ok":
        for kind in ("cold", "phases"):
            yield {"trial_kind": kind, "sweep": 0, "outcome": outcome, "message": "line 1\nline 2"}
        return

    def drawn(seconds):
        return float(seconds * launch_effect * np.exp(rng.normal(0, spread / 4)))

    once = [name for name in times_s if name not in ("epoch", "step", "cold", "sum")]
    epochs, steps = one.cold_epochs, one.steps_per_epoch
    whole_s = sum(times_s[name] for name in once) + epochs * times_s["epoch"] - times_s["step"]
    cold_s = times_s.get("cold", whole_s)
    yield {
        "trial_kind": "cold",
        "sweep": 0,
        "outcome": "ok",
        "loss": 0.5,
        "samples_s": {"cold": [drawn(cold_s)]},
    }
    yield {
        "trial_kind": "phases",
        "sweep": 0,
        "outcome": "ok",
        "loss": 0.5,
        "samples_s": {name: [drawn(times_s[name])] for name in once}
        | {"epoch": [drawn(times_s["epoch"]) for _ in range(epochs - 1)]},
    }
    for sweep in range(SWEEPS):
        for kind in (name for name in ("step", "sum") if name in times_s):
            yield {
                "trial_kind": kind,
                "sweep": sweep,
                "outcome": "ok",
                "steps_per_sample": steps,
                "samples_s": {kind: [drawn(times_s[kind])]},
            }
