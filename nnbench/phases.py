"""What is timed: the phases of a training, defined once.

`DEFINITIONS` holds the bounds on the `fit` path; those of the compiled path follow below. One clock
(`time.perf_counter_ns`), the device waited for before each reading, Python's garbage collector off
in between.

How `trace` is separated from `compile`:

*TensorFlow.* `trace` is `get_concrete_function` of the very `tf.function` that `fit` calls, on
the iterator that `fit` made. `compile` is a call of it on an iterator of the same type that is
already exhausted: the runtime optimises, places and instantiates the graph (Grappler, kernels)
before it runs, then the first operation reports the end of the data, so that no step is taken;
variables that such a call changes (the optimizer's counter) are put back. With XLA
(`jit_compile=True`) machine code is made only once data arrive: there `compile` is a call on
a batch of zeros, after which all variables are put back, and it holds one step's execution.

*JAX.* `trace` is `jit(...).trace(...)` and `.lower()`; `compile` is `.compile()`, and the
compiled program is the one that takes the first step. JAX keeps what it has traced of each
function inside: a network is built and traced once before its first trial in a process.

*Torch.* Eager: there is nothing to trace or compile, and neither phase has samples. With
`jit_compile=True`, Dynamo traces and Inductor compiles within one call, which counts as
`compile`, bounded as with XLA on TensorFlow.

`step` calls the train function of `fit` on one batch that is already on the device, several
times between two clock readings; with Keras' `steps_per_execution` such a call is that many steps,
and is divided by them, as the first call is on TensorFlow. `epoch` is what a user of `fit` waits
for: its steps, and what Keras does around them (input pipeline, callbacks, metrics). What an epoch
costs beyond its steps is the *overhead* of the epoch.

`data` is measured where data make their batches as they are trained on (`tf.data`, `PyDataset`,
`DataLoader`): how long, in one epoch, the loop of `fit` waits in `next()` of the iterator. It is a
part of the epoch, not of a step, and is taken in an epoch of its own after those that are timed;
TensorFlow takes batches within its graph otherwise, there from Python.

On the *compiled* path all epochs are one program. `prepare` is `compiled.prepare` (checks, moving
the data to the device, Keras' symbolic build), `trace` and `compile` are its stages of these
names, `first_step` is a run of one epoch where that is one batch (else it has no samples),
`epoch` is a run of several epochs divided by their number, and `step` is that divided by the
steps of an epoch: nothing is paid around them. `cold` is `fast_fit` on a new network.

`sum` is no phase of a training. Where several devices train one network, it is the sum of arrays
like its gradients over them, as the backend takes it in a step, but by itself: many sums in one
program, the next of which begins once the last is there. In a step a sum may run while something
else is computed: there it takes so long at most.
"""

from dataclasses import dataclass

BUILD, PREPARE, TRACE, COMPILE = "build", "prepare", "trace", "compile"
FIRST_STEP, STEP, EPOCH, DATA, COLD = "first_step", "step", "epoch", "data", "cold"
SUM = "sum"


@dataclass(frozen=True)
class Phase:
    """A stretch of a training, from one moment to another."""

    name: str
    start: str
    end: str
    what: str


_BUILT = "a Sequential with its layers built and compile() called"
_TRACED = "its graph (TensorFlow) or StableHLO module (JAX)"
_PREPARED = "its first step about to run"
_TRAINED = "a network trained for cold_epochs"

DEFINITIONS = (
    Phase(BUILD, "nothing", _BUILT, "making the network"),
    Phase(PREPARE, "fit() called", _PREPARED, "data adapter, Keras' symbolic build"),
    Phase(TRACE, "Python step function", _TRACED, "Python to a graph"),
    Phase(COMPILE, "that graph", "code ready to run on the device", "the graph to machine code"),
    Phase(FIRST_STEP, "ready code and first batch", "first weights updated", "the first batch"),
    Phase(STEP, "one batch at hand", "weights updated", "a batch in the steady state"),
    Phase(EPOCH, "end of one epoch in fit()", "end of the next", "all rows in the steady state"),
    Phase(DATA, "an epoch's next() called", "its batch there", "an epoch's waits for its batches"),
    Phase(COLD, "nothing", _TRAINED, "the whole, timed by itself with nothing hooked"),
)
"""The bounds of every phase, on the `fit` path."""

PHASES = tuple(phase.name for phase in DEFINITIONS)

ONCE = (BUILD, PREPARE, TRACE, COMPILE, FIRST_STEP)
"""Phases that a training goes through once, in their order."""


@dataclass(frozen=True)
class ColdParts:
    """A cold training taken apart, in seconds: the parts add up to `cold_s`.

    `once_s` holds the phases of `ONCE`; `steps_s` all later steps; `overhead_s` what the epochs
    cost beyond their steps; `rest_s` what the separately timed whole has more (or less) than
    that, which is the error of the separation.
    """

    once_s: dict[str, float]
    steps_s: float
    overhead_s: float
    rest_s: float
    cold_s: float


def split_cold(
    times_s: dict[str, float], *, cold_epochs: int, steps_per_epoch: int
) -> ColdParts | None:
    """Take a cold training apart; phases a backend does not have count as 0.

    Returns None where `cold`, `step` or `epoch` was not measured.
    """
    if any(phase not in times_s for phase in (COLD, STEP, EPOCH)):
        return None
    once_s = {phase: times_s.get(phase, 0.0) for phase in ONCE}
    steps_s = (cold_epochs * steps_per_epoch - 1) * times_s[STEP]
    overhead_s = cold_epochs * (times_s[EPOCH] - steps_per_epoch * times_s[STEP])
    known_s = sum(once_s.values()) + steps_s + overhead_s
    return ColdParts(once_s, steps_s, overhead_s, times_s[COLD] - known_s, times_s[COLD])
