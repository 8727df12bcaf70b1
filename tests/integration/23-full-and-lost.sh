#!/usr/bin/env bash
# A member that has no room left, and one that dies in the middle of a run: the other one is finished, and it is told.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

export MNT=$T/mnt/m
REC=$T/record
mkdir -p "$MNT"

whole() { mounted "$1" "$HERE/tree-record" "$REC" check "$MNT/M"; }
last_run() { ledger "SELECT $1 FROM run ORDER BY id DESC LIMIT 1"; }
proven() { ledger "SELECT last_proven FROM member WHERE letter = '$1'"; }
add() { # add NAME MEGABYTES: in files of one megabyte and some small ones
    local i
    mkdir -p "$SRC/$1"
    for i in $(seq "$2"); do
        head -c 1000000 /dev/urandom >"$SRC/$1/f$i"
        echo "$1 $i" >"$SRC/$1/small$i"
    done
}

# --- full ---------------------------------------------------------------------------------------------------------

claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
uuid=$(</proc/sys/kernel/random/uuid)
new_disk "$A" 200M
new_disk "$B" 48M
for image in "$A" "$B"; do mkfs.ext4 -q -F -b 4096 -I 256 -m 0 -U "$uuid" -E lazy_itable_init=0,lazy_journal_init=0 "$image"; done
dock "$A" "$B"
td_is 0 "enrolling disks of different sizes" enroll M
add first 10
td_is 0 "there is room at first" run
"$HERE/tree-record" "$REC" settled "$SRC"
proven_b=$(proven B)
sleep 1.1

add second 50
for i in 1 2 3; do echo "edited" >"$SRC/first/small$i"; head -c 1000000 /dev/urandom >"$SRC/first/f$i"; done
"$HERE/tree-record" "$REC" note "$SRC"
no_mails
td_is 4 "B is too small: run" run --json
equal "B is too small: states" 'ok full' "$(json members A state) $(json members B state)"
equal "B is too small: result" failed "$(json result)"
matches "B is too small: the sentence" 'Member B .*is full.*Member A is complete' "$(json reason)"
equal "B is too small: the run's row" '4|failed|ok|full' "$(last_run 'exit, result, state_a, state_b')"
equal "B is too small: the members' rows" 'A ok B full' "$(ledger 'SELECT letter, state FROM member ORDER BY letter' | tr '|\n' '  ' | sed 's/ $//')"
equal "B is too small: B's last full proof is the old one" "$proven_b" "$(proven B)"
check "B is too small: A's is new" test "$(proven A)" -gt "$proven_b"
equal "B is too small: one mail" 1 "$(mails)"
check "B is too small: its subject" grep -rq '^Subject: .*M.*member B is full' "$MAILS"
td info
matches "B is too small: --info flags it" '^M *!' "$(sed -n 2p "$OUT")"
check "B is too small: --info says why" grep -q 'Member B .*is full' "$OUT"
td info --json
equal "B is too small: --info --json" '!' "$(json collections 0 flag)"
undock
check "B is too small: A is complete" same_tree "$A"
check "B is too small: A's manifest holds" manifest_holds "$A"
check "B is too small: every path on B is whole" whole "$B"
check "B is too small: B's manifest holds for what is in it" manifest_holds "$B"
equal "B is too small: no staging is left" '' "$(staged "$A")$(staged "$B")"
check "B is too small: B's filesystem is sound" e2fsck -fn "$B"

dock "$A" "$B"
td_is 4 "B is too small still: run" run --json
equal "B is too small still: A is left alone" 'ok full' "$(json members A state) $(json members B state)"
undock
check "B is too small still: A is complete" same_tree "$A"
check "B is too small still: every path on B is whole" whole "$B"

rm -r "$SRC/second"
dock "$A" "$B"
# What is deleted goes into history first, so a disk that was full to the last block may need a second run.
td run --json
case $? in 0 | 4) pass "less in the source: first run" ;; *) flunk "less in the source: first run" ;; esac
td_is 0 "less in the source: run" run --json
equal "less in the source: states" 'ok ok' "$(json members A state) $(json members B state)"
td info
equal "less in the source: --info shows no flag" '' "$(sed -n 2p "$OUT" | grep -o '^M *[!?*]')"
undock
check "less in the source: A equals the source" same_tree "$A"
check "less in the source: B equals the source" same_tree "$B"
"$HERE/tree-record" "$REC" settled "$SRC"

