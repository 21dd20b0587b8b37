"""Containers of modules and parameters, compared with PyTorch's."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
from agreement import assert_agrees, torch

pytestmark = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")


def layers(lib: Any, n: int = 4) -> list[Any]:
    return [lib.nn.Linear(i + 1, i + 2) for i in range(n)]


SEQUENTIAL = {
    "slices": lambda lib, s: [s[0], s[-1], s[1:3], s[::-1], len(s)],
    "set": lambda lib, s: s.__setitem__(-1, lib.nn.Identity()) or s,
    "del": lambda lib, s: s.__delitem__(1) or s,
    "del slice": lambda lib, s: s.__delitem__(slice(0, 2)) or s,
    "pop": lambda lib, s: [s.pop(1), s],
    "insert": lambda lib, s: s.insert(1, lib.nn.Identity()),
    "insert last": lambda lib, s: s.insert(-1, lib.nn.Identity()),
    "insert outside": lambda lib, s: s.insert(9, lib.nn.Identity()),
    "append": lambda lib, s: s.append(lib.nn.Identity()),
    "extend": lambda lib, s: s.extend([lib.nn.Identity(), lib.nn.Identity()]),
    "add": lambda lib, s: s + lib.nn.Sequential(lib.nn.Identity()),
    "add wrong": lambda lib, s: s.__add__([lib.nn.Identity()]),
    "times": lambda lib, s: [s * 2, 2 * s],
    "times wrong": lambda lib, s: s * 0,
    "times text": lambda lib, s: s * "a",
    "outside": lambda lib, s: s[4],
    "iteration": lambda lib, s: list(s),
    "dir": lambda lib, s: [n for n in dir(s) if n.isdigit()],
}


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_sequential(name: str) -> None:
    assert_agrees(lambda lib: SEQUENTIAL[name](lib, lib.nn.Sequential(*layers(lib))))


def test_sequential_of_named() -> None:
    def program(lib: Any) -> Any:
        s = lib.nn.Sequential(OrderedDict(a=lib.nn.Identity(), b=lib.nn.Identity()))
        s += lib.nn.Sequential(lib.nn.Identity())
        return s, s.b is s[1], s[1:], list(s.state_dict()), s(lib.ones(2))

    assert_agrees(program)


MODULE_LIST = {
    "slices": lambda lib, s: [s[0], s[-1], s[1:3], len(s), list(s)],
    "set": lambda lib, s: s.__setitem__(1, lib.nn.Identity()) or s,
    "del": lambda lib, s: s.__delitem__(-1) or s,
    "del slice": lambda lib, s: s.__delitem__(slice(0, 2)) or s,
    "insert": lambda lib, s: s.insert(1, lib.nn.Identity()) or s,
    "extend": lambda lib, s: s.extend(layers(lib, 1)),
    "extend wrong": lambda lib, s: s.extend(1),
    "iadd": lambda lib, s: s.__iadd__(layers(lib, 1)),
    "add": lambda lib, s: s + layers(lib, 1),
    "pop": lambda lib, s: [s.pop(0), s],
    "outside": lambda lib, s: s[9],
    "call": lambda lib, s: s(1),
    "contains": lambda lib, s: s[1] in s,
}


@pytest.mark.parametrize("name", MODULE_LIST)
def test_module_list(name: str) -> None:
    assert_agrees(lambda lib: MODULE_LIST[name](lib, lib.nn.ModuleList(layers(lib))))


MODULE_DICT = {
    "get": lambda lib, d: [d["a"], list(d), list(d.keys()), "a" in d, len(d), list(d.items())],
    "set": lambda lib, d: d.__setitem__("c", lib.nn.Identity()) or d,
    "del": lambda lib, d: d.__delitem__("a") or d,
    "pop": lambda lib, d: [d.pop("a"), d, list(d.values())],
    "clear": lambda lib, d: d.clear() or d,
    "update": lambda lib, d: d.update({"z": lib.nn.Identity(), "a": lib.nn.Identity()}) or d,
    "update pairs": lambda lib, d: d.update([("z", lib.nn.Identity())]) or d,
    "update wrong": lambda lib, d: d.update(1),
    "update no pairs": lambda lib, d: d.update([1]),
    "update triples": lambda lib, d: d.update([(1, 2, 3)]),
    "not a module": lambda lib, d: d.__setitem__("x", 1),
}


@pytest.mark.parametrize("name", MODULE_DICT)
def test_module_dict(name: str) -> None:
    def program(lib: Any) -> Any:
        d = lib.nn.ModuleDict({"b": lib.nn.Linear(1, 2), "a": lib.nn.Linear(2, 3)})
        return MODULE_DICT[name](lib, d)

    assert_agrees(program)


PARAMETER_LIST = {
    "get": lambda lib, p: [p[0], p[-1], list(p), len(p), [n for n, _ in p.named_parameters()]],
    "slice": lambda lib, p: p[1:],
    "set": lambda lib, p: p.__setitem__(0, lib.zeros(1)) or p,
    "append": lambda lib, p: [p.append(lib.ones(4)), p.append("text")],
    "extend": lambda lib, p: p.extend([lib.ones(1)]),
    "extend tensor": lambda lib, p: p.extend(lib.ones(1)),
    "iadd": lambda lib, p: p.__iadd__([lib.ones(1)]),
    "outside": lambda lib, p: p[3],
    "call": lambda lib, p: p(),
    "state": lambda lib, p: dict(p.state_dict()),
}


@pytest.mark.parametrize("name", PARAMETER_LIST)
def test_parameter_list(name: str) -> None:
    def program(lib: Any) -> Any:
        p = lib.nn.ParameterList([lib.ones(2), lib.zeros(1, 2)])
        return PARAMETER_LIST[name](lib, p)

    assert_agrees(program)


PARAMETER_DICT = {
    "get": lambda lib, p: [p["a"], p.get("x"), p.get("x", 1), list(p), list(reversed(p)), "a" in p],
    "set": lambda lib, p: p.__setitem__("c", lib.ones(1)) or p,
    "del": lambda lib, p: p.__delitem__("a") or p,
    "setdefault": lambda lib, p: [p.setdefault("a"), p.setdefault("n", lib.ones(1)), p],
    "pop": lambda lib, p: [p.pop("a"), p],
    "popitem": lambda lib, p: [p.popitem(), p],
    "clear": lambda lib, p: p.clear() or p,
    "copy": lambda lib, p: p.copy()["a"] is p["a"],
    "fromkeys": lambda lib, p: p.fromkeys(["u", "v"], lib.ones(1)),
    "or": lambda lib, p: p | lib.nn.ParameterDict({"z": lib.ones(1)}),
    "ior": lambda lib, p: p.__ior__({"z": lib.ones(1), "y": lib.ones(1)}),
    "update wrong": lambda lib, p: p.update(1),
    "number as key": lambda lib, p: p[1],
    "call": lambda lib, p: p(1),
    "items": lambda lib, p: [list(p.items()), list(p.values()), list(p.keys()), len(p)],
}


@pytest.mark.parametrize("name", PARAMETER_DICT)
def test_parameter_dict(name: str) -> None:
    def program(lib: Any) -> Any:
        p = lib.nn.ParameterDict({"b": lib.ones(2), "a": lib.zeros(1, 2)})
        return PARAMETER_DICT[name](lib, p)

    assert_agrees(program)
