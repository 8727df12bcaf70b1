"""What is left when the program dies, and when nobody takes its mails."""

from scenario import Scenario

FEW = 2 << 20  # bytes per second of a disk that is to be caught in the middle
INHIBITORS = "systemd-inhibit --list --no-legend --no-pager"


def killed(rig):
    """The program is killed in the middle of a run: systemd's OnFailure unit mails; the next run goes on."""
    rig.wake()
    rig.vm.sh("head -c 12000000 /dev/urandom >/array/music/new.wav; sync")
    dock = rig.dock("bridges")
    for letter in "ab":
        rig.disks[letter].throttle = FEW
    dock.insert(rig.disks["a"], rig.disks["b"])
    rig.ok("a run starts", rig.run_begun(2))
    # The second disk's instance ends by itself at once; the one that is left is the run.
    rig.ok("one instance is left", rig.until('[ "$(pgrep -c -x twindock)" = 1 ]', 60, 0.5))
    rig.ok("the machine may not go to sleep meanwhile", rig.until(f"{INHIBITORS} | grep -q twindock", 30, 0.5))
    rig.equal("it is in the middle", "running", rig.last_run("result"))
    rig.vm.sh("pkill -KILL -x twindock")
    rig.ok(
        "a mail comes",
        rig.until("grep -q '^From ' /var/mail/keeper", 60),
        rig.vm.run("systemctl status 'twindock*'")[1],
    )
    mail = rig.mailbox()
    rig.has("it names the unit", "twindock@sd", mail)
    rig.equal("one mail", 1, rig.mails())
    rig.ok("the machine may sleep again", "twindock" not in rig.vm.sh(INHIBITORS))
    rig.ok("the unit has failed", rig.failed_units().startswith("twindock@sd"))
    dock.pull()
    for letter in "ab":
        rig.disks[letter].throttle = None
    dock.insert(rig.disks["a"], rig.disks["b"])
    ended = rig.says_yes("SELECT count(*) FROM run WHERE id > 2 AND ended > 0")
    rig.ok("put in again: a run ends", rig.until(f"! busy && stirred && {ended} && {rig.IDLE}", 120))
    rig.equal("it ends well", "done|0|ok", rig.last_run())
    listing = rig.source_listing()
    dock.pull()
    rig.images_equal_source("in the end", listing)


def mta_stopped(rig):
    """No mail can be handed over: that is recorded and shown, and the mail goes out with the next run."""
    rig.wake()
    rig.vm.sh("mv /usr/sbin/exim4 /usr/sbin/exim4.away")
    dock = rig.dock("luns")
    dock.insert(rig.disks["b"], rig.disks["a"])
    rig.ok("swapped: a run is refused", rig.run_ended(2))
    rig.equal(
        "the ledger keeps the mail and why it was not taken",
        "1",
        rig.ledger("SELECT count(*) FROM mail WHERE error IS NOT NULL"),
    )
    rig.has("--info shows it", "mail", rig.vm.sh("twindock --info"))
    dock.pull()
    rig.vm.sh("mv /usr/sbin/exim4.away /usr/sbin/exim4")
    rig.equal("nothing has arrived", 0, rig.mails())
    dock.insert(rig.disks["a"], rig.disks["b"])
    rig.ok("put right: a run ends", rig.run_ended(3))
    rig.equal("it ends well", "done|0|ok", rig.last_run())
    rig.ok("the mail arrives now", rig.until("grep -q 'Swap the two disks' /var/mail/keeper", 20), rig.mailbox())
    rig.equal("one mail", 1, rig.mails())


ALL = [
    Scenario("killed", killed),
    Scenario("mta-stopped", mta_stopped),
]
