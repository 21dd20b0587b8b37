"""The examples run as a stranger runs them: in a process of their own, from the command line."""

from __future__ import annotations

import importlib.util
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import devgrad

ROOT = Path(__file__).parent.parent
REGRESSION = ROOT / "examples" / "regression.py"
NUMBERS = re.compile(r"(start|final): +w = (\S+) +b = (\S+) +loss = (\S+)")

# Runs a script after a change to what it can import: `change` is a line of Python.
RUN_AFTER = """
import runpy, sys
{change}
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

WITHOUT_MATPLOTLIB = """
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "matplotlib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def run(*arguments: str, change: str = "", cwd: Path, **environment: str):
    """Run the regression with warnings as errors; return the finished process."""
    script = ["-c", RUN_AFTER.format(change=change)] if change else []
    return subprocess.run(
        [sys.executable, "-W", "error", *script, str(REGRESSION), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(devgrad.__file__).parents[1]),  # the devgrad under test
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
