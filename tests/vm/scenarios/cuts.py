"""The power fails, again and again, while the source goes on changing."""

import hashlib
import json
import os
import random
import re
import subprocess
import time

import machine
from rig import mounted
from scenario import Scenario

CUTS = int(os.environ.get("TWINDOCK_VM_CUTS", "2"))
FURTHER = 4  # cuts that are made besides at most, while none has left a member with some of its run's files
SEED = int(os.environ.get("TWINDOCK_VM_SEED", time.time_ns() % 1000000))
SLOW = 2 << 20  # bytes per second of disks while the power is to fail
LONG = 12  # seconds that a run with large files takes on such disks at least
SMALL, LARGE, LARGE_SIZE = 400, 2, 4000000  # files that a round gives new content, and how large the large ones are
SUMS = "find M -type f -exec sha256sum {} +"

# What an owner does besides, once.
CHANGE = """
for i in $(seq 1 20); do echo "changed $i" >>Bach/t$i.txt; done; head -c 900000 /dev/urandom >Bach/p1.flac
rm Bach/t5[1-4].txt; mv Bach/p8.flac Bach/moved.flac
"""
GOING = {f"M/Bach/{name}" for name in ("t51.txt", "t52.txt", "t53.txt", "t54.txt", "p8.flac")}


def rounds_needed():
    return (CUTS + FURTHER) // 2 + 1


def prepare(rig):
    """What the rounds are to bring, beside the source: to put it there is a rename."""
    numbers = " ".join(str(number) for number in range(1, rounds_needed() + 1))
    rig.vm.sh(
        f"mkdir /array/rounds /array/old && cd /array/rounds && for k in {numbers}; do mkdir small-$k large-$k;"
        f' seq -f "$k %g" {SMALL} | split -l 1 -a 3 - small-$k/w; for j in $(seq {LARGE}); do'
        f' yes "large $k $j" | head -c {LARGE_SIZE} >large-$k/$j; done; done; sync'
    )


def small_name(number):
    """As split names its files: waaa, waab..."""
    number, letters = number - 1, ""
    for _ in range(3):
        number, letters = number // 26, chr(ord("a") + number % 26) + letters
    return f"M/small/w{letters}"


def small_text(round_, number):
    return f"{round_} {number}\n".encode()


