"""The scenarios, in the order in which they are played."""

from . import docking

ALL = [*docking.ALL]
