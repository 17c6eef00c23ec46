"""What each command takes, beside the flags that it shares with others."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser

from qprune.cli.options import BUNDLE, add_bundle, add_common, add_folder, add_limits, add_settings
from qprune.geometry.supremum import GAP
from qprune.limits.certify_everywhere import MOST_RUNS_ASKED


def add_prune(command: ArgumentParser) -> None:
    add_bundle(command)
    add_folder(command, "--out", "folder for the result; without it only the table is printed")
    add_limits(command)
    add_settings(command)
    command.add_argument(
        "--tradeoff",
        type=_points,
        help="points of the report's curve, one pruning each (default 12; 0 with --refit, --accuracy, --under-noise)",
    )


def add_frontier(command: ArgumentParser) -> None:
    add_bundle(command)
    add_folder(command, "--out", "folder for one result per size, frontier.html and frontier.png")
    command.add_argument("--budgets", type=float, nargs="+", help="largest measured deviations to allow")
    command.add_argument("--no-refit", action="store_true", help="leave the surviving weights where they are")
    add_common(command)


def add_result(command: ArgumentParser, more: str = "") -> None:
    add_folder(command, "result", f"folder that `qprune prune --out` wrote{more}")


def add_certify(command: ArgumentParser) -> None:
    add_result(command, "; it is written anew")
    command.add_argument("--gap", type=float, default=GAP, help=f"of the proven limit, relative (default {GAP})")
    command.add_argument("--time-limit", type=float, help="seconds for runs and search")
    command.add_argument(
        "--most-runs", type=int, default=MOST_RUNS_ASKED, help="refuse what takes more runs (default %(default)s)"
    )


def add_show(command: ArgumentParser) -> None:
    add_result(command)
    command.add_argument("--all", action="store_true", help="list kept gates too")


def add_suggest(command: ArgumentParser) -> None:
    add_folder(command, "bundle", BUNDLE)


def add_new(command: ArgumentParser) -> None:
    add_folder(command, "bundle", "folder to make")
    command.add_argument("--force", action="store_true", help="replace an earlier bundle there")


def add_nothing(command: ArgumentParser) -> None:
    """The command is whole without arguments."""


def _points(text: str) -> int:
    if not text.isdecimal() or int(text) == 1:
        raise argparse.ArgumentTypeError(f"must be an integer ≥ 2, or 0 for no curve, got {text!r}")
    return int(text)
