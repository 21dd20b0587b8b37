"""Many operators as few: those of one line of the user's code, or of one call of a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._trace import Operator, Trace, Variable

__all__ = ["fold"]


def fold(traced: Trace, by: str) -> Trace:
    """The same with one operator in place of all that one line made, one after the other
    (``"line"``), or that one module or one call of a function made (``"module"``). A module is
    known by its parameters: what comes after an operator that takes one belongs to it too.

    What was made in a row is put together, so an edge still leads from older to newer.

    Raises:
        ValueError: ``by`` is something else.
    """
    if by not in ("line", "module"):
        raise ValueError(f"fold must be None, 'line' or 'module', not {by!r}")
    groups: list[list[Operator]] = []
    owners: list[str] = []  # the module of each group, "" if there is none
    for operator in traced.operators:
        owner = _owner(operator, traced.modules) if by == "module" else ""
        if (
            groups
            and _together(groups[-1], operator, by)
            and (not owner or not owners[-1] or owner == owners[-1])
        ):
            groups[-1].append(operator)
            owners[-1] = owners[-1] or owner
        else:
            groups.append([operator])
            owners.append(owner)
    users: dict[int, set[int]] = {}  # of a variable: the numbers of the groups that take it
    for number, group in enumerate(groups):
        for operator in group:
            for variable in operator.inputs:
                users.setdefault(id(variable), set()).add(number)
    roots = {id(variable) for variable in traced.roots}
    folded = []
    for number, (group, owner) in enumerate(zip(groups, owners)):

        def leaves(variable: Variable, number: int = number) -> bool:
            others = users.get(id(variable), set()) - {number}
            return id(variable) in roots or bool(others)

        title = f"{owner} ({traced.modules[owner]})" if owner else ""
        folded.append(_folded(group, by, title, leaves))
    return Trace(folded, traced.roots, traced.alone, traced.modules)


def _owner(operator: Operator, modules: dict[str, str]) -> str:
    """The module whose parameter an operator takes; "" if it takes none."""
    for variable in operator.inputs:
        owner = variable.name.rpartition(".")[0]
        if variable.kind == "leaf" and owner in modules and owner:
            return owner
    return ""


def _key(operator: Operator, by: str) -> Any:
    node = operator.node
    assert node is not None and operator.place is not None
    if by == "line" or node.code.co_name == "<module>":
        return node.code, operator.place.number
    return node.code


def _together(group: list[Operator], operator: Operator, by: str) -> bool:
    before = group[-1]
    if _key(before, by) != _key(operator, by):
        return False
    assert before.node is not None and operator.node is not None
    # Where the instructions begin anew, the same code is run once more: a loop, or another call.
    return bool(operator.node.lasti >= before.node.lasti)


def _folded(
    group: list[Operator], by: str, title: str, leaves: Callable[[Variable], bool]
) -> Operator:
    if len(group) == 1 and not title:
        return group[0]
    inside = {id(variable) for operator in group for variable in operator.outputs}
    inputs: dict[int, Variable] = {}
    outputs: dict[int, Variable] = {}
    for operator in group:
        for variable in operator.inputs:
            if id(variable) not in inside:
                inputs[id(variable)] = variable
        for variable in operator.outputs:
            if leaves(variable):
                outputs[id(variable)] = variable
    place = group[-1].place
    assert place is not None
    if not title:
        one_line = all(operator.place == place for operator in group)
        if by == "module" and place.function != "<module>" and not one_line:
            title = place.function.replace("<locals>.", "") + "()"
        else:
            title = place.text or " · ".join(dict.fromkeys(op.title for op in group))
    return Operator(
        title, list(inputs.values()), list(outputs.values()), place, group[-1].node, len(group),
        folded=True,
    )  # fmt: skip
