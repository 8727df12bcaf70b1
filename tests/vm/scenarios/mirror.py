"""A dock that mirrors by itself: writes go to both disks, reads come from the one in the source slot."""

import filecmp
import os
import subprocess

from rig import ALONE, blank, digest
from scenario import Scenario


class Jockey:
    """The dock in mirror mode: one USB disk before the computer, two images behind it."""

    def __init__(self, rig):
        self.rig = rig
        rig.dock("luns")
        rig.vm.sh(
            "cd /etc/twindock && sed -i 's/^destination.*/mode = mirror/' twindock.conf;"
            "echo prove_every = 2 >>twindock.conf"
        )

    def insert(self, source, destination, serial="JOCKEY01"):
        nodes = [
            {"driver": "raw", "file": {"driver": "file", "filename": image, "locking": "off"}}
            for image in (source, destination)
        ]
        vm = self.rig.vm
        vm.add_node("mirror", {"driver": "quorum", "children": nodes, "vote-threshold": 1, "read-pattern": "fifo"})
        vm.qmp("device_add", driver="usb-bot", id="dock", bus="usb.0", port="1", attached=False)
        vm.qmp("device_add", driver="scsi-hd", id="mirror", drive="mirror", serial=serial, bus="dock.0", lun=0)
        vm.qmp("qom-set", path="/machine/peripheral/dock", property="attached", value=True)

    def pull(self):
        self.rig.vm.unplug("dock")
        self.rig.until("true", 2)
        self.rig.vm.qmp("blockdev-del", **{"node-name": "mirror"})


def twins_refused(rig):
    """Twins in a dock that mirrors: refused, both halves as they were."""
    rig.wake()
    before = rig.sums()
    dock = Jockey(rig)
    dock.insert(rig.images["a"], rig.images["b"], rig.disks["a"].serial)
    rig.ok("a run is refused", rig.run_ended(2))
    rig.equal("the verdict", "refused|2|wrong-layout", rig.last_run())
    dock.pull()
    dock.insert(rig.images["a"], rig.images["b"])
    rig.ok("a dock that tells a serial of its own: a run is refused", rig.run_ended(3))
    rig.equal("a dock that tells a serial of its own: the exit", "refused|2", rig.last_run("result, exit"))
    dock.pull()
    rig.equal("both halves are as they were", before, rig.sums())


def mirrored(rig):
    """A mirrored pair: backed up, equal bit for bit; one half written elsewhere is found out."""
    rig.wake()
    a, b = (os.path.join(rig.work, name) for name in ("m-a.img", "m-b.img"))
    for image in (a, b):
        blank(image, 96 << 20)
    dock = Jockey(rig)
    # Both pairs are of collection M in their turn: the twins are not known in this ledger any more.
    rig.vm.sh("rm /var/lib/twindock/twindock.db*")
    dock.insert(a, b)
    rig.ok("the dock shows one disk", rig.until("[ -b /dev/sda ] && [ ! -b /dev/sdb ]", 30))
    rig.equal("format makes a mirrored pair", 0, rig.vm.run("twindock format M --yes")[0])
    rig.ok("equal halves, as formatted", filecmp.cmp(a, b, shallow=False))
    dock.pull()
    dock.insert(a, b)
    rig.ok("a run starts by itself and ends", rig.run_ended(1))
    rig.equal("it ends well", "done|0|ok", rig.last_run())
    listing = rig.source_listing()
    dock.pull()
    rig.ok("both images are equal bit for bit", filecmp.cmp(a, b, shallow=False))
    rig.images = {"a": a, "b": b}
    rig.images_equal_source("mirrored", listing)
    # One half goes away and is written elsewhere, then comes back into the destination slot, where nobody sees it.
    elsewhere(b)
    changed = digest(b)
    rig.vm.sh("echo later >/array/music/later")
    verdicts = []
    for _ in range(3):
        runs = rig.runs()
        dock.insert(a, b)
        rig.run_ended(runs + 1)
        verdicts.append(rig.last_run("verdict"))
        dock.pull()
    rig.ok(
        "written elsewhere and put back unseen: found out within prove_every runs",
        "unproven-pair" in verdicts,
        verdicts,
    )
    before = [digest(a), digest(b)]
    rig.ok("that half does hold something else", changed != before[0])
    # In the source slot it is seen: its generation is behind.
    runs = rig.runs()
    dock.insert(b, a)
    rig.ok("in the source slot: a run is refused", rig.run_ended(runs + 1))
    rig.ok("in the source slot: the verdict", rig.last_run().startswith("refused|2|"), rig.last_run())
    dock.pull()
    rig.equal("in the source slot: not a byte was written", before, [digest(a), digest(b)])
    plain = rig.dock("luns")
    rig.disks["a"].image, rig.disks["b"].image = a, b
    plain.insert(rig.disks["a"], rig.disks["b"])
    rig.ok("shown one by one: nothing runs", rig.until("[ -b /dev/sda ] && [ -b /dev/sdb ]", 30) and rig.idle())
    status, said = rig.vm.run("twindock check --full")
    rig.equal("shown one by one: check --full names it", 5, status)
    rig.ok("it names the file", "Bach/p7.flac" in said, said)
    plain.pull()
    rig.equal("check --full wrote nothing", before, [digest(a), digest(b)])


def elsewhere(image):
    """Somebody's computer writes to a disk."""
    place = image + ".mnt"
    os.makedirs(place, exist_ok=True)
    # What lies in directories and inodes the next run's writes to both disks cover; what lies within a file stays.
    script = (
        'mount -o loop "$1" "$2" && echo mine >"$2/M/mine" &&'
        ' echo mine | dd of="$2/M/Bach/p7.flac" bs=1 seek=200000 conv=notrunc status=none &&'
        ' sync -f "$2" && umount "$2"'
    )
    subprocess.run([*ALONE, "unshare", "--mount", "bash", "-c", script, "elsewhere", image, place], check=True)


ALL = [
    Scenario("twins-mirrored", twins_refused),
    Scenario("mirrored", mirrored),
]
