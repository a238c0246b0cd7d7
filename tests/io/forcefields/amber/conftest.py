"""Topologies that AMBER's own programs have made."""

from pathlib import Path

import pytest


@pytest.fixture(scope="package")
def amber(data) -> Path:
    return data / "programs" / "amber"
