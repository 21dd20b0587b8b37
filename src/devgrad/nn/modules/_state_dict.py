"""A module's state as a dict, and back."""

from __future__ import annotations

import functools
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..._tensor import Tensor
from ...autograd._hooks import Hooks, RemovableHandle, add_hook
from ...autograd._modes import no_grad
from ..parameter import Parameter, is_lazy

__all__ = ["IncompatibleKeys", "ModuleState", "StateDict"]

_EXTRA_STATE = "_extra_state"


class StateDict(OrderedDict[str, Any]):
    """What `Module.state_dict` returns: a dict that notes each module's version beside it."""

    _metadata: OrderedDict[str, dict[str, Any]]


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class IncompatibleKeys(_Keys):
    """What `Module.load_state_dict` returns: which names did not meet their like."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__().replace(type(self).__name__, "_IncompatibleKeys")

    __str__ = __repr__


class _WithModule:
    """A hook that is given its module first; it does not hold the module, which holds it."""

    def __init__(self, hook: Callable[..., Any], module: Any) -> None:
        functools.update_wrapper(self, hook)
        self.hook = hook
        self.module = weakref.ref(module)

    def __call__(self, *args: Any) -> Any:
        module = self.module()
        if module is None:
            raise RuntimeError("You are trying to call the hook of a dead Module!")
        return self.hook(module, *args)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "module": self.module()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, module=weakref.ref(state["module"]))


class ModuleState:
    """The part of `Module` that reads and writes its state."""

    _version: int = 1
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]
    _state_dict_hooks: Hooks
    _state_dict_pre_hooks: Hooks
    _load_state_dict_pre_hooks: Hooks
    _load_state_dict_post_hooks: Hooks

    # --- writing ----------------------------------------------------------------------------------

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> Any:
        """All parameters and persistent buffers, by their dotted names.

        The tensors share the module's memory: training on changes them.

        Args:
            destination: a dict to write into; default a new one.
            prefix: what the names begin with.
            keep_vars: give the parameters themselves, not detached tensors.

        >>> import devgrad
        >>> list(devgrad.nn.Sequential(devgrad.nn.Linear(2, 1)).state_dict())
        ['0.weight', '0.bias']
        """
        for name, value in zip(("destination", "prefix", "keep_vars"), args):
            if name == "destination" and destination is None:
                destination = value
            elif name == "prefix" and not prefix:
                prefix = value
            elif name == "keep_vars":
                keep_vars = keep_vars or value
        if destination is None:
            destination = StateDict()
            destination._metadata = OrderedDict()
        metadata: dict[str, Any] = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        for hook in self._state_dict_hooks.values():
            answer = hook(self, destination, prefix, metadata)
            if answer is None:
                continue
            if getattr(hook, "_from_public_api", False):
                raise RuntimeError("state_dict post-hook must return None")
            destination = answer
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, tensor in self._own_state().items():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not ModuleState.get_extra_state:
            destination[prefix + _EXTRA_STATE] = self.get_extra_state()

    def _own_state(self) -> dict[str, Tensor]:
        """This module's parameters and persistent buffers, without its children's."""
        forgotten = self._non_persistent_buffers_set
        buffers = {name: b for name, b in self._buffers.items() if name not in forgotten}
        everything = {**self._parameters, **buffers}
        return {name: tensor for name, tensor in everything.items() if tensor is not None}

    def get_extra_state(self) -> Any:
        """What else belongs to the state dict. To be defined, with `set_extra_state`, by modules
        that have such a thing."""
        raise RuntimeError(
            "Reached a code path in Module.get_extra_state() that should never be called. Define "
            "get_extra_state() in the module's class"
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` gave."""
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be called. Define "
            "set_extra_state() in the module's class"
        )

    # --- reading ----------------------------------------------------------------------------------

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy the tensors of ``state_dict`` into the parameters and buffers of these names.

        Args:
            state_dict: as `state_dict` gives it.
            strict: whether the names must be the same on both sides.
            assign: take the tensors themselves instead of copying them.

        Returns:
            The ``missing_keys`` and ``unexpected_keys``.

        Raises:
            RuntimeError: names or shapes do not fit; all of them are listed.
            TypeError: ``state_dict`` is no dict.

        >>> import devgrad
        >>> layer = devgrad.nn.Linear(2, 1)
        >>> layer.load_state_dict(devgrad.nn.Linear(2, 1).state_dict())
        <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        state_dict = StateDict(state_dict)  # hooks may take from it
        if metadata is not None:
            state_dict._metadata = metadata
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []

        def load(module: Any, entries: dict[str, Any], prefix: str) -> None:
            local = {} if metadata is None else metadata.get(prefix[:-1], {})
            if assign:
                local["assign_to_params_buffers"] = True
            module._load_from_state_dict(entries, prefix, local, True, missing, unexpected, errors)
            for name, child in module._modules.items():
                if child is not None:
                    inner = f"{prefix}{name}."
                    load(child, {k: v for k, v in entries.items() if k.startswith(inner)}, inner)
            for hook in module._load_state_dict_post_hooks.values():
                if hook(module, IncompatibleKeys(missing, unexpected)) is not None:
                    raise AssertionError(
                        "Hooks registered with ``register_load_state_dict_post_hook`` are not "
                        "expected to return new values, if incompatible_keys need to be modified, "
                        "it should be done inplace."
                    )

        load(self, state_dict, "")
        if strict:
            for kind, keys in (("Unexpected", unexpected), ("Missing", missing)):
                if keys:
                    listed = ", ".join([f'"{key}"' for key in keys])
                    errors.insert(0, f"{kind} key(s) in state_dict: {listed}. ")
        if errors:
            listed = "\n\t".join(errors)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}"
            )
        return IncompatibleKeys(missing, unexpected)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any],
        strict: bool, missing_keys: list[str], unexpected_keys: list[str], error_msgs: list[str],
    ) -> None:  # fmt: skip
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
                 error_msgs)  # fmt: skip
        state = self._own_state()
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, tensor in state.items():
            key = prefix + name
            if key in state_dict:
                problem = self._load_tensor(name, tensor, key, state_dict[key], assign)
                if problem is not None:
                    error_msgs.append(problem)
            elif strict:
                missing_keys.append(key)
        extra = prefix + _EXTRA_STATE
        if type(self).set_extra_state is not ModuleState.set_extra_state:
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != extra:
                    first, dot, _ = key[len(prefix) :].partition(".")
                    if first not in (self._modules if dot else state):
                        unexpected_keys.append(key)

    def _load_tensor(
        self, name: str, tensor: Tensor, key: str, value: Any, assign: bool
    ) -> str | None:
        """Load one tensor; what is wrong with it, if anything is."""
        if not isinstance(value, Tensor):
            return (
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
                f"object from checkpoint but received {type(value)}"
            )
        if is_lazy(tensor) and is_lazy(value):
            return None
        if value.shape == (1,) and not tensor.ndim:
            value = value[0]  # numbers of very old checkpoints
        if value.shape != tensor.shape:
            return (
                f"size mismatch for {key}: copying a param with shape {value.shape} from "
                f"checkpoint, the shape in current model is {tensor.shape}."
            )
        try:
            with no_grad():
                if not assign:
                    tensor.copy_(value)
                    return None
                if isinstance(tensor, Parameter) and not isinstance(value, Parameter):
                    value = Parameter(value, tensor.requires_grad)
                elif isinstance(tensor, Parameter):
                    value.requires_grad_(tensor.requires_grad)
                setattr(self, name, value)
        except Exception as error:
            return (
                f'While copying the parameter named "{key}", whose dimensions in the model are '
                f"{tensor.shape} and whose dimensions in the checkpoint are {value.shape}, an "
                f"exception occurred : {error.args}."
            )
        return None

    # --- hooks ------------------------------------------------------------------------------------

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before `state_dict` writes this module."""
        return add_hook(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, metadata)`` afterwards, to change the dict."""
        hook._from_public_api = True  # type: ignore[attr-defined]
        return add_hook(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was previously "
                "registered via register_state_dict_post_hook"
            )
        return add_hook(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)`` before this module is loaded; it may change the dict."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        chosen = _WithModule(hook, self) if with_module else hook
        return add_hook(self._load_state_dict_pre_hooks, chosen)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after this module is loaded. The keys may be
        changed in place: without any left, a strict loading does not complain."""
        return add_hook(self._load_state_dict_post_hooks, hook)
