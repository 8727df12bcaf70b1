#!/usr/bin/env bash
# Whatever the tree was at some evening comes back from either disk as it was then, and nothing that is there is touched.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

ROUNDS=${ROUNDS:-5}
PICKS=${PICKS:-2}     # evenings brought back from each disk
LARGE=${LARGE:-4}     # MB of the largest file
SEED=${SEED:-2014}
DISK=${DISK:-200M}
RANDOM=$SEED
export MNT=$T/mnt/m
KEPT=$T/kept
mkdir "$KEPT"

next_second() { local now; now=$(date +%s); while [[ $(date +%s) == "$now" ]]; do sleep 0.05; done; }
noise() { head -c "$1" /dev/urandom; }
at() { dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }
change_large() { # in place, at the end, in the middle, cut off, under another name
    local size mid=$T/mid f=$SRC/large/disk.img
    size=$(stat -c %s "$f")
    case $(($1 % 6)) in
    0) noise 4096 | at "$f" $((RANDOM * 37 % (size - 4096))); noise 4096 | at "$f" $((RANDOM * 41 % (size - 4096))) ;;
    1) noise 30000 >>"$f" ;;
    2) { head -c $((size / 2)) "$f"; noise 777; tail -c +$((size / 2 + 1)) "$f"; } >"$mid"; cat "$mid" >"$f"; rm "$mid" ;;
    3) truncate -s $((size - size / 50)) "$f" ;;
    4) mv "$f" "$SRC/large/other.img"; cp -p "$SRC/large/other.img" "$f"; noise 100 | at "$f" 5000 ;;
    5) rm -f "$SRC/large/other.img"; chmod $((RANDOM % 2 ? 640 : 604)) "$f"; setfattr -n user.round -v "$1" "$f" ;;
    esac
}
restored() { # restored IMAGES... : as of $WHEN, compared with what was kept aside
    undock
    dock "$1" "${2:-}"
    rm -rf "$T/back"
    td restore M --all --as-of "$WHEN" --to "$T/back" --json || return 1
    [[ $(json complete) = true ]] || return 1
    "$HERE/tree-compare" equal "$KEPT/$PICK" "$T/back"
}

claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
mkdir "$SRC/tree"
SRC=$SRC/tree small_tree
"$HERE/hostile-tree" "$SRC/tree/hostile"
rm -rf "$SRC"/tree/hostile/00deep*
mkdir "$SRC/large" "$SRC/idle"
noise $((LARGE << 20)) >"$SRC/large/disk.img"
truncate -s 3M "$SRC/large/sparse"; noise 9000 | at "$SRC/large/sparse" 1000000
ln -s disk.img "$SRC/large/a-link"; ln "$SRC/large/a-link" "$SRC/large/z-link" # with files between the two names
PICKED=$(shuf -i 1-"$ROUNDS" -n "$PICKS" --random-source=<(yes "$SEED") | tr '\n' ' ')
new_pair "$DISK"
for round in $(seq "$ROUNDS"); do
    if [[ $round -gt 1 ]]; then
        "$HERE/mutate-tree" "$SRC/tree" $((SEED + round)) 12 >"$T/mutations" || flunk "round $round: changing the source"
        change_large "$round"
        setfattr -n user.label -v "$((round / 2))" "$SRC/large"
    fi
    next_second
    td_is 0 "round $round: run" run
    ledger "SELECT datetime(max(started), 'unixepoch') FROM run" >"$KEPT/$round.when"
    [[ " 1 $PICKED $ROUNDS " = *" $round "* ]] && cp -a "$SRC" "$KEPT/$round"
    [[ $FAILED = 0 ]] || break
done
check "there are differences in the history" test "$(ledger "SELECT count(*) FROM kept WHERE kind = 'delta'")" -ge 2

for PICK in $PICKED; do
    WHEN=$(<"$KEPT/$PICK.when")
    check "evening $PICK comes back from A alone" restored "$A"
    check "evening $PICK comes back from B alone" restored '' "$B"
done
PICK=$ROUNDS
WHEN=$(date +%Y-%m-%d)
check "today is what was backed up last" restored "$A" "$B"

# --- without the program -----------------------------------------------------------------------------------------------

