"""The benchmark harness: what it measures is the same in every version, and it tells the truth."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import devgrad

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import bars, cli, publish, report
from bench import compare_devices as comparing
from bench.client import WorkerDiedError, WorkerError, WorkerProcess
from bench.peers import PEERS, Loaded, Peer
from bench.registry import FAMILIES, HAND, Case, Probe, all_workloads, numbers, select, workload
from bench.runner import difference
from bench.stats import ratio, spread
from bench.worker import Worker
from bench.workloads.imports import import_seconds
from bench.workloads.regression import hand_problem, problem

ROOT = Path(__file__).resolve().parents[1]
BY_HAND = [row for row in all_workloads() if HAND in row.family.versions]

EXTRA = '''
import os
import time

from bench.registry import Case, Metric, Probe, workload


@workload("fine", per="step")
def fine(lib, device):
    """Works."""
    return Case(lambda: None, result=lambda: {"a": [1.0]})


@fine.hand
def fine_hand(xp):
    return Case(lambda: None, result=lambda: {"a": [1.0 + 1e-6]})


@workload("lies", per="step")
def lies(lib, device):
    """Its versions compute different things."""
    return Case(lambda: None, result=lambda: {"a": [1.0]})


@lies.hand
def lies_hand(xp):
    return Case(lambda: None, result=lambda: {"a": [1.5]})


@workload("quits", per="step")
def quits(lib, device):
    """Works, but its other version ends the process."""
    return Case(lambda: None)


@quits.hand
def quits_hand(xp):
    print("last words", flush=True)
    os._exit(3)


@workload("raises", per="step")
def raises(lib, device):
    """Fails."""
    raise ValueError("broken on purpose")


@workload("sleeps", per="step")
def sleeps(lib, device):
    """Never comes back in time."""
    time.sleep(60)


sleeps.hand(lambda xp: sleeps.build(xp, None))


@workload("threads", per="process", metrics=[Metric("openmp", ""), Metric("pid", "")], fresh=True)
def threads(lib, device):
    """What a process of the harness was given."""
    return Probe(lambda: {"openmp": float(os.environ["OMP_NUM_THREADS"]), "pid": os.getpid()})
'''


def bench(
    *arguments: str, path: Path | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, with `path` to import from as well."""
    environment = dict(os.environ)
    # devgrad may be importable here by pytest's doing alone
    source = str(Path(devgrad.__file__).resolve().parents[1])
    extra = [str(path)] if path else []
    paths = [*extra, str(ROOT), source, environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )


@pytest.fixture
def extra(tmp_path: Path) -> Path:
    """A folder with a module `bench_extra` that registers workloads of its own."""
    (tmp_path / "bench_extra.py").write_text(EXTRA)
    return tmp_path


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], Path]:
    """The table and the JSON of a quick run of the regression against the hand version."""
    path = tmp_path_factory.mktemp("bench") / "result.json"
    run = bench("regression", "--quick", "--against", "hand", "--json", str(path))
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout, json.loads(path.read_text()), path


# -- the registry


def test_every_workload_is_named_once_and_described() -> None:
    rows = all_workloads()
    assert len({row.name for row in rows}) == len(rows)
    assert all(row.family.about.endswith(".") for row in rows)
    asked = {"regression", "small_ops_chain", "deep_chain", "import_time", "elementwise/100"}
    asked |= {"elementwise/10k", "elementwise/1M", "matmul/64", "matmul/512", "deep_memory"}
    asked |= {"elementwise/10M", "fan_out", "wide", "mlp/sgd", "mlp/adam", "cnn", "gpt_block/sdpa"}
    asked |= {"lstm", "lstm_loop", "softmax/4096x1024", "layer_norm/4096x1024", "matmul/2048"}
    asked |= {"logsumexp/4096x1024", "embedding/1M", "fancy_index/1M", "gather/1M", "index_add/1M"}
    asked |= {"hessian_vector_product", "hessian", "data_loading", "installed_size"}
    assert asked <= {row.name for row in rows}


