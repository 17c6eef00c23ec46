"""`python -m tests.soak`: run, replay or count cases. Exit status 1 if a case failed."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes would fight over the cores

from .run_case import KINDS
from .runner import case_of, replay, run
from .shrink import describe, failing_claim, shrunk, situation_of
from .summary import text, write_readme


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000, help="how many, one seed each (default 1000)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--out", type=Path, default=Path("out/soak"), help="folder of rows and failures")
    parser.add_argument("--first-seed", type=int, default=0, help="where the seeds begin (default 0)")
    parser.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=tuple(KINDS), help="default: all")
    parser.add_argument("--time-limit", type=float, help="seconds after which no new case begins")
    parser.add_argument("--replay", metavar="FILE|SEED", help="run one case again, a failure's file or a seed")
    parser.add_argument("--shrink", metavar="FILE|SEED", help="the smallest situation with the same failure")
    parser.add_argument("--summary", action="store_true", help="count what --out holds")
    parser.add_argument("--readme", type=Path, help="with --summary: put the counts into this file")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.replay:
        return _replay(options)
    if options.shrink:
        return _shrink(options)
    if not options.summary:
        run(
            options.out,
            options.cases,
            jobs=options.jobs,
            first_seed=options.first_seed,
            kinds=options.kinds,
            time_limit=options.time_limit,
        )
    said = text(options.out)
    print(said)
    if options.readme:
        write_readme(options.out, options.readme)
    return int(" 0 failed" not in said.splitlines()[0])


def _replay(options: argparse.Namespace) -> int:
    row = replay(options.replay, options.kinds)
    trace, situation = row.pop("trace", "holds"), row.pop("situation", {})
    for name, value in {**row, **situation}.items():
        print(f"{name}: {value}")
    print(trace)
    return int("claim" in row)


def _shrink(options: argparse.Namespace) -> int:
    situation, request = situation_of(*case_of(options.shrink, options.kinds))
    if (failing := failing_claim(situation, request)) is None:
        print("pruned and verified alone it holds; only --replay shows this failure")
        return 1
    case = shrunk(situation, request, failing[0])
    print(describe(*case), failing_claim(*case), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
