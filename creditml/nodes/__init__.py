"""Node types: everything that is particular to one of them.

types        what a type says of itself: the base of all, and what it is handed by those who ask
table        the table of types; whoever deals with nodes asks it
specs        jobs and components from files and back, with that table
fields       what becomes of the fields of Azure ML's schema, in the terms of `creditml.parity`
command, pipeline     a type each

A new type is a module here, a line in the table and, where it does more than start a command, a module of the same name
in `creditml/engine/nodes`.
"""
