"""Azure ML pipelines on your own machine: the same specs, the same graph, no account."""

__version__ = "0.1.0"
