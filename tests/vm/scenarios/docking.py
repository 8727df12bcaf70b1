"""Disks go into the dock: what starts by itself, what is refused, and what is none of twindock's business."""

import glob
import os
import re
import subprocess
import time

from machine import raw
from rig import Disk, blank, digest
from scenario import Scenario

START_STOP_UNIT, READ_10, WRITE_10, SYNCHRONIZE_CACHE = 0x1B, 0x28, 0x2A, 0x35  # SCSI operation codes

# A small collection with what usually goes wrong: many small files, a large one, links, odd names, old dates.
TREE = r"""
mkdir -p /array/music/Bach /array/music/"odd names" && cd /array/music
for i in $(seq 60); do echo "text number $i" >Bach/t$i.txt; done
for i in 1 2 3 4 5 6 7 8; do head -c $((i * 70001)) /dev/urandom >Bach/p$i.flac; done
head -c 3000000 /dev/urandom >large.wav
echo x >"odd names/ leading blank"; echo y >"odd names/"$'caf\351'; : >empty; ln large.wav "odd names/hard link"
ln -s ../large.wav "odd names/soft link"; touch -d 1969-07-20T20:17:40.5Z Bach/t1.txt; chmod 4755 Bach/t2.txt
chown keeper:mail Bach/t3.txt; truncate -s 8M sparse; echo end >>sparse; sync
"""


def install(rig):
    """Brings the Debian package into the guest, as a disk that holds it, and installs it."""
    (package,) = glob.glob(os.path.join(rig.context.build, "twindock_*.deb"))
    archive = os.path.join(rig.work, "package.img")
    subprocess.run(["tar", "-C", os.path.dirname(package), "-cf", archive, os.path.basename(package)], check=True)
    rig.vm.add_node("package", raw(archive))
    rig.vm.qmp("device_add", driver="scsi-hd", id="package", drive="package", bus="scsi.0", **{"scsi-id": 7})
    rig.vm.sh("for i in $(seq 100); do [ -b /dev/sda ] && break; sleep 0.1; done; tar -C /root -xf /dev/sda")
    rig.vm.unplug("package")
    rig.vm.qmp("blockdev-del", **{"node-name": "package"})
    return rig.vm.run("dpkg -i /root/twindock_*.deb 2>&1")


def installed(rig):
    """The package is in, a pair is made: nothing has run yet."""
    rig.wake()
    status, said = install(rig)
    rig.ok("the package is installed", status == 0, said)
    rig.has("it runs", "twindock", rig.vm.sh("twindock --version"))
    status, said = rig.vm.run("systemd-analyze verify --man=no /usr/lib/systemd/system/twindock* 2>&1")
    rig.ok("systemd-analyze verify has nothing to say", status == 0 and not said.strip(), said)
    status, said = rig.vm.run(
        "udevadm verify --help >/dev/null 2>&1 || exit 0; udevadm verify /usr/lib/udev/rules.d/60-twindock.rules"
    )
    rig.equal("udevadm verify, where there is one, finds no fault", 0, status)
    rig.vm.sh(TREE)
    dock = rig.dock("luns")
    dock.insert(rig.disks["a"], rig.disks["b"])
    rig.ok("two empty disks come up", rig.until("[ -b /dev/sda ] && [ -b /dev/sdb ]", 30))
    rig.vm.sh("udevadm settle")
    paths = rig.vm.sh("ls /dev/disk/by-path")
    for path in dock.paths:
        rig.has(f"udev has the slot {path[-24:]}", path, paths)
    status, said = rig.vm.run("twindock format M --yes")
    rig.equal("format makes a pair of them", 0, status)
    dock.pull()
    rig.ok("nothing was started by that", rig.idle())
    rig.equal("no run, no mail", (0, 0), (rig.runs(), rig.mails()))
    return rig.save()


def first_backup(rig):
    """Two disks hot-plugged into a USB dock with two LUNs: one run by itself."""
    rig.wake()
    dock = rig.dock("luns")
    dock.insert(rig.disks["a"], rig.disks["b"])
    rig.ok("a run starts by itself", rig.run_begun(1))
    rig.ok("it ends", rig.run_ended(1))
    rig.equal("it ends well", "done|0|ok", rig.last_run())
    rig.equal("two events made one run", 1, rig.runs())
    rig.equal("both members are proven", "ok|ok", rig.last_run("state_a, state_b"))
    rig.equal("no mail", 0, rig.mails())
    rig.equal("no failed unit", "", rig.failed_units())
    info = rig.vm.sh("twindock --info")
    rig.ok(
        "--info shows the backup",
        [line for line in info.splitlines() if line.startswith("M  ") and " 2031 " in line],
        info,
    )
    rig.ok("--info shows it without a flag", "never" not in info and "!" not in info, info)
    listing = rig.source_listing()
    dock.pull()
    rig.images_equal_source("after the first run", listing)
    return rig.save()


def swapped(rig):
    """Each disk in the other's slot: told within ten seconds, nothing written; put right: the run starts."""
    rig.wake()
    before = rig.sums()
    dock = rig.dock("luns", settle="40s")  # which is not waited for when both disks are there
    dock.insert(rig.disks["b"], rig.disks["a"])
    began = time.monotonic()
    rig.ok("a mail comes", rig.until("grep -q '^From ' /var/mail/keeper", 60, every=0.2))
    took = time.monotonic() - began
    slow = 12 * rig.pace()[0]  # what starts of programs cost where the machine is emulated, and the host is busy
    rig.ok(f"within ten seconds ({took:.1f}; the emulation has up to {slow:.1f} of them)", took <= 10 + slow)
    rig.ok("the services end", rig.idle())
    rig.equal("the verdict", "refused|2|swapped", rig.last_run())
    mail = rig.mailbox()
    rig.has("the mail names the disk that stands wrong", "WD-B0001", mail)
    rig.has("the mail says what to do", "Swap the two disks", mail)
    rig.equal("one mail", 1, rig.mails())
    rig.equal("no failed unit", "", rig.failed_units())
    dock.pull()
    rig.equal("the images are as they were", before, rig.sums())
    dock.insert(rig.disks["a"], rig.disks["b"])
    rig.ok("put right: the run starts and ends", rig.run_ended(3 if rig.runs() > 2 else rig.runs() + 1))
    rig.equal("put right: it ends well", "done|0|ok", rig.last_run())
    rig.equal("put right: no other mail", 1, rig.mails())


