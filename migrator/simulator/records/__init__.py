"""The records of an org and the engine that changes them, one transaction at a time; knows no API."""