@pytest.mark.parametrize("row", all_workloads(), ids=lambda row: row.name)
@pytest.mark.parametrize("quick", [False, True], ids=["full", "quick"])
def test_every_version_takes_the_workloads_arguments(row: Any, quick: bool) -> None:
    for version, build in row.family.versions.items():
        positional = [None] if version == HAND else [None, None]
        inspect.signature(build).bind(*positional, **row.arguments(quick))


def test_select_takes_families_and_rows_once_and_suggests() -> None:
    names = [row.name for row in select(["matmul/512", "matmul"])]
    assert names == ["matmul/512", "matmul/64", "matmul/1024", "matmul/2048"]
    assert select([]) == all_workloads()
    with pytest.raises(KeyError, match="no workload called 'regresion'; did you mean regression"):
        select(["regresion"])


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="'regression'"):
        workload("regression", per="step")(lambda lib, device: None)
    with pytest.raises(ValueError, match="has a 'hand' version"):
        FAMILIES["regression"].hand(lambda xp: None)


# -- the versions compute the same


def after(case: Case | Probe, steps: int) -> dict[str, list[float]]:
    """A case's result after so many steps."""
    assert isinstance(case, Case)
    assert case.result is not None
    for _ in range(steps):
        case.step()
    return {name: numbers(value) for name, value in case.result().items()}


@pytest.mark.parametrize("row", BY_HAND, ids=lambda row: row.name)
def test_hand_version_computes_what_the_library_does(row: Any) -> None:
    arguments = row.arguments(quick=True)
    library = after(row.family.build(devgrad, "cpu", **arguments), 3)
    by_hand = after(row.family.versions[HAND](np, **arguments), 3)
    assert difference(library, by_hand, row.family.rtol) is None
    assert all(any(values) for values in library.values()), "a zero agrees with too much"


@pytest.mark.parametrize("version", ["library", HAND])
def test_regression_ends_where_the_tutorial_does(version: str) -> None:
    family = FAMILIES["regression"]
    case = family.build(devgrad, "cpu") if version == "library" else family.versions[HAND](np)
    end = after(case, 800)
    assert end["w"] == pytest.approx([2.966831684], abs=1e-5)
    assert end["b"] == pytest.approx([2.113782644], abs=1e-5)
    assert end["loss"] == pytest.approx([0.333538145], abs=1e-5)


def test_hand_problem_has_the_librarys_numbers() -> None:
    ours, by_hand = problem(devgrad, "cpu"), hand_problem()
    for name in ("x", "y", "w", "b"):
        array = getattr(ours, name).detach().numpy()
        np.testing.assert_allclose(getattr(by_hand, name), array, rtol=3e-7, atol=1e-7)


@pytest.mark.parametrize("row", BY_HAND, ids=lambda row: row.name)
def test_values_stay_of_ordinary_size(row: Any) -> None:
    """A gradient that fades into denormal numbers would time the processor's slow path."""
    end = after(row.family.versions[HAND](np, **row.arguments(quick=False)), 1)
    largest = {name: max(map(abs, values)) for name, values in end.items()}
    assert all(1e-9 < value < 1e12 for value in largest.values()), largest


def test_difference_sees_what_differs() -> None:
    ours = {"a": [1.0, -2.0]}
    assert difference(ours, {"a": [1.0, -2.0002]}, rtol=1e-3) is None
    assert "differs by 0.01" in str(difference(ours, {"a": [1.01, -2.0]}, rtol=1e-3))
    assert "differs" in str(difference(ours, {"a": [1.0, float("nan")]}, rtol=1e-3))
    assert "2 and 1 values" in str(difference(ours, {"a": [1.0]}, rtol=1e-3))
    assert "only one" in str(difference(ours, {}, rtol=1e-3))


# -- a run


def test_quick_run_alone_prints_a_table() -> None:
    run = bench("regression", "--quick", "--against", "none")
    assert run.returncode == 0, run.stderr
    header = next(line for line in run.stdout.splitlines() if line.startswith("workload"))
    assert header.split() == ["workload", "per", "devgrad"]
    assert f"devgrad   {devgrad.__version__}" in run.stdout
    assert "threads   1 in each process" in run.stdout


