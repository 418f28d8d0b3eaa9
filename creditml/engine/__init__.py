"""Runs a plan on this machine: schedule, stage, launch, collect, record."""
