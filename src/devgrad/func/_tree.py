"""Nested containers (tuples, lists, dicts, named tuples), taken apart and put together again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

__all__ = ["Tree", "broadcast_to", "flatten", "mapped", "unflatten"]

Tree = Any
_MARK = object()  # stands where a leaf was


def _children(tree: Tree) -> tuple[list[Any], Callable[[list[Any]], Any]] | None:
    """The parts of a container and how to make one of its kind of others; None for a leaf."""
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return list(tree), lambda parts: type(tree)(*parts)
    if tree.__class__ in (tuple, list):
        return list(tree), lambda parts: type(tree)(parts)
    if tree.__class__ in (dict, OrderedDict):
        keys = list(tree)
        return [tree[k] for k in keys], lambda parts: type(tree)(zip(keys, parts, strict=True))
    return None


def flatten(tree: Tree) -> tuple[list[Any], Tree]:
    """The leaves, in order, and the tree without them."""
    found = _children(tree)
    if found is None:
        return [tree], _MARK
    parts, make = found
    leaves: list[Any] = []
    shapes = []
    for part in parts:
        some, shape = flatten(part)
        leaves += some
        shapes.append(shape)
    return leaves, make(shapes)


def unflatten(leaves: list[Any], shape: Tree) -> Tree:
    """The tree that `flatten` took apart, with these leaves."""
    rest = iter(leaves)

    def build(shape: Tree) -> Tree:
        if shape is _MARK:
            return next(rest)
        found = _children(shape)
        if found is None:
            return shape
        parts, make = found
        return make([build(part) for part in parts])

    return build(shape)


def mapped(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """The tree with ``function`` applied to each leaf."""
    leaves, shape = flatten(tree)
    return unflatten([function(leaf) for leaf in leaves], shape)


def broadcast_to(prefix: Tree, tree: Tree) -> list[Any] | None:
    """A value for each leaf of ``tree``, from a tree whose leaves may stand for whole branches;
    None if the two do not fit."""
    found = _children(prefix)
    if found is None:
        return [prefix] * len(flatten(tree)[0])
    parts, other = found[0], _children(tree)
    if other is None or len(parts) != len(other[0]):
        return None
    values: list[Any] = []
    for part, branch in zip(parts, other[0], strict=True):
        some = broadcast_to(part, branch)
        if some is None:
            return None
        values += some
    return values
