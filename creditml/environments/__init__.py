"""The environments in which steps run: finds out what a job's environment asks for, and builds it on this machine."""

from __future__ import annotations
