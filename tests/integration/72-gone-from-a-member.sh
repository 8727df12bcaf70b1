#!/usr/bin/env bash
# Copies that were proven and are gone from a member are told, not only made again. And an inode number is no identity.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
export MNT=$T/mnt/m
ARRAY=$T/array.img

mkdir -p "$T/mnt/array"
truncate -s 64M "$ARRAY"
mkfs.ext4 -q -F -b 4096 "$ARRAY"
mount_image "$ARRAY" "$T/mnt/array"
rmdir "$SRC"
SRC=$T/mnt/array/src
mkdir "$SRC"
claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
small_tree
ln "$SRC/docs/t1.txt" "$SRC/docs/t1-linked.txt"
echo "content of version 1" >"$SRC/package-1"
touch -d @315532800 "$SRC/package-1"
new_pair
td_is 0 "first run" run

on_member() { undock; on_disk "$@"; dock "$A" "$B"; } # behind twindock's back

photos=$(find "$SRC/photos" -type f | wc -l)
on_member "$A" rm -rf "$MNT/M/photos"
td_is 5 "a directory is gone from A: verify" verify
no_mails
td_is 5 "a directory is gone from A: run" run --json
equal "a directory is gone from A: each file is told" "$photos" "$(found repaired | tr ';' '\n' | grep -c '^photos/.* A read-error$')"
matches "a directory is gone from A: in words" 'missing' "$(cat "$MAILS"/*)"
td_is 0 "a directory is gone from A: all is there again" verify

on_member "$B" rm "$MNT/M/docs/t1.txt" "$MNT/M/docs/t1-linked.txt"
td_is 5 "both names of an inode are gone from B" run --json
equal "both are told" 'docs/t1-linked.txt B read-error;docs/t1.txt B read-error' "$(found repaired)"

replace() { rm "$MNT/M/docs/t2.txt" "$MNT/M/docs/t3.txt"; ln -s /etc/passwd "$MNT/M/docs/t2.txt"; mkdir "$MNT/M/docs/t3.txt"; }
on_member "$A" replace
td_is 0 "other things in their place on A" run --json
equal "are told" 'docs/t2.txt A altered;docs/t3.txt A altered' "$(found repaired)"

no_mails
on_member "$A" mv "$MNT/M" "$MNT/M.gone"
td_is 5 "the whole collection is gone from A" run --json
equal "is told in one piece" ' A read-error' "$(found repaired)"
matches "and in words" 'M: was missing on member A and was copied again' "$(cat "$MAILS"/*)"
undock
check "A equals the source" same_tree "$A"
check "B equals the source" same_tree "$B"
dock "$A" "$B"
td_is 0 "all is there again" run --json
equal "and nothing to tell" '' "$(found repaired)"

# --- an inode that another file has by now ----------------------------------------------------------------------------

was=$(stat -c %i "$SRC/package-1")
rm "$SRC/package-1"
for i in $(seq 200); do # until the number is given out again
    echo "content of version 2" >"$SRC/package-2"
    [[ $(stat -c %i "$SRC/package-2") != "$was" ]] || break
    mv "$SRC/package-2" "$SRC/docs/filler-$i"
done
touch -d @315532800 "$SRC/package-2"
equal "the same inode, size and time" "$was 21 315532800" "$(stat -c '%i %s %Y' "$SRC/package-2")"
td_is 0 "is another file all the same" run --dry-run
matches "that is copied" 'copy +new +M/package-2' "$(cat "$OUT")"
td_is 0 "run" run --json
equal "nothing had moved" 0 "$(json renamed)"
undock
check "A has the new content" mounted "$A" cmp "$SRC/package-2" "$MNT/M/package-2"
dock "$A" "$B"
mv "$SRC/package-2" "$SRC/package-2-renamed"
td_is 0 "a file that was renamed" run --json
equal "is renamed" '1 0' "$(json renamed) $(json copied)"
undock
check "at the end A equals the source" same_tree "$A"
check "at the end B equals the source" same_tree "$B"
umount "$T/mnt/array"
finish
