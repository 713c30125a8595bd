import copy
import json
import math
import os
import shutil
import time

import pytest
from asv import results as asv_results
from histories import asv_files, interleaved, pytest_benchmark_file, repository

from nnbench.errors import UserError
from nnbench.history import charts, check, table, tables, words
from nnbench.history.annotations import read as read_annotations
from nnbench.history.readers import Row, Skipped, asv, pytest_benchmark

COMMITS = [str(number) * 40 for number in range(1, 9)]


def changed(path, change):
    """The JSON in a file, after `change` was done to it."""
    plain = json.loads(path.read_text())
    answer = change(plain)
    path.write_text(json.dumps(plain if answer is None else answer))
    return path


def asv_result(folder, axes, values, *, known=None, **row):
    """An asv result of one benchmark `b.time_f` with these parameters and values."""
    asv_files(folder, COMMITS[:1], {"b.time_f": [1]})
    changed(folder / "benchmarks.json", lambda _: known if known is not None else {})
    fields = [values, axes, "1", None, None, *([None] * 6)]

    def result(plain):
        plain["results"] = {"b.time_f": fields}
        plain.update(row)

    return changed(next((folder / "host").glob(f"{COMMITS[0][:8]}*")), result)


def of_names(*names, **more):
    return {"b.time_f": {"param_names": list(names), "unit": "seconds", **more}}


def told(path, reader=asv):
    """Values by case, and reasons of what was skipped, of one file."""
    found = list(reader.read(path))
    rows = {one.case: one.value for one in found if isinstance(one, Row)}
    return rows, [one.reason for one in found if isinstance(one, Skipped)]


LOST = [["'a'", "'b'"], ["1", "2"]]


@pytest.mark.parametrize(
    ("axes", "known", "cases"),
    [
        # A parameter less than there was: names of today's are none of these.
        (LOST, of_names("x"), ["p0=a, p1=1", "p0=a, p1=2", "p0=b, p1=1", "p0=b, p1=2"]),
        (LOST, of_names("x", "n"), ["x=a, n=1", "x=a, n=2", "x=b, n=1", "x=b, n=2"]),
        # The same number of parameters, but others.
        ([["1", "2"]], of_names("x", params=[["'a'", "'b'"]]), ["p0=1", "p0=2"]),
        ([["1", "2"]], of_names("x", params=[["2", "3"]]), ["x=1", "x=2"]),
        # Numbers and texts that look like them.
        ([["1", "'1'", "None", "'None'", "''"]], of_names("x"), None),
        ([["list[int]", "list[str]", "'list[int]'"]], {}, None),
        ([["'a, b'", "'a\\n'", "[/]", "'nan'", "nan"]], {}, None),
        ([], {}, [""]),
    ],
)
def test_cases_of_asv_are_the_parameters_it_stored(tmp_path, axes, known, cases):
    count = math.prod(map(len, axes))
    values = [float(number + 1) for number in range(count)]
    path = asv_result(tmp_path, axes, values, known=known)
    if cases is None:
        stored = [one for axis in axes for one in axis]
        if "'list[int]'" in stored:
            rows, skipped = told(path)
            assert rows == {}
            assert "has two cases 'p0=list[int]'" in skipped[0]
            return
        rows, _ = told(path)
        assert list(rows.values()) == values
    else:
        assert told(path) == (dict(zip(cases, values, strict=True)), [])


def test_parameters_are_counted_before_they_are_crossed(tmp_path):
    axes = [[str(number) for number in range(10)]] * 12
    began = time.monotonic()
    rows, skipped = told(asv_result(tmp_path, axes, [1.0] * 10))
    assert rows == {}
    assert "has 10 values, not one for each case of 12 axes" in skipped[0]
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("value", [True, "1", [1.0], {}, 0.0, -1.0, 1e300, 10**400, math.inf])
def test_a_value_that_is_no_time_is_named(tmp_path, value):
    rows, skipped = told(asv_result(tmp_path, [["1", "2"]], [value, 1.0]))
    assert rows == {}
    assert "results.b.time_f.result[0] is no number" in skipped[0]


def test_what_asv_skipped_or_failed_is_no_damage(tmp_path):
    path = asv_result(tmp_path, [["1", "2", "3"]], [None, math.nan, 2.0])
    assert told(path) == ({"p0=3": 2.0}, [])
    assert told(asv_result(tmp_path, [["1", "2"]], None)) == ({}, [])


