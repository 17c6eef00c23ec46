"""What is proven of a smaller circuit for every input of a domain, as a record (THEORY T9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from qprune.task.domain import Domain

Count = Annotated[int, Meta(ge=0)]
NonNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True)
class OutputEverywhere:
    """What is proven of one output.

    Attributes:
        name: Of the output.
        lower: |Δ| at `worst`, in the observable's unit (total variation for probabilities), less rounding.
        upper: No input of the domain changes the output by more.
        worst: The input at which `lower` is attained.
        before: The original's output there; its outcome probabilities, where those are measured.
        after: The smaller circuit's.
        runs: Runs of each circuit that the proof rests on.
        cells: Cells of the domain that the search looked at.
        method: "branch and bound", or "sum of amplitudes" where that gave the smaller limit.
        rounding: What rounding may have hidden, counted in `upper`.
        certain_share: Estimated share of the domain's volume with |⟨O⟩| > upper, whose prediction cannot change; None
            for outputs that predict nothing.
        certain_data: The same of the task's own samples that lie in the domain, counted.
    """

    name: str
    lower: NonNegative
    upper: NonNegative
    worst: tuple[float, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    runs: Count
    cells: Count
    method: str
    rounding: NonNegative
    certain_share: Share | None
    certain_data: Share | None

    @property
    def gap(self) -> float:
        """(upper − lower)/upper."""
        return (self.upper - self.lower) / self.upper if self.upper > 0 else 0.0


@dataclass(frozen=True)
class EveryInput:
    """A limit of the deviation of a smaller circuit for every input of a domain (THEORY T9).

    Attributes:
        domain: The domain.
        outputs: One record per output.

    Example:
        >>> import qprune
        >>> from qiskit import QuantumCircuit
        >>> from qiskit.circuit import Parameter
        >>> circuit, x = QuantumCircuit(1), Parameter("x")
        >>> _ = circuit.ry(x, 0), circuit.rx(0.1, 0)
        >>> task = qprune.Task(circuit, "Z", inputs=[[1.2], [1.8]], input_params=[x])
        >>> claim = qprune.prune(task, qprune.Everywhere(0.01)).certificate.every_input
        >>> claim.lower <= claim.upper <= 0.01, len(claim.worst)
        (True, 1)
    """

    domain: Domain
    outputs: tuple[OutputEverywhere, ...]

    @property
    def lower(self) -> float:
        """Largest deviation that some input of the domain is known to cause."""
        return max(output.lower for output in self.outputs)

    @property
    def upper(self) -> float:
        """No input of the domain changes any output by more."""
        return max(output.upper for output in self.outputs)

    @property
    def worst(self) -> tuple[float, ...]:
        """The input that changes an output by `lower`."""
        return max(self.outputs, key=lambda output: output.lower).worst
