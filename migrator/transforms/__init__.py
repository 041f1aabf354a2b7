"""Field mappings as DuckDB SQL: expressions, value maps, masks, and checks of what would be sent.

**Invariant:** composes text and runs nothing: the data plane executes it. No expression is ever evaluated by Jinja2.
"""

from migrator.transforms.column import CompiledColumn, compile_column, compile_match
from migrator.transforms.functions import FILTERS, FUNCTIONS
from migrator.transforms.masks import MASKS
from migrator.transforms.resolve import resolve
from migrator.transforms.template import ExpressionError

__all__ = [
    "FILTERS",
    "FUNCTIONS",
    "MASKS",
    "CompiledColumn",
    "ExpressionError",
    "compile_column",
    "compile_match",
    "resolve",
]
