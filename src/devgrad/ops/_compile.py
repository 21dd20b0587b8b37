"""Writes the straight-line code of an operation: its public function, and its node's ``vjp``.

Everything that can be known beforehand - how many operands, which of them the derivative needs,
whether dtypes have to meet - is decided here, once, so that nothing of it is asked at each call.
For ``mul`` it writes the code that ``docs/design.md`` walks through.
"""

from __future__ import annotations

import linecache
import sys
from types import FunctionType
from typing import Any

from .._tensor import Tensor, View
from ..autograd._cuts import cut_off
from ..autograd._graph import OutputEdge, Released, next_rank
from ..autograd._modes import mode
from ..autograd._provenance import USER_FILES, user_line
from ._errors import explain, freed, inference_saved, modified
from ._inplace import NUMPY_NAMES, change_recorded, from_numpy_names, write_out
from ._op import REQUIRED, Op, Parameter
from ._promotion import (
    empty_list,
    listed_tensors,
    not_a_tensor,
    operand_fallback,
    promote,
    promote_all,
    same_device,
)

__all__ = ["build"]


def build(op: Op, face: str) -> None:
    """Write and compile a face of ``op`` ("function", "operator" or "inplace"), and its ``vjp``."""
    clashes = {p.name for p in op.parameters} & _WRITTEN_NAMES
    assert not clashes, f"{op.name}: the written code uses the name {clashes} itself"
    operator = face == "operator"
    written = _inplace(op) if face == "inplace" else _function(op, operator)
    source = "\n".join([*written, "", *_vjp(op)])
    filename = f"<devgrad {op.name}{'' if face == 'function' else ' ' + face}>"
    # Tracebacks and debuggers show the written code.
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    scope = op.namespace
    scope.update(_SCOPE, forward=_by_position(op.forward), Node=op.node_class)
    scope["Result"] = op.result_type
    scope.update({f"rule_{name}": rule for name, (rule, _) in op.rules.items()})
    made: dict[str, Any] = {}
    exec(compile(source, filename, "exec"), scope, made)
    target = getattr(op, face)
    compiled = made["function"]
    target.__code__ = compiled.__code__.replace(co_name=target.__name__)
    target.__defaults__ = tuple(
        p.default for p in op.parameters if not p.keyword_only and p.default is not REQUIRED
    )
    target.__kwdefaults__ = {p.name: p.default for p in op.parameters if p.keyword_only}
    if face == "function":
        target.__kwdefaults__["out"] = None
    if face == "function" or not op.source:
        op.source = source
    if op.rules:
        op.node_class.vjp = made["vjp"]  # type: ignore[attr-defined]


def _by_position(forward: Any) -> Any:
    """``forward`` with its keyword-only parameters made positional: Python calls that faster."""
    code = forward.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    code = code.replace(co_argcount=count, co_kwonlyargcount=0)
    return FunctionType(code, forward.__globals__, forward.__name__, None, forward.__closure__)


def _forward_call(op: Op) -> str:
    """The call of the forward; where that is no more than ``xp.name(input, …)``, this itself."""
    arguments = [p.name if p.kind == "plain" else f"array_{p.name}" for p in op.parameters]
    if op.ufunc is not None:
        return f"kind.xp.{op.ufunc}({', '.join(arguments)})"
    return f"forward(kind.xp, {', '.join(arguments)})"


_SCOPE: dict[str, Any] = {
    "Tensor": Tensor, "View": View, "OutputEdge": OutputEdge, "Released": Released,
    "next_rank": next_rank, "mode": mode, "user_files": USER_FILES, "user_line": user_line,
    "cut_off": cut_off, "explain": explain, "freed": freed,
    "inference_saved": inference_saved, "modified": modified,
    "write_out": write_out, "change_recorded": change_recorded,
    "from_numpy_names": from_numpy_names, "not_a_tensor": not_a_tensor,
    "listed_tensors": listed_tensors, "empty_list": empty_list,
    "promote": promote, "promote_all": promote_all,
    "same_device": same_device, "operand_fallback": operand_fallback,
    "getframe": sys._getframe,
    "new": object.__new__, "real_number": frozenset((int, float)),
}  # fmt: skip


_WRITTEN_NAMES = {
    *_SCOPE, "array", "arrays", "cut", "edges", "error", "expected", "forward", "frame", "g",
    "kind", "node", "Node", "nth", "number", "op", "out", "reason", "recorder", "renamed",
    "result", "Result", "results", "saved", "self", "user_code", "version",
}  # fmt: skip


