"""Freed memory on the CPU: kept, used again, within bounds, and only where it can be."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from devgrad.device import _allocator

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc only")

# Steps of a shape each, and the resident memory after each, in MiB.
STEPS = """
import json, os, random
import devgrad

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

def step(n):
    x = devgrad.ones(n, requires_grad=True)
    h = x
    for _ in range(6):
        h = (h * 1.01).tanh() + x
    h.sum().backward()

chance = random.Random(0)
start, after = resident(), []
for i in range(160):
    step(int(10 ** chance.uniform(3, 6)) if i % 2 else 5_000 * i + chance.randrange(200_000))
    after.append(resident() - start)
print(json.dumps(after))
"""

FAULTS = """
import json, resource
import devgrad

x = devgrad.ones(500_000)

def step():
    [x + x for _ in range(20)]  # held together: of a single one glibc keeps the memory anyway

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    step()
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before))
"""


def run(code: str, **variables: str) -> Any:
    """What a fresh interpreter prints, without the variables of this one that matter here."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DEVGRAD_KEEP_MEMORY", "GLIBC_TUNABLES") and not name.startswith("MALLOC_")
    }
    out = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(out.stdout)


@glibc
def test_freed_memory_is_used_again() -> None:
    # 60 results of 2 MB are 30,000 pages: all of them fresh, or hardly any.
    assert run(FAULTS) < 100


@glibc
@pytest.mark.parametrize(
    "variable",
    [
        {"DEVGRAD_KEEP_MEMORY": "0"},
        {"MALLOC_MMAP_THRESHOLD_": "131072"},
        {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"},
    ],
    ids=lambda variable: next(iter(variable)),
)
def test_a_variable_switches_it_off(variable: dict[str, str]) -> None:
    assert run(FAULTS, **variable) > 5_000


@glibc
def test_resident_memory_is_bounded_when_every_step_has_another_shape() -> None:
    after = run(STEPS)
    # The largest step has a million elements; its seven results of a layer each, the saved ones
    # and the gradients are 24 arrays of 4 MB at the most.
    assert max(after) < 24 * 4 * 1.5
    assert max(after[80:]) <= max(after[:80]) + 24  # six arrays: holes, not growth


@glibc
def test_an_array_beyond_the_bound_goes_back_at_once() -> None:
    code = """
import json, os
import devgrad

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

before = resident()
x = devgrad.ones(40_000_000)
held = resident() - before
del x
print(json.dumps([held, resident() - before]))
"""
    held, left = run(code)
    assert held > 150
    assert left < 8


class _Glibc:
    """A C library that notes the calls; old ones refuse a threshold above 32 MiB."""

    def __init__(self, largest: int = 1 << 62) -> None:
        self.largest, self.set = largest, {}

    def gnu_get_libc_version(self) -> bytes:
        return b"2.31"

    def mallopt(self, option: int, value: int) -> int:
        if option == _allocator._M_MMAP_THRESHOLD and value > self.largest:
            return 0
        self.set[option] = value
        return 1


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A Linux without variables that matter."""
    monkeypatch.setattr(_allocator, "sys", SimpleNamespace(platform="linux"))
    for name in list(os.environ):
        if name.startswith("MALLOC_") or name in ("DEVGRAD_KEEP_MEMORY", "GLIBC_TUNABLES"):
            monkeypatch.delenv(name)
    return monkeypatch


def test_an_old_glibc_is_told_what_it_allows(clean: pytest.MonkeyPatch) -> None:
    library = _Glibc(largest=32 << 20)
    clean.setattr(_allocator, "ctypes", SimpleNamespace(CDLL=lambda name: library))
    assert _allocator.keep_freed_memory()
    assert library.set[_allocator._M_MMAP_THRESHOLD] == 32 << 20
    assert library.set[_allocator._M_TRIM_THRESHOLD] >= 16 << 20


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_are_left_alone(clean: pytest.MonkeyPatch, system: str) -> None:
    clean.setattr(_allocator, "sys", SimpleNamespace(platform=system))
    clean.setattr(_allocator, "ctypes", None)  # would fail if asked
    assert not _allocator.keep_freed_memory()


def test_another_c_library_is_left_alone(clean: pytest.MonkeyPatch) -> None:
    musl = SimpleNamespace(mallopt=None)  # as on Android: one of another meaning
    clean.setattr(_allocator, "ctypes", SimpleNamespace(CDLL=lambda name: musl))
    assert not _allocator.keep_freed_memory()

    def refuse(name: None) -> None:
        raise OSError("Dynamic loading not supported")

    clean.setattr(_allocator, "ctypes", SimpleNamespace(CDLL=refuse))
    assert not _allocator.keep_freed_memory()
