"""``devgrad.viz``: graphs and their memory, seen.

`draw_graph` and `print_graph` show what computed a tensor, `memory` what its graph keeps alive,
`live_nodes` which operations' nodes are alive at all.
"""

from __future__ import annotations

from ._drawing import Drawing, draw_graph, print_graph
from ._live import live_nodes
from ._memory import MemoryReport, MemoryRow, memory

__all__ = ["Drawing", "MemoryReport", "MemoryRow", "draw_graph", "live_nodes", "memory",
           "print_graph"]  # fmt: skip