@pytest.mark.parametrize(
    ("known", "value", "unit", "reason"),
    [
        ([], 1.0, "s", "is no mapping"),
        ({"b.time_f": {"unit": ["s"]}}, None, None, "b.time_f.unit is no text"),
        ({"b.time_f": {"unit": None, "param_names": None}}, 1.0, "s", None),
    ],
)
def test_damage_in_what_asv_says_of_its_benchmarks(tmp_path, known, value, unit, reason):
    found = list(asv.read(asv_result(tmp_path, [], [1.0], known=known)))
    rows = [one for one in found if isinstance(one, Row)]
    assert [(one.value, one.unit) for one in rows] == ([(value, unit)] if value else [])
    skipped = [one for one in found if isinstance(one, Skipped)]
    assert [reason in one.reason for one in skipped] == ([True] if reason else [])
    assert all("benchmarks.json" in one.place for one in skipped)


def test_a_tracked_figure_is_no_time_for_its_module_s_name(tmp_path):
    asv_files(tmp_path, COMMITS[:1], {"my.timers.track_loss": [0.0]})
    changed(tmp_path / "benchmarks.json", lambda _: {})
    (row,) = asv.read(next((tmp_path / "host").glob("*-*")))
    assert (row.value, row.unit) == (0.0, "")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"commit_hash": None}, "commit_hash is missing"),
        ({"commit_hash": "HEAD"}, "commit_hash names no commit"),
        ({"date": None}, "date is missing"),
        ({"date": 9.4e16}, "date is no number"),
        ({"params": {"machine": " "}}, "params.machine says nothing"),
        ({"params": {"machine": "unknown"}}, "params.machine says nothing"),
        ({"params": {"machine": "host", "ram": True}}, "params.ram is no number"),
        ({"version": 3}, "asv's version 3, not 1 or 2"),
        ({"version": None}, "version is missing"),
        ({"results": [1]}, "results is no mapping"),
    ],
)
def test_a_result_of_asv_that_does_not_say_what_it_is_of(tmp_path, change, reason):
    rows, skipped = told(asv_result(tmp_path, [], [1.0], **change))
    assert rows == {}
    assert reason in skipped[0]


def test_asv_s_folder_without_machine_json_is_read(tmp_path):
    asv_files(tmp_path, COMMITS, {"b.time_f": [1] * 8})
    (tmp_path / "host" / "machine.json").unlink()
    assert len(table.read([tmp_path]).table) == 8


def session(folder, medians_s, *, number=0, commit=0, file=None, **session):
    """A session of pytest-benchmark: medians by `fullname`, `param` and `params`."""
    pytest_benchmark_file(folder, COMMITS[commit], 1.0, number=number)
    path = next(folder.glob(f"*/{number:04d}_{COMMITS[commit]}*"))

    def benchmarks(plain):
        (one,) = plain["benchmarks"]
        plain["benchmarks"] = [
            {
                **copy.deepcopy(one),
                "fullname": fullname,
                "param": param,
                "params": params,
                "stats": {**one["stats"], "median": median},
            }
            for (fullname, param, params), median in medians_s
        ]
        plain.update(session)

    changed(path, benchmarks)
    return path.rename(path.with_name(file)) if file else path


def test_sessions_are_known_by_fullname_and_param_never_by_addresses(tmp_path):
    shown = {}
    for kind in ("addresses", "control"):
        for number in range(8):
            spec = f"UNSERIALIZABLE[<function small at 0x7f{number}d8c0>]"
            spec = spec if kind == "addresses" else "small"
            one = ("test_x.py::test_f[small]", "small", {"spec": spec})
            at = 1.0 if number < 5 else 2.0
            session(tmp_path / kind, [(one, at)], number=number, commit=number)
        history = table.read([tmp_path / kind])
        found = words.tell(check.run(history))
        shown[kind] = (history.table.to_csv(), found.summary, found.lines[0].sentence)
    assert shown["addresses"] == shown["control"]
    assert "1 alarm in 1 series over 8 commits" in shown["control"][1]


