#!/usr/bin/env bash
# Something is mounted over a directory of the source: what the backup has of it is out of sight there, and not gone.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
export MNT=$T/mnt/m

claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
mkdir -p "$SRC/sub/below" "$SRC/sub-way" "$SRC/empty"
for i in 1 2 3; do echo "number $i" | tee "$SRC/sub/below/$i" >"$SRC/sub-way/$i"; done
new_pair
td_is 0 "first run" run

mkdir -p "$T/mnt"
release() { local status=$?; umount "$SRC/sub" "$SRC/empty" 2>/dev/null; return $status; }
trap 'release; tear_down' EXIT
mount -t tmpfs none "$SRC/empty"
echo "not ours" >"$SRC/empty/file"
td_is 0 "what is mounted over nothing is left out, and no matter" run --json
equal "and not deleted" 0 "$(json deleted)"
mount -t tmpfs none "$SRC/sub"
echo "not ours" >"$SRC/sub/file"
rm "$SRC/sub-way/3"
td_is 3 "what is mounted over something is told" run --json
equal "by its name" 'sub' "$(json unreadable | python3 -c 'import json,sys; print(*[i["path"] for i in json.load(sys.stdin)])')"
matches "and why" 'mounted here and hides' "$(json unreadable 0 detail)"
matches "and what to do" '^1 directory of the source is hidden by what is mounted there \(M/sub\)\..*Unmount' "$(json reason)"
matches "and in the mail" 'Subject: .*M: something is mounted over its source' "$(cat "$MAILS"/*)"
equal "what is gone elsewhere is deleted, and nothing else" 1 "$(json deleted)"
td_is 3 "it is told again" run
undock
equal "A has what is hidden" '1 2 3' "$(mounted "$A" sh -c 'echo $(ls "$MNT/M/sub/below")')"
equal "and nothing of what is mounted" below "$(mounted "$A" ls "$MNT/M/sub")"
check "its manifest holds" manifest_holds "$A"
dock "$A" "$B"
release
td_is 0 "when it is unmounted all is well" run --json
equal "and nothing is copied" '0 0' "$(json copied) $(json deleted)"
undock
check "A equals the source" same_tree "$A"
check "B too" same_tree "$B"
finish
