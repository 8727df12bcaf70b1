"""The docks that people own: bridges that lie, a bridge for each bay, eSATA; either order; a disk pulled at once."""

import time

from rig import Disk
from scenario import Scenario


def lying_bridge(rig):
    """A USB dock whose two LUNs report one serial: the cards tell the disks apart."""
    rig.wake()
    dock = rig.dock("luns")
    same = {letter: Disk(letter, rig.images[letter], "BRIDGE0001") for letter in "ab"}
    before = rig.sums()
    dock.insert(same["b"], same["a"])
    rig.ok("swapped in it: a run is refused", rig.run_ended(2))
    rig.equal("swapped in it: the verdict", "refused|2|swapped", rig.last_run())
    dock.pull()
    rig.equal("swapped in it: the images are as they were", before, rig.sums())
    dock.insert(same["a"], same["b"])
    rig.ok("the right way round: a run ends", rig.run_ended(3))
    rig.equal("the right way round: it ends well", "done|0|ok", rig.last_run())
    said = rig.vm.sh("twindock check")
    rig.has("check says that the card decides", "card", said)
    dock.pull()


def bridges(rig):
    """One bridge for each bay, the destination three seconds before the source."""
    rig.wake()
    dock = rig.dock("bridges", settle="30s")
    dock.insert(destination=rig.disks["b"])
    time.sleep(3)
    dock.insert(source=rig.disks["a"])
    rig.ok("destination first, the source three seconds later: a run ends", rig.run_ended(2))
    rig.equal("it ends well", "done|0|ok", rig.last_run())
    rig.equal("it was one run", 2, rig.runs())
    rig.equal("no mail", 0, rig.mails())
    dock.pull()
    dock.insert(source=rig.disks["b"])
    time.sleep(3)
    dock.insert(destination=rig.disks["a"])
    rig.ok("swapped, three seconds apart: a run ends", rig.run_ended(3))
    rig.equal("swapped: the verdict", "refused|2|swapped", rig.last_run())


def ports(rig):
    """A port for each bay: the source three seconds before the destination; one pulled while it is looked at."""
    rig.wake()
    dock = rig.dock("ports", settle="20s")
    dock.insert(source=rig.disks["a"])
    time.sleep(3)
    dock.insert(destination=rig.disks["b"])
    rig.ok("source first, the destination three seconds later: a run ends", rig.run_ended(2))
    rig.equal("it ends well", "done|0|ok", rig.last_run())
    rig.equal("it was one run", 2, rig.runs())
    dock.pull()
    before = rig.sums()
    dock.vm.sh("sed -i 's/^settle.*/settle = 6s/' /etc/twindock/twindock.conf")
    dock.insert(source=rig.disks["a"])
    dock.insert(destination=rig.disks["b"])
    rig.ok("both in again: the service starts", rig.until("running twindock", 30, every=0.05))
    dock.pull(1)
    rig.ok("one pulled while it is looked at: the services end", rig.idle())
    said = rig.last_run()
    rig.ok("one pulled while it is looked at: the run is refused", said.startswith("refused|2|"), said)
    rig.equal("it writes nothing", before, rig.sums())
    rig.equal("no failed unit", "", rig.failed_units())
    runs = rig.runs()
    dock.insert(destination=rig.disks["b"])
    rig.ok("put back: a run ends", rig.run_ended(runs + 1))
    rig.equal("put back: it ends well", "done|0|ok", rig.last_run())
    listing = rig.source_listing()
    dock.pull()
    rig.images_equal_source("in the end", listing)


ALL = [
    Scenario("lying-bridge", lying_bridge),
    Scenario("bridges", bridges),
    Scenario("ports", ports),
]
