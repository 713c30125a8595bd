import json
import re

import pytest

from nnbench import __version__

CSV = "a,b,fake\n" + "".join(f"{i},{i * i % 7},{i % 2}\n" for i in range(40))


def test_version(nnbench):
    assert nnbench("--version").stdout.strip() == __version__


def test_show_prints_layers_parameters_flops_and_bytes(nnbench):
    shown = nnbench("show", "6,6").stdout
    for text in ("dense_2", "79", "FLOPs", "optimizer state", "activations", "30", "42", "7"):
        assert text in shown
    plain = json.loads(nnbench("show", "[100, 100]", "6x5", "--json").stdout)
    assert [one["parameters"] for one in plain] == [10_701, 205]
    assert [(one["name"], one["architecture"]) for one in plain] == [
        ("[100,100]", "100x2"),
        ("6x5", "6x5"),
    ]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["run", "0,6"], "width 0"),
        (["run", "6,6", "--backend", "caffe"], "unknown backend 'caffe'"),
        (["run", "6,6", "--device", "tpu"], "unknown device 'tpu'"),
        (["run", "6,6", "--batch", "many"], "'many'"),
        (["run", "6,6", "--batch", "0"], "0 is no batch size"),
        (["run", "6,6", "--optimizer", "adamw"], "'adamw'"),
        (["run", "6,6", "--dtype", "int8"], "'int8'"),
        (["run", "6,6", "--epochs", "1"], "too few epochs (1)"),
        (["run", "6,6", "--threads", "0"], "0 threads"),
        (["run", "6,6", "--threads", "4096"], "4096 threads"),
        (["run", "6,6", "--launches", "0"], "0 is no number of launches"),
        (["run", "6,6", "--limit", "-1"], "limit"),
        (["run", "6,6", "--precision", "often"], "'often'"),
        (["run", "6,6", "--budget", "long"], "'long'"),
        (["compare", "."], "two sides"),
        (["compare", "a", "b", "--against", "HEAD"], "--against COMMIT alone"),
        (["compare", "nowhere", "."], "nowhere"),
        (["run", "--resume", "--backend", "torch"], "no unfinished run"),
        (["run", "6,6", "--data", "nowhere.csv"], "nowhere.csv"),
        (["run", "6,6", "--data", "data.csv", "--label", "forged"], "forged"),
        (["run", "6,6", "--data", "broken.csv", "--label", "fake"], "broken.csv"),
        (["run", "depth=1..2"], "width= is missing"),
        (["train", "6,6", "--epochs", "0"], "0 is no number of epochs"),
        (["train", "--go-on-from", "nowhere"], "nowhere"),
        (["train", "--save", "data.csv/folder"], "cannot be written"),
        (["train", "6,6", "--as", "clustering"], "clustering"),
        (["report", "nowhere"], "nowhere"),
        (["report"], "no run was named: try nnbench report results/NAME"),
        (["layers"], "no network was named: try nnbench layers 64x2"),
        (["tune", "--backend", "jax"], "no network was named: try nnbench tune 64x2"),
        (["drift", "check"], "FOLDER is missing: nnbench drift check -h tells what it is"),
        (["data", "show", "banknote"], "banknotes"),
        (["run", "6,6", "--results", "data.csv"], "data.csv"),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_a_status(nnbench, tmp_path, arguments, named):
    (tmp_path / "data.csv").write_text(CSV)
    (tmp_path / "broken.csv").write_text(CSV.replace("\n3,", "\nthree,"))
    answer = nnbench(*arguments)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert named in answer.stderr
    assert answer.stderr.startswith("nnbench: ")
    assert answer.stderr.count("\n") == 1


@pytest.mark.long
def test_a_gpu_that_is_not_there_is_one_line(nnbench):
    answer = nnbench("run", "6,6", "--backend", "torch", "--device", "gpu:7", "--quiet")
    assert answer.returncode == 2
    assert "gpu:7" in answer.stderr
    assert "nnbench devices" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_data_list_and_show(nnbench):
    listed = json.loads(nnbench("data", "list", "--json").stdout)
    assert {"banknotes", "instagram"} <= {one["name"] for one in listed}
    shown = nnbench("data", "show", "banknotes").stdout
    assert "762 of 0, 610 of 1" in shown
    assert "stand-in" in shown


