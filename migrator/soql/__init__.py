"""SOQL as text and as a tree: parse, render, lint. Pure; the tree's node types are in `tree`, what is built of them without text in `queries`.

The grammar is compiled when something is parsed for the first time.
"""

from migrator.soql import queries, tree
from migrator.soql.errors import SoqlError
from migrator.soql.lint import Problem, ProblemKind, lint_bulk
from migrator.soql.parser import conditions, parse
from migrator.soql.render import render, render_expression
from migrator.soql.strings import quote, unescape
from migrator.soql.tree import Query

__all__ = [
    "Problem",
    "ProblemKind",
    "Query",
    "SoqlError",
    "conditions",
    "lint_bulk",
    "parse",
    "queries",
    "quote",
    "render",
    "render_expression",
    "tree",
    "unescape",
]
