"""Field mappings as DuckDB SQL: expressions, value maps, masks, and checks of what would be sent.

**Invariant:** composes text and runs nothing: the data plane executes it. No expression is ever evaluated by Jinja2.
"""

from migrator.transforms.column import compile_column, compile_match
from migrator.transforms.functions import FUNCTIONS
from migrator.transforms.resolve import resolve

__all__ = [
    "FUNCTIONS",
    "compile_column",
    "compile_match",
    "resolve",
]