@pytest.mark.long
def test_devices_lists_a_cpu_for_each_backend(nnbench):
    listed = json.loads(nnbench("devices", "--json").stdout)
    for backend in listed:
        assert backend["problem"] is None
        assert backend["devices"][0]["name"] == "cpu"
    assert {one["backend"] for one in listed} == {"tensorflow", "jax", "torch"}


def test_train_tells_draws_saves_and_goes_on(nnbench, tmp_path):
    arguments = ("train", "6,6", "--epochs", "40", "--seed", "1", "--save")
    first = nnbench(*arguments, "one", "--weights", KERAS_BACKEND="jax")
    assert first.returncode == 0, first.stderr
    told = first.stderr.splitlines()
    assert told[0] == "backend jax (KERAS_BACKEND); --backend takes another"
    assert told[1] == "starting jax"
    assert all(re.match(r"\d+/40 epochs, ", line) for line in told[2:])
    for text in ("dense_2", "initial weights", "final weights", "accuracy", "still falling"):
        assert text in first.stdout
    assert (tmp_path / "one" / "training.png").read_bytes().startswith(b"\x89PNG")
    again = nnbench(*arguments, "two", "--json", "--backend", "jax")
    saved = json.loads((tmp_path / "one" / "training.json").read_text())
    assert json.loads(again.stdout)["losses"] == saved["losses"]

    further = nnbench(
        *("train", "--go-on-from", "one", "--epochs", "10", "--save", "three", "--json"),
        KERAS_BACKEND="jax",
    )
    assert further.returncode == 0, further.stderr
    losses = json.loads(further.stdout)["losses"]
    assert losses[:40] == saved["losses"]
    assert losses[40] < losses[39] * 1.01

    (tmp_path / "one" / "final_weights.npz").write_bytes(b"not weights")
    broken = nnbench("train", "--go-on-from", "one", "--epochs", "10")
    assert broken.returncode == 2
    assert "damaged" in broken.stderr
    assert broken.stderr.count("\n") == 1


@pytest.mark.long
def test_train_on_the_compiled_path_ends_where_fit_does(nnbench, tmp_path):
    arguments = ("train", "6,6", "--epochs", "40", "--seed", "1", "--backend", "jax", "--json")
    plain, compiled = (
        json.loads(nnbench(*arguments, "--path", path).stdout)["losses"]
        for path in ("fit", "compiled")
    )
    assert compiled == pytest.approx(plain, rel=1e-4)
    assert [*(tmp_path / "cache" / "programs").rglob("*-cache")]


def test_one_training_has_one_backend(nnbench):
    answer = nnbench("train", "6,6", "--backend", "jax,torch")
    assert answer.returncode == 2
    assert "one backend" in answer.stderr


def test_train_a_csv_with_named_columns(nnbench, tmp_path):
    (tmp_path / "data.csv").write_text(CSV)
    answer = nnbench(
        *("train", "4", "--data", "data.csv", "--label", "fake", "--features", "a,b"),
        *("--standardise", "--epochs", "5", "--json"),
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["epochs"] == 5


@pytest.mark.long
def test_the_regression_ends_below_a_mean_squared_error_of_15(nnbench):
    answer = nnbench("train", "--task", "instagram", "--seed", "3", "--backend", "jax", "--json")
    assert answer.returncode == 0, answer.stderr
    trained = json.loads(answer.stdout)
    assert trained["epochs"] > 5000
    assert trained["losses"][4999] > 1.02 * trained["losses"][-1]
    assert 1 < trained["losses"][-1] < 15


def test_of_an_option_that_is_given_twice_the_last_counts(nnbench):
    answer = nnbench("show", "6,6", "--batch", "3", "--batch", "7", "--json")
    assert json.loads(answer.stdout)[0]["rows_per_step"] == 7