@pytest.mark.parametrize(
    "params", [("list[int]", "list[str]"), ("first", "second"), ("a][b", "a"), ("[/]", "[red]")]
)
def test_cases_of_one_representation_stay_apart(tmp_path, params):
    same = {"f": "UNSERIALIZABLE[<object>]"}
    one = [
        ((f"a[b]/x.py::test_f[{param}]", param, same), 1.0 + 8 * number)
        for number, param in enumerate(params)
    ]
    for commit in range(2):
        session(tmp_path, one, number=commit, commit=commit)
    found = table.read([tmp_path])
    assert found.table["benchmark"].unique().tolist() == ["a[b]/x.py::test_f"]
    by_case = found.table.groupby("case")["value"].apply(list).to_dict()
    assert by_case == {params[0]: [1.0, 1.0], params[1]: [9.0, 9.0]}
    panels = charts.panels(check.run(found))
    assert [[series.case for series in group] for _, group in panels] == [sorted(params)]


def test_what_collides_in_one_file_is_named_and_no_median(tmp_path):
    twice = ("x.py::test_f[a]", "a", {})
    other = ("x.py::test_f[b]", "b", {})
    path = session(tmp_path, [(twice, 1.0), (other, 2.0), (twice, 9.0)])
    rows, skipped = told(path, pytest_benchmark)
    assert rows == {"b": 2.0}
    assert skipped == [
        "damaged (benchmarks[0].fullname stands there 2 times: 'x.py::test_f[a]')",
        "damaged (benchmarks[2].fullname stands there 2 times: 'x.py::test_f[a]')",
    ]


@pytest.mark.parametrize(
    ("change", "called"),
    [
        ({"fullname": 7}, "benchmarks[1]"),
        ({"param": ["b"]}, "x.py::test_f[b]"),
        ({"stats": None}, "x.py::test_f[b]"),
        (None, "benchmarks[1]"),
    ],
)
def test_a_damaged_benchmark_is_named_and_the_others_are_read(tmp_path, change, called):
    names = [(f"x.py::test_f[{one}]", one, {}) for one in "abc"]
    path = session(tmp_path, [(name, 1.0) for name in names])
    plain = json.loads(path.read_text())
    plain["benchmarks"][1] = change and plain["benchmarks"][1] | change
    path.write_text(json.dumps(plain))
    found = list(pytest_benchmark.read(path))
    assert [one.case for one in found if isinstance(one, Row)] == ["a", "c"]
    assert [one.place for one in found if isinstance(one, Skipped)] == [f"{path}, {called}"]


def test_the_file_of_benchmark_json_is_read_whatever_its_name(tmp_path):
    one = ("x.py::test_f", None, None)
    session(tmp_path, [(one, 1.0)], file="output.json")
    (tmp_path / "package.json").write_text('{"name": "x"}')
    found = table.read([tmp_path])
    assert found.table[["benchmark", "case"]].to_numpy().tolist() == [["x.py::test_f", ""]]
    assert found.skipped == []


def test_a_file_may_be_named_and_its_names_be_sorted(tmp_path):
    path = session(tmp_path, [(("x.py::test_f", None, None), 1.0)], file="output.json")
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True, indent=2))
    assert len(table.read([path]).table) == len(table.read([tmp_path]).table) == 1
    with pytest.raises(UserError, match=r"gone.json is no folder"):
        table.read([tmp_path / "gone.json"])


VERSION_1 = {
    "b.time_f": 1.5,
    "b.track_f": {"result": 7.0},
    "b.time_failed": None,
    "b.time_g": {"result": [2.0, None, 3.0], "params": [["'6x2'", "'6x5'", "'1'"]]},
    "b.time_h": {
        "result": [4.0],
        "params": [],
        "stats": [{"ci_99": [3.9, 4.1], "q_25": 3.9, "q_75": 4.1, "number": 1, "repeat": 10}],
        "samples": [[4.0, 4.1]],
    },
}


def of_version_1(folder):
    """A result of asv before 0.4.2, and the same as `asv update` makes it."""
    asv_files(folder / "old", COMMITS[:1], {"b.time_f": [1]})
    path = next((folder / "old" / "host").glob(f"{COMMITS[0][:8]}*"))

    def old(plain):
        for name in ("result_columns", "durations", "env_vars"):
            del plain[name]
        moments = dict.fromkeys(VERSION_1, 1_700_000_000_000)
        versions = dict.fromkeys(VERSION_1, "f" * 64)
        plain |= {"version": 1, "started_at": moments, "ended_at": moments}
        plain |= {"results": copy.deepcopy(VERSION_1), "benchmark_version": versions}
        return plain

    changed(path, old)
    shutil.copytree(folder / "old", folder / "new")
    changed(folder / "new" / "host" / path.name, lambda plain: updated(plain) | {"version": 2})
    return path, folder / "new" / "host" / path.name