undock
mkdir "$T/plain"
check "all versions on B come back with rdiff and coreutils alone" mounted "$B" "$HERE/bring-back" "$MNT" "$T/plain"
check "there were some" test "$(find "$T/plain" -type f | wc -l)" -ge 10
check "the history's checksums hold on A" mounted "$A" sh -c 'cd "$MNT/.twindock/history" && sha256sum --strict --quiet -c SHA256SUMS'
# The example in RESTORE.txt, typed as it stands.
example() { # with the disk at /mnt
    local out=$T/example
    rm -f "$out"
    sed -n '/^4\. /,/^What else/p' "$MNT/RESTORE.txt" | grep -E '^    (cd|rdiff|sha256sum /tmp|cp --attr)' | grep -v '&&' | sed "s|/mnt/|$MNT/|g; s|/tmp/old|$out|g" >"$T/example.sh"
    [[ $(wc -l <"$T/example.sh") = 4 ]] || return 1
    sh -e "$T/example.sh" >"$T/example.said" || return 1
    ls "$MNT"/.twindock/history/*/.deltas/"$(cut -c1-64 "$T/example.said")"-*
}
check "the example in RESTORE.txt does what it says" mounted "$A" example

dock "$A" "$B"

# --- paths, refusals ----------------------------------------------------------------------------------------------------

WHEN=$(<"$KEPT/1.when")
rm -rf "$T/back"
td_is 0 "single paths, in every way of writing them" restore M tree/docs/t1.txt M/tree/docs/t2.txt "$SRC/tree/big.bin" tree/photos/2014/ --as-of "$WHEN" --to "$T/back" --json
equal "what was asked for is there" "big.bin docs/t1.txt docs/t2.txt $(printf "photos/2014/p%d.raw " 1 2 3 4 5 6 7 8 | sed "s/ $//")" "$(cd "$T/back/tree" && find . -type f -printf '%P\n' | sort | tr '\n' ' ' | sed 's/ $//')"
check "with the right content" cmp "$T/back/tree/big.bin" "$KEPT/1/tree/big.bin"
echo mine >"$T/back/tree/docs/t1.txt"
td_is 3 "a file that is there is left alone" restore M tree/docs/t1.txt tree/docs/t3.txt --as-of "$WHEN" --to "$T/back"
equal "it is" mine "$(<"$T/back/tree/docs/t1.txt")"
check "the other one came" test -f "$T/back/tree/docs/t3.txt"
matches "and it is said" 'INCOMPLETE.*tree/docs/t1.txt: something of that name is there' "$(tr '\n' ' ' <"$OUT")"
rm -rf "$T/twice"
td_is 0 "paths that overlap" restore M tree/docs/t1.txt tree/docs M/tree/docs/ "$SRC/tree/docs/t2.txt" tree/docs tree/big.bin --as-of "$WHEN" --to "$T/twice" --json
equal "are brought back once" "true 0 $(find "$KEPT/1/tree/docs" "$KEPT/1/tree/big.bin" -type f | wc -l)" "$(json complete) $(json failed) $(json files)"
check "with the right content" diff -r "$KEPT/1/tree/docs" "$T/twice/tree/docs"
rm -rf "$T/twice"
td_is 0 "everything and a part of it" restore M tree/big.bin . --as-of "$WHEN" --to "$T/twice"
check "is everything" "$HERE/tree-compare" equal "$KEPT/1" "$T/twice"
rm -rf "$T/twice"
td_is 3 "a path that never was, in a directory that is asked for" restore M tree/docs tree/docs/nosuch --as-of "$WHEN" --to "$T/twice" --json
equal "is told" 'tree/docs/nosuch' "$(json trouble 0 path)"
mkdir "$T/blocked"
echo mine >"$T/blocked/tree"
td_is 3 "a file where a directory belongs" restore M tree/docs --as-of "$WHEN" --to "$T/blocked"
rm "$T/blocked/tree"
mkdir -p "$T/blocked/tree"
echo mine >"$T/blocked/tree/docs"
td_is 3 "a file in the place of what was asked for" restore M tree/docs --as-of "$WHEN" --to "$T/blocked"
matches "is told" 'INCOMPLETE.*tree/docs: something of that name is there' "$(tr '\n' ' ' <"$OUT")"
rm "$T/blocked/tree/docs"
ln -s "$T" "$T/blocked/tree/docs"
td_is 3 "so is a symbolic link" restore M tree/docs --as-of "$WHEN" --to "$T/blocked"
rm "$T/blocked/tree/docs"
mkdir "$T/blocked/tree/docs"
td_is 0 "a directory that is there is filled" restore M tree/docs --as-of "$WHEN" --to "$T/blocked"
td_is 3 "a path that never was" restore M no/such --to "$T/back"
matches "it is said" 'M/no/such: there was nothing of that name' "$(<"$OUT")"
mkdir "$SRC/short"; echo "not for long" >"$SRC/short/lived.txt"
next_second
td_is 0 "a file that comes" run
was=$(ledger "SELECT datetime(max(started), 'unixepoch') FROM run")
rm -r "$SRC/short"
next_second
td_is 0 "and goes" run
went=$(ledger "SELECT datetime(max(started), 'unixepoch') FROM run")
next_second
td_is 0 "and something comes after it" run
for path in short/lived.txt M/short "$SRC/short"; do
    td_is 3 "$path is deleted" restore M "$path" --to "$T/back"
    matches "$path: it is said how to have it" "M/short[^ ]*: it was deleted at $went; say --as-of '$was' to have it as it was before" "$(<"$OUT")"
    td_is 3 "$path at the time when it went" restore M "$path" --as-of "$went" --to "$T/back"
    matches "$path at the time when it went: said as well" "say --as-of '$was'" "$(<"$OUT")"
    rm -rf "$T/back/short"
    td_is 0 "$path as it was" restore M "$path" --as-of "$was" --to "$T/back"
    equal "$path as it was: it is back" "not for long" "$(cat "$T/back/short/lived.txt")"
done
td_is 3 "before it came" restore M short/lived.txt --as-of "$WHEN" --to "$T/back"
matches "before it came: nothing more is said" 'there was nothing of that name' "$(<"$OUT")"
td_is 2 "not into the source" restore M --all --to "$SRC/tree/docs"
ln -s "$SRC/tree" "$T/into"
mkdir -p "$T/mnt/bound"
mount --bind "$SRC" "$T/mnt/bound"
for to in "$SRC/new" "$SRC/tree/docs/new/" "$T/into/new" "$T/mnt/bound/new"; do
    td_is 2 "not into a new directory in the source: ${to#"$T"}" restore M --all --to "$to"
    check "and none is made: ${to#"$T"}" [ ! -e "$to" ]
done
umount "$T/mnt/bound"
pushd "$T" >/dev/null || exit
td_is 0 "a relative path" restore M tree/docs/t1.txt --to back.here
popd >/dev/null || exit
check "is from where one is" [ -f "$T/back.here/tree/docs/t1.txt" ]
equal "nor made there" '' "$(find "$SRC" -newer "$KEPT/1.when" -name back)"
td_is 2 "not before the first backup" restore M --all --as-of '2001-01-01 00:00' --to "$T/back2"
td_is 64 "no time" restore M --all --as-of yesterday --to "$T/back2"
td_is 64 "no --to" restore M --all
td_is 64 "neither paths nor --all" restore M --to "$T/back2"
undock
td_is 2 "nothing docked" restore M --all --to "$T/back2"
check "a refused restore makes nothing" test ! -e "$T/back2"

# --- wrong clocks -------------------------------------------------------------------------------------------------------

# restored NAME [--as-of TIME]: everything, and the run it is of
restored() { local name=$1; shift; rm -rf "$T/back"; td_is 0 "$name" restore M --all --to "$T/back" "$@" --json; }
RUNS="FROM run WHERE command = 'run' AND verdict = 'ok'"
LAST=$(ledger "SELECT max(id) $RUNS")
FIRST=$(ledger "SELECT min(id) $RUNS")
dock "$A" "$B"
ledger "UPDATE run SET started = started + 31536000 WHERE id = $FIRST"
restored "the first run's clock was a year ahead: everything"
equal "it is the newest" "$LAST" "$(json run)"
check "with what is in it" "$HERE/tree-compare" equal "$SRC" "$T/back"
ledger "UPDATE run SET started = started - 31536000 WHERE id = $FIRST; UPDATE run SET started = 1000 WHERE id = $LAST"
restored "the last run's clock was not set: everything"
equal "it is the newest, too" "$LAST" "$(json run)"
ledger "UPDATE run SET started = $(ledger "SELECT max(started) + 1 $RUNS") WHERE id = $LAST"
undock

# --- history, drill --------------------------------------------------------------------------------------------------------

td_is 0 "history needs no disk" history M large/disk.img --json
matches "it lists more than one version" '^[2-9]|^[0-9][0-9]' "$(json versions | python3 -c 'import json,sys; print(len(json.load(sys.stdin)))')"
td_is 0 "as a table" history M
matches "with when, how large, where" 'disk.img' "$(<"$OUT")"
td_is 0 "history of a path that never was" history M no/such
equal "it is said so" 'M: nothing is known of that path.' "$(<"$OUT")"
for path in idle M/idle "$SRC/idle/"; do
    td_is 0 "history of what stayed as it was: $path" history M "$path"
    equal "there is none: $path" 'M: nothing has changed there.' "$(<"$OUT")"
done
dock "$A" "$B"
td_is 0 "drill" restore --drill 10 --json
equal "ten of them" 10 "$(json files)"
equal "it is on record" 1 "$(ledger "SELECT count(*) FROM drill WHERE failed = 0 AND files = 10")"

# --- the ledger is lost ---------------------------------------------------------------------------------------------------

undock
td_is 2 "with nothing docked" restore M --all --to "$T/back3"
matches "with nothing docked: says so" '^M refused: no disk of it is docked' "$(cat "$OUT")"
rm -rf "$T/ledger"
dock "$A" "$B"
td_is 2 "with disks that no ledger knows" restore M --all --to "$T/back3"
matches "with disks that no ledger knows: what to do" '^M refused: no pair is enrolled; .*`twindock enroll M`' "$(cat "$OUT")"
td_is 0 "a new ledger" enroll M
td_is 0 "learns what the disks hold" run
td_is 0 "and everything comes back" restore M --all --to "$T/back3"
check "as it is" "$HERE/tree-compare" equal "$SRC" "$T/back3"
check "what lies in the history is listed again" test "$(ledger "SELECT count(*) FROM kept WHERE kind = 'delta'")" -ge 2

# --- equal files that became different ones ---------------------------------------------------------------------------------

noise 400000 >"$SRC/x.img"
cp -p "$SRC/x.img" "$SRC/y.img"
dock "$A" "$B"
td_is 0 "two equal files" run
printf aaaa | at "$SRC/x.img" 1000
printf bbbb | at "$SRC/y.img" 200000
td_is 0 "each edited in its way" run
undock
check "the example in RESTORE.txt means one of the two deltas" mounted "$A" example
finish
