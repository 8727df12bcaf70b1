#!/usr/bin/env bash
# Started by an inserted disk and by the clock, two at once, in a hurry; and the mails that come of it.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

export MNT=$T/mnt/m
now() { date +%s%3N; }
set_key() { sed -i "s|^$1 = .*|$1 = $2|" "$CONF"; } # set_key KEY VALUE: of one that configure wrote
add_key() { sed -i "/^\[twindock\]/a $1 = $2" "$CONF"; }
runs() { ledger 'SELECT count(*) FROM run'; }
the_mail() { cat "$MAILS"/*; }
header() { the_mail | sed '/^$/q' | grep "^$1:"; }
body() { the_mail | sed '1,/^$/d'; }
last_mail() { ledger "SELECT $1 FROM mail ORDER BY id DESC LIMIT 1"; }
start() { "$TWINDOCK" run -c "$CONF" "$@" >"$T/out.bg" 2>"$T/err.bg" & RUN=$!; }

# --- a mailer that hangs, in a dock of its own, while the rest goes on --------------------------------------------

mkdir "$T/hang"
new_disk "$T/hang/foreign.img" 8M
FOREIGN=$(losetup -f --show "$T/hang/foreign.img")
printf '#!/bin/sh\nexec sleep 1000\n' >"$T/hang/sendmail"
chmod 755 "$T/hang/sendmail"
cat >"$T/hang/conf" <<END
[twindock]
ledger = $T/hang/twindock.db
sendmail = $T/hang/sendmail
[dock hang]
mode = individual
source = $FOREIGN
destination = $T/hang/none
settle = 0s
[collection H]
source = $SRC
END
"$TWINDOCK" run -c "$T/hang/conf" >"$T/hang/out" 2>&1 &
HANGING=$!
hang_started=$SECONDS
for i in $(seq 60); do [[ -s $T/hang/out ]] && break; sleep 0.05; done
check "a mailer that hangs does not hold back what is said" test -s "$T/hang/out"
td_hang() { "$TWINDOCK" "$1" -c "$T/hang/conf" >"$OUT" 2>"$ERR"; }
td_hang check
equal "a mailer that hangs does not hold the dock" 2 $?
equal "a mailer that hangs: the run has ended in the ledger" 0 \
    "$(sqlite3 "$T/hang/twindock.db" 'SELECT count(*) FROM run WHERE ended IS NULL')"

# --- inserted disks -----------------------------------------------------------------------------------------------

claim_slots
configure
small_tree
td_is 2 "nothing docked: run" run
check "nothing docked: a sentence" grep -q 'Nothing is docked' "$OUT"
td_is 0 "nothing docked: --nightly" run --nightly
equal "nothing docked: no mail" 0 "$(mails)"
new_pair
node=$(readlink "$SLOT1")
td_is 0 "inserted: run --device with the source slot's node" run --device "$node"
equal "inserted: it was a run" 1 "$(ledger "SELECT count(*) FROM run WHERE result = 'done' AND exit = 0")"
td_is 0 "inserted: with the destination's" run --device "$(readlink "$SLOT2")"
td_is 0 "inserted: with the slot's own name" run --device "$SLOT1"
was=$(runs) best=9999
for i in 1 2 3 4 5; do
    began=$(now)
    td_is 0 "a disk in no slot, time $i" run --device "$FOREIGN"
    took=$(($(now) - began))
    [[ $took -lt $best ]] && best=$took
    equal "a disk in no slot: nothing is said, time $i" '' "$(cat "$OUT" "$ERR")"
done
check "a disk in no slot: takes less than 50 ms ($best)" test "$best" -lt 50
td_is 0 "a disk that is gone again" run --device /dev/no-such-disk
equal "a disk in no slot: is no run" "$was" "$(runs)"
equal "a disk in no slot: no mail" 0 "$(mails)"

set_key settle 10s
undock
put "$SLOT1" "$A"
start --device "$(readlink "$SLOT1")"
sleep 0.7
put "$SLOT2" "$B"
"$TWINDOCK" run -c "$CONF" --device "$(readlink "$SLOT2")" >"$OUT" 2>"$ERR"
second=$?
wait "$RUN"; first=$?
matches "two disks, two events: one run goes well" '^(0 11|0 0|11 0)$' "$first $second"
equal "two disks, two events: and is the only one" "$((was + 1))" "$(runs)"
equal "two disks, two events: no mail" 0 "$(mails)"
set_key settle 0s

# --- two at once --------------------------------------------------------------------------------------------------

head -c 30000000 /dev/urandom >"$SRC/more.bin"
was=$(runs)
start
check "two at once: the first is at work" planned
check "two at once: and is held between two writes to the ledger" lets_others_write
began=$(now)
td_is 11 "two at once: the second" run
check "two at once: leaves at once" test $(($(now) - began)) -lt 2000
check "two at once: with a sentence" grep -q 'in use by another run' "$ERR"
td_is 0 "two at once: the nightly one leaves the first alone" run --nightly
coproc python3 -c 'import sqlite3, sys
ledger = sqlite3.connect(sys.argv[1], isolation_level=None)
ledger.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()' "$T/ledger/twindock.db"
WRITER=$COPROC_PID
read -r <&"${COPROC[0]}"
began=$(now)
td_is 11 "two at once: while the first writes to the ledger" run
check "two at once: leaves at once then, too" test $(($(now) - began)) -lt 2000
eval "exec ${COPROC[1]}>&-"
wait "$WRITER"
td info
matches "two at once: --info shows that one is running" '^M *\*' "$(sed -n 2p "$OUT")"
equal "two at once: no further run" "$((was + 1))" "$(runs)"
one_dock=$CONF CONF=$T/two-docks.conf
{ cat "$one_dock"; printf '\n[dock other]\nmode = individual\nsource = %s\ndestination = %s\nsettle = 0s\n' "$FOREIGN" "$T/none"; } >"$CONF"
td_is 2 "the first of two docks is in use: the other one is looked at" run
check "the first of two docks is in use: it is said of the one" grep -q 'dock test is in use by another run' "$ERR"
check "the first of two docks is in use: and what there is in the other" grep -q 'Dock other refused' "$OUT"
td_is 2 "the first of two docks is in use: in JSON" run --json
equal "the first of two docks is in use: one report" foreign-disk "$(json verdict)"
rm "$T/ledger/dock-other.lock"; mkdir "$T/ledger/dock-other.lock"
td_is 6 "two docks, and neither can be had: run" run --json
equal "two docks, and neither can be had: one object" 6 "$(json exit)"
check "two docks, and neither can be had: it is said of the first" grep -q 'dock test is in use' "$ERR"
check "two docks, and neither can be had: and of the second" grep -q 'dock-other.lock: Is a directory' "$ERR"
rmdir "$T/ledger/dock-other.lock"
no_mails
CONF=$one_dock
kill -CONT "$RUN"
wait "$RUN"
equal "two at once: the first ends well" 0 $?
equal "two at once: no mail" 0 "$(mails)"

# --- the mail of a refusal ----------------------------------------------------------------------------------------

dock "$B" "$A"
td_is 2 "refused: run" run
equal "refused: one mail" 1 "$(mails)"
equal "refused: to whom" 'To: root' "$(header To)"
matches "refused: subject with host, collection and verdict in words" \
    "^Subject: twindock on $(hostname).*: M.*each other's slots" "$(header Subject)"
matches "refused: a date" '^Date: ' "$(header Date)"
matches "refused: what it is made of" 'text/plain; charset=utf-8' "$(header Content-Type)"
check "refused: no header is anything else" test -z "$(the_mail | sed '/^$/q' | grep -vE '^(To|From|Subject|Date|MIME-Version|Content-[A-Za-z-]+|Auto-Submitted|Message-ID|X-[A-Za-z-]+): |^ |^$')"
advice=$(ledger 'SELECT reason FROM run ORDER BY id DESC LIMIT 1')
check "refused: the body has the sentence" grep -qF "$advice" <(body | tr '\n' ' ' | tr -s ' ')
check "refused: and that nothing was written" grep -q 'Nothing was written' <(body)
check "refused: and the table" grep -q 'Last Backup' <(body)
check "refused: with the row flagged" grep -qE '^ *M *!' <(body)
equal "refused: delivered, says the ledger" '' "$(last_mail error)"
equal "refused: the ledger has the subject" "$(header Subject | sed 's/^Subject: //')" "$(last_mail subject)"
no_mails
td_is 2 "refused: nightly" run --nightly
equal "refused: nightly finds the same, and mails nothing new" 0 "$(mails)"
no_mails

# A label that would like to write headers and to move the cursor.
new_disk "$T/evil.img" 16M
mkfs.ext4 -q -F -O ^metadata_csum "$T/evil.img"
printf 'a\nBcc: b@c\r\033[2J' | dd of="$T/evil.img" bs=1 seek=$((1024 + 120)) conv=notrunc status=none
dock "$T/evil.img" "$B"
td_is 2 "a label with line ends and escapes: refused" run
cat "$OUT" "$ERR" >"$T/said"; the_mail >>"$T/said"
td info; cat "$OUT" >>"$T/said"; td check; cat "$OUT" >>"$T/said"
check "a label with line ends: begins no line" test -z "$(grep -a '^ *Bcc' "$T/said")"
check "a label with escapes: none is printed" test -z "$(tr -d '\n\40-\176\200-\377' <"$T/said")"
td run --json
check "a label with line ends: is valid JSON" python3 -m json.tool "$OUT"
no_mails

# --- when to mail -------------------------------------------------------------------------------------------------

dock "$A" "$B"
td_is 0 "mail_on = failure: a good run" run
equal "mail_on = failure: no mail" 0 "$(mails)"
add_key mail_on always
td_is 0 "mail_on = always: a good run" run
equal "mail_on = always: a mail" 1 "$(mails)"
matches "mail_on = always: its subject" ': M.*backed up and proven' "$(header Subject)"
no_mails
set_key mail_on change
dock "$B" "$A"
td_is 2 "mail_on = change: refused" run
equal "mail_on = change: a mail" 1 "$(mails)"
no_mails
dock "$A" "$B"
td_is 0 "mail_on = change: well again" run
equal "mail_on = change: a mail that it is" 1 "$(mails)"
no_mails
td_is 0 "mail_on = change: still well" run
equal "mail_on = change: nothing new, no mail" 0 "$(mails)"
set_key mail_on failure
set_key mail_to ''
dock "$B" "$A"
td_is 2 "nobody to mail to: refused" run
equal "nobody to mail to: no mail" 0 "$(mails)"
set_key mail_to root

# --- mailers that fail --------------------------------------------------------------------------------------------

printf '#!/bin/sh\necho "no queue today" >&2; exit 75\n' >"$T/sendmail"
td_is 2 "a mailer that fails changes no result" run
matches "a mailer that fails is recorded" '75.*no queue today' "$(last_mail error)"
rm "$T/sendmail"
td_is 2 "a mailer that is missing changes no result" run
matches "a mailer that is missing is recorded" 'No such file' "$(last_mail error)"
printf '#!/bin/sh\nexit 0\n' >"$T/sendmail"; chmod 755 "$T/sendmail"
td_is 2 "a mailer that does not read changes no result" run

# --- overdue ------------------------------------------------------------------------------------------------------

printf '#!/bin/sh\nexec cat >"%s/$(date +%%s.%%N)"\n' "$MAILS" >"$T/sendmail"
undock
td_is 0 "not overdue, nothing docked: nightly" run --nightly
equal "not overdue: no mail" 0 "$(mails)"
sqlite3 "$T/ledger/twindock.db" 'UPDATE run SET started = started - 30 * 86400, ended = ended - 30 * 86400'
td_is 0 "overdue, nothing docked: nightly" run --nightly
equal "overdue: one mail" 1 "$(mails)"
matches "overdue: its subject" 'overdue' "$(header Subject)"
check "overdue: names the pair and the days" grep -q '^M has had no run without fault for 30 days;' <(body)
check "overdue: has the table" grep -q 'Last Backup' <(body)
no_mails
td_is 0 "overdue: nightly again" run --nightly
equal "overdue: no second mail on the same day" 0 "$(mails)"
td_is 2 "overdue, nothing docked: run by hand" run
equal "overdue: run by hand mails nothing" 0 "$(mails)"
td info
matches "overdue: --info flags it" '^M *[?!]' "$(sed -n 2p "$OUT")"

# The next full minute, when there is time enough left until then for what should still be done.
next_minute() {
    while [[ $(date +%-S) -gt 30 ]]; do sleep 1; done
    date -d '+1 minute' +%H:%M
}

# --- finish_by ----------------------------------------------------------------------------------------------------

truncate -s 3200M "$SRC/vast" # a hole: read in no time, but a disk might take a minute for so much
dock "$A" "$B"
td_is 0 "finish_by: all of it, without one" run
echo "something new" >"$SRC/docs/t1.txt"
by=$(next_minute)
add_key finish_by "$by"
td_is 0 "finish_by: within the minute" run --json
equal "finish_by: result" done-unproven "$(json result)"
matches "finish_by: how much is left" '^[1-9]' "$(json left)"
equal "finish_by: what is new was copied all the same" 1 "$(json copied)"
left=$(json left)
equal "finish_by: the members are up to date" 'unproven unproven' "$(json members A state) $(json members B state)"
td info
equal "finish_by: it counts as a backup" '' "$(sed -n 2p "$OUT" | grep -o '^M *[!?*]')"
undock
for image in "$A" "$B"; do
    equal "finish_by: the new file is there" "something new" "$(mounted "$image" cat "$MNT/M/docs/t1.txt")"
done
dock "$A" "$B"
sed -i '/^finish_by/d' "$CONF"
td_is 0 "finish_by: the next run" run --json
equal "finish_by: the next run has done it all" 'done 0' "$(json result) $(json left)"
equal "finish_by: and proves only what was left" "$left" "$(json proven)"

# --- the end of the hanging mailer --------------------------------------------------------------------------------

for i in $(seq 900); do kill -0 "$HANGING" 2>/dev/null || break; sleep 0.1; done
check "a mailer that hangs is given up in about a minute" test $((SECONDS - hang_started)) -lt 75
wait "$HANGING"
equal "a mailer that hangs changes no result" 2 $?
matches "a mailer that hangs is recorded" 'did not end within 60' "$(sqlite3 "$T/hang/twindock.db" 'SELECT error FROM mail')"
# A copy that would not end by then is not begun, and what hangs on it waits.
truncate -s 1600M "$SRC/vaster" # to read it there may be time
echo "small and new" >"$SRC/docs/small.txt"
mv "$SRC/docs/t2.txt" "$SRC/docs/t2-moved.txt"
by=$(next_minute)
add_key finish_by "$by"
td_is 3 "finish_by: a copy that takes too long" run --json
equal "finish_by: is left for the next run" interrupted "$(json result)"
matches "finish_by: and told" '1 file is left' "$(json reason)"
sed -i '/^finish_by/d' "$CONF"
td_is 0 "finish_by: the next run copies it" run --json
undock
check "finish_by: A equals the source" same_tree "$A"
check "finish_by: B equals the source" same_tree "$B"
dock "$A" "$B"
rm "$SRC/vaster"

losetup -d "$FOREIGN"
finish