def _takes_dims(op: Op) -> bool:
    return any(p.name in NUMPY_NAMES.values() for p in op.parameters)


def _tuple(items: list[str]) -> str:
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def _signature(op: Op, operator: bool) -> str:
    parts: list[str] = []
    for p in op.parameters:
        if p.keyword_only and "*" not in parts:
            parts.append("*")
        # The defaults written are for the reader; `build` puts the declared objects in.
        literal = isinstance(p.default, (bool, int, str, type(None)))
        written = repr(p.default) if literal else "..."
        parts.append(p.name if p.default is REQUIRED else f"{p.name}={written}")
    if not operator:
        parts += [] if "*" in parts else ["*"]
        parts.append("out=None")
    if _takes_dims(op):
        parts.append("**renamed")
    return ", ".join(parts)


def _function(op: Op, operator: bool) -> list[str]:
    arguments = [p.name for p in op.parameters if not p.keyword_only]
    keywords = [f"{p.name}={p.name}" for p in op.parameters if p.keyword_only]
    lines = [f"def function({_signature(op, operator)}):"]
    if _takes_dims(op):
        everything = ", ".join(f"{p.name}={p.name}" for p in op.parameters)
        lines += [
            "    if renamed:",
            f"        arguments = from_numpy_names(op.name, renamed, {everything})",
            "        return op.function(**arguments, out=out)",
        ]
    if not operator:
        lines += [
            "    if out is not None:",
            f"        return write_out(op, out, {_tuple(arguments)}, dict({', '.join(keywords)}))",
        ]
    lines += _operands(op, operator)
    tensors = _tuple([*([f"*{op.variadic}"] if op.variadic else []), *[p.name for p in op.tensors]])
    many = op.several or op.result_type is not None
    lines += [
        "    try:",
        f"        {'arrays' if many else 'array'} = {_forward_call(op)}",
        "    except Exception as error:",
        f"        raise explain(op, error, {tensors}) from None",
    ]
    lines += _edges(op)
    lines += _several_results(op) if many else _one_result(op)
    return lines


def _inplace(op: Op) -> list[str]:
    """The in-place form: what is not recorded, as updates of parameters, is done here at once."""
    first = op.tensors[0].name
    arguments = [p.name for p in op.parameters if not p.keyword_only]
    keywords = [f"{p.name}={p.name}" for p in op.parameters if p.keyword_only]
    return [
        f"def function({_signature(op, True)}):",
        "    if mode.grad or not isinstance(input, Tensor):".replace("input", first),
        f"        return change_recorded(op.function, '{op.name}', "
        f"{', '.join([*arguments, *keywords])})",
        *_operands(op, operator=False),
        f"    if kind is not {first}._type or {first}._changes is None:",
        f"        return change_recorded(op.function, '{op.name}', "
        f"{', '.join([*arguments, *keywords])})",
        f"    target = {first}._array",
        "    try:",
        f"        array = {_forward_call(op)}",
        "    except Exception as error:",
        f"        raise explain(op, error, {_tuple([p.name for p in op.tensors])}) from None",
        "    if array.shape != target.shape or array.dtype is not kind.array_dtype "
        "or 0 in target.strides:",
        f"        return change_recorded(op.function, '{op.name}', "
        f"{', '.join([*arguments, *keywords])})",
        "    target[...] = array",
        f"    changes = {first}._changes",
        "    changes[0] += 1",
        "    frame = getframe(1)",
        "    user_code = frame.f_code",
        "    in_user_file = user_code.co_filename in user_files",
        "    changes[1] = (user_code, frame.f_lasti) if in_user_file else user_line()",
        f"    return {first}",
    ]


