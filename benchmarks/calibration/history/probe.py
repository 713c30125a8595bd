"""How many extra products make a step 8 % slower here: run by calibrate.py in a process of its own.

python probe.py BACKEND FOLDER      (FOLDER holds plain/ and worked/, two trees of the project)
"""

import importlib.util
import json
import statistics
import sys
from pathlib import Path

from nnbench.machine import devices
from nnbench.workload import datasets

TURNS = 40


def load(path):
    spec = importlib.util.spec_from_file_location(path.parent.parent.name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build


def main():
    backend, folder = sys.argv[1], Path(sys.argv[2])
    devices.start(backend)
    from nnbench.measure import trial
    from nnbench.training.fit import fit
    from nnbench.workload.case import Case, Training

    data = datasets.load("banknotes")
    shape = (data.name, data.digest, data.rows, data.width)
    case = Case(None, Training(), *shape, backend, model="tinytrain/model.py:build")
    timers = []
    for name in ("plain", "worked"):
        model = load(folder / name / "tinytrain" / "model.py")()
        fit(model, data.features, data.labels, epochs=5)
        timers.append(trial.StepTimer(case, data.training_data, model))
    seen = [[], []]
    for _ in range(TURNS):
        for timer, samples in zip(timers, seen, strict=True):
            samples += timer.measure()["samples_s"]["step"]
    print(json.dumps([statistics.quantiles(samples, n=4)[0] for samples in seen]))


if __name__ == "__main__":
    main()
