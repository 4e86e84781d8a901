"""Fixtures: those of tests/integration, the package of the last commit, and a Debian to install it in."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

INTEGRATION = pathlib.Path(__file__).resolve().parents[1] / "integration"
ROOT = INTEGRATION.parents[1]


def of_integration():
    """All that its conftest has, which cannot be imported by its name: that is this file's as well."""
    sys.path.insert(0, str(INTEGRATION))
    spec = importlib.util.spec_from_file_location("integration_conftest", INTEGRATION / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


globals().update(of_integration())
import chroot as chroots  # it needs modules of tests/integration


def made_of():
    """The commit that build/packages was made of."""
    kept = ROOT / "build/packages/commit"
    return kept.read_text(encoding="ascii").strip() if kept.exists() else None


@pytest.fixture(scope="session")
def package():
    """The Debian package of the last commit, from scripts/package, which is called if that has not been done."""
    if not (ROOT / ".git").exists():
        pytest.skip("packages are made of a commit")
    head = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    if made_of() != head:
        subprocess.run([str(ROOT / "scripts/package")], check=True, timeout=600)
    path, = (ROOT / "build/packages").glob("byway_*.deb")
    return path


@pytest.fixture(scope="session")
def chroot(package):
    with chroots.debian(package) as debian:
        yield debian
