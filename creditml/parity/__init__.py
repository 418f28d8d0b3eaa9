"""The effect of every field of Azure ML's schema on this machine.

One table holds them all; the command `creditml parity` and the documentation page are made from it.

table    the fields, in sections
used     the fields that a job uses, with their positions
page     the table as a page of the documentation
"""

from creditml.nodes.fields import FATES, Fate, Field, Section
from creditml.parity.page import page
from creditml.parity.table import sections
from creditml.parity.used import Use, uses

__all__ = ["FATES", "Fate", "Field", "Section", "Use", "page", "sections", "uses"]
