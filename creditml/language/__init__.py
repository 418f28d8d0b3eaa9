"""The spec language: reads YAML with positions into a `Job`, and writes a `Job` as YAML."""
