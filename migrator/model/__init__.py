"""The frozen values everybody shares: plans, schemas, schedules, runs, and what orgs answer.

Import the submodule you need (`from migrator.model.plan import Plan`): each is one subject.
"""
