"""A trace in Graphviz's language, for those who have it."""

from __future__ import annotations

from ._scene import STYLES, shape_text
from ._trace import Operator, Trace, Variable

__all__ = ["dot_of"]


def dot_of(traced: Trace, direction: str | None) -> str:
    """``digraph { … }``."""
    lines = [
        "digraph {",
        f"  rankdir={'LR' if direction == 'right' else 'TB'};",
        '  node [fontname="DejaVu Sans", fontsize=10, style=filled];',
    ]
    numbers: dict[int, int] = {}

    def number(thing: Operator | Variable) -> str:
        return f"n{numbers.setdefault(id(thing), len(numbers))}"

    for variable in traced.variables():
        style = STYLES["constant" if not variable.requires_grad else variable.kind]
        text = [variable.name, shape_text(variable.shape)]
        if variable.gradient is not None:
            text.append(f"|grad| {variable.gradient:.3g}")
        dashes = ', style="filled,dashed"' if style.dashed else ""
        lines.append(
            f'  {number(variable)} [shape=ellipse, label="{_quoted(text)}", '
            f'fillcolor="{style.fill}", color="{style.stroke}"{dashes}];'
        )
    for operator in traced.operators:
        style = STYLES["folded" if operator.folded else "operator"]
        place = operator.place
        about = "" if place is None else f"{place.short}: {place.text}"
        lines.append(
            f'  {number(operator)} [shape=box, label="{_quoted([operator.title])}", '
            f'tooltip="{_quoted([about])}", fillcolor="{style.fill}", color="{style.stroke}"];'
        )
    for operator in traced.operators:
        lines += [f"  {number(v)} -> {number(operator)};" for v in operator.inputs]
        lines += [f"  {number(operator)} -> {number(v)};" for v in operator.outputs]
    return "\n".join([*lines, "}"])


def _quoted(lines: list[str]) -> str:
    text = [line.replace("\\", "\\\\").replace('"', '\\"') for line in lines if line]
    return "\\n".join(text)
