"""Which rounds hosts are given, and what of their records is kept."""

import asyncio
import json

import pytest
from runs import FINGERPRINT, make_run

from nnbench.cluster import book as books
from nnbench.cluster import client, settings
from nnbench.cluster import host as host_side
from nnbench.errors import UserError
from nnbench.store import runs

NAMES = ("round", "side", "block", "case", "trial_kind", "sweep")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A run of three launches, as any host would measure it."""
    return make_run(tmp_path_factory.mktemp("measured"), {"6,6": {}, "8": {"step": 0.002}})


@pytest.fixture
def opened(tmp_path, measured):
    """Open the book of a study of three launches in `results`, as often as it is asked for."""
    here = []

    def open_book(**changes):
        while here:
            here.pop().close()
        wanted = {**measured.specification, "launches": 3, books.EVERY_HOST: False, **changes}
        if not (tmp_path / "results" / "study").exists():
            books.FORMAT.create(tmp_path / "results", "study", wanted, FINGERPRINT)
        here.append(books.Book(tmp_path / "results" / "study"))
        return here[0]

    yield open_book
    while here:
        here.pop().close()


def host(book, name):
    run = book.run_of({**FINGERPRINT, "host": name})
    book.seen(run.name)
    return run


def lines_of(run, *rounds):
    found = [record for record in (*run.launches, *run.trials) if record["round"] in rounds]
    found.sort(key=lambda one: (one["launch"], one["kind"] == "trial"))
    return [json.dumps(record) for record in found]


def begin(book, name):
    number = book.next_round(name)
    if number is not None:
        book.active.add((name, number))
    return number


def end(book, name, number):
    book.active.discard((name, number))
    book.end(name, number)


def test_hosts_share_the_launches(opened):
    book = opened()
    host(book, "a"), host(book, "b")
    assert [begin(book, name) for name in ("a", "b", "a", "b")] == [0, 1, 2, None]
    for one in list(book.active):
        end(book, *one)
    assert book.study.is_complete


def test_a_launch_stays_with_its_host_and_others_take_a_new_one_when_it_is_gone(
    opened, monkeypatch
):
    book = opened()
    host(book, "a"), host(book, "b")
    assert (begin(book, "a"), begin(book, "b")) == (0, 1)
    book.active.discard(("b", 1))
    end(book, "a", 0)
    assert begin(book, "a") == 2
    # b may still come back to its launch, which a does not get.
    end(book, "a", 2)
    assert begin(book, "a") is None
    assert begin(book, "b") == 1
    book.active.discard(("b", 1))
    monkeypatch.setattr(books, "ABSENT_S", 0.0)
    assert begin(book, "a") == 3
    assert begin(book, "b") is None
    # Another process finds all that on disk.
    again = opened()
    assert again.identity == book.identity
    assert again.study.given == [("a", 0), ("b", 1), ("a", 2), ("a", 3)]
    assert again.study.ended == {("a", 0), ("a", 2)}


def test_what_was_taken_is_not_taken_twice_and_is_counted_when_it_is_read_again(opened, measured):
    book = opened()
    one = host(book, "a")
    lines = lines_of(measured, 0, 1)
    one.take(lines[:50])
    one.take(lines[30:])
    kept = runs.read(one.folder)
    assert kept.damage == []
    assert [*map(json.loads, lines)] == [
        json.loads(line) for line in (one.folder / runs.TRIALS_FILE).read_text().splitlines()
    ]
    counts = dict(one.trials), one.next_launch, one.next_trial, one.work_done
    again = host(opened(), "a")
    assert (dict(again.trials), again.next_launch, again.next_trial, again.work_done) == counts
    assert {tuple(key) for key in again.have(1)} == {
        tuple(trial[name] for name in NAMES) for trial in measured.trials if trial["round"] == 1
    }


def test_a_host_that_has_changed_is_another(opened):
    book = opened()
    host(book, "a")
    changed = book.run_of({**FINGERPRINT, "host": "a", "versions": {"keras": "9"}})
    assert changed.name == "a-2"
    assert changed.folder.name == "study-a-2"


def test_every_host_measures_all_where_hosts_are_compared(opened):
    book = opened(**{books.EVERY_HOST: True})
    for name in "ab":
        host(book, name)
        for number in range(3):
            assert not book.study.is_complete
            assert begin(book, name) == number
            end(book, name, number)
        assert begin(book, name) is None
    assert book.study.is_complete


def test_hosts_are_compared_on_purpose_only(opened, measured, nnbench, tmp_path):
    book = opened()
    for name, rounds in {"a": (0, 1, 2), "b": (0, 1)}.items():
        host(book, name).take(lines_of(measured, *rounds))
    book.close()
    answer = nnbench("compare", "--hosts", "results/study")
    assert answer.returncode == 0, answer.stderr
    assert "results/study-b/compare-with-study-a.html" in answer.stdout
    assert "host a and b" in answer.stdout
    folders = "results/study-a", "results/study-b"
    of_two = nnbench("compare", *folders, "--unlike", "--require-decision", "--phase", "step")
    every = nnbench("compare", "--hosts", "results/study", "--require-decision", "--phase", "step")
    assert every.returncode == of_two.returncode == 3
    assert " step: " in every.stdout
    assert " epoch: " not in every.stdout
    unasked = nnbench("compare", *folders)
    assert unasked.returncode == 2
    assert "host a and b" in unasked.stderr


def test_a_host_that_is_slower_fails_as_a_slower_commit_does(opened, nnbench, tmp_path):
    book = opened()
    for name, step_s in {"a": 0.001, "b": 0.002}.items():
        times = {"6,6": {"step": step_s}}
        of_host = make_run(tmp_path / name, times, launches=8, spread=0.005)
        host(book, name).take(lines_of(of_host, *range(8)))
    book.close()
    command = ("compare", "--hosts", "results/study")
    assert nnbench(*command, "--phase", "step").returncode == 1
    assert nnbench(*command, "--phase", "cold").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "6,6", "--cluster", "here"), "'here' is no address of a scheduler"),
        (("run", "--cluster", "tcp://a:1", "--workers", "2"), "give one of them"),
        (
            ("run", "6,6", "--workers", "2", "--budget", "1min"),
            "give --launches, which hosts share",
        ),
        (("compare", "--hosts"), "name their scheduler with --cluster"),
        (("compare", "--hosts", "a", "--junit", "b.xml"), "compare two hosts' folders with"),
        (("compare", "a", "b", "--workers", "2"), "are for --hosts"),
        (("worker", "here"), "'here' is no address of a scheduler"),
        (("run", "6,6", "--cluster", "tcp://127.0.0.1:1"), "start one with dask scheduler"),
    ],
)
def test_what_cannot_be_asked_of_a_cluster_is_said(nnbench, monkeypatch, arguments, told):
    monkeypatch.setattr(client, "CONNECT_S", 0.3)
    answer = nnbench(*arguments)
    assert answer.returncode == 2
    assert told in answer.stderr
    assert len(answer.stderr.splitlines()) <= 2


def test_a_worker_that_would_spoil_timing_says_why():
    from distributed import Scheduler, Worker

    async def faults(**options):
        settings.hush()
        scheduler = Scheduler(port=0, dashboard_address="127.0.0.1:0")
        async with scheduler, Worker(scheduler.address, **options) as worker:
            return settings.faults(worker)

    import dask

    told = asyncio.run(faults(nthreads=2))
    for part in ("2 threads", "resource timing is not set", "profiler", "memory limit"):
        assert any(part in one for one in told), told
    with dask.config.set(settings.WORKER):
        assert asyncio.run(faults(**settings.worker_options())) == []


def test_a_worker_that_is_silent_or_gone_is_left(monkeypatch):
    seen = {"a": 1.0, "b": 1.0}

    class Scheduler:
        async def identity(self, n_workers):
            return {"workers": {name: {"last_seen": moment} for name, moment in seen.items()}}

    class Client:
        scheduler = Scheduler()

    async def watched():
        hosts = client.Hosts(Client(), client.Files({}, {}, {}), print)
        found = [await hosts.there()]
        await asyncio.sleep(0.1)
        seen["a"] = 2.0
        found.append(await hosts.there())
        seen["b"] = 3.0
        found.append(await hosts.there())
        del seen["a"]
        return [*found, await hosts.there()]

    monkeypatch.setattr(client, "SILENT_S", 0.05)
    assert asyncio.run(watched()) == [{"a", "b"}, {"a"}, {"a", "b"}, {"b"}]


def test_what_could_not_be_sent_is_sent_first_next_time(tmp_path):
    sent = []

    def send(lines):
        if len(sent) == 2:
            raise host_side.GoneError("no answer")
        sent.append(lines)

    box = host_side.Outbox(tmp_path, "first", send)
    box.append({"trial": 0})
    # Turns of steps wait for those that soon follow.
    box.append({"trial": 1}, sync=False)
    box.append({"trial": 2}, sync=False)
    assert sent == [['{"trial": 0}']]
    box.append({"trial": 3})
    assert len(sent[1]) == 3
    with pytest.raises(host_side.GoneError):
        box.append({"trial": 4})
    box.close(forget=False)
    with (tmp_path / "first.jsonl").open("a") as file:
        file.write('{"trial": 5')
    files, lines = host_side.left_over(tmp_path)
    assert files == [tmp_path / "first.jsonl"]
    assert [json.loads(line)["trial"] for line in lines] == [0, 1, 2, 3, 4]


def test_a_file_arrives_in_pieces_and_is_there_when_it_is_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("NNBENCH_CACHE", str(tmp_path))
    whole = tmp_path / "cluster" / "files" / "digest"
    host_side.receive("digest", 0, b"one ", is_last=False, sender="x")
    assert not whole.exists()
    host_side.receive("digest", 4, b"two", is_last=True, sender="x")
    assert whole.read_bytes() == b"one two"


def test_a_host_whose_disk_takes_nothing_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(host_side, "folder", lambda: tmp_path / "file" / "cluster")
    with pytest.raises(UserError, match="cannot be written there: Not a directory"):
        host_side.receive("digest", 0, b"piece", is_last=True, sender="me")


def test_a_channel_that_another_scheduler_does_not_know_is_a_lost_connection():
    async def ask():
        from distributed import Client, Queue, Scheduler

        async with (
            Scheduler(host="127.0.0.1", port=0, dashboard_address=":0") as scheduler,
            Client(scheduler.address, asynchronous=True, set_as_default=False) as connection,
        ):
            queue = await Queue("up", client=connection)
            await client.told(queue, {"taken": 1})
            assert await client.heard(queue) == {"taken": 1}
            # What a scheduler that was started again has of the queues that there were.
            scheduler.extensions["queues"].queues.clear()
            with pytest.raises(ConnectionError, match="began anew"):
                await client.heard(queue)
            with pytest.raises(ConnectionError, match="began anew"):
                await client.told(queue, {"taken": 1})

    asyncio.run(ask())