def _operands(op: Op, operator: bool) -> list[str]:
    """Lines that set ``kind`` and an ``array_…`` for each operand."""
    names = [p.name for p in op.tensors]
    if op.variadic:
        v = op.variadic
        return [
            f"    {v} = listed_tensors('{op.name}', '{v}', {v})",
            f"    if not {v}:",
            f"        raise empty_list('{op.name}')",
            *([
                f"    kind, {v}, array_{v} = promote_all(op, {v})",
            ] if op.promotes else [
                f"    same_device({v}, '{op.name}')",
                f"    kind = {v}[0]._type",
                f"    array_{v} = [tensor._array for tensor in {v}]",
            ]),
        ]  # fmt: skip
    first = names[0]
    if not op.promotes:
        lines: list[str] = []
        for position, p in enumerate(op.tensors, 1):
            guard = f"{p.name} is not None and " if p.optional else ""
            lines += [
                f"    if {guard}not isinstance({p.name}, Tensor):",
                f"        raise not_a_tensor('{op.name}', '{p.name}', {position}, {p.name})",
                f"    array_{p.name} = None if {p.name} is None else {p.name}._array"
                if p.optional
                else f"    array_{p.name} = {p.name}._array",
            ]
        lines += [f"    kind = {first}._type"]
        for name in names[1:]:
            optional = next(p.optional for p in op.tensors if p.name == name)
            guard = f"{name} is not None and " if optional else ""
            lines += [
                f"    if {guard}{name}._type.device is not kind.device:",
                f"        same_device(({', '.join(names)}), '{op.name}')",
            ]
        return lines
    others = [p for p in op.tensors if p not in op.promoted]  # they keep their own dtypes
    names = [p.name for p in op.promoted]
    first = names[0]
    lines = []
    for p in others:
        lines += [
            f"    if not isinstance({p.name}, Tensor):",
            f"        raise not_a_tensor('{op.name}', '{p.name}', "
            f"{op.tensors.index(p) + 1}, {p.name})",
            f"    array_{p.name} = {p.name}._array",
        ]
    devices = []
    for p in others:
        devices += [
            f"    if {p.name}._type.device is not kind.device:",
            f"        same_device({_tuple([q.name for q in op.tensors])}, '{op.name}')",
        ]
    tests = [f"isinstance({n}, Tensor)" for n in names]
    tests += [f"{n}._type is {first}._type" for n in names[1:]]
    tests += [f"{first}._type.floating"] if op.floating else []
    lines += [
        f"    if {' and '.join(tests)}:",
        f"        kind = {first}._type",
        *[f"        array_{n} = {n}._array" for n in names],
    ]
    if len(names) == 2 and names[1] in op.numbers:
        second = names[1]
        lines += [
            # A number that was met before, beside a floating-point tensor: see `promote`.
            f"    elif isinstance({first}, Tensor) and {second}.__class__ in real_number "
            f"and (number := {first}._type.numbers.get({second})) is not None:",
            f"        kind = {first}._type",
            f"        {second} = number",
            *[f"        array_{n} = {n}._array" for n in names],
        ]
    lines += ["    else:"]
    unpacked, arrays = _tuple(names), _tuple([f"array_{n}" for n in names])
    call = f"kind, {unpacked}, {arrays} = promote(op, {unpacked})"
    if operator:
        return [
            *lines,
            "        try:",
            f"            {call}",
            "        except TypeError:",
            f"            return operand_fallback(op, {unpacked})",
            *devices,
        ]
    return [*lines, f"        {call}", *devices]


def _edges(op: Op) -> list[str]:
    if not op.rules:
        return []
    if op.variadic:
        v = op.variadic
        return [f"    edges = tuple([tensor._own_edge() for tensor in {v}])"]
    lines = []
    for name in op.edge_names:
        optional = next(p.optional for p in op.tensors if p.name == name)
        guard = f"None if {name} is None else " if optional else ""
        lines.append(
            f"    edge_{name} = {guard}{name}._edge if {name}._view is None "
            f"else {name}._current_edge()"
        )
    return lines


def _any_edge(op: Op) -> str:
    if op.variadic:
        return "edges.count(None) != len(edges)"
    return " or ".join(f"edge_{n} is not None" for n in op.edge_names)


def _all_edges(op: Op) -> str:
    return "edges" if op.variadic else _tuple([f"edge_{n}" for n in op.edge_names])


