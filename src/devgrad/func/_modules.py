"""Modules as functions of their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._tensor import Tensor
from ..ops import FUNCTIONS

__all__ = ["functional_call", "replace_all_batch_norm_modules_", "stack_module_state"]


def functional_call(
    module: Any, parameter_and_buffer_dicts: Any, args: Any = None,
    kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True, strict: bool = False,
) -> Any:  # fmt: skip
    """Call ``module`` with other parameters and buffers in the place of its own.

    Args:
        parameter_and_buffer_dicts: tensors by name, ``"layer.weight"``; or several such dicts.
        tie_weights: a tensor that the module has under several names is replaced under all.
        strict: every parameter and buffer has to be given, and nothing else.

    Raises:
        ValueError: two dicts have a name in common, or tied weights differ.
        RuntimeError: ``strict``, and names are missing or unknown.

    >>> import devgrad
    >>> layer = devgrad.nn.Linear(1, 1)
    >>> new = {"weight": devgrad.tensor([[2.0]]), "bias": devgrad.tensor([1.0])}
    >>> devgrad.func.functional_call(layer, new, devgrad.tensor([3.0]))
    tensor([7.])
    """
    given: dict[str, Tensor] = {}
    several = isinstance(parameter_and_buffer_dicts, Sequence)
    for part in parameter_and_buffer_dicts if several else [parameter_and_buffer_dicts]:
        repeated = sorted(set(part) & set(given))
        if repeated:
            raise ValueError(f"{repeated} appeared in multiple dictionaries; behavior of "
                             "functional call is ambiguous")  # fmt: skip
        given.update(part)
    owners = {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }
    if tie_weights:
        given = _with_tied(given, owners)
    if strict:
        kinds = {"Unexpected": set(given) - set(owners), "Missing": set(owners) - set(given)}
        wrong = [
            f"\n\t{kind} key(s): {', '.join(map(repr, sorted(names)))}."
            for kind, names in kinds.items() if names
        ]  # fmt: skip
        if wrong:
            raise RuntimeError(
                f"Error(s) in reparametrizing for {type(module).__name__}:{''.join(wrong)}"
            )
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    places = [
        (_owner(module, name), name.rpartition(".")[2], value) for name, value in given.items()
    ]
    before = []
    try:
        for owner, name, value in places:
            store = owner._parameters if name in owner._parameters else owner._buffers
            before.append((store, name, store[name]))
            store[name] = value
        return module(*args, **(kwargs or {}))
    finally:
        for store, name, value in reversed(before):
            store[name] = value


def _owner(module: Any, name: str) -> Any:
    owner = module.get_submodule(name.rpartition(".")[0])
    last = name.rpartition(".")[2]
    if last not in owner._parameters and last not in owner._buffers:
        raise AttributeError(f"{type(owner).__name__} has no attribute `{last}`")
    return owner


def _with_tied(given: dict[str, Tensor], owners: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names: dict[int, list[str]] = {}
    for name, tensor in owners.items():
        names.setdefault(id(tensor), []).append(name)
    result = dict(given)
    for group in names.values():
        values = [given[name] for name in group if name in given]
        if any(value is not values[0] for value in values[1:]):
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(group)}, which are tied. "
                "Consider using tie_weights=False"
            )
        if values:
            result.update(dict.fromkeys(group, values[0]))
    return result


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the buffers of several modules of one kind, stacked, for `vmap`.

    Raises:
        RuntimeError: there are none, they are of several classes, or not all in the same mode.
    """
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or all(not m.training for m in models)):
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    stack = FUNCTIONS[""]["stack"]

    def stacked(states: list[dict[str, Any]], leaf: bool) -> dict[str, Any]:
        result = {}
        for name in states[0]:
            whole = stack([state[name] for state in states]).detach()
            needs = leaf and all(state[name].requires_grad for state in states)
            result[name] = whole.requires_grad_(needs)
        return result

    return (
        stacked([dict(m.named_parameters()) for m in models], True),
        stacked([dict(m.named_buffers()) for m in models], False),
    )


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Let no batch normalisation in ``root`` keep running statistics any more, in place.

    Inside of `vmap` they could not be changed. Afterwards each batch is normalised by itself, also
    in evaluation.

    >>> import devgrad
    >>> model = devgrad.nn.Sequential(devgrad.nn.BatchNorm1d(2))
    >>> devgrad.func.replace_all_batch_norm_modules_(model)[0].running_mean is None
    True
    """
    for module in root.modules():
        if hasattr(module, "track_running_stats") and hasattr(module, "num_batches_tracked"):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
