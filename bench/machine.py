"""What a result was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.client import ROOT


def describe_machine() -> dict[str, Any]:
    """The machine, its processor and how busy it was, for the head of the table."""
    return {
        "name": platform.node(),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "memory_gib": memory_gib(),
        "load": load(),
    }


def describe_python() -> str:
    """The interpreter's name and version."""
    return f"{platform.python_implementation()} {platform.python_version()}"


def cpu_name() -> str:
    """The processor as it calls itself, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return output(["sysctl", "-n", "machdep.cpu.brand_string"]) or platform.processor()


def usable_cores() -> int | None:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def memory_gib() -> float | None:
    """The machine's memory in GiB; None where the system does not tell."""
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def load() -> float | None:
    """The load average of the last minute; None where there is none."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None


def revision() -> str | None:
    """The commit of this checkout, with a + when files differ from it; None outside git."""
    git = ["git", "--no-optional-locks", "-C", str(ROOT)]
    commit = output([*git, "rev-parse", "--short=12", "HEAD"])
    if not commit:
        return None
    return commit + ("+" if output([*git, "status", "--porcelain"]) else "")


def output(command: Sequence[str]) -> str | None:
    """What a command prints, None when it fails or is not there."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return run.stdout.strip() if run.returncode == 0 else None
