#!/usr/bin/env bash
# A run that dies right after any of its calls that make something durable or take a name away, killed or by a power cut:
# no path is torn, nothing is on record as proven that is not, the next run comes to the same end as always.
#
#   EVERY=1      after each call (default: a sample of SAMPLES calls, other ones for each SEED)
#   CUT=1        each of them as a power cut, too (default: every other)
#   FROM=N       begin with that call
#   ONLY=rot     leave out the first half
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$HERE/kill.sh"

SAMPLES=${SAMPLES:-2}
SEED=${SEED:-1}
RANDOM=$SEED
died=0
FROM=${FROM:-1}
export MNT=$T/mnt/m
REC=$T/record
replayed() { # replayed IMAGE LETTER: a copy of it, its journal replayed, and the ledger tell no lies
    local status=0
    cp --sparse=always "$1" "$T/copy.img"
    e2fsck -p "$T/copy.img"
    [[ $? -lt 4 ]] || return 1
    mount_image "$T/copy.img" "$MNT" || return 1
    "$HERE/tree-record" "$REC" check "$MNT/M" || status=1
    "$HERE/ledger-compare" proven "$T/ledger/twindock.db" "$MNT/M" "$2" "$SRC" || status=1
    umount "$MNT"
    released "$T/copy.img"
    return $status
}
inspect() { # inspect LETTER: the disk at $MNT is as it should be after a run, and the ledger is exact about it
    local status=0 staged
    "$HERE/tree-compare" equal "$SAME" "$MNT/M" || status=1
    "$HERE/ledger-compare" exact "$T/ledger/twindock.db" "$MNT/M" "$1" "$SRC" || status=1
    history_listed "$1" || status=1
    staged=$(find "$MNT/.twindock/staging" -mindepth 1)
    [[ ! $staged ]] || { echo "in staging: $staged"; status=1; }
    (cd "$MNT" && sha256sum --strict --quiet -c .twindock/SHA256SUMS) || status=1
    return $status
}
# What no later call of it can change any more: as the disks and the ledger are at this instant.
cut_power() {
    stop_there
    sleep 0.02
    rm -rf "$T/cut"; mkdir "$T/cut"
    cp --sparse=always "$A" "$T/cut/a.img"
    cp --sparse=always "$B" "$T/cut/b.img"
    cp -a "$T/ledger" "$T/cut/ledger"
}
converges() { # converges NAME
    local open
    open=$(ledger 'SELECT count(*) FROM run WHERE ended IS NULL')
    td_is "$GOOD" "$1: the next run ends as it should" run
    equal "$1: no run is left open ($open was)" 0 "$(ledger 'SELECT count(*) FROM run WHERE ended IS NULL')"
    undock
    check "$1: A holds what it should, and the ledger is exact about it" mounted "$A" inspect A
    check "$1: B holds what it should, and the ledger is exact about it" mounted "$B" inspect B
    equal "$1: nothing was called rotten that is not" "$WRONG" "$(ledger "SELECT count(DISTINCT path) FROM incident WHERE cause IN ('backup-rot', 'source-rot', 'no-good-copy')")"
}
die_at() { # die_at N HOW
    local before=$FAILED
    if [[ $2 = cut ]]; then
        run_shimmed KILL_AFTER="$1" KILL_STOP=1
        cut_power
    else
        run_shimmed KILL_AFTER="$1"
        stop_there
    fi
    kill -9 "$RUN" 2>/dev/null
    { wait "$RUN"; } 2>/dev/null
    [[ $? = 137 ]] && died=$((died + 1))
    equal "$NAME, $2 after call $1: nothing is mounted" '' "$(grep -F "$T" /proc/self/mounts)"
    undock
    released "$A" && released "$B" || flunk "$NAME, $2 after call $1: a disk is not let go"
    if [[ $2 = cut ]]; then bring_back "$T/cut"; undock; fi
    check "$NAME, $2 after call $1: every path on A is whole" replayed "$A" A
    check "$NAME, $2 after call $1: every path on B is whole" replayed "$B" B
    dock "$A" "$B"
    converges "$NAME, $2 after call $1"
    [[ $FAILED = "$before" ]] || echo "# first failing call: $1 ($2) of $CALLS"
}
sweep() { # sweep NAME: over the calls of a run from what is now saved
    NAME=$1 CALLS=0
    local n how from=$FROM done=0
    save
    dock "$A" "$B"
    run_shimmed KILL_COUNT="$T/calls"
    wait "$RUN"
    equal "$1: the run ends as it should" "$GOOD" $?
    CALLS=$(cat "$T/calls")
    echo "# $1: $CALLS calls"
    check "$1: the calls are counted" test "$CALLS" -gt 40
    bring_back "$KEEP"
    converges "$1, undisturbed"
    for n in $(if [[ ${EVERY:-} ]]; then seq "$from" "$((CALLS + 5))"; else for i in $(seq "$SAMPLES"); do echo $((RANDOM % CALLS + 1)); done; fi); do
        done=$((done + 1))
        for how in kill cut; do
            [[ $how = kill || ${CUT:-} || $((done % 2)) = 0 ]] || continue
            bring_back "$KEEP"
            die_at "$n" $how
            [[ $FAILED -lt 30 ]] || finish
        done
    done
}

