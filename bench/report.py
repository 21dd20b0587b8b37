"""Results as JSON, and from that as a table for the terminal or as Markdown.

The tables are made from what `--json` writes, so that one committed months ago gives the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from bench.machine import describe_python, revision
from bench.registry import TIME
from bench.runner import Report, Result
from bench.stats import Spread, ratio, spread

SCHEMA = 1

Data = Mapping[str, Any]


class SchemaError(Exception):
    """A file of results is none, or is of a schema that this harness does not know."""


def to_data(report: Report, arguments: Sequence[str]) -> dict[str, Any]:
    """All of a report, raw samples included, as what `json.dump` takes."""
    return {
        "schema": SCHEMA,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "arguments": list(arguments),
        "machine": report.machine,
        "python": describe_python(),
        "revision": revision(),
        "settings": {**asdict(report.settings), "against": list(report.settings.against)},
        "peers": report.peers,
        "unavailable": report.unavailable,
        "results": [_result(report, result) for result in report.results],
    }


def _result(report: Report, result: Result) -> dict[str, Any]:
    settings, samples = report.settings, result.samples
    ours = samples.get(settings.subject, [])
    ratios = {peer: ratio(ours, samples.get(peer, [])) for peer in settings.against}
    return {
        "workload": result.workload.name,
        "metric": result.metric.name,
        "label": result.label,
        "unit": result.metric.unit,
        "per": result.workload.family.per,
        "arguments": dict(result.arguments),
        "samples": samples,
        "steps": result.steps,
        "medians": {peer: _spread(spread(values)) for peer, values in samples.items()},
        "ratios": {peer: _spread(value) for peer, value in ratios.items() if value},
        "failures": result.failures,
        "disagreements": result.disagreements,
    }


def _spread(value: Spread | None) -> dict[str, Any] | None:
    return None if value is None else asdict(value)


def checked(data: Any) -> Data:
    """What was read from a file of results; raises SchemaError when it is something else."""
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise SchemaError(f"not a result of this harness (schema {SCHEMA})")
    return data


def to_text(data: Data) -> str:
    """The aligned table with its head and its notes."""
    cells = table(data)
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = [f"{name:<9} {text}" for name, text in head(data)]
    lines.append("")
    for index, row in enumerate(cells):
        aligned = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(aligned).rstrip())
        if index == 0:
            lines.append("  ".join("-" * width for width in widths))
    return "\n".join([*lines, *(f"\n{note}" for note in notes(data))]) + "\n"


def to_markdown(data: Data) -> str:
    """The same as Markdown: the head as a list, then the table, then the notes."""
    cells = table(data)
    lines = [f"- {name}: {text}" for name, text in head(data)]
    lines.append("")
    for index, row in enumerate(cells):
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
        if index == 0:
            lines.append("|:--|:--|" + "--:|" * (len(row) - 2))
    return "\n".join([*lines, *(f"\n{note}" for note in notes(data))]) + "\n"


def head(data: Data) -> list[tuple[str, str]]:
    """The lines that say what was measured, where and how."""
    settings, machine = data["settings"], data["machine"]
    parts = [
        machine["cpu"],
        f"{machine['usable_cores']} of {machine['cores']} cores usable",
        machine["memory_gib"] and f"{machine['memory_gib']} GiB",
        f"{machine['system']} {machine['architecture']}",
    ]
    lines = [
        ("date", data["date"]),
        ("machine", f"{machine['name']}: " + ", ".join(part for part in parts if part)),
        ("python", data["python"]),
        ("threads", f"{settings['threads']} in each process"),
        ("device", _device(data)),
    ]
    for peer, about in data["peers"].items():
        extra = [f"NumPy {about['numpy']}"] if about.get("numpy") else []
        if peer == "devgrad" and data["revision"]:
            extra.append(f"commit {data['revision']}")
        lines.append((peer, about["version"] + (f" ({', '.join(extra)})" if extra else "")))
    lines += [(peer, f"not measured: {why}") for peer, why in data["unavailable"].items()]
    samples = (
        f"at most {settings['rounds']} rounds, the peers in turn, each sample at least "
        f"{settings['minimum'] * 1e3:g} ms"
    )
    if settings["quick"]:
        samples += "; a quick run, for a look and no result"
    if machine["load"] is not None:
        samples += f"; load before the run {machine['load']}"
    lines.append(("samples", samples))
    return lines


def _device(data: Data) -> str:
    asked, peers = data["settings"]["device"], data["peers"]
    names = sorted({about["device_name"] for about in peers.values() if "device_name" in about})
    line = f"{asked} ({', '.join(names)})" if names else asked
    elsewhere = [
        f"{peer} ran on the {about['device'].upper()}"
        for peer, about in peers.items()
        if about["device"].partition(":")[0] != asked.partition(":")[0]
    ]
    return "; ".join([line, *elsewhere])


def table(data: Data) -> list[list[str]]:
    """The cells: a row of titles, then one row for each result; the ratios come last."""
    subject = data["settings"]["subject"]
    shown = list(data["peers"])
    others = [peer for peer in shown if peer != subject]
    rows = [["workload", "per", *shown, *(f"{subject}/{peer}" for peer in others)]]
    for result in data["results"]:
        row = [result["label"], result["per"]]
        row += [_median(result, peer) for peer in shown]
        row += [_ratio(result, peer) for peer in others]
        rows.append(row)
    return rows


def notes(data: Data) -> list[str]:
    """How to read the table, and what went wrong."""
    text = "Medians, with half the interquartile range in percent."
    if len(data["peers"]) > 1:
        text += (
            " Ratios: the median over the rounds [and its quartiles]; below 1, "
            f"{data['settings']['subject']} takes less."
        )
    found = [text]
    for peer, about in data["peers"].items():
        found += [f"{peer} warns: {warning}" for warning in about.get("warnings", [])]
    for result in {result["workload"]: result for result in data["results"]}.values():
        name = result["workload"]
        found += [f"{name}, {peer}: FAILED, {why}" for peer, why in result["failures"].items()]
        found += [
            f"(!) {name}, {peer}: computes something else than {data['settings']['subject']}: {why}"
            for peer, why in result["disagreements"].items()
        ]
    return found


def _median(result: Data, peer: str) -> str:
    if peer in result["failures"]:
        return "failed"
    value = result["medians"].get(peer)
    if value is None:
        return "-"
    return f"{quantity(value['median'], result['unit'])} \u00b1{Spread(**value).relative:.0%}"


def _ratio(result: Data, peer: str) -> str:
    value = result["ratios"].get(peer)
    if value is None:
        return "-"
    mark = " (!)" if peer in result["disagreements"] else ""
    return f"{figure(value['median'])} [{figure(value['q1'])} {figure(value['q3'])}]{mark}"


def quantity(value: float, unit: str) -> str:
    """A number with its unit, seconds in the multiple that suits them."""
    if unit != TIME.unit:
        return f"{figure(value)} {unit}".rstrip()
    for size, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "\u00b5s")):
        if abs(value) >= size:
            return f"{figure(value / size)} {name}"
    return f"{figure(value / 1e-9)} ns"


def figure(value: float) -> str:
    """A number to three significant digits, without an exponent where it is large."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"
