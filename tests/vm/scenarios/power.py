"""The power fails; the machine boots with disks in the dock."""

import os
import random
import subprocess
import time

import machine
from rig import LISTING, mounted
from scenario import Scenario

CUTS = int(os.environ.get("TWINDOCK_VM_CUTS", "2"))
SEED = int(os.environ.get("TWINDOCK_VM_SEED", time.time_ns() % 1000000))
SLOW = 3 << 20  # bytes per second of disks while the power is to fail
LONG = 12  # seconds that a run on such disks takes at least

# Every file that a member may show after a cut is one of these, whole.
CHANGE = r"""
cd /array/music && for i in 1 2 3 4; do head -c 2500000 /dev/urandom >new$i.wav; done
for i in $(seq 1 20); do echo "changed $i" >>Bach/t$i.txt; done; head -c 900000 /dev/urandom >Bach/p1.flac
rm Bach/t5[1-4].txt; mv Bach/p8.flac Bach/moved.flac; sync
"""
SATA = ("pci-0000:00:1f.2-ata-1", "pci-0000:00:1f.2-ata-2")
SUMS = "find M -type f -exec sha256sum {} +"


def docked_at_boot(rig, throttle=None):
    """What the command line says for two disks in a USB dock."""
    words = []
    for letter in "ab":
        disk = rig.disks[letter]
        if throttle:
            words += ["-object", f"throttle-group,id=slow-{letter},x-bps-total={throttle}"]
        disk.throttle = throttle
        words += ["-blockdev", machine.json.dumps({**disk.node(), "node-name": letter})]
    words += ["-device", "usb-bot,id=dock,bus=usb.0,port=1"]
    for lun, letter in enumerate("ab"):
        disk = rig.disks[letter]
        words += ["-device", f"scsi-hd,id={letter},bus=dock.0,lun={lun},drive={letter},serial={disk.serial}"]
    return words


def cuts(rig):
    """The power fails at random moments; whenever it is back the run starts by itself; in the end all is well."""
    chance = random.Random(SEED)
    print(f"# TWINDOCK_VM_SEED={SEED}")
    rig.wake()
    old = set(pairs(rig.vm.sh(f"cd /array && ln -sfn music M && {SUMS.replace('M', 'M/', 1)}; rm M")))
    rig.vm.sh(CHANGE)
    new = set(pairs(rig.vm.sh(f"cd /array && ln -sfn music M && {SUMS.replace('M', 'M/', 1)}; rm M; sync")))
    dock = rig.dock("luns")
    rig.vm.sh("sync")
    for disk in rig.disks.values():
        disk.throttle = SLOW
    dock.insert(rig.disks["a"], rig.disks["b"])
    rig.ok("a run starts", rig.run_begun(2))
    for cut in range(1, CUTS + 1):
        moment = chance.uniform(0, LONG)
        time.sleep(moment)
        rig.equal(f"cut {cut}: it comes while the run is on", "running", rig.last_run("result"))
        rig.vm.cut_power()
        for letter in "ab":
            seen = after_cut(rig, letter)
            torn = [line for line in seen if line not in old and line not in new]
            rig.ok(f"cut {cut}, {moment:.1f} s into it: member {letter.upper()} has {len(seen)} files, each old or new",
                   len(seen) > 60 and not torn, "\n".join(map(str, torn)))  # fmt: skip
        last = cut == CUTS
        print(f"# cut {cut}: {len(set(seen) - old)} files are new on member B", flush=True)
        rig.boot(docked_at_boot(rig, None if last else SLOW))
        rig.ok(f"cut {cut}: a run starts by itself", rig.run_begun(2 + cut, 120))
    rig.ok("the last one ends", rig.until(rig.IDLE, 240))
    rig.equal("it ends well", "done|0|ok", rig.last_run())
    listing = rig.source_listing()
    switch_off(rig)
    rig.images_equal_source("in the end", listing)


def pairs(text):
    """(sum, path) of sha256sum's lines."""
    return [tuple(line.replace("M//", "M/").split("  ", 1)) for line in text.splitlines() if "  " in line]


def after_cut(rig, letter):
    """What a member holds after its journal was replayed, on a copy: the image itself is left for the run."""
    copy = os.path.join(rig.work, "cut.img")
    machine.copy_sparse(rig.images[letter], copy)
    subprocess.run(["e2fsck", "-p", copy], capture_output=True, check=False)
    sums = pairs(mounted(copy, SUMS))
    os.unlink(copy)
    return sums


def in_sata_dock(rig, late=""):
    """Switches the machine off, and on again with both disks in a SATA dock. late: what else to do before."""
    rig.dock("luns")
    rig.vm.sh(
        f"cd /etc/twindock && sed -i 's/^source = pci.*/source = {SATA[0]}/; s/^destination.*/destination = {SATA[1]}/'"
        f" twindock.conf; {late} sync"
    )
    rig.vm.cut_power()
    words = []
    for port, letter in enumerate("ab"):
        disk = rig.disks[letter]
        words += ["-blockdev", machine.json.dumps({**disk.node(), "node-name": letter})]
        words += ["-device", f"ide-hd,id={letter},bus=ide.{port},drive={letter},serial={disk.serial}"]
    rig.boot(words)


def late_source(rig):
    """A machine that is switched on with disks in its SATA dock; the array is there a minute late."""
    rig.wake()
    in_sata_dock(rig, "echo source_wait = 5m >>twindock.conf; sed -i 's/ext4 x-sys/ext4 noauto,x-sys/' /etc/fstab;")
    rig.ok("the service starts", rig.until("pgrep -x twindock", 120))
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
    listing = rig.source_listing()
    switch_off(rig)
    rig.images_equal_source("in the end", listing)


def switch_off(rig):
    """As a person does it; what is not off after a minute is cut off."""
    if rig.failed:
        rig.diagnose()
    rig.vm.sh("sync; (sleep 1; systemctl poweroff) >/dev/null 2>&1 &")
    try:
        rig.vm.wait_event("SHUTDOWN", 60)
    except machine.Broken:
        pass
    rig.vm.cut_power()


ALL = [
    Scenario("power-cuts", cuts),
    Scenario("late-source", late_source),
]
