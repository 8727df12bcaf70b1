#!/usr/bin/env bash
# Evidence grows old, and clocks lie. A round of proving that was left open for longer than prove_within is begun anew; a
# member is proven as of the oldest proof among its copies; and what a run deleted is not given up because its clock, or
# that of a later run, was wrong.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

DAY=86400
# Everything in the ledger happened so many seconds earlier.
age() { ledger "UPDATE run SET started = started - $1, ended = ended - $1; UPDATE member SET last_proven = last_proven - $1;
    UPDATE file SET a_proven = a_proven - $1, b_proven = b_proven - $1, source_proven = source_proven - $1;
    UPDATE pair SET files = NULL, oldest_proof = NULL"; }
# As if the last run had been cut off when all but big.bin was proven.
leave_open() {
    ledger "UPDATE pair SET cycle = (SELECT max(id) FROM run);
        UPDATE file SET a_cycle = 0, b_cycle = 0, source_cycle = 0 WHERE CAST(path AS TEXT) = 'big.bin'"
}
last_proven_days() { # of A and of B: how many days ago
    ledger "SELECT group_concat((unixepoch() - last_proven + 3600) / $DAY, ' ') FROM (SELECT * FROM member ORDER BY letter)"
}
# kept IMAGE: the files in its history; beside the runs lie their lists
kept() { mounted "$1" sh -c 'cd "$0/.twindock/history" 2>/dev/null && find . -mindepth 2 -type f | sed "s|.*/docs/||" | sort | tr "\n" " "' "$T/mnt/m"; }

claim_slots
configure
small_tree
new_pair
td_is 0 "first backup" run
COPIES=$(ledger "SELECT 2 * count(*) FROM file WHERE sha256 IS NOT NULL")

# --- old evidence -------------------------------------------------------------------------------------------------

leave_open
age $((20 * DAY))
td_is 0 "a round of proving left open for 20 days" run --json
equal "it is carried on: one file is read" 2 "$(json proven)"
equal "and the members are proven as of its beginning" '20 20' "$(last_proven_days)"
td_is 0 "the next run" run --json
equal "proves everything" "$COPIES" "$(json proven)"
equal "and the members are proven now" '0 0' "$(last_proven_days)"
leave_open
age $((200 * DAY))
td_is 0 "a round of proving left open for 200 days" run --json
equal "it is begun anew: everything is read" "$COPIES" "$(json proven)"
equal "and the members are proven now, in truth" '0 0' "$(last_proven_days)"

# --- wrong clocks -------------------------------------------------------------------------------------------------

# As if the clock of the last run had shown another time.
shift_last_run() { ledger "UPDATE run SET started = started + $1, ended = ended + $1 WHERE id = (SELECT max(id) FROM run)"; }
rm "$SRC/docs/t1.txt"
td_is 0 "a run with a clock that was not set, in the seventies" run
shift_last_run $((-50 * 365 * DAY))
for run in 1 2 3; do td_is 0 "the clock is right again: run $run" run; age $DAY; done
undock
equal "what was deleted then is still on A" 't1.txt ' "$(kept "$A")"
equal "and on B" 't1.txt ' "$(kept "$B")"
dock "$A" "$B"
age $((88 * DAY))
td_is 0 "after 91 days" run
age $DAY
td_is 0 "and another day" run
undock
equal "it is given up on A" '' "$(kept "$A")"
equal "and on B" '' "$(kept "$B")"

rm "$SRC/docs/t2.txt"
dock "$A" "$B"
td_is 0 "another deletion" run
age $DAY
age $((500 * DAY)) # that is how it looks to a run whose clock is ahead
td_is 0 "one run with a clock far ahead" run
undock
equal "gives up nothing on A" 't2.txt ' "$(kept "$A")"
equal "nor on B" 't2.txt ' "$(kept "$B")"
finish
