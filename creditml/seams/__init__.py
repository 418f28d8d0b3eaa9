"""The two protocols that backends implement: executors run jobs, launchers run the command of a step."""
