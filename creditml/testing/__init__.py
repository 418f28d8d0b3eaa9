"""What tests of pipelines and backends need: the contract suites."""