# --- a run that edits, versions and deletes -----------------------------------------------------------------------

mkdir -p "$MNT" "$SRC/docs" "$SRC/photos/a" "$SRC/gone/deep" "$SRC/turn"
for i in $(seq 12); do echo "text $i" >"$SRC/docs/t$i"; head -c $((i * 3001)) /dev/urandom >"$SRC/photos/a/p$i"; done
for i in 1 2 3 4; do echo "gone $i" >"$SRC/gone/deep/g$i"; done
for i in 1 2 3 4; do echo "group $i" >"$SRC/docs/l$i"; ln "$SRC/docs/l$i" "$SRC/photos/l$i-too"; ln "$SRC/docs/l$i" "$SRC/l$i-three"; done
for i in 1 2 3 4 5; do echo "turns $i" >"$SRC/turn/f$i"; ln -s "to-$i" "$SRC/turn/s$i"; mkdir "$SRC/turn/d$i"; echo in >"$SRC/turn/d$i/in"; done
mkfifo "$SRC/turn/fifo"
claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
new_pair 64M
GOOD=0 SAME=$SRC WRONG=0
td_is 0 "first run" run
"$HERE/tree-record" "$REC" settled "$SRC"

change() {
    echo "edited" >"$SRC/docs/t1"                                            # a new version
    printf T | dd of="$SRC/docs/t2" bs=1 conv=notrunc status=none             # in its place
    w=$(stat -c %y "$SRC/docs/t3"); echo "TEXT 3" >"$SRC/docs/t3"; touch -d "$w" "$SRC/docs/t3" # with its time kept
    echo other >"$SRC/docs/n"; mv "$SRC/docs/n" "$SRC/docs/t4"               # replaced
    rm -r "$SRC/gone" "$SRC/docs/t5"                                         # deleted
    mv "$SRC/docs/t6" "$SRC/photos/t6-moved"; mv "$SRC/photos/a" "$SRC/photos/b" # renamed
    mv "$SRC/docs/t7" "$SRC/x"; mv "$SRC/docs/t8" "$SRC/docs/t7"; mv "$SRC/x" "$SRC/docs/t8" # swapped
    echo "edited group" >"$SRC/docs/l1"                                      # all its names
    rm "$SRC/photos/l2-too"; echo alone >"$SRC/photos/l2-too"                # one leaves its group
    rm "$SRC/l3-three"; ln "$SRC/docs/l4" "$SRC/l3-three"                    # or goes to another
    ln "$SRC/docs/t9" "$SRC/docs/t9-new"                                     # a new group
    rm "$SRC/turn/f1"; mkdir "$SRC/turn/f1"; echo x >"$SRC/turn/f1/x"        # kinds
    rm "$SRC/turn/f2"; ln -s away "$SRC/turn/f2"
    rm "$SRC/turn/f3"; mkfifo "$SRC/turn/f3"
    rm -r "$SRC/turn/d1"; echo file >"$SRC/turn/d1"
    rm -r "$SRC/turn/d2"; ln -s else "$SRC/turn/d2"
    mv "$SRC/turn/d3/in" "$SRC/y"; rmdir "$SRC/turn/d3"; mv "$SRC/y" "$SRC/turn/d3"
    mv "$SRC/turn/f4" "$SRC/y"; mkdir "$SRC/turn/f4"; mv "$SRC/y" "$SRC/turn/f4/inside"
    rm "$SRC/turn/s1"; echo file >"$SRC/turn/s1"
    rm "$SRC/turn/s2"; ln -s elsewhere "$SRC/turn/s2"
    rm "$SRC/turn/fifo"; echo file >"$SRC/turn/fifo"
    chmod 600 "$SRC/docs/t10"; chown 12:34 "$SRC/docs/t11"; touch -d 2001-01-01 "$SRC/docs/t12"; chmod 700 "$SRC/docs"
    mkdir "$SRC/new"; head -c 70000 /dev/urandom >"$SRC/new/big"; echo small >"$SRC/new/small"; : >"$SRC/new/empty"
}
change
"$HERE/tree-record" "$REC" note "$SRC"
[[ ${ONLY:-changes} = changes ]] && sweep "changes" || { save; dock "$A" "$B"; }

