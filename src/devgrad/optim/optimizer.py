"""The Optimizer: parameter groups, state, hooks; what all optimizers have in common."""

from __future__ import annotations

import copy
import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from .._tensor import Tensor
from .._types import typename
from ..autograd._hooks import Hooks, RemovableHandle, add_hook
from ..autograd._modes import enable_grad
from ..device import user_stacklevel
from ..nn.modules.module import clear_grad

__all__ = ["Optimizer", "number", "register_optimizer_step_post_hook",
           "register_optimizer_step_pre_hook", "require", "required"]  # fmt: skip


class _Required:
    """Stands for an option that every parameter group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()

_pre_hooks_of_all: Hooks = OrderedDict()
_post_hooks_of_all: Hooks = OrderedDict()


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before the step of any optimizer."""
    return add_hook(_pre_hooks_of_all, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after the step of any optimizer."""
    return add_hook(_post_hooks_of_all, hook)


def require(condition: bool, message: str) -> None:
    """Raise a ValueError with this message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def number(value: Any) -> Any:
    """A hyperparameter as a number; it may have been given as a tensor of one element."""
    return value.item() if isinstance(value, Tensor) else value


def check_learning_rate(lr: Any, message: str = "Invalid learning rate: {}") -> None:
    """Refuse a tensor of several elements, and a negative rate."""
    require(not isinstance(lr, Tensor) or lr.numel() == 1, "Tensor lr must be 1-element")
    require(bool(lr >= 0.0), message.format(lr))


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(step)
    def wrapped(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if not (
            _pre_hooks_of_all or _post_hooks_of_all
            or self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks
        ):  # fmt: skip
            return step(self, *args, **kwargs)
        # As in PyTorch, the optimizer itself is the first of the arguments.
        args = (self, *args)
        for hook in (*_pre_hooks_of_all.values(), *self._optimizer_step_pre_hooks.values()):
            answer = hook(self, args, kwargs)
            if answer is None:
                continue
            if not isinstance(answer, tuple) or len(answer) != 2:
                raise RuntimeError(
                    f"{step} must return None or a tuple of (new_args, new_kwargs), but got "
                    f"{answer}."
                )
            args, kwargs = answer
        result = step(*args, **kwargs)
        for hook in (*self._optimizer_step_post_hooks.values(), *_post_hooks_of_all.values()):
            hook(self, args, kwargs)
        return result

    wrapped._has_hooks = True  # type: ignore[attr-defined]
    return wrapped


class Optimizer:
    """The base of all optimizers. A subclass gives ``step``, and the defaults of its options.

    Args:
        params: tensors; or pairs of a name and a tensor; or dicts, one for each group of
            parameters, with the tensors under ``"params"`` and options of their own.
        defaults: the options of groups that do not give them.

    Attributes:
        param_groups: a list of dicts: the groups with all their options, which may be changed.
        state: for each parameter, a dict of what the optimizer keeps between steps.

    Raises:
        TypeError, ValueError: these are no parameters that can be optimized.
    """

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if defaults.get("differentiable"):
            raise NotImplementedError(
                "differentiable=True is not supported: an update is made in place, and not "
                "recorded. To differentiate through updates, compute them with operations: "
                "w = w - lr * torch.autograd.grad(loss, w, create_graph=True)[0]"
            )
        if defaults.get("fused") and defaults.get("foreach"):
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or "
                f"dicts, but got {typename(params)}"
            )
        self.defaults = defaults
        self._make_hooks()
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        require(bool(groups), "optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        step = cls.__dict__.get("step")
        if step is not None and not hasattr(step, "_has_hooks"):
            cls.step = _with_hooks(step)  # type: ignore[method-assign]

    def _make_hooks(self) -> None:
        self._optimizer_step_pre_hooks: Hooks = OrderedDict()
        self._optimizer_step_post_hooks: Hooks = OrderedDict()
        self._optimizer_state_dict_pre_hooks: Hooks = OrderedDict()
        self._optimizer_state_dict_post_hooks: Hooks = OrderedDict()
        self._optimizer_load_state_dict_pre_hooks: Hooks = OrderedDict()
        self._optimizer_load_state_dict_post_hooks: Hooks = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults, "state": self.state, "param_groups": self.param_groups,
        }  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "_optimizer_step_pre_hooks" not in self.__dict__:
            self._make_hooks()
        for group in self.param_groups:  # of a checkpoint older than an option
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for index, group in enumerate(self.param_groups):
            options = [f"    {name}: {group[name]}\n" for name in sorted(group) if name != "params"]
            text += f"\nParameter Group {index}\n{''.join(options)}"
        return f"{text})"

    # --- using it ---------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters once, by their gradients.

        Args:
            closure: computes the loss and its gradients anew; called with grad mode on.

        Returns:
            What the closure returned.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define step()")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Take away the gradients of all parameters; or, by choice, set them to zero."""
        for group in self.param_groups:
            for param in group["params"]:
                clear_grad(param, set_to_none)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize further parameters, with options of their own.

        Raises:
            TypeError, ValueError: they are no parameters that can be optimized.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = param_group
        params = group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the "
                "ordering of tensors in sets will change between runs. Please use a list instead."
            )
        params = [params] if isinstance(params, Tensor) else list(params)
        names = [param[0] for param in params if isinstance(param, tuple)]
        if names:
            require(
                len(names) == len(params),
                "all optimizer params should be with/without names. Some param names are missing",
            )
            params = [param for _, param in params]
            group["param_names"] = names
        group["params"] = params
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is "
                    + typename(param)
                )
            if not (param.is_leaf or param.retains_grad):
                raise ValueError(
                    "can't optimize a non-leaf Tensor. It was computed by "
                    f"{param.grad_fn!r}, and is computed anew in each pass; optimize what it was "
                    "computed from"
                )
        for name, default in self.defaults.items():
            require(
                default is not required or name in group,
                f"parameter group didn't specify a value of required optimization parameter {name}",
            )
            group.setdefault(name, default)
        if len(params) != len({id(p) for p in params}):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this "
                "will cause an error; see github.com/pytorch/pytorch/issues/40967 for more "
                "information",
                stacklevel=user_stacklevel(),
            )
        known = {id(p) for other in self.param_groups for p in other["params"]}
        for other in self.param_groups:
            require(
                ("param_names" in group) == ("param_names" in other),
                "all optimizer param groups should be with/without names. cannot add param group "
                f"{'with' if 'param_names' in group else 'without'} names to the optimizer",
            )
        require(
            known.isdisjoint({id(p) for p in params}),
            "some parameters appear in more than one parameter group",
        )
        self.param_groups.append(group)

    # --- saving -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The state and the options, as a dict; parameters are numbers, in the order of groups.

        The tensors in it are the optimizer's own.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}
        groups = []
        start = 0
        for group in self.param_groups:
            for place, param in enumerate(group["params"], start):
                numbers.setdefault(id(param), place)
            start += len(group["params"])
            options = {name: value for name, value in group.items() if name != "params"}
            groups.append({**options, "params": [numbers[id(p)] for p in group["params"]]})
        state = {
            numbers[id(key)] if isinstance(key, Tensor) else key: value
            for key, value in self.state.items()
        }
        result: dict[str, Any] = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            answer = hook(self, result)
            result = result if answer is None else answer
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state and the options that `state_dict` gave.

        State is converted to the dtype and device of its parameter, counts of steps are not.

        Raises:
            ValueError: the groups, or the numbers of parameters in them, are not the same.
        """
        state_dict = dict(state_dict)
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            answer = hook(self, state_dict)
            state_dict = state_dict if answer is None else answer
        groups = self.param_groups
        saved = copy.deepcopy(state_dict["param_groups"])
        require(
            len(groups) == len(saved),
            "loaded state dict has a different number of parameter groups",
        )
        require(
            all(len(g["params"]) == len(s["params"]) for g, s in zip(groups, saved)),
            "loaded state dict contains a parameter group that doesn't match the size of "
            "optimizer's group",
        )
        params = dict(
            zip(chain(*(s["params"] for s in saved)), chain(*(g["params"] for g in groups)))
        )
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in params:
                state[params[key]] = _fitted(params[key], value)
            else:
                state[key] = value
        for group, new in zip(groups, saved):
            new["params"] = group["params"]
            if "param_names" in group:
                new.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    # --- hooks ------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return new ones."""
        return add_hook(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return add_hook(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` before `state_dict`."""
        return add_hook(self._optimizer_state_dict_pre_hooks, hook, prepend=prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` afterwards; what it returns is returned instead."""
        return add_hook(self._optimizer_state_dict_post_hooks, hook, prepend=prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before loading; what it returns is loaded."""
        return add_hook(self._optimizer_load_state_dict_pre_hooks, hook, prepend=prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` after loading."""
        return add_hook(self._optimizer_load_state_dict_post_hooks, hook, prepend=prepend)


def _fitted(param: Tensor, value: Any, name: Any = None) -> Any:
    """Loaded state in the dtype and on the device of its parameter."""
    if isinstance(value, Tensor):
        if name == "step":
            return value.clone()
        # A copy: what was saved is not to change with the training that goes on.
        dtype = param.dtype if param.is_floating_point() else None
        return value.to(param.device, dtype, copy=True)
    if isinstance(value, dict):
        return {key: _fitted(param, inner, key) for key, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return type(value)(_fitted(param, inner) for inner in value)  # type: ignore[call-arg]
    return value


def evaluated(closure: Callable[[], Any] | None) -> Any:
    """What the closure returns, computed with grad mode on; None without a closure."""
    if closure is None:
        return None
    with enable_grad():
        return closure()
