#!/usr/bin/env bash
# One mail for each event, not for each time that it is found; and mails that the mailer did not take.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

header() { cat "$MAILS"/* | sed '/^$/q' | grep "^$1:"; }
body() { cat "$MAILS"/* | sed '1,/^$/d'; }
mailer() { printf '#!/bin/sh\n%s\n' "$1" >"$T/sendmail.new"; chmod 755 "$T/sendmail.new"; mv "$T/sendmail.new" "$T/sendmail"; }
good_mailer() { mailer "exec cat >\"$MAILS/\$(date +%s.%N)\""; }
told() { # told COUNT NAME: that many mails have come since the last time
    equal "$2" "$1" "$(mails)"
    no_mails
}
ago() { ledger "UPDATE mail SET at = at - $1"; } # the mails were written so many seconds earlier

claim_slots
configure
small_tree
new_pair
td_is 0 "a good run" run
told 0 "a good run: no mail"

# --- once for each event ------------------------------------------------------------------------------------------

dock "$B" "$A"
td_is 2 "swapped: run" run
told 1 "swapped: one mail"
td_is 2 "swapped: run again" run
td_is 2 "swapped: another event" run --device "$(readlink "$SLOT2")"
td_is 2 "swapped: nightly" run --nightly
td_is 2 "swapped: verify" verify
told 0 "swapped: the same again mails nothing"
dock "$B" "$A"
td_is 2 "swapped: put in again just so, at once" run --device "$(readlink "$SLOT1")"
told 0 "swapped: put in again at once mails nothing"
ago 50000
td_is 2 "swapped: nightly, the next day" run --nightly
told 0 "swapped: left there, the next day: nothing new"
td_is 2 "swapped: put in again the next day" run --device "$(readlink "$SLOT1")"
told 1 "swapped: put in again the next day: an answer"
dock "$B" ""
td_is 2 "one disk alone" run
told 1 "another verdict: a mail"
dock "$B" "$A"
td_is 2 "swapped after something else" run
told 1 "swapped after something else: a mail"
dock "$A" "$B"
td_is 0 "put right" run
told 0 "put right: no mail"
dock "$B" "$A"
td_is 2 "swapped after a good run" run
told 1 "swapped after a good run: a mail"

# Rot that is repaired and found again has come again; a file that is held is told once.
dock "$A" "$B"
td_is 0 "good again" run
for i in 1 2; do
    undock
    flip "$B" M/big.bin 4000
    dock "$A" "$B"
    td_is 5 "rot repaired, time $i" run
    told 1 "rot repaired, time $i: a mail"
done

# --- mailers that fail --------------------------------------------------------------------------------------------

td_is 0 "good, before the mailer breaks" run
mailer 'cat >/dev/null; echo "no queue today" >&2; exit 75'
dock "$B" "$A"
td_is 2 "the mailer fails: refused all the same" run
td_is 2 "the mailer fails: again" run
dock "$A" ""
td_is 2 "the mailer fails: another event" run
td info
check "the mailer fails: --info says so below the table" \
    grep -q '^Mail: 2 mails could not be sent since .*exit status 75: no queue today' "$OUT"
td info --json
equal "the mailer fails: as JSON" 2 "$(json mail kept)"
matches "the mailer fails: and why" 'no queue today' "$(json mail error)"
td_is 6 "the mailer fails: mail-test says so" mail-test
check "the mailer fails: with its words" grep -q 'no queue today' "$ERR"
td_is 6 "the mailer fails: a mail about a program that was killed" mail-failure twindock@sdb1.service
good_mailer
undock
td_is 0 "the mailer is well again: any run delivers" run --nightly
equal "all of them have come" 3 "$(mails)"
equal "in the order in which they were written" "each other's slots of the pair is missing sdb1.service failed" \
    "$(for m in "$MAILS"/*; do grep -oE "each other's slots|of the pair is missing|sdb1.service failed" <(sed '/^$/q' "$m"); done | tr '\n' ' ' | sed 's/ $//')"
no_mails
td info
equal "and --info says nothing more of it" 0 "$(grep -c '^Mail:' "$OUT")"
td_is 0 "mail-test" mail-test
told 1 "mail-test: a mail"
mv "$T/sendmail" "$T/sendmail.away"
td_is 78 "mail-test without a mailer" mail-test
matches "mail-test without a mailer: what to do" "there is no $T/sendmail; install a mail program .*sendmail. in $CONF" "$(cat "$ERR")"
sed -i 's/^mail_to = .*/mail_to =/' "$CONF"
td_is 78 "mail-test without anybody to mail" mail-test
equal "mail-test without anybody to mail: why" "twindock: $CONF: mail_to is empty, so nobody is mailed" "$(cat "$ERR")"
sed -i 's/^mail_to =/mail_to = root/' "$CONF"
mv "$T/sendmail.away" "$T/sendmail"

# --- overdue ------------------------------------------------------------------------------------------------------

dock "$A" "$B"
td_is 0 "the last run is a good one" run
undock
ledger "UPDATE run SET started = started - 23 * 86400, ended = ended - 23 * 86400;
    INSERT INTO pair (uuid, collection, layout, generation, intent, enrolled) VALUES ('1-2', 'S', 'twins', 1, 1, 1),
    ('1-3', 'new', 'twins', 1, 1, strftime('%s'))"
td_is 0 "overdue: nightly" run --nightly
equal "overdue: one mail for all" 1 "$(mails)"
matches "overdue: its subject" ': M and S are overdue$' "$(header Subject)"
check "overdue: the days" grep -q '^M was last backed up 23 days ago; dock it tonight\.$' <(body)
check "overdue: one that never had a backup" grep -q '^S was never backed up; dock it tonight\.$' <(body)
equal "overdue: one that is new is none" 0 "$(body | grep -c '^new was')"
no_mails
td_is 0 "overdue: nightly again" run --nightly
told 0 "overdue: once a day"
ago 75600
mailer 'exit 1'
td_is 0 "overdue: the next day, and no mail works" run --nightly
ago 75600
good_mailer
td_is 0 "overdue: the day after" run --nightly
told 1 "overdue: yesterday's mail is not sent beside today's"

# --- what cannot be told for a month ------------------------------------------------------------------------------

mailer 'exit 1'
dock "$B" "$A"
td_is 2 "nobody is told" run
ago 2600000
good_mailer
td_is 2 "a month later" run
told 0 "a month later: it is not told any more"
finish
