"""Runs a plan on this machine, and does nothing else.

local_jobs      the executor of all backends that run steps here
runner          one process that runs one job; schedule says which steps may run, progress how each one stands,
                running what runs, recorder and journal write down what happens
run, context    what the runner knows of a step that runs, and what such a run may use of the job
nodes           what runs a step, by the type of its node
preparations    what must be ready before the first step starts: environments, servers for clients in scripts
step_data       what a step finds and leaves in its folder; stage and upload do it, root and roots have the folders
step_view       what a step sees of Azure ML; variables and host_variables make its environment variables
detached        a runner in a process of its own; start_detached starts it, queue lets it wait for its turn
"""
