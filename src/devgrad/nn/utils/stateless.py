"""A module called with other tensors in the place of its parameters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..._tensor import Tensor
from ..modules.module import Module

__all__ = ["functional_call"]


def functional_call(
    module: Module, parameters_and_buffers: Any, args: Any = None,
    kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    """``module(*args, **kwargs)``, with these tensors for the parameters and buffers they name.

    The module is as it was before, and gradients go to the tensors given.

    Args:
        module: what to call.
        parameters_and_buffers: tensors by dotted names; or several such dicts.
        args: the arguments; a single one need not be in a tuple.
        kwargs: further ones by name.
        tie_weights: whether a tensor also replaces what its parameter is known as elsewhere.
        strict: whether all parameters and buffers must be given.

    Raises:
        ValueError: a name is given twice. RuntimeError: names do not fit, with ``strict``.

    >>> import devgrad as torch
    >>> class Scale(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = torch.nn.Parameter(torch.ones(1))
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> tensors = {"factor": torch.tensor([3.0])}
    >>> torch.nn.utils.stateless.functional_call(Scale(), tensors, torch.ones(1))
    tensor([3.])
    """
    if isinstance(parameters_and_buffers, (list, tuple)):
        tensors: dict[str, Tensor] = {}
        for part in parameters_and_buffers:
            twice = sorted(tensors.keys() & part.keys())
            if twice:
                raise ValueError(
                    f"{twice} appeared in multiple dictionaries; behavior of functional call is "
                    "ambiguous"
                )
            tensors.update(part)
    else:
        tensors = dict(parameters_and_buffers)
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    with _with_tensors(module, tensors, tie_weights, strict):
        return module(*args, **(kwargs or {}))


@contextmanager
def _with_tensors(
    module: Module, tensors: dict[str, Tensor], tie_weights: bool, strict: bool
) -> Iterator[None]:
    names: dict[str, Any] = {}
    for members in (module.named_parameters, module.named_buffers):
        names.update(members(remove_duplicate=False))
    if strict:
        missing, unexpected = names.keys() - tensors.keys(), tensors.keys() - names.keys()
        if tie_weights:
            given = {id(names[name]) for name in tensors.keys() & names.keys()}
            missing = {name for name in missing if id(names[name]) not in given}
        if missing or unexpected:
            text = "".join(
                f"\n\t{kind} key(s): {', '.join(map(repr, sorted(keys)))}."
                for kind, keys in (("Unexpected", unexpected), ("Missing", missing)) if keys
            )  # fmt: skip
            raise RuntimeError(f"Error(s) in reparametrizing for {type(module).__name__}:{text}")
    replacements = dict(tensors)
    if tie_weights:
        for name, tensor in tensors.items():
            for other, member in names.items():
                if member is names.get(name) and other not in tensors:
                    replacements[other] = tensor
    undo: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for name, tensor in replacements.items():
            path, _, attribute = name.rpartition(".")
            owner = module.get_submodule(path)
            for kind in (owner._parameters, owner._buffers):
                if attribute in kind:
                    undo.append((kind, attribute, kind[attribute]))
                    kind[attribute] = tensor  # type: ignore[assignment]
        yield
    finally:
        for kind, attribute, before in undo:
            kind[attribute] = before
