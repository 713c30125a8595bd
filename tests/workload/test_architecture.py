import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnbench.errors import UserError
from nnbench.workload import architecture as arch
from nnbench.workload import networks
from nnbench.workload.architecture import Architecture
from nnbench.workload.counts import dense

widths = st.lists(st.integers(1, 5000), min_size=1, max_size=12).map(tuple)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6,6", (6, 6)),
        ("[100, 100]", (100, 100)),
        (" [6,6] ", (6, 6)),
        ("6x5", (6,) * 5),
        ("6X2", (6, 6)),
        ("7", (7,)),
        ("64x2,8", (64, 64, 8)),
    ],
)
def test_reads_the_notations(text, expected):
    assert arch.parse(text).widths == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("0", "width 0"),
        ("6,0,6", "width 0"),
        ("6x0", "0 layers"),
        ("", "''"),
        ("6,,6", "''"),
        ("-3", "'-3'"),
        ("6.5", "'6.5'"),
        ("six", "'six'"),
        ("99999999", "99999999"),
        ("6x99999999", "99999999 layers"),
        ("²", "'²'"),
    ],
)
def test_names_what_it_cannot_read(text, named):
    with pytest.raises(UserError) as caught:
        arch.parse(text)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@given(widths)
def test_a_label_reads_back_as_the_same_architecture(layers):
    architecture = Architecture(layers)
    assert arch.parse(architecture.label) == architecture
    assert arch.parse(str(list(layers))) == architecture


def test_a_grid_is_every_depth_with_every_width():
    grid = networks.parse(["depth=1..3 width=4,16"])
    assert [one.label for one in grid] == ["4x1", "16x1", "4x2", "16x2", "4x3", "16x3"]
    assert networks.parse(["depth=1..3", "width=4,16"]) == grid


def test_architectures_and_grids_mix_and_repeat_only_once():
    found = networks.parse(["6,6", "[6, 6]; 100,100", "depth=2 width=6,8"])
    assert [one.label for one in found] == ["6x2", "100x2", "8x2"]


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        (["depth=1..3"], "width= is missing"),
        (["width=4"], "depth= is missing"),
        (["depth=3..1 width=4"], "3..1"),
        (["depth=1 width=0"], "width of 0"),
        (["depth=x width=4"], "'x'"),
        (["dept=1 width=4"], "dept=1"),
        (["depth=1 depth=2 width=3"], "twice"),
        ([], "no network"),
    ],
)
def test_names_what_is_wrong_with_a_grid(texts, named):
    with pytest.raises(UserError) as caught:
        networks.parse(texts)
    assert named in str(caught.value)


@pytest.mark.parametrize(("text", "count"), [("6,6", 79), ("100,100", 10_701), ("6x5", 205)])
def test_parameters_of_the_classic_three(text, count):
    assert arch.parse(text).parameters(4) == count


def test_parameters_and_layer_table_equal_keras_own(in_backend):
    code = """
import json, random
from nnbench.workload import architecture as arch, keras_model
from nnbench.workload.architecture import Architecture
from nnbench.workload.case import Training
draw = random.Random(1)
rows = []
for _ in range(220):
    widths = tuple(draw.randint(1, 60) for _ in range(draw.randint(1, 8)))
    features = draw.randint(1, 40)
    model = keras_model.build(Architecture(widths), Training(), (features,))
    rows.append((widths, features, model.count_params(),
                 [layer.count_params() for layer in model.layers]))
print(json.dumps(rows))
"""
    rows = json.loads(in_backend("torch", code))
    assert len(rows) >= 200
    for layers, features, total, by_layer in rows:
        architecture = Architecture(tuple(layers))
        assert architecture.parameters(features) == total
        table = dense.count(architecture, features=features, rows=1).layers
        assert [row.parameters for row in table] == by_layer


def test_matrix_product_flops_agree_with_what_xla_counts(in_backend):
    code = """
import json
import jax, numpy as np
from nnbench.workload import architecture as arch, keras_model
from nnbench.workload.case import Training
rows = []
for text in ("64x3", "100,100", "32,200,16"):
    one = arch.parse(text)
    model = keras_model.build(one, Training(), (10,))
    weights = [v.value for v in model.trainable_variables]
    x = np.ones((500, 10), "float32")
    def loss(weights):
        return model.stateless_call(weights, [], x)[0].sum()
    forward = jax.jit(loss).lower(weights).compile().cost_analysis()["flops"]
    both = jax.jit(jax.value_and_grad(loss)).lower(weights).compile().cost_analysis()["flops"]
    rows.append((text, forward, both))
print(json.dumps(rows))
"""
    for text, forward, both in json.loads(in_backend("jax", code)):
        cost = dense.count(arch.parse(text), features=10, rows=500)
        assert cost.forward_flops == pytest.approx(forward, rel=0.05)
        assert cost.forward_flops + cost.backward_flops == pytest.approx(both, rel=0.05)


@given(widths, st.integers(1, 50), st.integers(1, 3000))
def test_flops_grow_with_rows_and_bytes_follow_parameters(layers, features, rows):
    architecture = Architecture(layers)
    once = dense.count(architecture, features=features, rows=rows)
    twice = dense.count(architecture, features=features, rows=2 * rows)
    assert twice.forward_flops == 2 * once.forward_flops
    assert twice.backward_flops == 2 * once.backward_flops
    assert twice.update_flops == once.update_flops
    assert once.optimizer_bytes == 2 * once.weight_bytes == 8 * architecture.parameters(features)
    half = dense.count(architecture, features=features, rows=rows, precision="bfloat16")
    assert 2 * half.activation_bytes == once.activation_bytes
    assert half.weight_bytes == once.weight_bytes
