import subprocess

import pytest
from histories import asv_files, repository

from nnbench.errors import UserError
from nnbench.history import table
from nnbench.history.commits import chosen, log
from nnbench.machine import git
from nnbench.measure import environments

PEOPLE = (
    b"author A <a@example.org> 1700000000 +0100\ncommitter A <a@example.org> 1700000000 +0100\n"
)
MESSAGES = {
    "not UTF-8": (PEOPLE, b"Couche cach\xe9e plus large", "Couche cach\ufffde plus large"),
    "told Latin-1": (PEOPLE + b"encoding ISO-8859-1\n", b"cach\xe9e", "cachée"),
    "line separator": (PEOPLE, "pasted\u2028from a page".encode(), "pasted\u2028from a page"),
    "next line": (PEOPLE, "one\u0085two".encode(), "one\u0085two"),
    "form feed": (PEOPLE, b"one\x0ctwo\x1cthree\rfour", "one\x0ctwo\x1cthree\rfour"),
    "tab": (PEOPLE, b"one\ttwo", "one\ttwo"),
    "none": (PEOPLE, b"", ""),
    "blank": (PEOPLE, b"\n\n \n", ""),
    "year 3,000,000": (PEOPLE.replace(b"1700000000", b"94608000000000"), b"late", "late"),
    "no author": (PEOPLE.partition(b"\n")[2], b"nobody's", "nobody's"),
    "signed": (PEOPLE + b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n =x\n", b"signed", "signed"),
}


def commit_anything(folder, headers, message):
    """A commit of these bytes on top of the last one, which git itself would not make."""

    def ask(*arguments, given=None):
        command = ["git", *arguments]
        return subprocess.run(command, cwd=folder, input=given, capture_output=True, check=True)

    tree, parent = (ask("rev-parse", name).stdout.strip() for name in ("HEAD^{tree}", "HEAD"))
    content = b"tree %b\nparent %b\n%b\n%b" % (tree, parent, headers, message)
    made = ask("hash-object", "-t", "commit", "-w", "--literally", "--stdin", given=content)
    ask("update-ref", "HEAD", made.stdout.strip().decode())
    return made.stdout.strip().decode()


def test_commits_of_any_message_author_and_date_are_read(tmp_path):
    repository(tmp_path, 1)
    subprocess.run(["git", "config", "log.showSignature", "true"], cwd=tmp_path, check=True)
    made = [commit_anything(tmp_path, *told[:2]) for told in MESSAGES.values()]
    found = {commit.name: commit.subject for commit in log(tmp_path)}
    assert list(found)[1:] == made
    assert [found[name] for name in made] == [told[2] for told in MESSAGES.values()]


@pytest.mark.parametrize("name", ["--output=stolen", "-p", "--all", "--", "", "HEAD\nHEAD", "a\0b"])
def test_names_are_never_options_of_git(tmp_path, name, monkeypatch):
    repository(tmp_path, 2)
    monkeypatch.chdir(tmp_path)
    for ask in (
        lambda: log(tmp_path, name),
        lambda: chosen(tmp_path, [name]),
        lambda: chosen(tmp_path, [f"{name}..HEAD"]),
        lambda: chosen(tmp_path, [f"HEAD..{name or 'x'}"]),
        lambda: environments.resolve(name or "x"),
    ):
        with pytest.raises(UserError):
            ask()
    assert not list(tmp_path.glob("*stolen*"))


def test_a_repository_that_is_none_is_a_mistake_and_none_is_needed(tmp_path, monkeypatch):
    commits = repository(tmp_path / "repo", 2)
    asv_files(tmp_path / "asv", commits, {"time_x": [1, 2]})
    monkeypatch.chdir(tmp_path)
    assert len(table.read_chosen([tmp_path / "asv"]).table) == 2
    for repo, branch in ((tmp_path / "asv", None), (tmp_path / "gone", None), (None, "main")):
        with pytest.raises(UserError, match="names no commits of a git repository"):
            table.read_chosen([tmp_path / "asv"], (), repo, branch)
    (tmp_path / "new").mkdir()
    git.ask(tmp_path / "new", "init", "--quiet")
    monkeypatch.chdir(tmp_path / "new")
    assert len(table.read_chosen([tmp_path / "asv"]).table) == 2


def test_what_else_git_refuses_is_told_where_dates_order(tmp_path, monkeypatch):
    commits = repository(tmp_path / "repo", 2)
    asv_files(tmp_path / "asv", commits, {"time_x": [1, 2]})
    (tmp_path / "repo" / ".git" / "refs" / "heads" / "main").write_text("0" * 40 + "\n")
    monkeypatch.chdir(tmp_path / "repo")
    found = table.read_chosen([tmp_path / "asv"])
    assert len(found.table) == 2
    assert [one.place for one in found.skipped] == ["the repository"]
    assert found.skipped[0].reason.endswith("ordered by date")


def test_a_commit_of_no_branch_is_chosen(tmp_path):
    commits = repository(tmp_path, 3)
    git.ask(tmp_path, "update-ref", names=["refs/heads/main", commits[0]])
    assert [one.name for one in chosen(tmp_path, [commits[2], commits[1]])] == commits[1:]


def test_git_is_asked_for_the_ends_of_a_range_however_long_it_is(tmp_path, monkeypatch):
    names = repository(tmp_path, 6)
    given = []

    def ask(*arguments, names=(), ask=git.ask, **options):
        given.append(len(names))
        return ask(*arguments, names=names, **options)

    monkeypatch.setattr(git, "ask", ask)
    found = [one.name for one in chosen(tmp_path, [f"{names[1]}..{names[4]}", names[0]])]
    assert found == [names[0], *names[1:5]]
    assert max(given) == 3
