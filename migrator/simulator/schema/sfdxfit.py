"""Metadata source made to fit: what a field, a formula or a rule makes impossible is left out with it, and told.

Formulas and rules are tried one by one against the schema without them, so that a tree with many strange ones is read as fast as
another.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from migrator.simulator.formula import FormulaFault
from migrator.simulator.schema.files import SchemaInvalid, load_schema
from migrator.simulator.schema.formulas import compile_field, compile_rule
from migrator.simulator.schema.model import Schema, SObject
from migrator.simulator.schema.notes import Note
from migrator.simulator.schema.objectrules import validation_rule
from migrator.simulator.schema.sfdx import SourceReader
from migrator.simulator.schema.sfdxfield import Given

MAX_DROPPED = 200  # fields and rules that are found not to fit by trying the whole
_OFFENDER = re.compile(r"(\w+)(?:: (?:validation|duplicate) rule (\w+)\b|(?:: |\.)(\w+__c)\b)")
_EMPTY = "the field is always empty"


class Source:
    """The compact mapping of a tree of metadata source, and what is not in it."""

    def __init__(self, folder: Path, standard: Mapping[str, object]) -> None:
        reader = SourceReader(folder, standard)
        self._folder = str(folder)
        self._mapping = reader.read()
        self._places = reader.places
        self.notes = reader.notes

    @property
    def objects(self) -> dict[str, dict[str, Any]]:
        """What is said of each sObject."""
        objects: dict[str, dict[str, Any]] = self._mapping["objects"]
        return objects

    def schema(self) -> Schema:
        """The schema of what fits together; raises `SchemaInvalid` when nothing does."""
        formulas = [
            (name, field, given["formula"])
            for name, described in self.objects.items()
            for field, given in described["fields"].items()
            if isinstance(given.get("formula"), str)
        ]
        rules = {name: described.pop("validation_rules", []) for name, described in self.objects.items()}
        for name, field, _ in formulas:
            self.objects[name]["fields"][field]["formula"] = True
        made = {each.name: each for each in self._loaded().sobjects}
        for name, field, formula in formulas:
            if field in self.objects[name]["fields"]:
                self._try_formula(made, name, field, formula)
        for name, listed in rules.items():
            self.objects[name]["validation_rules"] = [
                each for each in listed if self._rule_fits(made, name, each)
            ]
        return self._loaded()

    def _try_formula(self, made: Mapping[str, SObject], name: str, field: str, formula: str) -> None:
        held = made[name].field(field)
        given = self.objects[name]["fields"][field]
        if held is None:
            return
        blanks = given.get("blanks", "zero") == "zero"
        try:
            compile_field(made, made[name], replace(held, formula=formula, blanks_as_zero=blanks))
        except FormulaFault as fault:
            self._note(name, field, f"{name}.{field}: {fault}; {_EMPTY}")
            return
        given["formula"] = formula

    def _rule_fits(self, made: Mapping[str, SObject], name: str, given: Given) -> bool:
        try:
            rule = validation_rule(given["name"], given["formula"], given["message"], given["field"])
            compile_rule(made, made[name], rule)
            if rule.field and made[name].field(rule.field) is None:
                rule = replace(rule, field="")
                given["field"] = ""
                self._note(name, rule.name, f"the message stands at the top: {name} has no such field")
        except (FormulaFault, ValueError) as fault:
            self._note(name, given["name"], f"{name}: {fault}; the rule is ignored")
            return False
        return True

    def _loaded(self) -> Schema:
        for _ in range(MAX_DROPPED):
            try:
                return load_schema(self._mapping)
            except SchemaInvalid as fault:
                if not self._leave_out(str(fault)):
                    raise
        raise SchemaInvalid(f"{self._folder}: more than {MAX_DROPPED} fields and rules do not fit together")

    def _leave_out(self, why: str) -> bool:
        """Leave out the field or the rule that a refusal of the schema is about; False when it is about something else."""
        for found in _OFFENDER.finditer(why):
            sobject, rule, field = found.groups()
            described = self.objects.get(sobject, {})
            if rule and _without_rule(described, rule):
                self._note(sobject, rule, f"{why}; the rule is ignored")
                return True
            given = described.get("fields", {}).get(field)
            if given is None:
                continue
            if isinstance(given.get("formula"), str):
                given["formula"] = True
                self._note(sobject, field, f"{why}; {_EMPTY}")
            else:
                del described["fields"][field]
                self._note(sobject, field, f"{why}; the field is ignored")
            return True
        return False

    def _note(self, sobject: str, name: str, text: str) -> None:
        path, line = self._places.get((sobject, name), (self._folder, 0))
        self.notes.append(Note(path, line, text))


def _without_rule(described: dict[str, Any], name: str) -> bool:
    """Take a rule of that name out, if there is one."""
    for kind in ("validation_rules", "duplicate_rules"):
        kept = [each for each in described.get(kind, ()) if each["name"] != name]
        if len(kept) < len(described.get(kind, ())):
            described[kind] = kept
            return True
    return False
