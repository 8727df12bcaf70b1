#!/usr/bin/env bash
# Files that change while they are read: never taken for proven, told, and brought up to date as soon as they rest.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

export MNT=$T/mnt/m
found() { # found KIND: "path cause" of the last run's JSON, lines joined by ";"
    python3 -c 'import json,sys
v=json.load(open(sys.argv[1]))[sys.argv[2]]
print(";".join(sorted(set("%s %s" % (i["path"], i["cause"]) for i in v))))' "$OUT" "$1"
}
row() { # row PATH: how far it is proven: source, A, B; empty when it is not in the ledger
    ledger "SELECT source_proven <> 0, a_proven <> 0, b_proven <> 0 FROM file WHERE CAST(path AS TEXT) = '$1'"
}
unproven() { ledger "SELECT CAST(path AS TEXT) FROM file WHERE mode & 61440 = 32768 AND (sha256 IS NULL OR a_proven = 0 OR b_proven = 0)"; }
writer() { # writer PATH [back]: rewrite it every millisecond, whoever else wants the processor; back: and set mtime back each time
    nice -n -10 python3 -c 'import os,sys,time
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)
back = len(sys.argv) > 2
if os.fstat(fd).st_size == 0: os.write(fd, b"0" * 8000000)
when = os.fstat(fd)
n = 0
while True:
    n += 1
    os.pwrite(fd, b"%09d" % n, n * 4099 % 7900000)
    if back: os.utime(fd, ns=(when.st_atime_ns, when.st_mtime_ns))
    time.sleep(0.001)' "$@" &
    WRITER=$!
    sleep 0.3
}
rests() { kill "$WRITER"; wait "$WRITER" 2>/dev/null; }
both_equal() {
    undock
    check "$1: A equals the source" same_tree "$A"
    check "$1: B equals the source" same_tree "$B"
    dock "$A" "$B"
}
start() { "$TWINDOCK" run -c "$CONF" --json "$@" >"$OUT" 2>"$ERR" & RUN=$!; }

claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
small_tree
new_pair
td_is 0 "first run" run

# --- never at rest ------------------------------------------------------------------------------------------------

for how in '' back; do
    name="log$how" words="a file written all the time${how:+, its mtime set back}"
    echo "old $how" >"$SRC/docs/edited$how"
    writer "$SRC/$name" $how
    no_mails
    td_is 3 "$words, new: run" run --json
    equal "$words, new: listed" "$name changing" "$(found unreadable)"
    equal "$words, new: nothing else is wrong" '//' "$(found held)/$(found repaired)/$(found noted)"
    # (The source's own reading may have found a quiet moment.)
    matches "$words, new: no copy is in the ledger as proven" '^(|[01]\|0\|0)$' "$(row "$name")"
    equal "$words, new: all else is" '' "$(unproven | grep -v "^$name$")"
    equal "$words, new: one mail" 1 "$(mails)"
    check "$words, new: that names it" grep -rq "M/$name" "$MAILS"
    undock
    equal "$words, new: it is on no disk" '' "$(mounted "$A" find "$MNT/M" -name "$name"; mounted "$B" find "$MNT/M" -name "$name")"
    equal "$words, new: what else is new is" "old $how" "$(mounted "$B" cat "$MNT/M/docs/edited$how")"
    check "$words, new: the manifest holds" manifest_holds "$A"
    dock "$A" "$B"
    td_is 3 "$words, new: the next run says so, too" run
    check "$words, new: in words" grep -q "M/$name: kept changing" "$OUT"
    rests
    td_is 0 "$words: at rest" run
    equal "$words: at rest, proven" '1|1|1' "$(row "$name")"
    both_equal "$words: at rest"

    was=$(sha256sum "$SRC/$name" | cut -d' ' -f1)
    writer "$SRC/$name" $how
    td_is 3 "$words, backed up before: run" run --json
    equal "$words, backed up before: listed" "$name changing" "$(found unreadable)"
    equal "$words, backed up before: nobody speaks of rot" '//' "$(found held)/$(found repaired)/$(found noted)"
    undock
    for image in "$A" "$B"; do
        equal "$words, backed up before: the version before is there, whole" "$was" \
            "$(mounted "$image" sha256sum "$MNT/M/$name" | cut -d' ' -f1)"
    done
    dock "$A" "$B"
    rests
    td_is 0 "$words, backed up before: at rest" run --json
    equal "$words, backed up before: at rest, nobody speaks of rot" '//' "$(found held)/$(found repaired)/$(found unreadable)"
    both_equal "$words, backed up before: at rest"
