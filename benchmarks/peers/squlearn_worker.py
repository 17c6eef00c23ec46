"""Runs in sQUlearn's own environment: which weights its `automated_pruning` calls redundant, and how long it took.

Reads {"qasm": …, "inputs": [names], "weights": [names], "seed": …}, writes {"gone": [indices], "seconds": …}, as JSON.
"""

import json
import sys
import time
import warnings


def main() -> None:
    warnings.filterwarnings("ignore")
    from qiskit import qasm3
    from qiskit.circuit import ParameterVector
    from squlearn import Executor
    from squlearn.encoding_circuit import QiskitEncodingCircuit, automated_pruning

    task = json.load(sys.stdin)
    circuit = qasm3.loads(task["qasm"])
    known = {p.name: p for p in circuit.parameters}
    renamed = {}
    for label, names in (("x", task["inputs"]), ("p", task["weights"])):  # sQUlearn tells them apart by such names
        renamed |= dict(zip((known[n] for n in names), ParameterVector(label, len(names)), strict=True))
    network = QiskitEncodingCircuit(circuit.assign_parameters(renamed))
    start = time.perf_counter()
    smaller = automated_pruning(network, Executor("pennylane"), seed=task["seed"], verbose=0)
    seconds = time.perf_counter() - start
    print(json.dumps({"gone": [int(k) for k in smaller._pruned_parameters], "seconds": seconds}))


if __name__ == "__main__":
    main()
