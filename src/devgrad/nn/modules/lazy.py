"""Lazy layers: they find out the sizes of their parameters by their first input."""

from __future__ import annotations

from typing import Any

from ...autograd._hooks import RemovableHandle
from ...autograd._modes import no_grad
from ..parameter import is_lazy
from .module import Module

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin(Module):
    """What makes a layer lazy, to be named before the layer's class among its bases.

    The layer's ``__init__`` gives uninitialised parameters, and its ``initialize_parameters``,
    called with the arguments of the first forward, materializes them. Then it becomes an ordinary
    layer of the class ``cls_to_become``.
    """

    cls_to_become: type[Module] | None = None
    _load_hook: RemovableHandle
    _initialize_hook: RemovableHandle

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(_materialize_for, True)
        self._initialize_hook = self.register_forward_pre_hook(_initialize, with_kwargs=True)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, tensor in self._own_state().items():
            whole = keep_vars or is_lazy(tensor)
            destination[prefix + name] = tensor if whole else tensor.detach()

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Materialize and fill the parameters. To be defined by lazy layers.

        Raises:
            NotImplementedError: it is not.
        """
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer has no shape yet."""
        return any(is_lazy(t) for t in (*self._parameters.values(), *self._buffers.values()))


def _materialize_for(module: Any, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    """Give parameters that are to be loaded the shapes in the state dict."""
    with no_grad():
        for name, tensor in module._own_state().items():
            loaded = state.get(prefix + name)
            if loaded is not None and is_lazy(tensor) and not is_lazy(loaded):
                tensor.materialize(loaded.shape)


def _initialize(module: Any, args: Any, kwargs: Any) -> None:
    """Before the first forward: find out the sizes, and be an ordinary layer from then on."""
    module.initialize_parameters(*args, **kwargs)
    if module.has_uninitialized_params():
        raise RuntimeError(f"module {module._get_name()} has not been fully initialized")
    module._initialize_hook.remove()
    module._load_hook.remove()
    del module._initialize_hook, module._load_hook
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become