def round_sums(round_):
    """(sum, path) of what the round brings."""
    brought = {(digest_of(small_text(round_, i)), small_name(i)) for i in range(1, SMALL + 1)}
    for j in range(1, LARGE + 1):
        text = f"large {round_} {j}\n".encode()
        brought.add((digest_of((text * (LARGE_SIZE // len(text) + 1))[:LARGE_SIZE]), f"M/large/{j}"))
    return brought


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def bring(what, round_):
    """A script that gives the source a round's small or large files. With the small ones a directory moves."""
    script = f"cd /array/music && {{ [ ! -e {what} ] || mv {what} /array/old/{what}-{round_}; }} &&"
    if what == "small":
        script += f" mv Bach* Bach-{round_} &&"
    return script + f" mv /array/rounds/{what}-{round_} {what} && sync -f . "


def pairs(text):
    """(sum, path) of sha256sum's lines; the directory that moves has its first name, whatever it is called now."""
    lines = [line.split("  ", 1) for line in text.splitlines() if "  " in line]
    return {(sum_, re.sub("^M/Bach-[0-9]+/", "M/Bach/", path)) for sum_, path in lines}


# Stops the run when a file is in its new place on a member, and commits what is there: as when anybody else's sync
# falls between two renames, and the power fails. The other member's journal may be committed, too, or not. A file
# system that is mounted nowhere can be looked at through the run's own descriptors.
BETWEEN = """
look() {
    local at line card
    [[ -d /proc/%(pid)s ]] || exit 1
    for at in /proc/%(pid)s/fd/*; do
        [[ -d $at/M/small ]] && read -r line <"$at/%(name)s" && [[ $line == "%(text)s" ]] || continue
        read -r -d '' card <"$at/.twindock/card.json"
        [[ $card =~ '"member":'[[:space:]]*'"%(member)s"' ]] || continue
        kill -STOP %(pid)s
        first=$at
        return 0
    done 2>/dev/null
    return 1
}
await 600 0.02 look && sync -f "$first" && if %(both)s; then
    for at in /proc/%(pid)s/fd/*; do [[ ! -d $at/M/small ]] || sync -f "$at"; done
fi
"""


class Cuts:
    """What is known of the source and of the members from cut to cut."""

    def __init__(self, rig):
        self.rig, self.chance, self.round, self.large = rig, random.Random(SEED), 0, 0
        self.allowed = set()  # (sum, path) of every file that may be on a member, whole
        self.wanted = set()  # those of the rounds that the source has now
        self.meant = set()  # those that it had when the run began, and what the directory that moves was called
        self.name = ""
        self.held = {"a": set(), "b": set()}  # (sum, path) of what a member had at the last cut
        self.mixed = 0  # cuts after which a member had got some of its run's files, and not the others

    def bring(self, what):
        """Only for a run that is stopped, or before there is one."""
        self.meant, self.name = self.wanted, f"Bach-{self.round}"
        if what == "small":
            self.round += 1
        self.rig.vm.sh(bring(what, self.round))
        brought = {pair for pair in round_sums(self.round) if pair[1].startswith(f"M/{what}/")}
        self.wanted = {pair for pair in self.wanted if not pair[1].startswith(f"M/{what}/")} | brought
        self.allowed |= brought

    def at_any_moment(self, pid):
        moment = self.chance.uniform(0, LONG)
        time.sleep(moment)
        self.rig.vm.run(f"kill -STOP {pid}")
        return f"{moment:.1f} s into it"

    def between_renames(self, pid):
        number = self.chance.randint(1, SMALL // 2)  # those behind it come into place while the look at it lasts
        both = self.chance.choice(("true", "true", "false"))
        member = self.chance.choice("AB")
        text = small_text(self.round, number).decode().strip()
        words = {"pid": pid, "name": small_name(number), "text": text, "both": both, "member": member}
        self.rig.vm.sh(BETWEEN % words, 700)
        return f"when file {number} of {SMALL} is in its place on {member}"

    def check(self, cut, letter):
        """What a member holds after its journal was replayed, on a copy: the image itself is left for the run."""
        rig, who = self.rig, f"cut {cut}: member {letter.upper()}"
        copy = os.path.join(rig.work, "cut.img")
        machine.copy_sparse(rig.images[letter], copy)
        status = subprocess.run(["e2fsck", "-f", "-p", copy], capture_output=True, check=False).returncode
        rig.ok(f"{who} needs no repair but by its journal", status < 4, f"e2fsck -f -p: {status}")
        holds = pairs(mounted(copy, SUMS))
        moved = mounted(copy, f"ls M/{self.name} 2>/dev/null | wc -l")
        os.unlink(copy)
        torn = holds - self.allowed
        rig.ok(f"{who} has {len(holds)} files, each old or new", len(holds) > 60 and not torn, sorted(torn))
        lost = {path for _, path in self.held[letter]} - {path for _, path in holds} - GOING
        rig.ok(f"{who} has every file that it had", not lost, sorted(lost))
        came, missing = (holds & self.meant) - self.held[letter], self.meant - holds
        self.held[letter] = holds
        print(f"# {who}: {len(came)} files came with this run, {len(missing)} are old; {moved} have moved", flush=True)
        return bool(came and missing)


def cuts(rig):
    """The power fails at random moments; whenever it is back the run starts by itself; in the end all is well.

    Every other cut falls between two renames, when a file drawn by lot has just come into its place; the rest fall at
    any moment of a run which begins with what the one before has left."""
    print(f"# TWINDOCK_VM_SEED={SEED}")
    known = Cuts(rig)
    known.allowed |= pairs(mounted(rig.images["a"], SUMS))
    rig.wake()
    changed = rig.vm.sh(f"cd /array/music && {CHANGE} {SUMS.replace('M', '.', 1)}")
    known.allowed |= pairs(changed.replace("  ./", "  M/"))
    prepare(rig)
    known.bring("small")
    dock = rig.dock("luns")
    rig.vm.sh("printf 'max_change = 100%%\\nmax_delete = 100%%\\n' >>/etc/twindock/twindock.conf; sync")
    for disk in rig.disks.values():
        disk.throttle = SLOW
    dock.insert(rig.disks["a"], rig.disks["b"])
    rig.ok("a run starts", rig.run_begun(2))
    cut = 0
    while cut < CUTS or (not known.mixed and cut < CUTS + FURTHER):
        cut += 1
        pid = rig.last_run("pid")
        between = cut % 2 == 1
        moment = known.between_renames(pid) if between else known.at_any_moment(pid)
        rig.equal(f"cut {cut}, {moment}: it comes while the run is on", "running", rig.last_run("result"))
        known.bring("large" if between else "small")  # for the next run
        rig.vm.cut_power()
        known.mixed += any([known.check(cut, letter) for letter in "ab"])
        rig.boot(docked_at_boot(rig, SLOW if cut < CUTS or not known.mixed else None))
        rig.ok(f"cut {cut}: a run starts by itself", rig.run_begun(2 + cut, 120))
    some = "a member had some of the run's files, and not the others"
    rig.ok(f"after {known.mixed} of {cut} cuts {some}", known.mixed)
    rig.ok("the last one ends", rig.idle(240))
    rig.equal("it ends well", "done|0|ok", rig.last_run())
    listing = rig.source_listing()
    switch_off(rig)
    rig.images_equal_source("in the end", listing)


def docked_at_boot(rig, throttle=None):
    """What the command line says for two disks in a USB dock."""
    words = []
    for letter in "ab":
        disk = rig.disks[letter]
        if throttle:
            words += ["-object", f"throttle-group,id=slow-{letter},x-bps-total={throttle}"]
        disk.throttle = throttle
        words += ["-blockdev", json.dumps({**disk.node(), "node-name": letter})]
    words += ["-device", "usb-bot,id=dock,bus=usb.0,port=1"]
    for lun, letter in enumerate("ab"):
        disk = rig.disks[letter]
        words += ["-device", f"scsi-hd,id={letter},bus=dock.0,lun={lun},drive={letter},serial={disk.serial}"]
    return words


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


ALL = [Scenario("power-cuts", cuts)]
