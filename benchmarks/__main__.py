"""The command `python -m benchmarks`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import (
    accuracy,
    between,
    claims,
    control,
    exact,
    libraries,
    plots,
    readme,
    refit,
    scaling,
    size,
    tables,
    training,
    wide,
)
from benchmarks.compression import run as compression
from benchmarks.noise import drift
from benchmarks.noise import run as noise
from benchmarks.peers import run as peers
from benchmarks.peers.chains import CHAINS
from benchmarks.peers.circuits import cases
from benchmarks.peers.sides import TOOLS
from benchmarks.records import RESULTS
from benchmarks.strategies import run as strategies
from benchmarks.tasks.catalogue import TASKS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    if options.command == "scaling":
        scaling.run(
            out=options.out,
            threads=options.threads,
            repeat=options.repeat,
            quick=options.quick,
            full=options.full,
            qubits=options.qubits,
            samples=options.samples,
        )
        if options.qubits or options.samples:
            print(f"rows added to {options.out}; now `python -m benchmarks tables` and `… plots`")
            return 0
        beside = options.out.with_name("wide.jsonl")
        wide.run(out=beside, repeat=min(options.repeat, 3), quick=options.quick, step=print)
        print(f"rows added to {options.out} and {beside}; now `python -m benchmarks tables` and `… plots`")
        return 0
    if options.command == "accuracy":
        accuracy.run(
            options.out,
            quick=options.quick,
            again=options.again,
            networks=options.networks,
            modes=options.modes,
            budgets=options.budgets,
        )
        print(f"rows added to {options.out}; now `python -m benchmarks tables`")
        return 0
    if options.command == between.NAME:
        between.run(options.out)
        print(f"rows added to {options.out}; now `python -m benchmarks plots`")
        return 0
    if options.command == control.NAME:
        control.run(options.out, again=options.again, networks=options.networks, most=options.most)
        print(f"rows added to {options.out}; now `python -m benchmarks tables`")
        return 0
    if options.command == claims.NAME:
        claims.run(options.out, again=options.again, only=options.networks)
        print(f"rows added to {options.out}; now `python -m benchmarks tables`")
        return 0
    if options.command == "noise":
        noise.run(
            options.out,
            quick=options.quick,
            full=options.full,
            again=options.again,
            bundles=options.bundles,
            models=options.models,
            pruners=options.pruners,
            samples=options.samples,
            seeds=options.seeds,
        )
        print(f"rows added to {options.out}; now `python -m benchmarks tables` and `python -m benchmarks plots`")
        return 0
    if options.command == drift.NAME:
        drift.run(options.out, days=options.days, bundles=options.bundles, models=options.models)
        print(f"rows added to {options.out}; now `python -m benchmarks tables`")
        return 0
    if options.command == "refit":
        refit.run(
            options.out,
            quick=options.quick,
            again=options.again,
            networks=options.networks,
            seeds=options.seeds,
            sides=options.sides,
            against=options.against,
            python=options.python,
        )
        print(f"rows added to {options.out}")
        return 0
    if options.command == "libraries":
        libraries.run(options.out, quick=options.quick)
        print(f"rows added to {options.out}; now `python -m benchmarks tables`")
        return 0
    if options.command == "strategies":
        strategies.run(
            options.out,
            quick=options.quick,
            names=options.circuits,
            limits=options.limits,
            chosen=options.strategies,
            budgets=options.budgets,
            seeds=options.seeds,
            everywhere=not options.no_everywhere,
        )
        print(f"rows added to {options.out}; now `python -m benchmarks tables` and `python -m benchmarks plots`")
        return 0
    if options.command == "compression":
        compression.run(
            options.out,
            quick=options.quick,
            tasks=options.tasks,
            ways=options.ways,
            seeds=options.seeds,
            patience=options.patience,
        )
        print(f"rows added to {options.out}; now `python -m benchmarks tables`")
        return 0
    if options.command == size.NAME:
        size.run(
            options.out, quick=options.quick, again=options.again, only=options.only, most_qubits=options.most_qubits
        )
        print(f"rows added to {options.out}; now `python -m benchmarks tables`")
        return 0
    if options.command == "exact":
        exact.run(options.out, quick=options.quick)
        print(f"rows added to {options.out}; now `python -m benchmarks tables`")
        return 0
    if options.command == "training":
        training.run(options.out, quick=options.quick)
        print(f"rows added to {options.out}; now `python -m benchmarks tables`")
        return 0
    if options.command == "peers":
        peers.run(
            options.out,
            quick=options.quick,
            limit=options.limit,
            circuits=options.circuit,
            only=options.tool,
            missing=options.missing,
        )
        print(f"rows added to {options.out}; now `python -m benchmarks tables`")
        return 0
    if options.command == "readme":
        readme.run()
        print("written: README.md")
        return 0
    written = (tables if options.command == "tables" else plots).run(options.results)
    if not written:
        print(f"benchmarks: no rows in {options.results}; run a benchmark first", file=sys.stderr)
        return 2
    print("written:", *written)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("scaling", help="pruning time over one plain pass of the same ensemble")
    command.add_argument("--threads", type=_positive, default=1, help="threads for Aer (default 1)")
    command.add_argument(
        "--repeat", type=_positive, default=7, help="alternated repetitions (default 7), more of short ones"
    )
    command.add_argument("--out", type=Path, default=RESULTS / "scaling.jsonl", help="file to which rows are added")
    command.add_argument("--quick", action="store_true", help="one small size, seconds: to see that it works")
    command.add_argument("--full", action="store_true", help="also 24 qubits, and 100 samples on 16 qubits and more")
    command.add_argument(
        "--qubits", nargs="+", type=_positive, default=(), metavar="N", help="only these, however long"
    )
    command.add_argument("--samples", nargs="+", type=_positive, default=(), metavar="M", help="only these")

    command = commands.add_parser(between.NAME, help="what a limit on samples says nothing of, on one network")
    command.add_argument("--out", type=Path, default=RESULTS / "between.jsonl", help="file to which rows are added")

    command = commands.add_parser("accuracy", help="what goes at which deviation, on every reference network")
    command.add_argument("--out", type=Path, default=RESULTS / "accuracy.jsonl", help="file to which rows are added")
    command.add_argument("--quick", action="store_true", help="one small network, seconds: to see that it works")
    command.add_argument("--again", action="store_true", help="measure anew what the file holds already")
    command.add_argument(
        "--networks", nargs="+", default=(), choices=accuracy.names(), metavar="NAME", help="only these (default all)"
    )
    command.add_argument(
        "--modes", nargs="+", default=(), choices=accuracy.MODES, metavar="NAME", help="only these (default all)"
    )
    command.add_argument("--budgets", nargs="+", type=float, default=accuracy.BUDGETS, help="default %(default)s")

    command = commands.add_parser(control.NAME, help="what limits refit: an ansatz grown to reproduce each network")
    command.add_argument("--out", type=Path, default=RESULTS / "control.jsonl", help="file to which rows are added")
    command.add_argument("--again", action="store_true", help="measure anew what the file holds already")
    command.add_argument(
        "--networks", nargs="+", default=(), choices=control.NETWORKS, metavar="NAME", help="only these"
    )
    command.add_argument("--most", type=_positive, default=control.MOST_CX, help="CX up to which it grows")

    command = commands.add_parser(claims.NAME, help="what a limit for every input takes, beside its aims")
    command.add_argument("--out", type=Path, default=RESULTS / "claims.jsonl", help="file to which rows are added")
    command.add_argument("--again", action="store_true", help="measure anew what the file holds already")
    command.add_argument("--networks", nargs="+", default=(), choices=claims.CLAIMS, metavar="NAME", help="only these")

    command = commands.add_parser("noise", help="pruned and unpruned circuits on noisy machines")
    command.add_argument("--out", type=Path, default=RESULTS / "noise.jsonl", help="file to which rows are added")
    command.add_argument("--quick", action="store_true", help="one small network, seconds: to see that it works")
    command.add_argument("--full", action="store_true", help="all networks, noise models and snapshots: days")
    command.add_argument("--again", action="store_true", help="measure anew what the file holds already")
    command.add_argument("--bundles", nargs="+", default=(), metavar="NAME", help="networks in circuits/")
    command.add_argument("--models", nargs="+", default=(), metavar="NAME", help="noise models and device snapshots")
    command.add_argument("--pruners", nargs="+", default=(), choices=noise.PRUNERS, metavar="NAME", help="see noise.md")
    command.add_argument("--samples", type=_positive, default=noise.SAMPLES, help="test inputs in each row")
    command.add_argument("--seeds", type=_positive, default=noise.MOST_SEEDS, help="at most so many of each pruner's")

    command = commands.add_parser(drift.NAME, help="the same circuits when a device's calibration has moved on")
    command.add_argument(
        "--out", type=Path, default=RESULTS / f"{drift.NAME}.jsonl", help="file to which rows are added"
    )
    command.add_argument("--days", type=_positive, default=drift.DAYS, help="seeds of the drift")
    command.add_argument("--bundles", nargs="+", default=(), metavar="NAME", help="networks in circuits/")
    command.add_argument("--models", nargs="+", default=(), metavar="NAME", help="device snapshots")

    command = commands.add_parser("refit", help="Jacobians beside other tools', searches beside another checkout's")
    command.add_argument("--out", type=Path, default=RESULTS / "refit.jsonl", help="file to which rows are added")
    command.add_argument("--quick", action="store_true", help="one small network and seed")
    command.add_argument("--again", action="store_true", help="measure anew what the file holds already")
    command.add_argument("--networks", nargs="+", default=(), choices=refit.NETWORKS, metavar="NAME", help="only these")
    command.add_argument("--seeds", nargs="+", type=int, default=(), metavar="N", help="only these (default 0 to 4)")
    command.add_argument("--sides", nargs="+", default=(), choices=refit.SIDES, metavar="NAME", help="only these")
    command.add_argument("--against", type=Path, metavar="CHECKOUT", help="also measure another checkout")
    command.add_argument("--python", default=sys.executable, help="the interpreter for it")

    command = commands.add_parser("libraries", help="what qprune does itself beside the library that is nearest to it")
    command.add_argument("--out", type=Path, default=RESULTS / "libraries.jsonl", help="file to which rows are added")
    command.add_argument("--quick", action="store_true", help="the smallest case of each")

    command = commands.add_parser("strategies", help="every strategy under every limit, on all circuits")
    command.add_argument("--out", type=Path, default=RESULTS / "strategies.jsonl", help="file to which rows are added")
    command.add_argument("--quick", action="store_true", help="one small circuit, minutes: to see that it works")
    known = tuple(strategies.circuits())
    command.add_argument("--circuits", nargs="+", default=(), choices=known, metavar="NAME", help="only these")
    command.add_argument("--limits", nargs="+", default=(), choices=tuple(strategies.LIMITS), help="only these")
    command.add_argument("--strategies", nargs="+", default=(), choices=tuple(strategies.STRATEGIES), help="only these")
    command.add_argument("--budgets", nargs="+", type=float, default=strategies.BUDGETS, help="default %(default)s")
    command.add_argument("--seeds", type=_positive, default=strategies.SEEDS, help="of what draws (default 5)")
    command.add_argument("--no-everywhere", action="store_true", help="prove nothing for every input of the results")

    command = commands.add_parser("compression", help="tasks of the field: prune, train on, prune again; and controls")
    command.add_argument("--out", type=Path, default=RESULTS / "compression.jsonl", help="file to which rows are added")
    command.add_argument("--quick", action="store_true", help="one small task and seed, a minute: to see that it works")
    command.add_argument("--tasks", nargs="+", default=(), choices=tuple(TASKS), metavar="NAME", help="only these")
    command.add_argument("--ways", nargs="+", default=(), choices=tuple(compression.WAYS), metavar="NAME")
    command.add_argument("--seeds", type=_positive, default=compression.SEEDS, help="how many (default %(default)s)")
    command.add_argument(
        "--patience", type=float, default=compression.PATIENCE, help="seconds of a search (default 60)"
    )

    command = commands.add_parser(
        size.NAME, help="wide statevectors, entangled chains, many samples and gates, a cluster"
    )
    command.add_argument("--out", type=Path, default=RESULTS / "size.jsonl", help="file to which rows are added")
    command.add_argument("--quick", action="store_true", help="two small sizes, seconds: to see that it works")
    command.add_argument("--again", action="store_true", help="measure anew what the file holds already")
    kinds = sorted({config.what for config in size.CONFIGS})
    command.add_argument("--only", nargs="+", default=(), choices=kinds, metavar="KIND", help=f"of {', '.join(kinds)}")
    command.add_argument("--most-qubits", type=_positive, default=24, help="of statevectors (default 24; up to 28)")

    command = commands.add_parser("exact", help="two-qubit gates that exact rewriting takes away, beside other tools")
    command.add_argument("--out", type=Path, default=RESULTS / "exact.jsonl", help="file to which rows are added")
    command.add_argument("--quick", action="store_true", help="one small circuit")

    command = commands.add_parser("training", help="a training step on the pruned tape over the original's")
    command.add_argument("--out", type=Path, default=RESULTS / "training.jsonl", help="file to which rows are added")
    command.add_argument("--quick", action="store_true", help="one small case")

    command = commands.add_parser("peers", help="qprune beside the tools people use today; those installed")
    command.add_argument("--out", type=Path, default=RESULTS / "peers.jsonl", help="file to which rows are added")
    command.add_argument("--quick", action="store_true", help="one small circuit, without the slowest tools")
    command.add_argument(
        "--limit", type=_positive, default=60, help="processor seconds for a tool or a tuned chain (default 60)"
    )
    command.add_argument("--missing", action="store_true", help="leave out what the file already holds")
    named = [case.name for case in (*cases(), *cases(quick=True))]
    command.add_argument("--circuit", nargs="+", default=(), choices=named, metavar="NAME", help="only these circuits")
    command.add_argument(
        "--tool", nargs="+", default=(), type=_tool, metavar="PART", help="only tools with this in their name"
    )

    commands.add_parser("readme", help="run the demo and put its table and the result tables into README.md")

    for name, what in (("tables", "Markdown tables"), ("plots", "PNG plots")):
        command = commands.add_parser(name, help=f"result files to {what}")
        command.add_argument("--results", type=Path, default=RESULTS, help="folder with the rows, written to as well")
    return parser


def _tool(part: str) -> str:
    names = [entry.name for entry in (*TOOLS, *CHAINS)]
    if not any(part in name for name in names):
        raise argparse.ArgumentTypeError(f"{part!r} must be part of one of these names: {'; '.join(names)}")
    return part


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
