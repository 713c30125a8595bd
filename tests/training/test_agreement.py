"""The compiled path against `fit` on families and on models as people have them.

`python -m benchmarks.agreement` writes the table of all of them, docs/families-agreement.md.
"""

import json
from collections.abc import Callable

import pytest
from projects import ROOT

from nnbench.machine import devices
from nnbench.machine.devices import BACKENDS

InBackend = Callable[[str, str], str]

APART = """
import json, sys
sys.path.insert(0, {root!r})
from benchmarks.agreement import compare, kinds, worker

found = {{}}
for name in {names!r}:
    arrays, told = worker.trained(kinds.KINDS[name], {backend!r})
    for way in [way for way in told if way != "fit"]:
        losses = [compare.of(arrays, one, "history") for one in (way, "fit")]
        weights = [compare.of(arrays, one, "weights") for one in (way, "fit")]
        apart = compare.losses_apart(*losses), *compare.weights_apart(*weights)
        found[name + ", " + way] = [told["fit"], told[way], len(losses[1]["loss"]), *apart]
print(json.dumps(found))
"""

CLOSE = 1e-5
QUICK = ("residual:32x3(norm=on)", "outputs with loss weights", "frozen layers")
LONG = ("own train_step",)


def _check(in_backend: InBackend, backend: str, names: tuple[str, ...], weights: float) -> None:
    if not devices.is_installed(backend):
        pytest.skip(f"{backend} is not installed")
    code = APART.format(root=str(ROOT), names=names, backend=backend)
    found = json.loads(in_backend(backend, code).splitlines()[-1])
    assert len(found) >= len(names)
    for name, (of_fit, told, epochs, losses_apart, weights_apart, which) in found.items():
        assert (of_fit, told, epochs) == ("", "", 30), (name, of_fit, told)
        assert losses_apart <= CLOSE, (name, losses_apart)
        assert weights_apart <= weights, (name, which, weights_apart)


def test_thirty_epochs_are_those_of_fit(
    in_fresh_backend: InBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With XLA as people have it: other tests have it compile in a hurry.
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    _check(in_fresh_backend, "jax", QUICK, CLOSE)


@pytest.mark.long
@pytest.mark.parametrize("backend", BACKENDS)
def test_thirty_epochs_of_a_step_of_ones_own_are_those_of_fit(
    in_backend: InBackend, backend: str
) -> None:
    _check(in_backend, backend, LONG, 10 * CLOSE)
