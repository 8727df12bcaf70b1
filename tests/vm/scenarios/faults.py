"""What goes wrong while a run is on: a disk is pulled, sectors cannot be read."""

import subprocess

from scenario import Scenario

FEW = 3 << 20  # bytes per second of a disk that is to be caught in the middle


def pulled(rig):
    """One disk pulled mid run: the other is finished, and the pulled one is brought up to date the next time."""
    rig.wake()
    rig.vm.sh("head -c 24000000 /dev/urandom >/array/music/new.wav; sync")
    dock = rig.dock("bridges")
    for letter in "ab":
        rig.disks[letter].throttle = FEW
    dock.insert(rig.disks["a"], rig.disks["b"])
    rig.ok("a run starts", rig.run_begun(2))
    query = "SELECT work_done > 4000000 FROM run ORDER BY id DESC LIMIT 1"
    rig.ok(
        "it is in the middle",
        rig.until(f"stirred && {rig.says_yes(query)}", 120, 0.1),
    )
    dock.pull(1)
    rig.ok("it ends", rig.run_ended(2))
    rig.equal("it says that a member was lost", "4|ok|lost", rig.last_run("exit, state_a, state_b"))
    rig.ok("a mail names the disk", rig.until("grep -q 'WD-B0001' /var/mail/keeper", 20), rig.mailbox())
    rig.equal("one mail", 1, rig.mails())
    rig.equal("no failed unit", "", rig.failed_units())
    listing = rig.source_listing()
    dock.pull(0)
    rig.images_equal_source("the other", listing, "a")
    for letter in "ab":
        rig.disks[letter].throttle = None
    dock.insert(rig.disks["a"], rig.disks["b"])
    rig.ok("both in again: a run ends", rig.run_ended(3))
    rig.equal("both in again: it ends well", "done|0|ok", rig.last_run())
    dock.pull()
    rig.images_equal_source("in the end", listing)


def bad_member_sector(rig):
    """A sector under a file on a member cannot be read: the copy is rewritten to a new place."""
    rig.wake()
    sector = sector_of(rig.images["b"], "M/large.wav")
    rig.disks["b"].debug = {
        "inject-error": [{"event": "none", "iotype": "read", "errno": 5, "sector": sector, "once": False}]
    }
    dock = rig.dock("ports")
    dock.insert(rig.disks["a"], rig.disks["b"])
    rig.ok("a run ends", rig.run_ended(2))
    rig.equal("it found rot and repaired it", "done|5", rig.last_run("result, exit"))
    incident = rig.ledger("SELECT kind, path, member FROM incident")
    rig.has("the ledger names file and member", "repaired|large.wav|B", incident)
    rig.ok("a mail names the file", rig.until("grep -q 'large.wav' /var/mail/keeper", 20), rig.mailbox())
    listing = rig.source_listing()
    dock.pull()
    rig.ok("the copy lies elsewhere now", sector_of(rig.images["b"], "M/large.wav") != sector)
    rig.images_equal_source("in the end", listing)


def bad_source_sector(rig):
    """A sector under a source file cannot be read: the members' copies are kept, the run says so."""
    before = sum_of(rig.images["a"], "M/Bach/p5.flac")
    # The owner's disk is the qcow2 file's content; where the file lies the members' listing cannot tell, the guest can.
    rig.wake()
    extent = rig.vm.sh("filefrag -v -b512 /array/music/Bach/p5.flac | awk '$1 == \"0:\" { print $4 + 0 }'")
    rig.vm.cut_power()
    error = {"event": "none", "iotype": "read", "errno": 5, "sector": int(extent) + 8, "once": False}
    rig.wake(array=lambda node: {"driver": "blkdebug", "image": node, "inject-error": [error]})
    rig.vm.sh("echo 3 >/proc/sys/vm/drop_caches")
    rig.ok("the file cannot be read", rig.vm.run("cat /array/music/Bach/p5.flac >/dev/null")[0] != 0)
    rig.vm.sh("echo new >/array/music/new")
    dock = rig.dock("ports")
    dock.insert(rig.disks["a"], rig.disks["b"])
    rig.ok("a run ends", rig.run_ended(2))
    rig.equal("it says that a file could not be read", "3", rig.last_run("exit"))
    rig.has("the ledger names it", "unreadable|Bach/p5.flac", rig.ledger("SELECT kind, path FROM incident"))
    rig.ok("a mail names the file", rig.until("grep -q 'p5.flac' /var/mail/keeper", 20), rig.mailbox())
    dock.pull()
    for letter in "ab":
        rig.equal(f"member {letter.upper()} keeps its copy", before, sum_of(rig.images[letter], "M/Bach/p5.flac"))
        rig.ok(f"member {letter.upper()} got what is new", sum_of(rig.images[letter], "M/new"))


def debugfs(image, request):
    return subprocess.run(["debugfs", "-R", request, image], capture_output=True, check=True).stdout


def sector_of(image, path):
    """The first of the eight sectors under the third block of a file."""
    blocks = [int(word) for word in debugfs(image, f'blocks "/{path}"').split()]
    return blocks[2] * 8


def sum_of(image, path):
    """A file's content, as far as debugfs finds it; b"" when it does not."""
    return debugfs(image, f'cat "/{path}"')


ALL = [
    Scenario("pulled", pulled),
    Scenario("bad-member-sector", bad_member_sector),
    Scenario("bad-source-sector", bad_source_sector),
]
