"""The spec language: YAML with positions to a `Job`, and back."""
