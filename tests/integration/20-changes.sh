#!/usr/bin/env bash
# Whatever changes in the source is on both members after the next run, and what it replaced is in the history.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

ROUNDS=${ROUNDS:-${SANITIZE:+5}}
ROUNDS=${ROUNDS:-${SHORT:+6}}
ROUNDS=${ROUNDS:-12}
SEED=${SEED:-2014}
ANY='max_delete = 100%
max_change = 100%'

both_equal() { # both_equal NAME: by rsync's word, and by that of a walker that goes where rsync cannot
    undock
    for image in "$A" "$B"; do
        check "$1: $(basename "$image") equals the source" mounted "$image" compare_twice
    done
    dock "$A" "$B"
}
compare_twice() {
    local said
    said=$(rsync -aHAXSc --numeric-ids --delete -n -i --exclude=/deep "$SRC/" "$MNT/M/" 2>&1)
    [[ -z $said ]] || { printf '%s\n' "$said"; return 1; }
    "$HERE/tree-compare" equal "$SRC" "$MNT/M"
}
kept() { # kept IMAGE PATH: the content of the newest version of PATH in the history
    mounted "$1" sh -c 'cat "$(ls -d "$MNT"/.twindock/history/*/"$1" | tail -n 1)"' sh "$2"
}
export MNT=$T/mnt/m

claim_slots
configure '' "$ANY"
small_tree
"$HERE/hostile-tree" "$SRC/hostile"
mkdir "$SRC/deep"; mv "$SRC"/hostile/00deep* "$SRC/deep" # too long for rsync and for what makes most of the changes
new_pair 600M
td_is 0 "first run" run
both_equal "first run"

# --- rounds of many changes ---------------------------------------------------------------------------------------

for round in $(seq "$ROUNDS"); do
    before=$FAILED
    mv "$SRC/deep" "$T/deep"
    "$HERE/mutate-tree" "$SRC" $((SEED + round)) 25 >"$T/mutations" || flunk "round $round: changing the source"
    mv "$T/deep" "$SRC/deep"
    "$HERE/mutate-deep" "$SRC/deep" $((SEED + round)) 4 >>"$T/mutations" || flunk "round $round: changing the deep"
    [[ $round = 3 ]] && setfacl -m u:12:rx "$SRC/docs" 2>/dev/null
    td_is 0 "round $round: run" run
    both_equal "round $round"
    if [[ $FAILED != "$before" ]]; then
        sed "s/^/#   seed $((SEED + round)): /" "$T/mutations"
        break
    fi
done
td_is 0 "nothing more to do" run --json
equal "a run without changes copies nothing" '0 0 0 0' "$(json copied) $(json renamed) $(json deleted) $(json updated)"
equal "and finds nothing" '[][][][]' "$(json held)$(json repaired)$(json unreadable)$(json noted)"

# --- a directory of 50 MB gets another name -----------------------------------------------------------------------

mkdir -p "$SRC/albums/one/two" "$SRC/elsewhere"
for i in 1 2 3 4 5; do head -c 10000000 /dev/urandom >"$SRC/albums/one/two/a$i.raw"; done
ln "$SRC/albums/one/two/a1.raw" "$SRC/albums/one/linked.raw"
td_is 0 "50 MB more" run
mv "$SRC/albums/one" "$SRC/elsewhere/uno"
td_is 0 "renamed directory: run" run --json
equal "renamed directory: nothing is copied" 0 "$(json copied)"
equal "renamed directory: nothing is copied, in bytes" 0 "$(json copied_bytes)"
matches "renamed directory: renamed instead" '^[1-9]' "$(json renamed)"
both_equal "renamed directory"
mv "$SRC/elsewhere/uno/two/a2.raw" "$SRC/elsewhere/uno/two/b2.raw"
cp -a "$SRC/elsewhere/uno/two/a3.raw" "$SRC/elsewhere/uno/two/b3.raw" # the same content and time, another inode
rm "$SRC/elsewhere/uno/two/a3.raw"
td_is 0 "renamed files: run" run --json
equal "renamed files: nothing is copied" 0 "$(json copied)"
equal "renamed files: both are renamed" 2 "$(json renamed)"
both_equal "renamed files"