def test_json_holds_the_samples_and_what_they_come_from(
    quick_run: tuple[str, dict[str, Any], Path],
) -> None:
    _, data, _ = quick_run
    assert data["schema"] == report.SCHEMA
    assert {"name", "cpu", "cores", "usable_cores", "system"} <= set(data["machine"])
    assert data["settings"]["threads"] == 1
    assert data["settings"]["quick"] is True
    assert data["peers"]["devgrad"]["version"] == devgrad.__version__
    assert data["peers"]["devgrad"]["numpy"] == np.__version__
    assert data["peers"]["devgrad"]["pid"] != data["peers"]["hand"]["pid"]
    (result,) = data["results"]
    assert (result["workload"], result["metric"], result["unit"]) == ("regression", "time", "s")
    assert result["failures"] == result["disagreements"] == {}
    for peer in ("devgrad", "hand"):
        samples = result["samples"][peer]
        assert len(samples) == cli.QUICK["rounds"]
        assert result["medians"][peer]["median"] == sorted(samples)[1]
        # what a sample was made of lasted about as long as a quick one should
        assert min(samples) * result["steps"][peer] > 0.5 * cli.QUICK["minimum"]
    pairs = zip(result["samples"]["devgrad"], result["samples"]["hand"], strict=True)
    assert result["ratios"]["hand"]["median"] == sorted(a / b for a, b in pairs)[1]


def test_a_saved_run_shows_the_same_table(quick_run: tuple[str, dict[str, Any], Path]) -> None:
    table, data, path = quick_run
    shown = bench("--show", str(path))
    assert (shown.returncode, shown.stdout) == (0, table)
    markdown = report.to_markdown(data)
    assert "| workload | per | devgrad | hand | devgrad/hand |\n|:--|:--|--:|--:|--:|\n" in markdown
    assert bench("--show", str(path), "--markdown").stdout == markdown


def test_show_refuses_other_files(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"schema": 0}')
    with pytest.raises(report.SchemaError, match="not a result of this harness"):
        cli.read_results(tmp_path / "other.json")
    with pytest.raises(report.SchemaError, match=r"missing\.json"):
        cli.read_results(tmp_path / "missing.json")


def test_trouble_is_named_and_contained(extra: Path) -> None:
    run = bench(
        *("--import", "bench_extra", "--quick", "--against", "hand"),
        *("quits", "lies", "raises", "fine"),
        path=extra,
    )
    assert run.returncode == 1
    assert "quits, hand: FAILED, the process ended during 'open' with exit code 3" in run.stdout
    assert "last words" in run.stderr
    assert "(!) lies, hand: computes something else than devgrad: a differs by 0.5" in run.stdout
    assert "raises, devgrad: FAILED, ValueError: broken on purpose" in run.stdout
    assert 'raise ValueError("broken on purpose")' in run.stderr
    rows = {line.split()[0]: line for line in run.stdout.splitlines() if line}
    assert "failed" in rows["quits"]
    assert "(!)" in rows["lies"]
    # the process that ended was started again, and the rest measured
    assert rows["fine"].count("ns") == 2
    assert "(!)" not in rows["fine"]


def test_a_peers_failure_is_not_devgrads(extra: Path) -> None:
    run = bench("--import", "bench_extra", "--quick", "--against=hand", "quits", path=extra)
    assert run.returncode == 0
    assert "FAILED" in run.stdout


