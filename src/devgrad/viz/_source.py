"""What the user's source says about a node: its line, what its operands are called, and its result.

A node keeps a code object and an instruction. From Python 3.11 on, that gives the very expression;
before, only the line.
"""

from __future__ import annotations

import ast
import dis
import functools
import linecache
import os
from types import CodeType
from typing import NamedTuple

__all__ = ["Expression", "Place", "expression_of", "place_of"]


class Place(NamedTuple):
    """A line of the user's code."""

    filename: str
    number: int
    function: str
    text: str

    @property
    def short(self) -> str:
        """``train.py:12``."""
        return f"{os.path.basename(self.filename)}:{self.number}"


@functools.lru_cache(maxsize=4096)
def _number(code: CodeType, lasti: int) -> int:
    number = code.co_firstlineno
    for start, at in dis.findlinestarts(code):
        if start > lasti:
            break
        number = at or number
    return number


def place_of(code: CodeType, lasti: int) -> Place:
    """The line of an instruction."""
    number = _number(code, lasti)
    text = linecache.getline(code.co_filename, number).strip()
    return Place(code.co_filename, number, getattr(code, "co_qualname", code.co_name), text)


class Expression(NamedTuple):
    """An expression that made nodes.

    Attributes:
        function: the name of what it calls, or of its operator: ``"tanh"``, ``"mul"``, None.
        operands: the names of its operands, "" for a number, None where one is neither. Of a call
            with a dot, ``f.g(x)``, the first may be the name of a module.
        dotted: whether it is such a call.
        targets: the names that its value is assigned to; several where it is unpacked.
    """

    function: str | None
    operands: tuple[str | None, ...]
    dotted: bool
    targets: tuple[str, ...]


_OPERATORS: dict[type, str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.MatMult: "matmul",
    ast.Pow: "pow", ast.USub: "neg",
}  # fmt: skip

Span = tuple[int, int, int, int]


@functools.lru_cache(maxsize=256)
def _expressions(filename: str, source: str) -> dict[Span, Expression]:
    """All expressions of a file, by where they stand."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    targets: dict[int, tuple[str, ...]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            targets[id(node.value)] = _targets(node.targets[0])
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            targets[id(node.value)] = _targets(node.target)
    found: dict[Span, Expression] = {}
    for node in ast.walk(tree):
        assigned = targets.get(id(node), ())
        if isinstance(node, ast.BinOp):
            function = _OPERATORS.get(type(node.op))
            made = Expression(
                function, (_operand(node.left), _operand(node.right)), False, assigned
            )
        elif isinstance(node, ast.AugAssign):
            function = _OPERATORS.get(type(node.op))
            target = _name(node.target)
            made = Expression(
                function, (target, _operand(node.value)), False, (target,) if target else ()
            )
        elif isinstance(node, ast.UnaryOp):
            function = _OPERATORS.get(type(node.op))
            made = Expression(function, (_operand(node.operand),), False, assigned)
        elif isinstance(node, ast.Subscript):
            made = Expression(None, (_operand(node.value),), False, assigned)
        elif isinstance(node, ast.Call):
            made = _call(node, assigned)
        else:
            continue
        found[node.lineno, node.end_lineno or 0, node.col_offset, node.end_col_offset or 0] = made
    return found


def _call(node: ast.Call, assigned: tuple[str, ...]) -> Expression:
    arguments = tuple(_operand(a) for a in node.args)
    if isinstance(node.func, ast.Attribute):
        return Expression(node.func.attr, (_operand(node.func.value), *arguments), True, assigned)
    return Expression(_name(node.func), arguments, False, assigned)


def _targets(node: ast.expr) -> tuple[str, ...]:
    parts = node.elts if isinstance(node, (ast.Tuple, ast.List)) else [node]
    return tuple(_name(part) or "" for part in parts)


def _name(node: ast.expr) -> str | None:
    """``w`` and ``self.w``, but nothing more complicated."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        outer = _name(node.value)
        return outer and f"{outer}.{node.attr}"
    return None


def _operand(node: ast.expr) -> str | None:
    """A name, or a short part of one, ``x[t]``; "" for a number."""
    if isinstance(node, ast.Constant):
        return ""
    if isinstance(node, ast.Subscript):
        text = ast.unparse(node)
        return text if _name(node.value) and len(text) <= 12 else None
    return _name(node)


def expression_of(code: CodeType, lasti: int) -> Expression | None:
    """The expression that an instruction belongs to; None where that cannot be known."""
    span = _span(code, lasti)
    if span is None:
        return None
    source = "".join(linecache.getlines(code.co_filename))
    return _expressions(code.co_filename, source).get(span)


@functools.lru_cache(maxsize=4096)
def _span(code: CodeType, lasti: int) -> Span | None:
    positions = getattr(code, "co_positions", None)
    if positions is None:  # Python 3.10
        return None
    for index, span in enumerate(positions()):
        if 2 * index == lasti:
            return None if None in span else (span[0], span[1], span[2], span[3])
    return None