done

# --- changed once, while the run goes on --------------------------------------------------------------------------

echo "early" >"$SRC/grows-early"
for i in $(seq 30); do head -c 2000000 /dev/urandom >"$SRC/photos/bulk$i"; done
echo "late" >"$SRC/grows-late"
echo "goes" >"$SRC/goes"
echo "stays" >"$SRC/appears-by-rename.tmp"
start
check "changed once: caught after the walk" planned
echo "and grown" >>"$SRC/grows-early"
echo "and grown" >>"$SRC/grows-late"
echo "and grown" >>"$SRC/docs/t1.txt"
rm "$SRC/goes"
echo "not walked any more" >"$SRC/appears"
kill -CONT "$RUN"
wait "$RUN"
equal "changed once: exit code" 0 $?
equal "changed once: nothing is wrong" '//' "$(found held)/$(found repaired)/$(found unreadable)"
undock
for image in "$A" "$B"; do
    for file in grows-early grows-late docs/t1.txt; do
        equal "changed once: $file was taken over in the same run" "$(cat "$SRC/$file")" "$(mounted "$image" cat "$MNT/M/$file")"
    done
done
dock "$A" "$B"
td_is 0 "changed once: the next run" run
both_equal "changed once: the next run"

# In the midst of the proof: everything has been copied, the reading has begun.
start
check "changed in the proof: caught" planned
kill -CONT "$RUN"; sleep 0.05; kill -STOP "$RUN"
for i in $(seq 30); do echo more >>"$SRC/photos/bulk$i"; done
mv "$SRC/photos/bulk3" "$SRC/photos/bulk3-renamed"
rm "$SRC/photos/bulk4"
kill -CONT "$RUN"
wait "$RUN"
equal "changed in the proof: exit code" 0 $?
equal "changed in the proof: nothing is wrong" '//' "$(found held)/$(found repaired)/$(found unreadable)"
td_is 0 "changed in the proof: the next run" run --json
equal "changed in the proof: the next run finds nothing wrong" '///' "$(found held)/$(found repaired)/$(found unreadable)/$(found noted)"
both_equal "changed in the proof: the next run"

# Nothing in the whole tree rests.
python3 -c 'import os,random,sys,time
root = sys.argv[1]
paths = [os.path.join(t, f) for t, _, fs in os.walk(root) for f in fs]
rng = random.Random(3)
while True:
    p = rng.choice(paths)
    try:
        if rng.random() < 0.3:
            os.rename(p, p + ".x"); os.rename(p + ".x", p)
        else:
            with open(p, "r+b") as f: f.write(b"%d" % rng.randrange(10**6))
    except OSError: pass' "$SRC" &
WRITER=$!
sleep 0.2
td run --json
matches "a tree in turmoil: the run ends, at worst with some files unread" '^(0|3)$' $?
equal "a tree in turmoil: nobody speaks of rot" '/' "$(found held)/$(found repaired)"
rests
td_is 0 "a tree in turmoil: at rest" run --json
equal "a tree in turmoil: at rest, nobody speaks of rot" '//' "$(found held)/$(found repaired)/$(found unreadable)"
both_equal "a tree in turmoil: at rest"
undock
check "the manifest holds on A" manifest_holds "$A"
check "the manifest holds on B" manifest_holds "$B"
finish
