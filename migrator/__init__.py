"""Declarative, crash-proof data migrations between Salesforce orgs."""

__version__ = "0.1.0"
