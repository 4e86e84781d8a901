"""scripts/release refuses what is not ready, and tags and packs what is. In a repository of its own, with a scripts/check that only says what it is told."""

import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest

SOURCES = pathlib.Path(__file__).parents[2]
SECTION = "### Added\n\n- A *first* thing,\n  in two lines.\n\n### Fixed\n\n- `#` stays."
CHANGES = f"# Changelog\n\n## Unreleased\n\n## 1.2.0, 2026-11-29\n\n{SECTION}\n\n## 1.1.0, 2026-10-01\n\n- Old.\n"
MESON = "project('byway', 'c',\n  version: '1.2.0',\n  license: 'ISC')\ndep = dependency('x', version: '>=9.9.9')\n"
SPEC = "%{!?byway_version: %global byway_version 1.2.0}\nVersion: %{byway_version}\n"
PERSON = {"GIT_AUTHOR_NAME": "tests", "GIT_AUTHOR_EMAIL": "tests@example.org", "GIT_COMMITTER_NAME": "tests",
          "GIT_COMMITTER_EMAIL": "tests@example.org", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


class Repository:
    def __init__(self, root):
        self.root = root
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | PERSON
        self.git("init", "-q", "-b", "main", ".")
        for name in ("scripts/release", "scripts/lib/common.sh"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SOURCES / name, root / name)
        self.write("scripts/check", "#!/bin/sh\necho checked\n")
        (root / "scripts/check").chmod(0o755)
        self.write("meson.build", MESON)
        (root / "config/rpm").mkdir(parents=True)
        self.write("config/rpm/byway.spec", SPEC)
        self.write("CHANGELOG.md", CHANGES)
        self.commit()
        self.git("tag", "-a", "-m", "old", "v1.1.0")
        self.git("tag", "-a", "-m", "older, and no number by its letters", "v1.0.10")

    def write(self, name, text):
        (self.root / name).write_text(text)

    def git(self, *words):
        return subprocess.run(["git", *words], cwd=self.root, env=self.environment, check=True, capture_output=True,
                              text=True).stdout

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")

    def release(self, *words):
        return subprocess.run([self.root / "scripts/release", *words], cwd=self.root.parent, env=self.environment,
                              check=False, capture_output=True, text=True, timeout=60)

    def tags(self):
        return self.git("tag", "--list").split()


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "tree").mkdir()
    return Repository(tmp_path / "tree")


def changed(name, before, after):
    def prepare(repository):
        text = (repository.root / name).read_text()
        assert before in text
        repository.write(name, text.replace(before, after, 1))
        repository.commit()
    return prepare


def other_branch(repository):
    repository.git("checkout", "-q", "-b", "other")


def no_branch(repository):
    repository.git("checkout", "-q", "--detach")


def touched(repository):
    repository.write("meson.build", MESON + "\n")


def untracked(repository):
    repository.write("new", "")


def tagged(repository):
    repository.git("tag", "v1.2.0")


def tagged_later(repository):
    repository.git("tag", "v1.10.0")


def moves_on(repository):
    repository.write("scripts/check", "#!/bin/sh\ngit commit -q --allow-empty -m more\n")
    repository.commit()


def leaves_dirt(repository):
    repository.write("scripts/check", "#!/bin/sh\n: >dirt\n")
    repository.commit()


REFUSALS = [  # what is wrong, and what is said of it
    (other_branch, "on the branch main"),
    (no_branch, "on the branch main"),
    (touched, "the tree differs"),
    (untracked, "the tree differs"),
    (tagged, "the tag v1.2.0 is there already"),
    (tagged_later, "1.2.0 is not greater than the last version, 1.10.0"),
    (changed("meson.build", "1.2.0", "1.3.0"), "meson.build says version 1.3.0"),
    (changed("config/rpm/byway.spec", "1.2.0", "1.1.0"), "config/rpm/byway.spec has another version"),
    (changed("CHANGELOG.md", "## 1.2.0, 2026-11-29", "## 1.2.0, unreleased"), 'no section "## 1.2.0, YYYY-MM-DD"'),
    (changed("CHANGELOG.md", "## 1.2.0, 2026-11-29", "## 1.2.0, 2026-13-29"), 'no section "## 1.2.0, YYYY-MM-DD"'),
    (changed("CHANGELOG.md", "## 1.2.0,", "## 1x2.0,"), 'no section "## 1.2.0, YYYY-MM-DD"'),
    (changed("CHANGELOG.md", SECTION, ""), "the section of 1.2.0 in CHANGELOG.md is empty"),
    (changed("CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n- More.\n"), "something under Unreleased"),
    (changed("scripts/check", "echo checked", "exit 1"), "scripts/check failed"),
    (moves_on, "another commit was checked out meanwhile"),
    (leaves_dirt, "the tree differs"),
]


@pytest.mark.parametrize(("prepare", "said"), REFUSALS, ids=[said.replace(" ", "-")[:40] for _, said in REFUSALS])
def test_what_is_not_ready_is_refused(repository, tmp_path, prepare, said):
    prepare(repository)
    before = repository.tags()
    done = repository.release("--archive", str(tmp_path / "out"), "1.2.0")
    assert done.returncode == 1 and said in done.stderr, done
    assert repository.tags() == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [(), ("1.2",), ("v1.2.0",), ("1.2.0-rc1",), ("1.02.0",), ("1.2.0", "1.3.0"), ("--archive",),
                                   ("--archive", "", "1.2.0"), ("--push", "1.2.0")], ids=" ".join)
def test_wrong_usage(repository, words):
    done = repository.release(*words)
    assert done.returncode == 2 and done.stderr.startswith("release: "), done
    assert "v1.2.0" not in repository.tags()


def test_a_version_is_tagged_with_its_changes(repository):
    done = repository.release("1.2.0")
    assert done.returncode == 0 and "next: git push origin main v1.2.0" in done.stdout, done
    assert "checked" in done.stderr
    assert repository.git("cat-file", "-t", "v1.2.0") == "tag\n"
    assert repository.git("rev-parse", "v1.2.0^{commit}") == repository.git("rev-parse", "HEAD")
    message = repository.git("cat-file", "tag", "v1.2.0").split("\n\n", 1)[1]
    assert message == f"byway 1.2.0\n\n{SECTION}\n"
    again = repository.release("1.2.0")
    assert again.returncode == 1 and "is there already" in again.stderr


def test_the_same_commit_gives_the_same_archive(repository, tmp_path):
    archives = []
    for folder in ("one", "two"):
        done = repository.release("--archive", folder, "1.2.0")  # beside the tree: from where it was called
        assert done.returncode == 0, done
        assert [path.name for path in (tmp_path / folder).iterdir()] == ["byway-1.2.0.tar.xz"]
        archives.append((tmp_path / folder / "byway-1.2.0.tar.xz").read_bytes())
        repository.git("tag", "-d", "v1.2.0")
    assert archives[0] == archives[1]
    with tarfile.open(tmp_path / "one" / "byway-1.2.0.tar.xz") as archive:
        names = set(archive.getnames())
        assert {"byway-1.2.0/meson.build", "byway-1.2.0/scripts/release"} <= names
        assert all(name.split("/")[0] == "byway-1.2.0" for name in names)
        assert archive.getmember("byway-1.2.0/scripts/release").mode & 0o777 == 0o755


def test_the_changelog_has_the_version_that_is_built():
    built = next(line for line in (SOURCES / "meson.build").read_text().splitlines() if line.startswith("  version: "))
    version = built.split("'")[1]
    headings = [line for line in (SOURCES / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert any(heading == "## Unreleased" or heading.startswith(f"## {version}, ") for heading in headings), headings
