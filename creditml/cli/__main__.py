"""Runs the command line: `python -m creditml.cli`."""

from creditml.cli import command

command()
