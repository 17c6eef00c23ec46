"""The command `qprune`."""

from qprune.cli.command import main

__all__ = ["main"]
