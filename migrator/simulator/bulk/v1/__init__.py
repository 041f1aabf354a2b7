"""Bulk API v1."""
