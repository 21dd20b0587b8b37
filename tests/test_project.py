"""What surrounds the library: imports, packaging, the README's promises, and CI that keeps them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path

import pytest

import devgrad

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def readme_command(name: str) -> str:
    """Return the one line of the code block that follows `<!-- command: name -->`."""
    (block,) = re.findall(rf"<!-- command: {name} -->\n```console\n(.*?)```", README, re.S)
    (line,) = block.splitlines()
    return line


@pytest.fixture
def requirements() -> list[str]:
    """What the installed devgrad says that it needs."""
    try:
        return metadata.requires("devgrad") or []
    except metadata.PackageNotFoundError:
        if os.environ.get("CI"):
            raise
        pytest.skip("devgrad is on the path, but not installed: it has no metadata")


def test_import_brings_in_no_heavy_library() -> None:
    """Attempts count too: what is not installed here would be imported elsewhere."""
    code = """if True:
        import sys

        class Watch:
            tried = []

            def find_spec(self, name, path=None, target=None):
                self.tried.append(name.partition(".")[0])

        sys.meta_path.insert(0, Watch())
        import devgrad
        devgrad.tensor([1.0, 2.0], requires_grad=True).sum().backward()
        assert "numpy" in Watch.tried
        print(sorted(set(Watch.tried) & {"cupy", "cupyx", "matplotlib", "scipy", "torch"}))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_the_version_stands_in_one_place(requirements: list[str]) -> None:
    version = devgrad.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc|\.dev)\d+)?", version)
    assert metadata.version("devgrad") == version
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert not re.search(r'^version\s*=\s*"', pyproject, re.M)
    literal = re.compile(rf"[\"']{re.escape(version)}[\"']")
    sources = (ROOT / "src").rglob("*.py")
    assert sum(len(literal.findall(path.read_text(encoding="utf-8"))) for path in sources) == 1


def test_numpy_is_the_only_hard_dependency(requirements: list[str]) -> None:
    assert [r for r in requirements if "extra ==" not in r] == ["numpy>=2"]
    assert not [r for r in requirements if re.search(r"<|~=", r.partition(";")[0])]  # no upper caps


def test_no_extra_holds_both_cupys(requirements: list[str]) -> None:
    extras: dict[str, list[str]] = {}
    for requirement in requirements:
        if found := re.search(r"extra == ['\"](.+?)['\"]", requirement):
            extras.setdefault(found[1], []).append(requirement.partition(";")[0].strip())
    assert {"cuda12x", "cuda13x", "plot", "test", "bench", "dev"} <= set(extras)
    assert extras["cuda12x"] == ["cupy-cuda12x[ctk]>=14"]
    assert extras["cuda13x"] == ["cupy-cuda13x[ctk]>=14"]
    rest = {name: held for name, held in extras.items() if name not in ("cuda12x", "cuda13x")}
    assert not [r for held in rest.values() for r in held if "cupy" in r or "devgrad" in r]


def test_type_information_is_shipped() -> None:
    assert resources.files("devgrad").joinpath("py.typed").is_file()


def test_ci_runs_the_readmes_commands() -> None:
    """`.ci/run` reads the second command out of the README; the matrix repeats both."""
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    for name in ("run", "test"):
        assert f"        run: {readme_command(name)}\n" in workflow
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "README.md" in script
    assert "pytest" not in script  # no second opinion on how the tests are run


@pytest.mark.skipif(sys.platform == "win32", reason="sed and bash are not at hand")
def test_ci_reads_the_second_command_as_we_do() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (line,) = re.findall(r"^second=\$\(.*\)$", script, re.M)
    done = subprocess.run(
        ["bash", "-c", f'{line}; printf %s "$second"'], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == readme_command("test")


def test_the_readmes_example_prints_what_it_says() -> None:
    (code,) = re.findall(r"<!-- example -->\n```python\n(.*?)```", README, re.S)
    (expected,) = re.findall(r"<!-- output -->\n```text\n(.*?)```", README, re.S)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    assert printed.getvalue() == expected


def test_the_readmes_links_lead_somewhere() -> None:
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (ROOT / target).exists(), f"{page} links to {target}"


def test_the_oracle_is_there_in_ci() -> None:
    """Without PyTorch the comparisons are skipped; in CI that must not pass for green."""
    if importlib.util.find_spec("torch"):
        return
    assert not os.environ.get("CI"), "CI runs without PyTorch: install the `oracle` extra"
    pytest.skip("PyTorch, the oracle, is missing: every comparison with it is skipped")


def test_the_table_of_autograd_is_up_to_date() -> None:
    pytest.importorskip("torch", reason="PyTorch, whose names are listed, is not installed")
    script = ROOT / "docs" / "autograd_table.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "run `python docs/autograd_table.py`"


def test_the_methods_of_later_families_are_all_known() -> None:
    program = (
        "import devgrad; before = set(dir(devgrad.Tensor)); devgrad.ops.load_all(); "
        "print(sorted(set(dir(devgrad.Tensor)) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", "enter them into _LATER in ops/__init__.py"


def test_the_table_of_operations_is_up_to_date() -> None:
    script = ROOT / "docs" / "operations_table.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "run `python docs/operations_table.py`"
