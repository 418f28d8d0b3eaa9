"""What becomes here of every field of Azure ML's schema: one table, which the command and the docs page are made from.

table    the fields, section by section
used     which of them a job uses, and where
page     the table as a page of the docs
"""

from creditml.nodes.fields import FATES, Fate, Field, Section
from creditml.parity.page import page
from creditml.parity.table import sections
from creditml.parity.used import Use, uses

__all__ = ["FATES", "Fate", "Field", "Section", "Use", "page", "sections", "uses"]