def test_processes_get_their_threads_and_are_fresh_when_asked(extra: Path, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    run = bench(
        *("--import=bench_extra", "--quick", "--against=none", "--threads=2"),
        *("threads", "--json", str(path)),
        path=extra,
    )
    assert run.returncode == 0, run.stderr
    openmp, pid = json.loads(path.read_text())["results"]
    assert openmp["samples"]["devgrad"] == [2.0] * cli.QUICK["rounds"]
    assert len(set(pid["samples"]["devgrad"])) == cli.QUICK["rounds"]


def test_a_worker_that_takes_too_long_is_ended(
    extra: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(extra), prepend=os.pathsep)
    with WorkerProcess("hand", device="cpu", threads=1, imports=["bench_extra"]) as worker:
        with pytest.raises(WorkerError, match="KeyError: 'unknown'"):
            worker.ask("open", family="unknown", arguments={})
        assert worker.alive
        worker.timeout = 0.3
        with pytest.raises(WorkerDiedError, match=r"no answer to 'open' within 0\.3 s"):
            worker.ask("open", family="sleeps", arguments={})
        assert not worker.alive


def test_the_device_is_waited_for_on_both_sides_of_a_sample() -> None:
    calls: list[str] = []

    def load(device: str, threads: int) -> Loaded:
        return Loaded(None, device, lambda: calls.append("wait"))

    family = workload("waits", per="step")(lambda lib, device: Case(lambda: calls.append("step")))
    try:
        worker = Worker(Peer("gpu", about="", version="library", load=load), "cuda:0", 1)
        worker.open("waits", {})
        worker.steps, calls[:] = 2, []
        assert worker.sample()["values"]["time"] > 0
    finally:
        del FAMILIES[family.name]
    assert calls == ["wait", "step", "wait", "wait", "step", "step", "wait"]


def test_a_missing_peer_is_named_and_left_out() -> None:
    run = bench("regression", "--quick", "--against", "cupy")
    assert run.returncode == 0
    assert "cupy      not measured: CuPy has no device 'cpu'" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing_like_it"], "no workload called 'nothing_like_it'"),
        (["--against", "tensorflow"], "no peer called 'tensorflow'; there are devgrad, torch"),
        (["--device", "tpu"], "no device called 'tpu'"),
        (["--threads", "0"], "invalid positive int value"),
        (["matmul", "--compare-devices"], "--compare-devices is for the workload `regression`"),
    ],
)
def test_bad_arguments_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_list_names_workloads_and_peers(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--list"]) == 0
    words = capsys.readouterr().out.split()
    assert {row.name for row in all_workloads()} | set(PEERS) <= set(words)


# -- figures


def test_ratio_is_taken_round_by_round() -> None:
    # the machine was three times slower in the second round, for both
    found = ratio([1.0, 3.0, 1.0], [2.0, 6.0, 2.0])
    assert found is not None
    assert (found.median, found.q1, found.q3, found.count) == (0.5, 0.5, 0.5, 3)
    assert ratio([1.0], [1.0, 2.0]) is None
    assert ratio([1.0], [0.0]) is None
    assert ratio([], []) is None


def test_spread_gives_median_and_quartiles() -> None:
    found = spread([5.0, 1.0, 2.0, 3.0, 4.0])
    assert found is not None
    assert (found.q1, found.median, found.q3) == (2.0, 3.0, 4.0)
    assert found.relative == pytest.approx(1 / 3)
    assert spread([]) is None


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.5e-9, "s", "1.5 ns"),
        (35.12e-6, "s", "35.1 \u00b5s"),
        (0.0123, "s", "12.3 ms"),
        (2.0, "s", "2 s"),
        (1234.5, "MiB", "1,234 MiB"),
        (0.5, "", "0.5"),
    ],
)
def test_quantity_is_readable(value: float, unit: str, text: str) -> None:
    assert report.quantity(value, unit) == text


# -- memory and import


class Leaky:
    """The least that the memory workload asks of a tensor, and every one is kept for good."""

    kept: ClassVar[list[Leaky]] = []

    def __init__(self, value: float, source: Leaky | None = None) -> None:
        self.value, self.source = value, source
        self.leak()

    def leak(self) -> None:
        self.kept.append(self)

    def __add__(self, other: float) -> Leaky:
        return type(self)(self.value + other, self.source or self)

    def __mul__(self, other: float) -> Leaky:
        return type(self)(self.value * other, self.source or self)

    def sum(self) -> Leaky:
        return self

    def backward(self) -> None:
        assert self.source is not None
        self.source.grad = Leaky(1.0)  # the depths of these tests are multiples of four

    def item(self) -> float:
        return self.value

    @classmethod
    def ones(cls, *shape: int, **options: Any) -> Leaky:
        return cls(1.0)


class Cyclic(Leaky):
    """Every one is a cycle, which the collector alone could free."""

    def leak(self) -> None:
        self.cycle = self


