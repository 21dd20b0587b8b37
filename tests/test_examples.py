"""The examples run as a stranger runs them: in a process of their own, from the command line."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import devgrad

ROOT = Path(__file__).parent.parent
TESTS = str(Path(__file__).parent)
REGRESSION = ROOT / "examples" / "regression.py"
NUMBERS = re.compile(r"(start|final): +w = (\S+) +b = (\S+) +loss = (\S+)")

# Runs a script after a change to what it can import: `change` is a line of Python.
RUN_AFTER = """
import runpy, sys
{change}
del sys.argv[0]
sys.path.insert(0, {folder!r})
runpy.run_path(sys.argv[0], run_name="__main__")
"""

WITHOUT_MATPLOTLIB = """
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "matplotlib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def run(
    *arguments: str, change: str = "", cwd: Path, script: Path = REGRESSION, **environment: str
):
    """Run an example with warnings as errors; return the finished process."""
    before = ["-c", RUN_AFTER.format(change=change, folder=str(script.parent))] if change else []
    return subprocess.run(
        [sys.executable, "-W", "error", *before, str(script), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env={
            **os.environ,
            # The devgrad under test, and the stand-in for CuPy.
            "PYTHONPATH": os.pathsep.join([str(Path(devgrad.__file__).parents[1]), TESTS]),
            "PYTHONIOENCODING": "utf-8",
            "DISPLAY": "",
            **environment,
        },
        timeout=300,
    )


def numbers(output: str) -> dict[str, list[float]]:
    """Return {"start": [w, b, loss], "final": [w, b, loss]} as printed."""
    found = {name: list(map(float, rest)) for name, *rest in NUMBERS.findall(output)}
    assert set(found) == {"start", "final"}, output
    return found


def test_regression_reports_and_draws(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = run(cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"device: +cpu", lines[0])
    learned = numbers(done.stdout)
    assert learned["start"][:2] == [0.2437, 0.0]
    assert learned["start"][2] == pytest.approx(992.9875, rel=1e-5)
    assert learned["final"] == [2.9668, 2.1138, 0.3335]
    picture = Path(lines[-1].removeprefix("picture: "))
    assert picture.samefile(tmp_path / "regression.png")
    header = picture.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", header[16:])
    assert width > 2 * height > 800  # three panels in a row


def test_regression_obeys_its_options(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "new folder" / "picture.png"
    done = run("--seed=3", "--steps=5", "--lr=0.0005", "--out", str(out), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert out.stat().st_size > 10_000
    fewer, default = numbers(done.stdout), [0.2437, 0.0]
    assert fewer["start"][:2] != default
    assert 0.3335 < fewer["final"][2] < fewer["start"][2]


def test_regression_without_matplotlib_names_the_extra(tmp_path: Path) -> None:
    done = run(change=WITHOUT_MATPLOTLIB, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert numbers(done.stdout)["final"][:2] == [2.9668, 2.1138]
    assert 'pip install -e ".[plot]"' in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_regression_that_runs_away_says_so(tmp_path: Path) -> None:
    done = run("--lr=1", "--steps=100", cwd=tmp_path)
    assert done.returncode == 1
    assert "smaller --lr" in done.stdout
    assert done.stderr == ""


def test_regression_refuses_no_steps(tmp_path: Path) -> None:
    done = run("--steps=0", cwd=tmp_path)
    assert done.returncode == 2
    assert "--steps must be at least 1" in done.stderr


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="PyTorch, the oracle, is missing")
def test_regression_is_pytorchs(tmp_path: Path) -> None:
    """The same file under PyTorch, which stands in for devgrad, prints the same numbers."""
    arguments = ("--steps=30", "--seed=7", "--out", "picture.png")
    ours = run(*arguments, cwd=tmp_path)
    theirs = run(*arguments, change="import torch; sys.modules['devgrad'] = torch", cwd=tmp_path)
    assert ours.returncode == theirs.returncode == 0, ours.stderr + theirs.stderr
    for name, expected in numbers(theirs.stdout).items():
        assert numbers(ours.stdout)[name] == pytest.approx(expected, rel=1e-5, abs=1e-4)


def test_regression_asked_for_cuda_tells_where_it_ran(tmp_path: Path) -> None:
    """With a GPU it runs there; without one, one warning says why and the CPU does the work."""
    code = "import warnings; warnings.simplefilter('default')"
    done = run("--device=cuda", "--steps=800", change=code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    if devgrad.cuda.is_available():
        assert re.search(r"^device: +cuda:0$", done.stdout, re.M)
        assert done.stderr == ""
    else:
        assert re.search(r"^device: +cpu$", done.stdout, re.M)
        assert len(re.findall(r"\w+Warning: ", done.stderr)) == 1, done.stderr
    assert numbers(done.stdout)["final"][:2] == [2.9668, 2.1138]


def test_regression_refuses_to_fall_back_when_told(tmp_path: Path) -> None:
    if devgrad.cuda.is_available():
        pytest.skip("there is a CUDA device, so nothing falls back")
    done = run("--device=cuda", cwd=tmp_path, DEVGRAD_DEVICE_FALLBACK="error")
    assert done.returncode == 1
    assert "RuntimeError" in done.stderr or "AssertionError" in done.stderr, done.stderr
    assert "start:" not in done.stdout


@pytest.mark.gpu
def test_regression_learns_the_same_on_both_devices(tmp_path: Path) -> None:
    if not devgrad.cuda.is_available():
        pytest.skip("no CUDA device")
    on_cpu = numbers(run("--device=cpu", cwd=tmp_path).stdout)
    on_gpu = run("--device=cuda", cwd=tmp_path, DEVGRAD_DEVICE_FALLBACK="error")
    assert on_gpu.returncode == 0, on_gpu.stderr
    assert re.search(r"^device: +cuda:0$", on_gpu.stdout, re.M)
    for name, row in numbers(on_gpu.stdout).items():
        assert row == pytest.approx(on_cpu[name], rel=1e-5, abs=1e-4)


def test_regression_stays_a_text_for_learners() -> None:
    assert len(REGRESSION.read_text(encoding="utf-8").splitlines()) < 150


# --- the others -------------------------------------------------------------------------------

EXAMPLES = {
    "digits.py": ("--steps=4", "--model=cnn"),
    "char_gpt.py": ("--steps=2", "--length=10"),
    "lstm_series.py": ("--steps=2",),
    "vae_digits.py": ("--steps=2",),
    "newton_logistic.py": ("--steps=2",),
    "ode_fit.py": ("--steps=2",),
}
ON_THE_STAND_IN = "import cuda_stand_in; cuda_stand_in.install()"


def run_example(name: str, *arguments: str, **options):
    pytest.importorskip("sklearn", reason="scikit-learn, which has the data, is missing")
    pytest.importorskip("matplotlib")
    done = run(*arguments, script=ROOT / "examples" / name, **options)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("where", ["cpu", "cuda"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run_and_draw(name: str, where: str, tmp_path: Path) -> None:
    change = ON_THE_STAND_IN if where == "cuda" else ""
    done = run_example(name, *EXAMPLES[name], f"--device={where}", change=change, cwd=tmp_path)
    assert re.search(rf"^device: +{'cuda:0' if where == 'cuda' else 'cpu'}$", done.stdout, re.M)
    picture = tmp_path / name.replace(".py", ".png")
    assert f"picture: {picture.resolve()}" in done.stdout.splitlines()
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and picture.stat().st_size > 10_000
    if importlib.util.find_spec("tqdm"):
        assert "it/s" in done.stderr or "s/it" in done.stderr or "?it" in done.stderr


@pytest.mark.parametrize(("model", "steps"), [("mlp", 3000), ("cnn", 500)])
def test_digits_are_read(model: str, steps: int, tmp_path: Path) -> None:
    done = run_example("digits.py", f"--model={model}", f"--steps={steps}", cwd=tmp_path)
    (accuracy,) = re.findall(r"accuracy: ([\d.]+)%", done.stdout)
    assert float(accuracy) > 98
    assert set(devgrad.load(tmp_path / "digits.safetensors")) > {"1.weight", "1.bias"}


def test_newton_arrives(tmp_path: Path) -> None:
    done = run_example("newton_logistic.py", "--steps=9", cwd=tmp_path)
    (slope,) = re.findall(r"slope (\S+)", done.stdout)
    assert float(slope) < 1e-12
    (newton,) = re.findall(r"Newton: +loss (\S+)", done.stdout)
    (descent,) = re.findall(r"descent: +loss (\S+)", done.stdout)
    assert float(newton) < float(descent)


def test_the_forecast_is_better_than_repeating_the_last_year(tmp_path: Path) -> None:
    done = run_example("lstm_series.py", cwd=tmp_path)
    ours, repeated = map(float, re.findall(r"([\d.]+)%", done.stdout))
    assert ours < repeated


def test_the_differential_equation_fits(tmp_path: Path) -> None:
    done = run_example("ode_fit.py", "--steps=40", cwd=tmp_path)
    first, last = map(float, re.findall(r"loss: +(\S+) at first, (\S+) at last", done.stdout)[0])
    assert last < 0.3 * first


WITHOUT_EXTRAS = WITHOUT_MATPLOTLIB.replace(
    'name == "matplotlib"', 'name in ("matplotlib", "tqdm")'
)


def test_examples_without_tqdm_and_matplotlib(tmp_path: Path) -> None:
    done = run_example("ode_fit.py", "--steps=1", change=WITHOUT_EXTRAS, cwd=tmp_path)
    assert done.stderr == ""
    assert 'pip install -e ".[examples]"' in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_examples_stay_texts_for_learners() -> None:
    for path in (ROOT / "examples").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) < 150, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name[0] != "_":
                assert ast.get_docstring(node) or len(node.body) <= 3, f"{path.name}: {node.name}"


def without_lines(svg: str) -> str:
    """A drawing without the texts that name files and lines."""
    return re.sub(r"<title>.*?</title>", "", svg, flags=re.S)


def test_the_notebook_prints_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells are run in order, as a notebook does; its saved outputs are true."""
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    drawn: list[int] = []
    monkeypatch.setattr(plt, "show", lambda: (drawn.extend(plt.get_fignums()), plt.close("all")))
    notebook = ROOT / "examples" / "autograd_tutorial.ipynb"
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    names: dict[str, object] = {}
    pictures = 0
    for count, cell in enumerate([c for c in cells if c["cell_type"] == "code"], 1):
        assert cell["execution_count"] == count
        printed = io.StringIO()
        program = ast.parse("".join(cell["source"]))
        drawings = [o["data"] for o in cell["outputs"] if o["output_type"] == "execute_result"]
        last = program.body.pop() if drawings else None
        with contextlib.redirect_stdout(printed):
            exec(compile(program, f"cell {count}", "exec"), names)
        if isinstance(last, ast.Expr):
            drawing = eval(compile(ast.Expression(last.value), f"cell {count}", "eval"), names)
            assert without_lines(drawing._repr_svg_()) == without_lines(
                "".join(drawings[0]["image/svg+xml"])
            )
        shown = ["".join(o["text"]) for o in cell["outputs"] if o["output_type"] == "stream"]
        assert printed.getvalue() == "".join(shown)
        pictures += len([o for o in cell["outputs"] if "image/png" in o.get("data", {})])
        assert len(drawn) == pictures
    assert pictures == 2