def updated(plain):
    return asv_results.Results.update_to_2(plain)


def test_asv_s_first_version_is_read_as_asv_itself_updates_it(tmp_path):
    old, new = (sorted(asv.read(one), key=str) for one in of_version_1(tmp_path))
    assert list(map(str, old)) == list(map(str, new))
    found = {(one.benchmark, one.case): one.value for one in old}
    assert found == {
        ("b.time_f", ""): 1.5,
        ("b.track_f", ""): 7.0,
        ("b.time_g", "p0=6x2"): 2.0,
        ("b.time_g", "p0='1'"): 3.0,
        ("b.time_h", ""): 4.0,
    }
    (precise,) = [one for one in old if one.benchmark == "b.time_h"]
    assert precise.samples == 10
    assert 0 < precise.log_error < 0.02
    assert table.read([tmp_path / "old"]).skipped == []
    (both,) = table.read([tmp_path]).skipped
    assert "holds what" in both.reason, "a result and what asv made of it count once"


def test_copies_count_once(tmp_path):
    one = ("x.py::test_f", None, None)
    session(tmp_path / "pb", [(one, 1.0)])
    # The same session, saved by --benchmark-autosave and by --benchmark-json.
    session(tmp_path / "pb", [(one, 1.0)], number=1, file="output.json", datetime="2026-01-01")
    asv_files(tmp_path / "asv", COMMITS[:2], {"b.time_f": [1, 2]})
    shutil.copytree(tmp_path / "asv", tmp_path / "asv backup")
    run = interleaved(tmp_path / "results", COMMITS[:2], [1, 1])
    shutil.copytree(run, tmp_path / "results" / "copy of it")
    found = table.read([tmp_path])
    assert found.table.groupby("source")["launches"].apply(list).to_dict() == {
        "asv": [1, 1],
        "nnbench": [5, 5],
        "pytest-benchmark": [1],
    }
    assert len(found.pairs) == 10
    # One word a file, however much is in it.
    assert len([one for one in found.skipped if "holds what" in one.reason]) == 4


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"machine_info": {"user": "me"}}, "machine_info.node is missing"),
        ({"commit_info": {"id": "unversioned", "time": None}}, "commit_info.id names no commit"),
        ({"commit_info": None}, "commit_info.id is missing"),
        ({"commit_info": {"id": COMMITS[0], "time": "3000000-01-01"}}, "is no moment"),
        ({"benchmarks": {}}, "benchmarks is no list"),
    ],
)
def test_a_session_that_does_not_say_what_it_is_of(tmp_path, change, reason):
    path = session(tmp_path, [(("x.py::test_f", None, None), 1.0)], **change)
    rows, skipped = told(path, pytest_benchmark)
    assert rows == {}
    assert reason in skipped[0]


def test_moments_of_all_time_zones_are_one_column(tmp_path):
    one = ("x.py::test_f", None, None)
    times = ("2026-01-01T12:00:00+09:00", "2026-01-01T12:00:00-05:00", None)
    for number, moment in enumerate(times):
        info = {"id": COMMITS[number], "time": moment, "dirty": False}
        session(tmp_path, [(one, 1.0)], number=number, commit=number, commit_info=info)
    found = table.read([tmp_path])
    assert str(found.table["date"].dtype).startswith("datetime64")
    table.export(found, tmp_path / "out.parquet")
    assert found.table["commit"].tolist() == [COMMITS[0], COMMITS[2], COMMITS[1]]


def test_hosts_of_a_single_commit_are_compared_with_none_and_that_is_said(tmp_path, capsys):
    one = ("x.py::test_f", None, None)
    for number in range(8):
        path = session(tmp_path, [(one, 1.0 + (number > 4))], number=number, commit=number)
        changed(path, lambda plain, node=f"az{number}": plain["machine_info"].update(node=node))
    found = table.read([tmp_path])
    said = "8 of 8 hosts measured a single commit: different hosts are never compared"
    assert said in words.tell(check.run(found)).summary
    tables.print_history(found)
    assert said in capsys.readouterr().out


def runner(folder, number, *, cpu="A CPU", node="fv-az{0}-{1}", at=None, system="6.{0}"):
    """A session of the commit of this number, on a rented runner; 2 s from number 5 on."""
    value = at or 1.0 + (number > 4)
    path = session(
        folder, [(("x.py::test_f", None, None), value)], number=number, commit=number % 8
    )

    def machine(plain):
        info = plain["machine_info"]
        info |= {"node": node.format(number, number * 37), "release": system.format(number)}
        info["cpu"]["brand_raw"] = cpu

    return changed(path, machine)


