"""Faults on purpose: what they are, which requests, jobs and rows they hit, and how a script or the catalogue says so."""
