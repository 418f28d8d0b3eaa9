"""From a job that was read to one that is recorded: resolved, checked, its code kept; for every executor."""
