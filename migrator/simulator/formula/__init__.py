"""Salesforce's formula language, as far as validation rules and formula fields of a simulated org need it.

A formula is text, compiled once with its names and types checked, and evaluated for many records at a time, column by column.
"""

from migrator.simulator.formula.compiler import Formula, Scope, compile_formula
from migrator.simulator.formula.faults import FormulaFault
from migrator.simulator.formula.kinds import ERROR, Frame, Kind, encode

__all__ = ["ERROR", "Formula", "FormulaFault", "Frame", "Kind", "Scope", "compile_formula", "encode"]
