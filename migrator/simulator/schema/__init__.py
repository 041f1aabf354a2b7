"""What an org has: sObjects, fields, relationships; the standard ones shipped here, the rest read from files."""