# --- a run that finds rot -----------------------------------------------------------------------------------------

bring_back "$KEEP"
td_is 0 "rot: all is well before" run
# The source's bytes change and the ledger takes the time of that for the old one: so looks rot.
rot() { # rot PATH: in the source; keep the good one
    local when
    when=$(stat -c %y "$SRC/$1")
    mkdir -p "$T/good"; cp -p "$SRC/$1" "$T/good/$(basename "$1")"
    printf '\377' | dd of="$SRC/$1" bs=1 seek=2 conv=notrunc status=none
    touch -d "$when" "$SRC/$1"
    ledger "UPDATE file SET ctime = $(stat -c %Z "$SRC/$1"), ctime_ns = $((10#$(stat -c %z "$SRC/$1" | sed 's/.*\.\([0-9]*\) .*/\1/'))) WHERE ino = $(stat -c %i "$SRC/$1")"
}
cp -p "$SRC/docs/t1" "$T/t1"
rot docs/t9            # two names
rot photos/t6-moved
td_is 5 "rot: held" run
rot docs/t1
mv "$SRC/photos/t6-moved" "$SRC/docs/t6-held" # held, and renamed meanwhile
undock
flip "$A" M/docs/t4
flip "$B" M/new/big 5000
flip "$B" M/photos/l1-too 3
echo "one more edit" >"$SRC/docs/t2"; rm "$SRC/docs/t10"
good_source() { # a source in which nothing has rotted, to compare with
    rm -rf "$T/whole"; cp -a "$SRC" "$T/whole"
    cat "$T/good/t9" >"$T/whole/docs/t9"; cat "$T/good/t6-moved" >"$T/whole/docs/t6-held"; cat "$T/good/t1" >"$T/whole/docs/t1"
    touch -r "$SRC/docs/t9" "$T/whole/docs/t9"; touch -r "$SRC/docs/t6-held" "$T/whole/docs/t6-held"; touch -r "$SRC/docs/t1" "$T/whole/docs/t1"
    touch -r "$SRC/docs" "$T/whole/docs"
}
good_source
rm "$REC"
"$HERE/tree-record" "$REC" settled "$T/whole"
for image in "$A" "$B"; do mounted "$image" "$HERE/tree-record" "$REC" note "$MNT/M"; done
python3 - "$REC" <<'END'
import pickle, sys
with open(sys.argv[1], "rb") as f: states, always, memo = pickle.load(f)
always -= {b"docs/t6-held"}
with open(sys.argv[1], "wb") as f: pickle.dump((states, always, {}), f)
END
GOOD=5 SAME=$T/whole WRONG=7
export ROTTEN="docs/t4 new/big docs/l1 photos/l1-too l1-three"
sweep "rot"
check "the runs really died ($died)" test "${died:-0}" -ge "$SAMPLES"
finish
