"""The scenarios, in the order in which they are played."""

from . import clock, docking, docks, faults, mirror, power, service

ALL = [*docking.ALL, *docks.ALL, *mirror.ALL, *faults.ALL, *service.ALL, *clock.ALL, *power.ALL]
