#!/usr/bin/env bash
# The mail that the OnFailure= unit sends when the program itself could not: from a good state and from bad ones.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

UNIT=twindock@sdb1.service
fails() { no_mails; env "$@" "$TWINDOCK" mail-failure -c "$CONF" "$UNIT" >"$OUT" 2>"$ERR"; } # fails [VARIABLE=VALUE...]
the_mail() { cat "$MAILS"/* 2>/dev/null; }
subject() { the_mail | sed '/^$/q' | sed -n 's/^Subject: //p'; }

claim_slots
configure
fails
equal "without a ledger: exit 0" 0 $?
equal "without a ledger: one mail" 1 "$(mails)"
matches "the subject names host and unit" "^twindock on $(hostname): $UNIT failed\$" "$(subject)"
matches "the body says what to do" 'twindock run' "$(the_mail)"
check "nothing was made for it" test ! -e "$T/ledger"

# A ledger, with a run of a pair in it: no disk is needed for that.
td_is 2 "a run with nothing docked makes the ledger" run
ledger "INSERT INTO pair (uuid, collection, layout, generation, intent, enrolled)
        VALUES ('db9c68a7-a411-4d1c-a6a5-30b067143775', 'M', 'twins', 1, 1, 1);
        INSERT INTO run (pair, collection, uuid, dock, command, host, started, ended, verdict, result, exit, pid,
                         pid_start, boot)
        SELECT id, collection, uuid, 'test', 'run', 'here', unixepoch(), unixepoch(), 'ok', 'failed', 6, 0, 0, ''
        FROM pair"
fails
matches "with a ledger: the table is there" "$(ledger 'SELECT uuid FROM pair')" "$(the_mail)"

# What the run has mailed itself is not mailed again; anything else is.
fails MONITOR_EXIT_STATUS=6
equal "an internal error that the run told: exit 0" 0 $?
equal "an internal error that the run told: no mail" 0 "$(mails)"
fails MONITOR_EXIT_STATUS=KILL
equal "killed after that: a mail" 1 "$(mails)"
fails
equal "where systemd says nothing of the exit: a mail" 1 "$(mails)"
ledger "UPDATE run SET ended = ended - 1000 WHERE command = 'run'"
fails MONITOR_EXIT_STATUS=6
equal "an internal error long after the last run: a mail" 1 "$(mails)"

# A ledger that cannot be read, a mailer that fails, nobody to mail to, a name that would break the headers.
cp "$T/ledger/twindock.db" "$T/good.db"
head -c 8192 /dev/urandom >"$T/ledger/twindock.db"
fails
equal "a broken ledger: exit 0" 0 $?
equal "a broken ledger: a mail" 1 "$(mails)"
cp "$T/good.db" "$T/ledger/twindock.db"
sed -i 's|^mail_to = .*|mail_to =|' "$CONF"
fails
equal "nobody to mail to: exit 0" 0 $?
equal "nobody to mail to: no mail" 0 "$(mails)"
sed -i 's|^mail_to =|mail_to = root|' "$CONF"
UNIT=$'x\nBcc: everybody@example.org'
fails
equal "a name with a line in it makes no header" '' "$(the_mail | sed '/^$/q' | grep '^Bcc')"
UNIT=twindock@sdb1.service
printf '#!/bin/sh\necho "no way" >&2\nexit 75\n' >"$T/sendmail"
fails
equal "a mailer that fails: exit 6, so that the unit tries it alone" 6 $?
check "a mailer that fails: says why" grep -q 'no way' "$ERR"
finish
