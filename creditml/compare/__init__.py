"""Two recorded jobs side by side: what differs in graph, code, environment, parameters, and in what came of them.

jobs    the whole: which steps there are in both, and how each differs
code    two snapshots, file by file
"""
