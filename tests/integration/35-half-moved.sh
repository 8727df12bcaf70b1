#!/usr/bin/env bash
# A power cut after moved files have got their new names on the members, and before the old names are gone: the next run
# takes that for the rest of a move. It is no deletion, and nothing of it lies in history on the inode of a living file.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

# half_moved LETTERS: as the cut leaves them on these members
half_moved() {
    local letter image
    for letter in $1; do
        image=$A; [[ $letter = B ]] && image=$B
        mkdir -p "$T/mnt/m"
        mount_image "$image" "$T/mnt/m"
        mkdir -p "$T/mnt/m/M/later"
        cp -al "$T/mnt/m/M/photos/2014/." "$T/mnt/m/M/later/"
        umount "$T/mnt/m"
        released "$image"
    done
}
names() { find "$MNT/M" -type f -links +1 -printf '%P\n'; }
tree() { (cd "$1" && find . -type f -exec sha256sum {} + | sort); }
kept() { find "$MNT/.twindock" -path '*/history/*' -type f ! -name '*.index' ! -name SHA256SUMS -printf '%f\n' | sort | tr '\n' ' '; }

claim_slots
small_tree # 8 of its 50 files are moved: more than may be deleted
configure
new_pair 64M

for which in A "A B"; do
    td_is 0 "$which: a backup" run
    was=$(tree "$SRC")
    first=$(ledger 'SELECT max(id) FROM run')
    WHEN=$(date '+%F %T')
    sleep 1.1
    mv "$SRC/photos/2014" "$SRC/later"
    mkdir "$SRC/photos/2014"
    undock
    half_moved "$which"
    dock "$A" "$B"
    td_is 0 "$which: the run after the cut" run --json
    equal "$which: it calls nothing deleted" '' "$(ledger "SELECT CAST(path AS TEXT) FROM kept WHERE run > $first AND kind <> 'directory'")"
    undock
    for image in "$A" "$B"; do
        check "$which: ${image##*/} equals the source" same_tree "$image"
        equal "$which: ${image##*/}: no file has a name in history" '' "$(mounted "$image" names)"
        equal "$which: ${image##*/}: history keeps no file" '' "$(mounted "$image" kept)"
    done
    dock "$A" "$B"
    rm -rf "$T/then"
    td_is 0 "$which: what was there before is brought back" restore M --all --to "$T/then" --as-of "$WHEN"
    equal "$which: all of it" "$was" "$(tree "$T/then")"
    rmdir "$SRC/photos/2014"
    mv "$SRC/later" "$SRC/photos/2014"
done

# Moved on before that run: the disk has two names, the ledger none of the new ones, or the one that it was told of.
for told in no yes; do
    td_is 0 "moved on: a backup" run
    mv "$SRC/photos/2014" "$SRC/later"
    mkdir "$SRC/photos/2014"
    undock
    half_moved A
    dock "$A" "$B"
    [[ $told = no ]] || ledger "CREATE TEMP TABLE t AS SELECT * FROM file WHERE CAST(path AS TEXT) LIKE 'photos/2014/p%';
        UPDATE t SET path = CAST('later/' || substr(CAST(path AS TEXT), 13) AS BLOB); INSERT INTO file SELECT * FROM t"
    mv "$SRC/later" "$SRC/latest"
    td_is 0 "moved on, known: $told: the run" run
    undock
    for image in "$A" "$B"; do
        check "moved on, known: $told: ${image##*/} equals the source" same_tree "$image"
        equal "moved on, known: $told: ${image##*/}: no file has a name in history" '' "$(mounted "$image" names)"
    done
    dock "$A" "$B"
    rmdir "$SRC/photos/2014"
    mv "$SRC/latest" "$SRC/photos/2014"
done

# One name less of a hard link is another matter: it goes into history, as everything does that is deleted.
ln "$SRC/docs/t1.txt" "$SRC/docs/also"
td_is 0 "hard link: a backup" run
rm "$SRC/docs/also"
td_is 0 "hard link: one of its names is removed" run
undock
check "hard link: it is kept" grep -qw also <<<"$(mounted "$A" kept)"
finish
