"""A trace as a tree of text, for a terminal.

Each result has a line with the operator that computed it; below stand that operator's inputs. A
result without a name gets a number, ``%3``. Where each operator has but one input that was
computed, the tree goes straight down, without indentation, so that deep graphs stay readable.
"""

from __future__ import annotations

from ._scene import shape_text
from ._trace import Operator, Trace, Variable

__all__ = ["text_of"]


def text_of(traced: Trace) -> str:
    """The tree, from the roots to the leaves."""
    return "\n".join(_Writer(traced).lines())


class _Writer:
    def __init__(self, traced: Trace) -> None:
        self.traced = traced
        self.made_by: dict[int, Operator] = {}
        for operator in traced.operators:
            for variable in operator.outputs:
                self.made_by[id(variable)] = operator
        self.names: dict[int, str] = {}
        self.count = 0

    def name(self, variable: Variable) -> str:
        if variable.name:
            return variable.name
        found = self.names.get(id(variable))
        if found is None:
            self.count += 1
            found = self.names[id(variable)] = f"%{self.count}"
        return found

    def lines(self) -> list[str]:
        found: list[str] = []
        places: list[str] = []
        shown: set[int] = set()
        # What is still to be written: the variable, the beginning of its own line, and of those
        # below it.
        stack = [(root, "", "") for root in reversed(self.traced.roots)]
        while stack:
            variable, before, below = stack.pop()
            operator = self.made_by.get(id(variable))
            if operator is not None and id(variable) in shown:
                found.append(f"{before}{self.name(variable)}  (see above)")
                places.append("")
                continue
            shown.add(id(variable))
            found.append(before + self._line(variable, operator))
            place = None if operator is None else operator.place
            places.append("" if place is None else f"{place.short}  {place.text}")
            inputs = [] if operator is None else list(dict.fromkeys(operator.inputs))
            if len(inputs) == 1:
                stack.append((inputs[0], below, below))
                continue
            for last, v in enumerate(reversed(inputs)):
                fork, rest = ("├─ ", "│  ") if last else ("└─ ", "   ")
                stack.append((v, below + fork, below + rest))
        width = min(max(map(len, found), default=0), 72)
        told = [
            "" if place == before else place for place, before in zip(places, ["", *places])
        ]  # a line of the user's is told once for all that it computed
        return [
            f"{line:<{width}}  # {place}" if place else line for line, place in zip(found, told)
        ]

    def _line(self, variable: Variable, operator: Operator | None) -> str:
        text = f"{self.name(variable)} {shape_text(variable.shape)}"
        if operator is not None:
            given = ", ".join(self.name(v) for v in dict.fromkeys(operator.inputs))
            title = operator.title if operator.count == 1 else f"{operator.count} operators"
            text += f" = {title}({given})"
        notes = []
        if variable.kind == "leaf":
            notes.append("leaf" if variable.requires_grad else "leaf, requires no grad")
        elif variable.kind == "root":
            notes.append("root")
        if variable.gradient is not None:
            notes.append(f"|grad| {variable.gradient:.3g}")
        return text + (f"  [{', '.join(notes)}]" if notes else "")