@pytest.mark.parametrize(
    ("library", "leaks"),
    [(devgrad, False), (Leaky, True), (Cyclic, True)],
    ids=["devgrad", "leaky", "cyclic"],
)
def test_deep_memory_sees_a_leak(library: Any, leaks: bool) -> None:
    probe = FAMILIES["deep_memory"].build(library, "cpu", depth=4_000)
    assert isinstance(probe, Probe)
    values = probe.measure()
    Leaky.kept.clear()
    assert values.keys() == {metric.name for metric in FAMILIES["deep_memory"].metrics}
    left = values["objects_left"]
    assert left is not None
    assert left > 0.9 if leaks else left < 0.05


def test_import_seconds_measures_and_reports() -> None:
    wall, cpu = import_seconds("json")
    assert 0 < wall < 60
    assert 0 < cpu < 60
    with pytest.raises(RuntimeError, match="No module named 'no_such_module'"):
        import_seconds("no_such_module")


# -- bars


def fabricated(**changes: Any) -> dict[str, Any]:
    """The part of a run that bars look at: devgrad at 0.6 of torch, 2 ms."""
    settings = {"subject": "devgrad", "device": "cpu", "threads": 1}
    result = {
        "workload": "regression",
        "metric": "time",
        "label": "regression",
        "unit": "s",
        "medians": {"devgrad": {"median": 0.002}},
        "ratios": {"torch": {"median": 0.6}},
        "failures": {},
        "disagreements": {},
    }
    for name, value in changes.items():
        (settings if name in settings else result)[name] = value
    return {"settings": settings, "results": [result]}


@pytest.mark.parametrize(
    ("bar", "data", "met"),
    [
        (bars.Bar("regression", against="torch", ratio=0.6), fabricated(), True),
        (bars.Bar("regression", against="torch", ratio=0.59), fabricated(), False),
        (bars.Bar("regression", at_most=0.002), fabricated(), True),
        (bars.Bar("regression", at_most=0.0019), fabricated(), False),
        (bars.Bar("regression", against="torch", ratio=9.0), fabricated(ratios={}), False),
        (bars.Bar("regression", at_most=9.0), fabricated(medians={}), False),
        (
            bars.Bar("regression", against="torch", ratio=9.0),
            fabricated(disagreements={"torch": "w differs"}),
            False,
        ),
    ],
)
def test_a_bar_is_met_or_missed(bar: bars.Bar, data: dict[str, Any], met: bool) -> None:
    (verdict,) = bars.check(data, [bar])
    assert verdict.met is met
    assert verdict.text.startswith("met" if met else "MISSED")


@pytest.mark.parametrize("change", [{"device": "cuda:0"}, {"threads": 2}, {"workload": "matmul"}])
def test_a_bar_is_for_its_device_threads_and_workload(change: dict[str, Any]) -> None:
    assert bars.check(fabricated(**change), [bars.Bar("regression", at_most=0.0)]) == []