def _saved(op: Op) -> list[str]:
    """Lines that set ``node.saved``: only what the wanted gradients ask for."""
    if not op.saved_names:
        return ["node.saved = ()"]
    plain = {p.name: p for p in op.parameters}
    entries = []
    for name in op.saved_names:
        users = [n for n in op.edge_names if name in op.rules[n][1]]
        if name in op.output_names and name not in plain:
            results = "result" if op.result_type is None else f"result_{name}"
            entries.append(f"({results}._array, {results}._changes, {results}._changes[0])")
        elif name == op.variadic:
            entries.append(f"[(t._array, t._changes, t._changes[0]) for t in {name}]")
        elif name not in plain:
            parameter = name.removesuffix("_shape")
            assert parameter in plain, f"{op.name}: a rule asks for {name!r}, which there is not"
            if parameter == op.variadic:
                entries.append(f"[array.shape for array in array_{parameter}]")
            else:
                shape = f"array_{parameter}.shape"
                guard = f"None if {parameter} is None else " if plain[parameter].optional else ""
                entries.append(guard + shape)
        elif plain[name].kind == "plain":
            entries.append(name)
        else:
            entry = f"(array_{name}, {name}._changes, {name}._changes[0])"
            conditions = [] if plain[name].optional is False else [f"{name} is not None"]
            if len(users) < len(op.edge_names):
                wanted = " or ".join(f"edge_{n} is not None" for n in users)
                conditions.append(f"({wanted})" if len(users) > 1 and conditions else wanted)
            if conditions:
                entry = f"{entry} if {' and '.join(conditions)} else None"
            entries.append(entry)
    saved = _tuple(entries)
    if not op.saved_arrays:
        return [f"node.saved = {saved}"]
    return [
        "try:",
        f"    node.saved = {saved}",
        "except TypeError:  # an inference tensor has no version",
        "    raise inference_saved(op) from None",
    ]


def _record(op: Op) -> list[str]:
    """Lines that make the node; shape, type and the results' edges are set around them."""
    return [
        "node = Node()",
        f"node.edges = {_all_edges(op)}",
        *_saved(op),
        "node.rank = next_rank()",
        "frame = getframe(1)",
        "user_code = frame.f_code",
        "if user_code.co_filename in user_files:",
        "    node.code = user_code",
        "    node.lasti = frame.f_lasti",
        "else:",
        "    node.code, node.lasti = user_line()",
        "if cut is not None:",
        "    node.cut = cut",
    ]


def _inherited_cut(op: Op) -> str:
    """Where an operand's gradient lost its way, if one's did."""
    if op.variadic:
        return f"next((t._cut for t in {op.variadic} if t._cut is not None), None)"
    return " or ".join(
        f"({p.name} is not None and {p.name}._cut or None)" if p.optional else f"{p.name}._cut"
        for p in op.tensors
    )


def _cut_here(op: Op) -> str:
    """The cut that an operation without derivative makes, or an inherited one."""
    if op.variadic:
        edges = f"any([t._edge is not None for t in {op.variadic}])"
    else:
        edges = " or ".join(
            f"{p.name} is not None and {p.name}._edge is not None"
            if p.optional
            else f"{p.name}._edge is not None"
            for p in op.tensors
        )
    return f"cut_off('no derivative', op.name) if {edges} else {_inherited_cut(op)}"


def _indented(lines: list[str], depth: int) -> list[str]:
    return [" " * 4 * depth + line for line in lines]


def _view_arguments(op: Op) -> str:
    first = op.tensors[0].name
    rest = [
        f"array_{p.name}" if p.kind == "tensor" else p.name
        for p in op.parameters if p.name != first
    ]  # fmt: skip
    assert not any(p.keyword_only for p in op.parameters)
    return _tuple(rest)


def _one_result(op: Op) -> list[str]:
    lines = [
        "    if array.__class__ is not kind.array_type:",
        "        array = kind.asarray(array)",
        "    result = new(Tensor)",
        "    result._array = array",
        "    result._type = (",
        "        kind if array.dtype is kind.array_dtype else kind.device.types[array.dtype]",
        "    )",
        "    result._edge = None",
    ]
    if op.view:
        first = op.tensors[0].name
        lines += [
            f"    result._changes = {first}._changes",
            f"    result._view = View({first}, (forward, {_view_arguments(op)}, None))",
        ]
    else:
        lines += ["    result._changes = [0, None]", "    result._view = None"]
    if op.rules:
        lines += [
            "    recorder = mode.grad",
            "    if recorder:",
            f"        result._cut = cut = {_inherited_cut(op)}",
            f"        if {_any_edge(op)}:",
            *_indented(_record(op), 3),
            "            node.shape = array.shape",
            "            node.tensor_type = result._type",
            "            result._edge = node",
            "            if recorder is not True:",
            "                recorder.made(node)",
            "    else:",
            f"        result._cut = cut_off('mode', op.name) if {_any_edge(op)} "
            f"else {_inherited_cut(op)}",
        ]
        lines += ["        if mode.inference:"] if not op.view else []
        lines += ["            result._changes = None"] if not op.view else []
    else:
        lines += [f"    result._cut = {_cut_here(op)}"]
        lines += ["    if mode.inference:"] if not op.view else []
        lines += ["        result._changes = None"] if not op.view else []
    return [*lines, "    return result"]