def test_runners_of_one_cpu_model_are_one_host_where_that_is_said(tmp_path):
    for number in range(8):
        runner(tmp_path, number)
    runner(tmp_path, 8, cpu="Another CPU", at=9.0)
    runner(tmp_path, 9, cpu=None, at=9.0)
    runner(tmp_path, 10, node="mine", at=9.0)
    found = table.read([tmp_path], same_host=["elsewhere", "^fv-az"])
    hosts = found.table.groupby("host")["value"].apply(list).to_dict()
    assert hosts == {
        "^fv-az (A CPU x 2)": [1.0] * 5 + [2.0] * 3,
        "^fv-az (Another CPU x 2)": [9.0],
        "fv-az9-333": [9.0],
        "mine": [9.0],
    }
    joined = found.table[found.table["host"].str.endswith("(A CPU x 2)")]
    assert joined["environment"].nunique() == 1, "a kernel's release does not matter"
    said = [f"{one.place}: {one.reason}" for one in found.skipped]
    assert said == [
        "pytest-benchmark on fv-az9-333: its CPU's model is not known: it is a host of its own"
    ]
    told = words.tell(check.run(found))
    assert "1 alarm in 1 series over 8 commits" in told.summary
    apart = table.read([tmp_path])
    assert apart.table["host"].nunique() == 11
    assert "--same-host REGEX" in words.unpaired(apart)


def test_groups_of_same_host_keep_kinds_of_runners_apart(tmp_path):
    for number in range(4):
        runner(tmp_path, number, node=("large-{0}", "small-{0}")[number % 2])
    found = table.read([tmp_path], same_host=[r"(\w+)-\d+$"])
    assert set(found.table["host"]) == {"large (A CPU x 2)", "small (A CPU x 2)"}


def test_python_still_keeps_runners_apart(tmp_path):
    for number in range(2):
        path = runner(tmp_path, number)
        changed(path, lambda plain, n=number: plain["machine_info"].update(python_version=f"3.{n}"))
    assert table.read([tmp_path], same_host=["fv"]).table["environment"].nunique() == 2


def test_runs_and_results_of_asv_on_runners_are_joined_as_well(tmp_path):
    for number in range(2):
        commits = COMMITS[2 * number : 2 * number + 2]
        run = interleaved(tmp_path / "runs", commits, [1, 1], name=f"run{number}")
        machine = {"host": f"ci-{number}", "memory_bytes": 10**9 + number}
        changed(run / "run.json", lambda plain, m=machine: plain["fingerprint"].update(m))
        asv_files(tmp_path / "asv", commits, {"b.time_f": [1, 2]}, machine=f"ci-{number}")
        for path in (tmp_path / "asv" / f"ci-{number}").glob("*-*"):
            if path.name != "machine.json":
                changed(path, lambda plain, n=number: plain["params"].update(ram=f"1637{n}"))
    found = table.read([tmp_path], same_host=["^ci-"])
    joined = found.table.groupby("source")["commit"].apply(sorted).to_dict()
    assert joined == {"asv": COMMITS[:4], "nnbench": COMMITS[:4]}
    assert found.table.groupby("source")["host"].nunique().to_list() == [1, 1]
    assert len(set(found.pairs["host"])) == 1
    assert {len(one.commits) for one in check.run(found).series} == {4}


@pytest.mark.parametrize("part", ["host", "python", "cpu", "versions"])
@pytest.mark.parametrize("value", [None, ""])
def test_runs_of_nobody_knows_where_are_no_history(tmp_path, part, value):
    run = interleaved(tmp_path, COMMITS[:2], [1, 1])
    changed(run / "run.json", lambda plain: plain["fingerprint"].update({part: value}))
    found = table.read([tmp_path])
    assert found.table.empty
    assert f"{part}" in found.skipped[0].reason


def places(plain, here=()):
    """The way to everything inside of JSON."""
    yield here
    keys = (
        plain if isinstance(plain, dict) else range(len(plain)) if isinstance(plain, list) else ()
    )
    for key in keys:
        yield from places(plain[key], (*here, key))


DAMAGE = (
    None,
    True,
    0,
    -1,
    1e999,
    math.nan,
    10**400,
    "",
    "[/]\x1b[31m\u202e\u2028",
    "x" * 10_000,
    "\ud800",
    [],
    {},
    [None],
    {"a": 1},
    [[["1"] * 10] * 12],
)


