"""Contract suites: tests of behaviour that every backend inherits."""