def _several_results(op: Op) -> list[str]:
    first = op.variadic or op.tensors[0].name
    lines = [
        "    results = []",
        "    for nth, array in enumerate(arrays):",
        "        if array.__class__ is not kind.array_type:",
        "            array = kind.asarray(array)",
        "        result = new(Tensor)",
        "        result._array = array",
        "        result._type = kind.device.types[array.dtype]",
        "        result._edge = result._cut = None",
    ]
    if op.view:
        lines += [
            f"        result._changes = {first}._changes",
            f"        result._view = View({first}, (forward, {_view_arguments(op)}, nth))",
        ]
    else:
        lines += [
            "        result._changes = None if mode.inference else [0, None]",
            "        result._view = None",
        ]
    lines += ["        results.append(result)"]
    if op.result_type is not None:
        lines += [f"    {', '.join(f'result_{n}' for n in op.output_names)}, = results"]
    if op.rules:
        lines += [
            "    recorder = mode.grad",
            f"    cut = {_inherited_cut(op)}",
            f"    if recorder and ({_any_edge(op)}):",
            *_indented(_record(op), 2),
        ]
        if op.several or op.differentiable > 1:
            chosen = "results" if op.several else f"results[:{op.differentiable}]"
            lines += [
                f"        node.outputs = len({chosen})",
                f"        node.shape = tuple([r._array.shape for r in {chosen}])",
                f"        node.tensor_type = tuple([r._type for r in {chosen}])",
                f"        for nth, result in enumerate({chosen}):",
                "            result._edge = OutputEdge(node, nth)",
            ]
        else:
            lines += [
                "        node.shape = results[0]._array.shape",
                "        node.tensor_type = results[0]._type",
                "        results[0]._edge = node",
            ]
        lines += [
            "        if recorder is not True:",
            "            recorder.made(node)",
            f"    if {_any_edge(op)}:",
            "        for result in results:",
            "            if result._edge is None:",
            "                reason = 'no derivative' if recorder else 'mode'",
            "                result._cut = cut_off(reason, op.name)",
            "    elif cut is not None:",
        ]
    else:
        lines += [f"    cut = {_cut_here(op)}", "    if cut is not None:"]
    lines += ["        for result in results:", "            result._cut = cut"]
    return [*lines, f"    return {'Result(*results)' if op.result_type else 'tuple(results)'}"]


def _vjp(op: Op) -> list[str]:
    if not op.rules:
        return []
    lines = ["def vjp(self, g, edges):"]
    if op.saved_names:
        lines += [
            "    saved = self.saved",
            "    if saved.__class__ is Released:",
            "        raise freed(self)",
            f"    {', '.join(op.saved_names)}, = saved",
        ]
    plain: dict[str, Parameter] = {p.name: p for p in op.parameters}
    for name in op.saved_arrays:
        if name == op.variadic:
            lines += [f"    {name} = [t._array for t in self.saved_values()['{name}']]"]
            continue
        sure = name not in plain or not (
            plain[name].optional or any(name not in op.rules[n][1] for n in op.edge_names)
        )
        depth = "    " if sure else "        "
        lines += [] if sure else [f"    if {name} is not None:"]
        lines += [
            f"{depth}{name}, version, expected = {name}",
            f"{depth}if version[0] != expected:",
            f"{depth}    raise modified(self, {name}, version, expected, '{name}')",
        ]

    def call(name: str) -> str:
        rule, names = op.rules[name]
        return "None" if rule is None else f"rule_{name}({', '.join(('g', *names))})"

    if op.variadic:
        return [*lines, f"    return {call(op.variadic)}"]
    if len(op.edge_names) == 1:
        return [*lines, f"    return ({call(op.edge_names[0])},)"]
    lines += [f"    {', '.join(f'edge_{n}' for n in op.edge_names)} = edges"]
    parts = [f"None if edge_{n} is None else {call(n)}" for n in op.edge_names]
    return [*lines, f"    return ({', '.join(parts)})"]
