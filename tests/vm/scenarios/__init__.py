"""The scenarios, in the order in which they are begun: those that take long do not come last."""

from . import clock, cuts, docking, docks, faults, mirror, sata, service

ALL = [*docking.ALL, *cuts.ALL, *mirror.ALL, *docks.ALL, *faults.ALL, *sata.ALL, *clock.ALL, *service.ALL]
