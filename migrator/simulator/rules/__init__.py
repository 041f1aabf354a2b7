"""What the platform itself adds to transactions of its standard objects: rules, and records that it makes by itself."""
