"""18:00."""

from scenario import Scenario


def set_clock(rig, day, second):
    """Shortly before 18:00. cron sleeps until the next minute as it knew it: when the clock is set it must be told, and
    in time, which is longer before 18:00 where others keep the host busy."""
    for early in (second, 30, 0):
        rig.vm.sh(f"date -s '{day} 17:59:{early}' >/dev/null && systemctl restart cron && await 60 0.1 'running cron'")
        if rig.vm.sh("date +%T") < "17:59:58":
            break


def nightly(rig):
    """Disks that are docked already are backed up at 18:00; a pair that is not, and overdue, is mailed about once."""
    rig.wake()
    dock = rig.dock("luns")
    dock.insert(rig.disks["a"], rig.disks["b"])
    rig.ok("docked at noon: a run ends", rig.run_ended(2))
    set_clock(rig, "2031-03-03", 30)
    rig.ok("it is 18:00: a run starts", rig.run_begun(3, 90))
    rig.ok("it ends", rig.run_ended(3) and rig.until("! running twindock", 60))
    rig.equal("it ends well", "done|0|ok", rig.last_run())
    rig.equal(
        "it began at 18:00",
        "18:00",
        rig.ledger("SELECT strftime('%H:%M', started, 'unixepoch') FROM run ORDER BY id DESC LIMIT 1"),
    )
    rig.equal("neither twindock nor cron mailed", 0, rig.mails())
    dock.pull()
    set_clock(rig, "2031-03-20", 50)
    rig.ok(
        "17 days later, nothing docked: cron starts it",
        rig.until("running twindock || journalctl -t CRON | grep -q 'Mar 20 18:00'", 60),
    )
    rig.until("! running twindock", 30)
    rig.equal("nothing overdue: no mail", 0, rig.mails())
    set_clock(rig, "2031-03-26", 50)
    rig.ok(
        "23 days later: a mail",
        rig.until("grep -q '^From ' /var/mail/keeper", 90),
        rig.vm.run("tail /var/log/exim4/mainlog")[1],
    )
    mail = rig.mailbox()
    rig.has("it speaks of the pair", "M", mail)
    rig.has("it says overdue", "overdue", mail)
    rig.equal("one mail", 1, rig.mails())
    rig.equal("no run was made", 3, rig.runs())
    rig.equal("no failed unit", "", rig.failed_units())


ALL = [Scenario("nightly", nightly)]