# Somebody else's file takes the room; when it goes, all is well.
on_disk "$B" sh -c 'rm -rf "$MNT"/.twindock/history/*; cat /dev/zero >"$MNT/foreign" 2>/dev/null; truncate -s -3M "$MNT/foreign"; true'
add third 8
"$HERE/tree-record" "$REC" note "$SRC"
dock "$A" "$B"
td_is 4 "a foreign file on B: run" run --json
equal "a foreign file on B: states" 'ok full' "$(json members A state) $(json members B state)"
undock
check "a foreign file on B: A is complete" same_tree "$A"
check "a foreign file on B: every path on B is whole" whole "$B"
check "a foreign file on B: it is not touched" mounted "$B" test -s "$MNT/foreign"
on_disk "$B" rm "$MNT/foreign"
dock "$A" "$B"
td_is 0 "the foreign file is gone: run" run
undock
check "the foreign file is gone: A equals the source" same_tree "$A"
check "the foreign file is gone: B equals the source" same_tree "$B"
check "the foreign file is gone: B's manifest holds" manifest_holds "$B"

# History gives way before a member counts as full.
rm -r "$SRC/third"
dock "$A" "$B"
td_is 0 "history: 8 MB go into it" run
add fourth 22
td_is 0 "history: gives way to what is new" run --json
undock
check "history: B equals the source" same_tree "$B"
equal "history: of B is given up" 0 "$(mounted "$B" sh -c 'ls "$MNT"/.twindock/history/*/third 2>/dev/null | wc -l')"
check "history: of A is kept" mounted "$A" sh -c 'ls "$MNT"/.twindock/history/*/third/f1'

# A file that no history could make room for costs none of it, and what fits is still copied.
kept() { mounted "$B" sh -c 'cd "$MNT/.twindock/history" && find . -type f | sort'; }
echo "again" >"$SRC/first/small1"
echo 'history_reserve = 3%' >>"$CONF" # the disk has a little to spare, so that nothing else costs history
dock "$A" "$B"
td_is 0 "too big: an old version goes into history" run
undock
before=$(kept)
matches "too big: it is there" 'first/small1' "$before"
head -c 40000000 /dev/urandom >"$SRC/first/a-film"
echo "new" >"$SRC/first/b-letter"
dock "$A" "$B"
td_is 3 "too big: run" run --json
equal "too big: states" 'ok ok' "$(json members A state) $(json members B state)"
equal "too big: it is told once" 'first/a-film B write-error 1' "$(json unreadable 0 path) $(json unreadable 0 member) $(json unreadable 0 cause) $(json unreadable | grep -o path | wc -l)"
matches "too big: the sentence" '^1 file finds no room on member B .*a-film.*Make room' "$(json reason)"
undock
check "too big: A is complete" same_tree "$A"
equal "too big: B's history is all there" "$before" "$(kept)"
check "too big: B has what fits" mounted "$B" cmp "$SRC/first/b-letter" "$MNT/M/first/b-letter"
check "too big: B has nothing of it" mounted "$B" test ! -e "$MNT/M/first/a-film"
rm "$SRC/first/a-film"
dock "$A" "$B"
td_is 0 "too big: it is gone again" run
undock
check "too big: B equals the source" same_tree "$B"

# --- dying --------------------------------------------------------------------------------------------------------

