"""Reads recorded jobs: their states and logs, their steps as jobs to run again, and the differences of two jobs."""
