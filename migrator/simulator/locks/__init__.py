"""Record locks: which records a transaction locks, who waits for whom and for how long, and what a miss looks like."""
