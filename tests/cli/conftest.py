"""What tests of the command share."""

from importlib import import_module

import pytest

store = import_module("qprune.report.store")  # `qprune.report` is a function


@pytest.fixture(autouse=True)
def without_drawings(monkeypatch):
    """Pictures of circuits would take most of the time of these tests; what fixtures of modules save has them."""
    monkeypatch.setattr(store, "save_drawings", lambda *_: None)
