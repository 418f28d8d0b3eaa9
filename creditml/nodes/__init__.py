"""Node types: all code that is specific to one type of node.

types        the base class of node types, and the interfaces that are passed to its methods
table        the table of types; all other code gets a node's type from it
specs        reads and writes jobs and components with that table
fields       the terms of `creditml.parity`, and the fields of Azure ML's schema that several types share
later        the types of Azure ML that are not supported yet
command, pipeline     one type each

A new type is a module here, a line in the table and, where it does more than start a command, a module of the same name
in `creditml/engine/nodes`.
"""
