"""SOQL answered over the records: planned, filtered, grouped, and written as the APIs show rows."""
