"""The shortest code that makes a training reproducible on a backend, found by running it.

Candidates are run from the shortest on, each in two fresh processes, on the training as it stands
(shuffled if it is), with every seed; the first whose trainings agree in every bit is the answer.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nnbench.drift import execution
from nnbench.drift.execution import Watcher
from nnbench.drift.policies import POLICIES, Policy
from nnbench.drift.saved import Study
from nnbench.measure.process import DataFile, WorkerLostError
from nnbench.workload.datasets import Dataset


@dataclass(frozen=True)
class Candidate:
    """A policy, and what of the training it changes besides."""

    policy: Policy
    one_thread: bool = False
    unshuffled: bool = False

    def shown(self, backend: str) -> str:
        """The code as a person would write it, for seed 1."""
        settings = self.policy.settings_for(backend)
        code = self.policy.code_for(backend).replace("(seed)", "(1)")
        if self.one_thread:
            settings["OMP_NUM_THREADS"] = "1"
            if backend == "tensorflow":
                code += "tf.config.threading.set_intra_op_parallelism_threads(1)\n"
        if self.unshuffled:
            code += "model.fit(..., shuffle=False)\n"
        lines = "".join(f'os.environ["{k}"] = "{v}"\n' for k, v in settings.items())
        return f"import os\n{lines}{code}" if lines else code


CANDIDATES = (
    Candidate(POLICIES["keras"]),
    Candidate(POLICIES["keras+det"]),
    Candidate(POLICIES["keras+det"], one_thread=True),
    Candidate(POLICIES["keras+det"], one_thread=True, unshuffled=True),
)


def find(folder: Path, data: Dataset, watch: Watcher) -> None:
    """Try the candidates on backends without a record. Raises UserError if the disk fails."""
    with execution.added_to(folder, data) as (study, writer, arrays):
        for backend in study.specification["backends"]:
            tried = [record for record in study.remedies if record["backend"] == backend]
            if any(record["reproduces"] or record.get("last") for record in tried):
                continue
            for number, candidate in enumerate(CANDIDATES, start=1):
                watch(number - 1, len(CANDIDATES), f"verifying code on {backend}")
                record = _try(study, arrays, backend, candidate)
                writer.append({**record, "last": number == len(CANDIDATES)})
                if record["reproduces"]:
                    break


def _try(study: Study, arrays: DataFile, backend: str, candidate: Candidate) -> dict[str, Any]:
    wanted = study.specification
    shuffle = study.case.training.shuffle and not candidate.unshuffled
    training = replace(study.case.training, shuffle=shuffle)
    threads = 1 if candidate.one_thread else study.case.threads
    case = replace(study.case, backend=backend, threads=threads, training=training)
    request = {"code": candidate.policy.code_for(backend), "folder": str(study.trajectories)}
    # Each process' file of each seed; of two trainings that are equal, the names are equal.
    files: list[list[str]] = []
    problem = ""
    for process in range(2):
        log = study.folder / "logs" / f"remedy-{backend}-{process}.log"
        try:
            with execution.start(case, candidate.policy, arrays, log) as worker:
                worker.wait_until_ready()
                answers = [
                    worker.ask(case, wanted["limit_s"], kind="train", seed=seed, **request)
                    for seed in wanted["seeds"]
                ]
            problem = next((one["error"] for one in answers if "error" in one), problem)
        except WorkerLostError as lost:
            problem = lost.reason
            answers = [{}] * len(wanted["seeds"])
        files.append([one.get("file", f"none in process {process}") for one in answers])
    return {
        "kind": "remedy",
        "backend": backend,
        "code": candidate.shown(backend),
        "reproduces": not problem and files[0] == files[1],
        "seeds_equal": sum(first == second for first, second in zip(*files, strict=True)),
        "seeds": len(wanted["seeds"]),
        "problem": problem,
    }