def damaged(plain):
    """Each value in it replaced by each kind of damage."""
    for place in places(plain):
        for value in DAMAGE:
            whole = {"": copy.deepcopy(plain)}
            inside = whole
            for key in ("", *place)[:-1]:
                inside = inside[key]
            inside[("", *place)[-1]] = value
            yield whole[""]


@pytest.mark.parametrize("reader", [asv, pytest_benchmark])
def test_any_value_may_be_damaged(tmp_path, reader):
    asv_files(tmp_path / "asv", COMMITS[:1], {"b.time_f": [1]})
    extra = {"versions": {"keras": "3"}, "disturbed": 0.5, "pace_s": 1, "digest": "a"}
    pytest_benchmark_file(tmp_path / "pytest_benchmark", COMMITS[0], 1.0, extra=extra)
    folder = tmp_path / reader.__name__.rpartition(".")[2]
    (path,) = [one for one in folder.glob("*/*.json") if one.name != "machine.json"]
    good = list(reader.read(path))
    # What is not read may be anything.
    assert read_damaged(path, reader, good) > 30


def test_any_value_of_asv_s_first_version_may_be_damaged(tmp_path):
    path, _ = of_version_1(tmp_path)
    few = ("b.time_f", "b.time_h")
    changed(path, lambda plain: plain | {"results": {one: plain["results"][one] for one in few}})
    assert read_damaged(path, asv, list(asv.read(path))) > 10


def read_damaged(path, reader, good):
    """How many of the ways to damage a file left its rows as they were; none does worse."""
    kept = 0
    for plain in damaged(json.loads(path.read_text())):
        path.write_text(json.dumps(plain))
        found = list(reader.read(path))
        rows = [one for one in found if isinstance(one, Row)]
        kept += rows == good
        for one in rows:
            assert 0 < one.value < 1e9
            assert not one.log_error < 0
            assert 1 <= one.samples < 1 << 60
            assert one.host.strip()
        for one in found:
            shown = one.reason if isinstance(one, Skipped) else str(one)
            shown.encode()
            assert not isinstance(one, Skipped) or (shown.isprintable() and len(shown) < 300)
    return kept


@pytest.mark.parametrize(
    "content",
    [b"", b"[" * 100_000, b'{"commit_hash": [', b"\xff\xfe{", b"null"],
    ids=["empty", "deep", "cut", "no text", "null"],
)
def test_files_that_are_no_json(tmp_path, content):
    asv_files(tmp_path / "asv", COMMITS[:2], {"b.time_f": [1, 2]})
    session(tmp_path / "pb", [(("x.py::test_f", None, None), 1.0)])
    run = interleaved(tmp_path / "results", COMMITS[:2], [1, 1], digests=["a", "a"])
    for path in (*tmp_path.glob("*/*/[0-9]*.json"), run / "numerics.jsonl"):
        path.write_bytes(content)
    os.mkfifo(tmp_path / "asv" / "host" / "pipe.json")
    (tmp_path / "asv" / "host" / "loop.json").symlink_to("loop.json")
    found = table.read([tmp_path])
    assert found.table["source"].unique().tolist() == ["nnbench"]
    assert len({one.place for one in found.skipped}) >= 5


@pytest.mark.parametrize(
    "content",
    [
        b'{"annotations": [{"commit": 1, "text": "a"}]}',
        b'{"annotations": {"commit": "a"}}',
        b'{"annotations": [{"commit": "a", "text": "b", "match": "("}]}',
        b'{"annotations": [{"commit": "a", "text": "b", "match": "a{99999999999}"}]}',
        b'{"annotations": [{"commit": "a", "text": "b", "author": "c"}]}',
        b"[" * 100_000,
        b"{}",
    ],
)
def test_damaged_remarks_are_one_line(tmp_path, content):
    path = tmp_path / "remarks.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is no file of annotations") as failed:
        read_annotations(path)
    assert str(failed.value).isprintable()


def test_a_regular_expression_that_is_none_is_a_mistake(tmp_path):
    commits = repository(tmp_path, 1)
    asv_files(tmp_path / "asv", commits, {"b.time_f": [1]})
    for text in ("(", "a{99999999999}", "(" * 20_000):
        with pytest.raises(UserError, match="is no regular expression"):
            table.choose(table.read([tmp_path]), [text])
