"""What went wrong, in PyTorch's words first and then in ours."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..autograd._graph import AccumulateGrad, Node, Released
from ..autograd._provenance import line_of, user_line
from ..device import device_error, device_of_array, dtype_of_array
from ._arguments import explain_op, outer_name

if TYPE_CHECKING:
    from ._op import Op

__all__ = ["broadcast_mismatch", "describe", "explain", "freed", "inference_saved", "modified",
           "refuse_dtype"]  # fmt: skip


def describe(x: Any) -> str:
    """A tensor in a few words: ``float32 [2, 3] on cpu``."""
    kind = getattr(x, "_type", None)
    if kind is None:
        return repr(x)
    return f"{kind.dtype.name} {list(x._array.shape)} on {kind.device}"


def broadcast_mismatch(a: Sequence[int], b: Sequence[int]) -> str | None:
    """PyTorch's phrase for two shapes that do not broadcast; None where they do."""
    for back in range(1, min(len(a), len(b)) + 1):
        if a[-back] != b[-back] and 1 not in (a[-back], b[-back]):
            dim = max(len(a), len(b)) - back
            return (
                f"The size of tensor a ({a[-back]}) must match the size of tensor b ({b[-back]}) "
                f"at non-singleton dimension {dim}"
            )
    return None


def explain(op: Op, error: Exception, operands: Sequence[Any]) -> Exception:
    """The error to raise where an operation's forward raised ``error``. Called by its function."""
    values = sys._getframe(1).f_locals
    wrong = explain_op(op, error, values)
    if isinstance(values, dict):
        values.pop("error", None)  # the frame keeps the dict: a cycle with the error's traceback
    if wrong is not error:
        return wrong
    name = outer_name(op.name)
    given = ", ".join(describe(x) for x in operands if hasattr(x, "_array"))
    shapes = [x._array.shape for x in operands if hasattr(x, "_array")]
    if isinstance(error, (ValueError, IndexError, NotImplementedError)) and (
        op.promotes or "broadcast" in str(error)
    ):
        for i, a in enumerate(shapes):
            for b in shapes[i + 1 :]:
                phrase = broadcast_mismatch(a, b)
                if phrase:
                    return RuntimeError(
                        f"{phrase}. {name}() was given {given}, at {line_of(user_line())}"
                    )
    error = device_error(error)
    if isinstance(error, (RuntimeError, IndexError, TypeError, NotImplementedError)):
        return error
    if isinstance(error, ValueError):
        return RuntimeError(f"{name}(): {error}. It was given {given}, at {line_of(user_line())}")
    return error


def freed(node: Node) -> RuntimeError:
    """A node is to run whose saved tensors an earlier backward pass has given back."""
    released = node.saved
    first = line_of(released.line) if isinstance(released, Released) else "an earlier line"
    return RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already been freed). Saved intermediate values of the graph are freed "
        "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to "
        "backward through the graph a second time or if you need to access saved tensors after "
        f"calling backward. The first backward pass was at {first}; both went through "
        f"{node.name()}, made at {node.where()}. If the two passes were not meant to share it, "
        "detach() what is carried over from one to the next"
    )


def modified(node: Node, array: Any, version: list[Any], expected: int, name: str) -> RuntimeError:
    """A saved tensor was changed in place before the backward pass needed it."""
    shape = list(array.shape)
    of_output = node.tensor_type if node.outputs is None else node.tensor_type[0]
    kind = of_output.device.types[array.dtype]
    title = node.name()
    edge = node.edge_of(name)
    source = ""
    if name == "out":
        source = f", which is output 0 of {title.removesuffix('Backward0')},"
    elif edge is not None and edge.node.__class__ is not AccumulateGrad:
        origin = edge.node.name().removesuffix("Backward0")
        source = f", which is output {edge.index} of {origin},"
    changed = line_of(version[1])
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [{kind} {shape}]{source} is at version {version[0]}; expected version "
        f"{expected} instead. Hint: enable anomaly detection to find the operation that failed to "
        "compute its gradient, with torch.autograd.set_detect_anomaly(True, check_nan=False). "
        f"The derivative of {title} needs {name!r} as it was at {node.where()}, where it was "
        f"saved; it was changed at {changed}. Change a clone() of it, or use the operation that "
        "returns a new tensor; a parameter is to be changed (optimizer.step()) after the backward "
        "pass, and a new forward pass begins the next"
    )


def inference_saved(op: Op) -> RuntimeError:
    """An inference tensor would have to be saved for the backward pass."""
    return RuntimeError(
        "Inference tensors cannot be saved for backward. Please do not use Tensors created in "
        "inference mode in computation tracked by autograd. To work around this, you can make a "
        "clone to get a normal tensor and use it in autograd, or use `torch.no_grad()` instead of "
        f"`torch.inference_mode()`. {op.name}() met one at {line_of(user_line())}"
    )


def refuse_dtype(array: Any, kinds: str, kernel: str) -> None:
    """Raise PyTorch's error if the dtype of ``array`` is of one of these kinds (``"b"``, ``"iu"``).

    Raises:
        NotImplementedError: it is.
    """
    if array.dtype.kind in kinds:
        device, dtype = device_of_array(array), dtype_of_array(array)
        where = "cpu" if device is None else device.type
        title = array.dtype.name if dtype is None else dtype.title
        raise NotImplementedError(
            f"\"{kernel}_{where}\" not implemented for '{title}'. Convert the tensor first, for "
            "example with x.float()"
        )
