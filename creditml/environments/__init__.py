"""The environments that steps run in: what a spec asks for, and what there is of it on this machine."""

from __future__ import annotations
