"""The REST API: describes, sObject rows, Collections, Composite and its kin, query."""
