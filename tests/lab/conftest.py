"""Fixtures: a country for each test, taken down whatever happens."""

import re

import pytest

from country import Country


def pytest_configure(config):
    config.addinivalue_line("markers", "nightly: by hand, for it takes minutes")


@pytest.fixture
def bare():
    """The country without byway."""
    country = Country()
    yield country
    country.down()


@pytest.fixture
def country(bare):
    """The country, to be started by the test with its settings; the daemon's last words show when it fails."""
    yield bare
    bare.lab("byway-stop")
    output = bare.output()
    print(output[-4000:])
    assert not re.search(r"Sanitizer|runtime error:|Assertion", output), "bywayd broke; see its output"


def pytest_configure(config):
    config.addinivalue_line("markers", "nightly: too long, or of programs too large, for scripts/test: by hand")
