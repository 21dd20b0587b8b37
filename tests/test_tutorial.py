"""The tutorial that devgrad was founded on, cell by cell, against what PyTorch prints for it.

`tutorial/cells.txt` holds the cells as their author wrote them; `tutorial/printed_by_pytorch.txt`
what they print under PyTorch 2.13 (addresses as 0x..., and one line more: w, b and the last loss in
full). The only change is `import devgrad as torch`.
"""

from __future__ import annotations

import contextlib
import copy
import io
import pickle
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import devgrad

plt = pytest.importorskip("matplotlib.pyplot")

FOLDER = Path(__file__).parent / "tutorial"
NON_LEAF_WARNING = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad "
    "attribute won't be populated during autograd.backward(). If you indeed want the .grad field "
    "to be populated for a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you "
    "access the non-leaf Tensor by mistake, make sure you access the leaf Tensor instead. See "
    "github.com/pytorch/pytorch/pull/30531 for more information."
)


@dataclass
class Session:
    """What running the cells in order left behind."""

    printed: list[str] = field(default_factory=list)
    warned: list[tuple[type[Warning], str, str]] = field(default_factory=list)  # with the line
    figures: list[Any] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def session() -> Session:
    """Run the cells in one namespace, as a notebook does, under a backend that needs no display."""
    plt.switch_backend("Agg")
    text = (FOLDER / "cells.txt").read_text(encoding="utf-8")
    cells = text.replace("import torch", "import devgrad as torch").split("# %%\n")[1:]
    assert len(cells) == 6
    done = Session()

    def show() -> None:
        done.figures.append(plt.gcf())
        plt.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plt, "show", show)
        for number, cell in enumerate(cells, 1):
            filename, out = f"<cell {number}>", io.StringIO()
            with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(out):
                warnings.simplefilter("always")
                exec(compile(cell, filename, "exec"), done.names)
            done.printed += out.getvalue().splitlines()
            for w in caught:
                where = w.filename == filename
                line = cell.splitlines()[w.lineno - 1] if where else f"{w.filename}:{w.lineno}"
                done.warned.append((w.category, str(w.message), line))
    return done


def test_every_line_is_pytorchs(session: Session) -> None:
    expected = (FOLDER / "printed_by_pytorch.txt").read_text(encoding="utf-8").splitlines()
    printed = [re.sub(r"0x[0-9a-f]+", "0x...", line) for line in session.printed]
    assert printed == expected[:-1]


def test_the_regression_ends_where_pytorchs_does(session: Session) -> None:
    last = (FOLDER / "printed_by_pytorch.txt").read_text(encoding="utf-8").splitlines()[-1]
    w, b, loss = map(float, last.split())
    assert session.names["w"].item() == pytest.approx(w, abs=5e-7)
    assert session.names["b"].item() == pytest.approx(b, abs=5e-7)
    # A sum of a hundred float32 numbers depends on the order of its terms in the last digits.
    assert session.names["loss"].item() == pytest.approx(loss, rel=1e-5)


def test_only_the_grad_of_a_non_leaf_warns_and_at_the_users_line(session: Session) -> None:
    assert [line for _, _, line in session.warned] == [
        "print('z 的梯度:', z.grad)",
        "print('w 的梯度:', w.grad)",
        # Two accesses on one line: both warn, as both tensors are non-leaves.
        "print(y.grad,z.grad)  # None None",
        "print(y.grad,z.grad)  # None None",
    ]
    for category, message, _ in session.warned:
        assert category is UserWarning
        assert message.startswith(NON_LEAF_WARNING)


def test_the_pictures_show_the_tensors(session: Session) -> None:
    points, fitted = session.figures
    assert points.axes[0].collections[0].get_offsets().shape == (100, 2)
    (curve,) = fitted.axes[0].lines
    assert curve.get_label() == "predict"
    assert curve.get_ydata()[0] == pytest.approx(2.9668 + 2.1138, abs=1e-3)


def test_the_grad_of_a_non_leaf_warns() -> None:
    x = devgrad.tensor([2.0], requires_grad=True)
    z = x * 3
    with pytest.warns(UserWarning) as caught:
        assert z.grad is None
    assert len(caught) == 1
    assert str(caught[0].message).startswith(NON_LEAF_WARNING)
    assert caught[0].filename == __file__


def test_the_grad_of_a_non_leaf_that_retains_it_does_not_warn() -> None:
    x = devgrad.tensor([2.0], requires_grad=True)
    z = x * 3
    z.retain_grad()
    (z * z).backward()
    assert z.grad.tolist() == [12.0]
    assert x.grad.tolist() == [36.0]


def test_devgrad_itself_never_reads_the_grad_of_a_non_leaf() -> None:
    """Warnings are errors here: nothing that the library does with a non-leaf may raise one."""
    x = devgrad.tensor([1.0, 2.0], requires_grad=True)
    z = x * 3
    assert repr(z) == str(z) == "tensor([3., 6.], grad_fn=<MulBackward0>)"
    assert f"{z}" == repr(z)
    assert repr(z.grad_fn).startswith("<MulBackward0 object at 0x")
    dir(z), bool(z[0]), len(z), list(z), z.tolist(), z.is_leaf, z.requires_grad, z.shape
    z.detach(), z.clone(), z.view(2, 1), z.reshape(1, 2), z[0], devgrad.stack([z, z])
    copy.copy(z), pickle.loads(pickle.dumps(z.detach()))
    z.register_hook(lambda grad: grad * 1)
    y = z * z
    y += z
    y.sum().backward(retain_graph=True)
    y.sum().backward(inputs=[x], retain_graph=True)
    (first,) = devgrad.autograd.grad((z**3).sum(), x, create_graph=True)
    (second,) = devgrad.autograd.grad(first.sum(), x)
    assert x.grad.tolist() == [42.0, 78.0]
    assert second.tolist() == [162.0, 324.0]
