#!/usr/bin/env bash
# `twindock watch`: one run for each pair that is put in, none for what is taken out, none again for what failed.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

runs() { ledger 'SELECT count(*) FROM run WHERE ended IS NOT NULL' 2>/dev/null || echo 0; }
last() { ledger "SELECT $1 FROM run ORDER BY id DESC LIMIT 1"; }
until_said() { # until_said COUNT TEXT: the watcher has said TEXT so often
    local i
    for i in $(seq 150); do [[ $(grep -c "$2" "$T/said") -ge $1 ]] && return 0; sleep 0.1; done
    return 1
}
watch() { "$TWINDOCK" watch -c "$CONF" >"$T/said" 2>"$ERR" & WATCH=$!; }
stop_watching() { # stop_watching SIGNAL: its exit code in $CODE
    kill "-$1" "$WATCH"
    wait "$WATCH"; CODE=$?
}

claim_slots
configure
small_tree
new_pair
was=$(runs)

# --- docked when it begins ----------------------------------------------------------------------------------------

watch
check "what is docked at the beginning is backed up" until_said 1 'the run is done'
check "it says what it does" grep -q 'Watching 1 dock' "$T/said"
check "and what it does not" grep -q "nightly run is cron's" "$T/said"
check "the report is said" grep -q 'M is backed up on both disks and proven' "$T/said"
equal "one run" "$((was + 1))" "$(runs)"

# --- taken out in the morning -------------------------------------------------------------------------------------

take "$SLOT1"
sleep 2.5
take "$SLOT2"
equal "disks that are taken out: no run" "$((was + 1))" "$(runs)"
equal "no mail" 0 "$(mails)"

# --- refused: once, until the disks change ------------------------------------------------------------------------

dock "$B" "$A"
check "swapped disks: refused" until_said 1 'exit code 2'
sleep 2.5
equal "swapped disks: one run" "$((was + 2)) swapped" "$(runs) $(last verdict)"
equal "swapped disks: one mail" 1 "$(mails)"
dock "$A" "$B"
check "put right: the run starts" until_said 2 'the run is done'
equal "put right: one run more" "$((was + 3)) 0" "$(runs) $(last exit)"
equal "put right: no mail more" 1 "$(mails)"
stop_watching TERM
equal "a signal ends it" 143 "$CODE"
equal "nothing on standard error but the waiting" '' "$(grep -v '^Waiting' "$ERR")"

# --- one after the other ------------------------------------------------------------------------------------------

undock
sed -i 's/^settle = .*/settle = 3s/' "$CONF"
watch
check "it waits" until_said 1 'Watching'
put "$SLOT1" "$A"
check "one disk: it says that it waits for the other" until_said 1 'waiting for the other'
put "$SLOT2" "$B"
check "one disk after the other: a run" until_said 1 'the run is done'
equal "one disk after the other: one run, and a good one" "$((was + 4)) ok" "$(runs) $(last verdict)"
take "$SLOT2"; take "$SLOT1"
sleep 2.5
put "$SLOT2" "$B"
check "one disk alone: refused after the wait" until_said 1 'exit code 2'
equal "one disk alone: missing-member" "$((was + 5)) missing-member" "$(runs) $(last verdict)"
stop_watching INT
equal "Ctrl-C ends it" 130 "$CODE"

td_is 64 "it takes no arguments" watch now
sed -i '/^\[dock/,/^$/d' "$CONF"
td_is 78 "without a dock there is nothing to watch" watch
finish
