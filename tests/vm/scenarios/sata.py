"""A dock on the machine's SATA ports: switched on with disks in it, and disks that come and go while it is on."""

import json
import shlex
import time

import machine
from scenario import Scenario
from scenarios.cuts import switch_off

PORT = "/sys/devices/pci0000:00/0000:00:1f.2/ata%d"


class Ports:
    """QEMU has no hot-plug for SATA, but the guest's libata can give a disk up and find it again: the port is reset,
    the disk identified anew, and udev told, as with a disk that goes in."""

    def __init__(self, vm):
        self.vm = vm

    def insert(self, bay):
        self.vm.sh(f"echo '- - -' >$(echo {PORT % (bay + 1)}/host*/scsi_host/host*/scan)")

    def pull(self, *bays):
        for bay in bays or (0, 1):
            self.vm.sh(f"echo 1 >$(echo {PORT % (bay + 1)}/host*/target*/*/delete)")
        for bay in bays or (0, 1):
            gone = f"! compgen -G '{PORT % (bay + 1)}/host*/target*/*/block' >/dev/null"
            if self.vm.run(f"await 60 0.1 {shlex.quote(gone)}")[0] != 0:
                raise machine.Broken(f"the disk in bay {bay} stays")


def docked_at_boot(rig):
    words = []
    for port, letter in enumerate("ab"):
        disk = rig.disks[letter]
        words += ["-blockdev", json.dumps({**disk.node(), "node-name": letter})]
        words += ["-device", f"ide-hd,id={letter},bus=ide.{port},drive={letter},serial={disk.serial}"]
    return words


def late_source(rig):
    """A machine that is switched on with disks in its dock; the array is there a minute late."""
    rig.dock("sata")
    rig.vm.sh(
        "echo source_wait = 5m >>/etc/twindock/twindock.conf; sed -i 's/ext4 x-sys/ext4 noauto,x-sys/' /etc/fstab; sync"
    )
    rig.vm.cut_power()
    rig.boot(docked_at_boot(rig))
    rig.ok("the service starts", rig.until("running twindock", 120))
    time.sleep(60)
    ended = int(rig.ledger("SELECT count(*) FROM run WHERE id > 1 AND ended > 0"))
    rig.equal("a minute later no run has ended, no mail was sent", (0, 0), (ended, rig.mails()))
    rig.vm.sh("mount /array")
    rig.ok("the array is mounted: a run ends", rig.run_ended(2))
    rig.equal("it ends well", "done|0|ok", rig.last_run())
    rig.equal("two disks made one run", 2, rig.runs())
    rig.equal("no mail", 0, rig.mails())
    rig.equal("no failed unit", "", rig.failed_units())
    rig.has("identity comes from the drive", '"ata"', rig.vm.sh("twindock check --json"))


def either_order(rig, ports):
    """Three seconds apart, in either order: one run, and the right one."""
    words = {0: "the source first", 1: "the destination first"}
    for first in (0, 1):
        runs = rig.runs()
        ports.pull()
        ports.insert(first)
        time.sleep(3)
        ports.insert(1 - first)
        rig.ok(f"{words[first]}, the other three seconds later: a run ends", rig.run_ended(runs + 1))
        rig.equal(f"{words[first]}: it ends well", "done|0|ok", rig.last_run())
        rig.equal(f"{words[first]}: it was one run", runs + 1, rig.runs())
    rig.equal("no mail for any of that", 0, rig.mails())


def wrong_ports(rig, ports):
    """Each disk in the other's port, three seconds apart: it is the slots that change their places."""
    runs = rig.runs()
    words = "s/^source = pci/was = pci/; s/^destination/source/; s/^was/destination/"
    exchange = f"sed -i '{words}' /etc/twindock/twindock.conf"
    ports.pull()
    before = rig.sums()
    rig.vm.sh(exchange)
    ports.insert(0)
    time.sleep(3)
    ports.insert(1)
    rig.ok("in each other's ports: a run ends", rig.run_ended(runs + 1))
    rig.equal("in each other's ports: the verdict", "refused|2|swapped", rig.last_run())
    rig.equal("in each other's ports: it was one run", runs + 1, rig.runs())
    rig.has("in each other's ports: a mail says what to do", "Swap the two disks", rig.mailbox())
    ports.pull()
    rig.equal("in each other's ports: not a byte was written", before, rig.sums())
    rig.vm.sh(exchange)


def pulled_at_once(rig, ports):
    """One is pulled while it is looked at; nothing is written until it is back."""
    runs, before = rig.runs(), rig.sums()
    rig.vm.sh("sed -i 's/^settle.*/settle = 6s/' /etc/twindock/twindock.conf")
    ports.insert(0)
    ports.insert(1)
    rig.ok("both in: the service starts", rig.until("running twindock", 60, every=0.02))
    ports.pull(1)
    rig.ok("one pulled while it is looked at: the services end", rig.idle() and rig.run_ended(runs + 1))
    said = rig.last_run()
    rig.ok("one pulled while it is looked at: the run is refused", said.startswith("refused|2|"), said)
    rig.equal("one pulled while it is looked at: not a byte was written", before, rig.sums())
    rig.equal("one pulled while it is looked at: no failed unit", "", rig.failed_units())
    runs = rig.runs()
    ports.insert(1)
    rig.ok("put back: a run ends", rig.run_ended(runs + 1))
    rig.equal("put back: it ends well", "done|0|ok", rig.last_run())


def sata(rig):
    """One boot for all that concerns disks on SATA ports."""
    rig.wake()
    late_source(rig)
    ports = Ports(rig.vm)
    either_order(rig, ports)
    wrong_ports(rig, ports)
    pulled_at_once(rig, ports)
    listing = rig.source_listing()
    switch_off(rig)
    rig.images_equal_source("in the end", listing)


ALL = [Scenario("sata", sata)]
