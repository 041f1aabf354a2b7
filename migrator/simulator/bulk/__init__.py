"""What both Bulk APIs share: transactions of 200 rows, slots of the org, the CSV dialect, spooled content."""