rm -rf "$SRC"/* "$T"/ledger "$A" "$B"
add before 10
new_pair 200M
td_is 0 "dying: first run" run
"$HERE/tree-record" "$REC" settled "$SRC"
undock
dies() { truncate -s 1M "$2"; losetup -c "$(readlink "$1")"; } # dies SLOT IMAGE: all beyond the first megabyte is EIO
start() { "$TWINDOCK" run -c "$CONF" --json >"$OUT" 2>"$ERR" & RUN=$!; }
ends() { # ends SECONDS: wait for the run, in STATUS
    local i
    for i in $(seq $(($1 * 20))); do kill -0 "$RUN" 2>/dev/null || break; sleep 0.05; done
    kill -9 "$RUN" 2>/dev/null && flunk "a run with a dead member does not end"
    wait "$RUN"; STATUS=$?
}
round=0
for victim in B B B A; do
    round=$((round + 1))
    add "new$round" 25
    echo "edited $round" >"$SRC/before/small1"
    "$HERE/tree-record" "$REC" note "$SRC"
    cp --sparse=always "$A" "$T/a.saved"; cp --sparse=always "$B" "$T/b.saved"
    dock "$A" "$B"
    no_mails
    start
    check "dying $round: caught at work" planned
    case $round in
    2) kill -CONT "$RUN"; sleep 0.08; kill -STOP "$RUN" ;;
    3) kill -CONT "$RUN"; sleep 0.16; kill -STOP "$RUN" ;;
    esac
    if [[ $victim = B ]]; then
        other=A image=$A
        dies "$SLOT2" "$B"
    else
        other=B image=$B
        dies "$SLOT1" "$A"
    fi
    kill -CONT "$RUN"
    ends 60
    states=$([[ $victim = B ]] && echo 'ok lost' || echo 'lost ok')
    equal "dying $round: exit code" 4 "$STATUS"
    equal "dying $round: states" "$states" "$(json members A state) $(json members B state)"
    equal "dying $round: in the ledger" "4|failed|${states/ /|}" "$(last_run 'exit, result, state_a, state_b')"
    matches "dying $round: the sentence" "Member $victim .*was lost.*Member $other is complete" "$(json reason)"
    check "dying $round: it is told while the run goes on" \
        grep -q "^Member $victim .*is lost: .*The run goes on with member $other" "$ERR"
    equal "dying $round: one mail" 1 "$(mails)"
    check "dying $round: its subject" grep -rq "^Subject: .*member $victim was lost" "$MAILS"
    undock
    check "dying $round: the devices are let go" released "$B"
    check "dying $round: $other is complete" same_tree "$image"
    check "dying $round: $other's manifest holds" manifest_holds "$image"
    equal "dying $round: no staging is left" '' "$(staged "$image")"
    # It was the cable: the disk is as it was before the run.
    if [[ $victim = B ]]; then mv "$T/b.saved" "$B"; else mv "$T/a.saved" "$A"; fi
    dock "$A" "$B"
    td_is 0 "dying $round: with the disk back" run --json
    equal "dying $round: with the disk back, states" 'ok ok' "$(json members A state) $(json members B state)"
    undock
    check "dying $round: then A equals the source" same_tree "$A"
    check "dying $round: then B equals the source" same_tree "$B"
    rm -r "$SRC/new$round"
    dock "$A" "$B"
    td_is 0 "dying $round: tidying up" run
    undock
    "$HERE/tree-record" "$REC" settled "$SRC"
done

# Both at once.
add last 20
dock "$A" "$B"
start
check "both die: caught at work" planned
dies "$SLOT1" "$A"
dies "$SLOT2" "$B"
kill -CONT "$RUN"
ends 60
equal "both die: exit code" 4 "$STATUS"
equal "both die: states" 'lost lost' "$(last_run 'state_a' ) $(last_run 'state_b')"

# --- something else stands in a place of ours: neither disk nor cable is at fault ----------------------------------------

undock
no_mails
rm -rf "$T/ledger" "$SRC" "$A" "$B"
mkdir "$SRC"; add some 1
new_pair 48M
td_is 0 "a new pair" run
undock
in_the_way() { rm -rf "$MNT/$1"; case $2 in
    file) echo >"$MNT/$1" ;;
    link) ln -s /tmp "$MNT/$1" ;;
    directory) mkdir "$MNT/$1" && touch "$MNT/$1/x" ;;
esac; }
for what in 'file .twindock/staging' 'link .twindock/history' 'file .twindock/quarantine' 'directory .twindock/SHA256SUMS' \
    'directory .twindock/ledger.db' 'directory RESTORE.txt' 'directory .twindock/.card.json.new'; do
    name=${what#* } kind=${what% *}
    check "a $kind as $name" on_disk "$B" in_the_way "$name" "$kind"
    echo "$what" >"$SRC/news"
    dock "$A" "$B"
    td_is 4 "a $kind as $name: run" run
    said=$(tr -s ' \n' ' ' <"$OUT")
    [[ $kind = directory ]] && words='is a directory, and should be a file' || words='is no directory'
    matches "a $kind as $name: it says what to do" "Member B .*was given up: .*$name on member B $words: move it away" "$said"
    check "a $kind as $name: and does not send for a cable" sh -c "! grep -q 'cable' '$OUT'"
    undock
    check "a $kind as $name: A is complete" same_tree "$A"
    check "a $kind as $name: it is moved away" on_disk "$B" rm -r "$MNT/$name"
    dock "$A" "$B"
    td_is 0 "a $kind as $name: the next run" run
    undock
    check "a $kind as $name: B is complete" same_tree "$B"
done
finish