# --- history ------------------------------------------------------------------------------------------------------

mkdir -p "$SRC/history/dir"
for i in 1 2 3; do echo "v1 of $i" >"$SRC/history/f$i"; done
echo "v1 deep" >"$SRC/history/dir/deep"
ln "$SRC/history/f1" "$SRC/history/f1-too"
td_is 0 "history: first versions" run
echo "version 2 of 1" >"$SRC/history/f1"
rm "$SRC/history/f2"
rm -r "$SRC/history/dir"
rm "$SRC/history/f3"; mkdir "$SRC/history/f3"; echo inside >"$SRC/history/f3/x"
td_is 0 "history: changed and deleted" run --json
run=$(json run)
both_equal "history"
undock
for image in "$A" "$B"; do
    equal "history: the version before the edit" "v1 of 1" "$(kept "$image" history/f1)"
    equal "history: its other name" "v1 of 1" "$(kept "$image" history/f1-too)"
    equal "history: the deleted file" "v1 of 2" "$(kept "$image" history/f2)"
    equal "history: the file in a deleted directory" "v1 deep" "$(kept "$image" history/dir/deep)"
    equal "history: the file that became a directory" "v1 of 3" "$(kept "$image" history/f3)"
    check "history: by the run's number" mounted "$image" sh -c 'test -f "$MNT"/.twindock/history/'"$(printf %08d "$run")"'-*/history/f2'
done
echo "version 3 of 1" >"$SRC/history/f1"
touch -d '2001-02-03 04:05:06.789' "$SRC/history/f1"
dock "$A" "$B"
td_is 0 "history: once more" run
undock
equal "history: the second version, too" "version 2 of 1" "$(kept "$B" history/f1)"
equal "history: the first is still there" "v1 of 1" "$(mounted "$B" sh -c 'cat "$MNT"/.twindock/history/'"$(printf %08d "$run")"'-*/history/f1')"
check "the manifest holds on A" manifest_holds "$A"
check "the manifest holds on B" manifest_holds "$B"
equal "no staging is left behind" '' "$(mounted "$A" find "$MNT/.twindock/staging" -mindepth 1; mounted "$B" find "$MNT/.twindock/staging" -mindepth 1)"

# --- exclude ------------------------------------------------------------------------------------------------------

rm -rf "${SRC:?}"/*
mkdir -p "$SRC/top" "$SRC/sub/top" "$SRC/cache/deep" "$SRC/sub/cache"
for f in a a.tmp keep.tmp top/x sub/top/y sub/b.tmp sub/keep.tmp cache/deep/c sub/cache/d late; do echo "$f" >"$SRC/$f"; done
dock "$A" "$B"
td_is 0 "exclude: all of it at first" run
configure '' "$ANY
exclude = *.tmp
exclude = !keep.tmp
exclude = /top
exclude = cache/"
td_is 0 "exclude: run" run
undock
left=$(mounted "$A" sh -c 'cd "$MNT/M" && find . -type f | sort | tr "\n" " "')
equal "exclude: what is excluded is not on A" './a ./keep.tmp ./late ./sub/keep.tmp ./sub/top/y ' "$left"
equal "exclude: nor on B" "$left" "$(mounted "$B" sh -c 'cd "$MNT/M" && find . -type f | sort | tr "\n" " "')"
equal "exclude: what was there before is in the history" 'sub/b.tmp' "$(kept "$A" sub/b.tmp)"
check "exclude: the manifest holds" manifest_holds "$A"
dock "$A" "$B"
echo changed >"$SRC/a.tmp"
echo new >"$SRC/sub/new.tmp"
td_is 0 "exclude: a change of what is excluded" run --json
equal "exclude: is none" '0 0' "$(json copied) $(json deleted)"
configure '' "$ANY"
td_is 0 "exclude: taken back" run
both_equal "exclude: taken back"
finish