def unfinished(rig):
    """Half a dock, a stranger in the dock, a stick elsewhere: nothing is written, the stick not even mentioned."""
    rig.wake()
    before = rig.sums()
    dock = rig.dock("luns", settle="5s")
    dock.insert(source=rig.disks["a"])
    rig.ok("one disk only: a run is refused", rig.run_ended(2))
    rig.equal("one disk only: the verdict", "refused|2|missing-member", rig.last_run())
    rig.ok("one disk only: a mail", rig.until("grep -q 'WD-A0001' /var/mail/keeper", 20), rig.mailbox())
    dock.pull()
    foreign = os.path.join(rig.work, "foreign.img")
    blank(foreign)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "holiday", foreign], check=True)
    before_foreign = digest(foreign)
    dock.insert(rig.disks["a"], Disk("foreign", foreign, "STRANGER"))
    rig.ok("a stranger beside it: a run is refused", rig.run_ended(3))
    rig.equal("a stranger beside it: the verdict", "refused|2|foreign-disk", rig.last_run())
    rig.ok(
        "a stranger beside it: the mail says what it is",
        rig.until("grep -q 'holiday' /var/mail/keeper", 20),
        rig.mailbox(),
    )
    dock.pull()
    rig.equal("nothing was written", [*before, before_foreign], [*rig.sums(), digest(foreign)])
    mails = rig.mails()
    rig.vm.add_node("stick", raw(foreign))
    rig.vm.sh("journalctl --rotate --vacuum-time=1s >/dev/null 2>&1; true")
    # What starts and ends when cannot be told from who else has the host's processors: a few times are taken, each
    # compared with what everything takes just then.
    for time_ in (1, 2, 3, 4, 5):
        took, pace = stick_in_and_out(rig, time_)
        if time_ >= 2 and took < 50 * pace:
            break
    rig.ok(
        f"a stick costs less than 50 ms ({took:.0f} ms here, where all takes {pace:.0f} times as long)",
        0 < took < 50 * pace,
    )
    rig.equal("a stick: twindock says nothing", "", rig.vm.sh("journalctl -t twindock -o cat"))
    rig.equal("a stick: no run, no mail", (3, mails), (rig.runs(), rig.mails()))
    rig.equal("a stick: no failed unit", "", rig.failed_units())


def stick_in_and_out(rig, time_):
    """A stick comes and goes: milliseconds from its service's start to its end, and the guest's pace."""
    rig.vm.qmp("device_add", driver="usb-storage", id="stick", drive="stick", bus="usb.0", port="4")
    ended = "[ $(journalctl -t systemd | grep -c 'twindock@sda.service: Deactivated') = %d ]" % time_
    rig.ok(f"a stick in no slot starts the service, time {time_}", rig.until(ended, 60))
    rig.vm.unplug("stick")
    stamps = rig.vm.sh(
        "journalctl -t systemd -o short-monotonic | grep -E 'Started twindock@sda|sda.service: Deactivated' |"
        " tail -n 2 | sed 's/^\\[ *\\([0-9.]*\\)\\].*/\\1/'"
    )
    begin, end = (float(word) * 1000 for word in stamps.split())
    return end - begin, rig.pace()[1]


def standby(rig):
    """In the end the drives are flushed and stopped, as the drives see it."""
    rig.wake()
    dock = rig.dock("luns")
    rig.vm.qmp("trace-event-set-state", name="scsi_req_parsed", enable=True)
    dock.insert(rig.disks["a"], rig.disks["b"])
    rig.ok("a run ends", rig.run_ended(2))
    rig.equal("it ends well", "done|0|ok", rig.last_run())
    rig.vm.qmp("trace-event-set-state", name="scsi_req_parsed", enable=False)
    with open(rig.vm.path("qemu.log"), encoding="utf-8") as log:
        seen = [
            tuple(map(int, found))
            for found in re.findall(r"scsi_req_parsed target \d+ lun (\d+) tag \S+ command (\d+)", log.read())
        ]
    for lun, letter in enumerate("AB"):
        commands = [command for at, command in seen if at == lun]
        last = max((at for at, command in enumerate(commands) if command == START_STOP_UNIT), default=-1)
        rig.ok(f"member {letter} is told to stop", last >= 0, commands[-20:])
        before = [command for command in commands[:last] if command in (WRITE_10, SYNCHRONIZE_CACHE)]
        rig.ok(f"member {letter} has written all by then", before[-1:] == [SYNCHRONIZE_CACHE], commands[-20:])
        after = [command for command in commands[last + 1 :] if command in (WRITE_10, READ_10)]
        rig.equal(f"member {letter} is left alone then", [], after)


ALL = [
    Scenario("installed", installed, begins="booted", leaves="installed"),
    Scenario("first-backup", first_backup, begins="installed", leaves="backed"),
    Scenario("swapped", swapped),
    Scenario("unfinished", unfinished),
    Scenario("standby", standby),
]
