"""A trace as a tree of text, for a terminal.

Each result has a line with the operator that computed it; below stand that operator's inputs. A
result without a name gets a number, ``%3``; one whose name others have too, a number behind it,
``h#2``. Where an operator has but one input, the tree goes straight down, without indentation. A
graph that is still too deep for a tree is listed, the newest operator first.
"""

from __future__ import annotations

from collections import Counter

from ._scene import shape_text
from ._trace import Operator, Trace, Variable

__all__ = ["text_of"]

_DEEPEST = 20  # steps to the right


def text_of(traced: Trace) -> str:
    """The tree, from the roots to the leaves."""
    return "\n".join(_Writer(traced).lines())


class _Writer:
    def __init__(self, traced: Trace) -> None:
        self.traced = traced
        self.made_by: dict[int, Operator] = {}
        self.depth: dict[int, int] = {}  # of a variable: how many forks are below it
        for operator in traced.operators:
            below = max((self.depth.get(id(v), 0) for v in operator.inputs), default=0)
            for variable in operator.outputs:
                self.made_by[id(variable)] = operator
                self.depth[id(variable)] = below + (len(operator.inputs) > 1)
        variables = traced.variables()
        shared = Counter(v.name for v in variables)
        seen: Counter[str] = Counter()
        self.names: dict[int, str] = {}
        for variable in variables:
            if shared[variable.name] > 1 and variable.name:
                seen[variable.name] += 1
                self.names[id(variable)] = f"{variable.name}#{seen[variable.name]}"
        self.count = 0

    def name(self, variable: Variable) -> str:
        found = self.names.get(id(variable))
        if found is None:
            if not variable.name:
                self.count += 1
            found = self.names[id(variable)] = variable.name or f"%{self.count}"
        return found

    def lines(self) -> list[str]:
        deep = max((self.depth.get(id(root), 0) for root in self.traced.roots), default=0)
        found = self._list() if deep > _DEEPEST else self._tree()
        width = min(max((len(line) for line, _ in found), default=0), 72)
        before, written = "", []
        for line, operator in found:
            place = None if operator is None else operator.place
            told = "" if place is None else f"{place.short}  {place.text}"
            # A line of the user's is told once for all that it computed.
            written.append(f"{line:<{width}}  # {told}" if told not in ("", before) else line)
            before = told
        return written

    def _list(self) -> list[tuple[str, Operator | None]]:
        found: list[tuple[str, Operator | None]] = []
        shown: set[int] = set()
        for operator in reversed(self.traced.operators):
            for variable in operator.outputs:
                found.append((self._line(variable, operator), operator))
            for variable in operator.inputs:
                if id(variable) not in self.made_by and id(variable) not in shown:
                    shown.add(id(variable))
                    found.append((f"   {self._line(variable, None)}", None))
        return found

    def _tree(self) -> list[tuple[str, Operator | None]]:
        found: list[tuple[str, Operator | None]] = []
        shown: set[int] = set()
        # What is still to be written: the variable, the beginning of its own line, and of those
        # below it.
        stack = [(root, "", "") for root in reversed(self.traced.roots)]
        while stack:
            variable, before, below = stack.pop()
            operator = self.made_by.get(id(variable))
            if operator is not None and id(variable) in shown:
                found.append((f"{before}{self.name(variable)}  (see above)", None))
                continue
            shown.add(id(variable))
            found.append((before + self._line(variable, operator), operator))
            inputs = [] if operator is None else list(dict.fromkeys(operator.inputs))
            if len(inputs) == 1:
                stack.append((inputs[0], below, below))
                continue
            for last, v in enumerate(reversed(inputs)):
                fork, rest = ("├─ ", "│  ") if last else ("└─ ", "   ")
                stack.append((v, below + fork, below + rest))
        return found

    def _line(self, variable: Variable, operator: Operator | None) -> str:
        text = f"{self.name(variable)} {shape_text(variable.shape)}"
        if operator is not None:
            given = ", ".join(self.name(v) for v in dict.fromkeys(operator.inputs))
            title = f"{operator.count} operators" if operator.count > 1 else operator.title
            text += f" = {title}({given})"
        notes = []
        if variable.kind == "leaf":
            notes.append("leaf" if variable.requires_grad else "leaf, requires no grad")
        elif variable.kind == "root":
            notes.append("root")
        if variable.gradient is not None:
            notes.append(f"|grad| {variable.gradient:.3g}")
        return text + (f"  [{', '.join(notes)}]" if notes else "")