def test_the_bars_of_the_project_are_sound() -> None:
    held = {
        (bar.workload, bar.metric, bar.threads): bar.ratio or bar.at_most
        for bar in bars.load_bars()
    }
    assert len(held) == len(bars.load_bars())
    assert held["regression", "time", 1] == 0.4
    assert held["small_ops_chain", "time", 1] == 0.55
    assert held["softmax/4096x1024", "time", 2] == 1.6
    assert held["import_time", "over_numpy", 1] == 60.0


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('workload = "nothing"\nat_most = 1', "no workload called 'nothing'"),
        ('workload = "regression"', "either `ratio` or `at_most`"),
        ('workload = "regression"\nratio = 1', "`ratio` and `against` go together"),
        ('workload = "regression"\nmetric = "peak"\nat_most = 1', "not 'peak'"),
        ('workload = "regression"\nat_least = 1', "unexpected keyword argument 'at_least'"),
        ("workload = ", "Invalid value"),
    ],
)
def test_a_bar_that_means_nothing_is_refused(entry: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bars.toml"
    path.write_text(f"[[bar]]\n{entry}\n")
    with pytest.raises(bars.BarsError, match=message):
        bars.load_bars(path)


@pytest.mark.parametrize(
    ("at_most", "threads", "code", "text"),
    [
        (3600.0, 1, 0, "1 of 1 bars met"),
        (1e-12, 1, 1, "0 of 1 bars met"),
        (3600.0, 2, 1, "no bar is for these workloads"),
    ],
)
def test_check_sets_the_exit_code(
    at_most: float,
    threads: int,
    code: int,
    text: str,
    tmp_path: Path,
    quick_run: tuple[str, dict[str, Any], Path],
) -> None:
    path = tmp_path / "bars.toml"
    path.write_text(f'[[bar]]\nworkload = "regression"\nat_most = {at_most}\nthreads = {threads}\n')
    run = bench("--show", str(quick_run[2]), "--check", "--bars", str(path))
    assert (run.returncode, text in run.stdout) == (code, True), run.stdout


# -- the same on both devices


def test_compare_devices_follows_the_whole_path() -> None:
    found = comparing.compare(devgrad, "cpu", "cpu", steps=50)
    assert found.passed
    assert found.same_device
    assert found.steps == 50
    assert [difference.largest for difference in found.differences] == [0.0, 0.0, 0.0]
    assert "Both runs were on the CPU" in comparing.to_text(found)


@pytest.mark.parametrize(
    ("point", "passed"),
    [
        ((5.0, 3.0, 2.00001), True),
        ((5.0, 3.0, 2.001), False),
        ((5.001, 3.0, 2.0), False),
        ((5.0, float("nan"), 2.0), False),
    ],
)
def test_compare_devices_finds_the_largest_difference(
    point: tuple[float, float, float], passed: bool
) -> None:
    calm = (5.0, 3.0, 2.0)
    found = comparing.compare_paths(("cpu", [calm, calm, calm]), ("cuda:0", [calm, point, calm]))
    assert found.passed is passed
    assert not found.same_device
    worst = max(found.differences, key=lambda d: d.largest if d.largest == d.largest else 1e9)
    assert worst.step == 2
    assert ("BEYOND" in comparing.to_text(found)) is not passed


def test_compare_devices_from_the_command_line() -> None:
    run = bench("regression", "--compare-devices")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "regression, 800 steps, cpu against" in run.stdout
    if not devgrad.cuda.is_available():
        assert "Both runs were on the CPU" in run.stdout


def test_a_fallback_is_told() -> None:
    if devgrad.cuda.is_available():
        pytest.skip("there is a GPU, so nothing falls back")
    run = bench("regression", "--quick", "--device", "cuda", "--against", "none")
    assert run.returncode == 0, run.stderr
    assert "device    cuda; devgrad ran on the CPU" in run.stdout
    assert "devgrad warns: " in run.stdout


# -- the page for the documentation


def test_the_page_has_the_table_the_plots_and_the_bars(
    tmp_path: Path, quick_run: tuple[str, dict[str, Any], Path]
) -> None:
    run = bench("elementwise/100", "elementwise/1k", "matmul/64", "--quick", "--against", "hand",
                "--publish", str(tmp_path))  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "| elementwise/1k | step |" in page
    assert "## Bars" not in page  # none is for these
    assert (tmp_path / publish.PICTURE).exists() == (f"]({publish.PICTURE})" in page)

    again = bench("--show", str(quick_run[2]), "--publish", str(tmp_path))
    assert again.returncode == 0, again.stderr
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "MISSED  regression, devgrad/torch: not measured" in page
    assert "![" not in page  # one size is no line


def test_a_curve_is_a_family_in_several_sizes() -> None:
    def row(name: str, size: int | None, time: float | None) -> dict[str, Any]:
        arguments = {} if size is None else {"size": size}
        medians = {"devgrad": None if time is None else {"median": time}}
        return {"workload": name, "metric": "time", "per": "op", "arguments": arguments,
                "medians": medians}  # fmt: skip

    rows = [row("a/1k", 1000, 2.0), row("a/100", 100, 1.0), row("a/10k", 10_000, None),
            row("b/1", 1, 1.0), row("c", 5, 1.0), row("d/x", None, 1.0)]  # fmt: skip
    assert publish.curves({"results": rows}) == {
        "a, per op": {"devgrad": [(100, 1.0), (1000, 2.0)]}
    }
