"""The command line: `python -m bench`."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import bench.workloads  # noqa: F401  (registers the workloads)
from bench import bars, publish, report
from bench.client import set_threads, source_paths
from bench.compare_devices import compare, to_text
from bench.machine import describe_python
from bench.peers import PEERS
from bench.registry import Workload, all_workloads, select
from bench.runner import Report, Runner, Settings

FAILED = 1
UNUSABLE = 2

DEFAULT_AGAINST = {"cpu": "torch,hand", "cuda": "torch,cupy"}
QUICK = {"rounds": 3, "minimum": 0.01, "warmup": 0.02}


def parser() -> argparse.ArgumentParser:
    """The options."""
    parse = argparse.ArgumentParser(
        prog="python -m bench",
        description="Time devgrad against its peers, each in a process of its own, in turn.",
        epilog="Exit code: 0; 1 when a bar was missed, devgrad failed a workload, two peers "
        "computed different things, or two devices differ too much; 2 when it could not run.",
    )
    add = parse.add_argument
    add("workloads", nargs="*", metavar="WORKLOAD", help="what to run; everything unless named")
    add("--workload", action="append", default=[], metavar="NAME", help="the same, repeatable")
    add("--device", default="cpu", help="cpu (the default), cuda or cuda:N")
    add(
        "--against",
        metavar="PEERS",
        help="comma-separated peers, or none (default: torch,hand; on cuda torch,cupy)",
    )
    add("--threads", type=positive(int), default=1, metavar="N", help="in each process (1)")
    add("--quick", action="store_true", help="small sizes, few samples: for a look, not a result")
    add("--json", type=Path, metavar="FILE", help="write everything, raw samples too, to FILE")
    add("--markdown", action="store_true", help="print the table as Markdown")
    add("--check", action="store_true", help="fail when a bar is missed")
    add(
        "--publish",
        type=Path,
        metavar="FOLDER",
        help="write FOLDER/benchmarks.md: the table, the bars and plots of time against size",
    )
    add(
        "--bars",
        type=Path,
        default=bars.DEFAULT,
        metavar="FILE",
        help="the bars for --check (bench/bars.toml)",
    )
    add("--list", action="store_true", help="list workloads and peers")
    add("--show", type=Path, metavar="FILE", help="print the table of a file that --json wrote")
    add(
        "--compare-devices",
        action="store_true",
        help="run the regression on the CPU and on CUDA and report how far apart they get",
    )
    add("--rounds", type=positive(int), metavar="N", help="samples of each peer (15)")
    add("--min-time", type=positive(float), metavar="S", help="least seconds of a sample (0.05)")
    add("--timeout", type=positive(float), default=600.0, metavar="S", help="for one sample (600)")
    add("--subject", default="devgrad", metavar="PEER", help="whom the ratios are for (devgrad)")
    add(
        "--import",
        dest="imports",
        action="append",
        default=[],
        metavar="MODULE",
        help="import a module that registers more workloads or peers",
    )
    return parse


def positive(kind: type[int] | type[float]) -> type:
    """A converter for argparse that takes numbers above zero."""

    def convert(text: str) -> float:
        value = kind(text)
        if not value > 0:
            raise ValueError
        return value

    convert.__name__ = f"positive {kind.__name__}"
    return convert  # type: ignore[return-value]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parse = parser()
    options = parse.parse_intermixed_args(arguments)
    for module in options.imports:
        importlib.import_module(module)
    if options.list:
        print(listing(), end="")
        return 0
    try:
        named = [*options.workloads, *options.workload]
        workloads = select(named)
        bounds = bars.load_bars(options.bars) if options.check else None
        if options.show:
            return show(read_results(options.show), options, bounds)
    except (KeyError, bars.BarsError, report.SchemaError) as error:
        parse.error(error.args[0])
    if options.compare_devices:
        if named and {row.family.name for row in workloads} != {"regression"}:
            parse.error("--compare-devices is for the workload `regression`")
        return compare_devices(options.threads)
    return measure(settings_from(options, parse), workloads, options, bounds, arguments)


def settings_from(options: argparse.Namespace, parse: argparse.ArgumentParser) -> Settings:
    """The settings that the options ask for; ends the program when a peer is unknown."""
    kind = options.device.partition(":")[0]
    if kind not in DEFAULT_AGAINST:
        parse.error(f"no device called {options.device!r}; there are cpu, cuda and cuda:N")
    names = DEFAULT_AGAINST[kind] if options.against is None else options.against
    against = [name.strip() for name in names.split(",")]
    against = [name for name in dict.fromkeys(against) if name not in ("", "none")]
    for name in (options.subject, *against):
        if name not in PEERS:
            parse.error(f"no peer called {name!r}; there are {', '.join(PEERS)} (and none)")
    usual = Settings()
    quick = QUICK if options.quick else {}
    return Settings(
        subject=options.subject,
        against=tuple(name for name in against if name != options.subject),
        device=options.device,
        threads=options.threads,
        quick=options.quick,
        rounds=options.rounds or int(quick.get("rounds", usual.rounds)),
        minimum=options.min_time or quick.get("minimum", usual.minimum),
        warmup=quick.get("warmup", usual.warmup),
        timeout=options.timeout,
        imports=tuple(options.imports),
    )


def measure(
    settings: Settings,
    workloads: Sequence[Workload],
    options: argparse.Namespace,
    bounds: Sequence[bars.Bar] | None,
    arguments: Sequence[str],
) -> int:
    """Run the workloads, print and write the results; the exit code."""
    if options.json:
        options.json.touch()  # before the work, not after it, is the time to learn it cannot be
    with Runner(settings) as runner:
        if settings.subject in runner.report.unavailable:
            explain(runner.report)
            why = runner.report.unavailable[settings.subject]
            print(f"bench: {settings.subject} cannot be measured: {why}", file=sys.stderr)
            return UNUSABLE
        done = runner.run(workloads, progress=sys.stderr.isatty())
    explain(done)
    data = report.to_data(done, arguments)
    if options.json:
        options.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return show(data, options, bounds)


def show(data: report.Data, options: argparse.Namespace, bounds: Sequence[bars.Bar] | None) -> int:
    """Print a run, and how it stands to the bars if there are any; the exit code."""
    if options.publish:
        page = publish.publish(
            data, bars.check(data, bars.load_bars(options.bars)), options.publish
        )
        print(f"written: {page}", file=sys.stderr)
    print(report.to_markdown(data) if options.markdown else report.to_text(data), end="")
    code = FAILED if went_wrong(data) else 0
    if bounds is None:
        return code
    verdicts = bars.check(data, bounds)
    print()
    for verdict in verdicts:
        print(verdict.text)
    missed = sum(not verdict.met for verdict in verdicts)
    if verdicts:
        print(f"{len(verdicts) - missed} of {len(verdicts)} bars met")
    else:
        print("no bar is for these workloads on this device with this number of threads")
    return FAILED if missed or not verdicts else code


def went_wrong(data: report.Data) -> bool:
    """Whether the subject failed, or a peer computed something else: then no ratio counts."""
    return any(
        result["disagreements"] or data["settings"]["subject"] in result["failures"]
        for result in data["results"]
    )


def read_results(path: Path) -> report.Data:
    """Read what --json wrote; raises SchemaError for a file that is something else."""
    try:
        return report.checked(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, report.SchemaError) as error:
        raise report.SchemaError(f"{path}: {error}") from error


def explain(done: Report) -> None:
    """Print the tracebacks of what went wrong."""
    for text in done.details:
        print(text, end="\n\n", file=sys.stderr)


def listing() -> str:
    """The workloads and the peers with a line on each."""
    lines = ["workloads"]
    width = max(len(row.name) for row in all_workloads())
    for row in all_workloads():
        versions = ", ".join(row.family.versions)
        lines.append(f"  {row.name:<{width}}  {row.family.about} [{versions}]")
    lines.append("peers")
    for peer in PEERS.values():
        lines.append(f"  {peer.name:<{width}}  {peer.about} [{peer.version}]")
    return "\n".join(lines) + "\n"


def compare_devices(threads: int) -> int:
    """Run the comparison in this process and print it; the exit code."""
    set_threads(os.environ, threads)
    sys.path += [path for path in source_paths() if path not in sys.path]
    try:
        lib = importlib.import_module("devgrad")
        comparison = compare(lib)
    except (ModuleNotFoundError, RuntimeError) as error:
        print(f"bench: the devices cannot be compared: {error}", file=sys.stderr)
        return UNUSABLE
    print(f"{describe_python()}, devgrad {lib.__version__}")
    print(to_text(comparison), end="")
    return 0 if comparison.passed else FAILED
