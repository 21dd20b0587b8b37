"""The benchmark harness of devgrad: ``python -m bench``, run from the repository's root.

See ``bench/README.md``. This package measures the library and is no part of it.
"""
