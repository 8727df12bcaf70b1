#!/usr/bin/env bash
# The engine alone: directories made equal and proven, on any filesystem.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

export MNT=$T/mnt/m
SHM=$(mktemp -d /dev/shm/twindock-test.XXXXXX)
trap 'rm -rf "$SHM"; tear_down' EXIT

sync_is() { # sync_is CODE NAME ARG...
    local want=$1 name=$2 got; shift 2
    "$TWINDOCK" sync "$@" >"$OUT" 2>"$ERR"; got=$?
    if [[ $got = "$want" ]]; then pass "$name"; else flunk "$name (exit $got, expected $want)"; fi
}
same() { # same SRC DST: by rsync's word
    local said
    # XFS shows its ACLs a second time, in a form of its own.
    said=$(rsync -aHAXSc --numeric-ids --delete -n -i --filter='-x trusted.SGI_ACL_*' "${@:3}" "$1/" "$2/" 2>&1)
    [[ -z $said ]] || { printf '%s\n' "$said" | cut -c1-200; return 1; }
}
deep_leaves() { # what lies at the end of paths that no call takes whole
    python3 -c 'import os,sys
fd = os.open(sys.argv[1], os.O_RDONLY)
for i in range(70):
    names = os.listdir(fd)
    if "leaf" in names:
        f = os.open("leaf", os.O_RDONLY, dir_fd=fd)
        print(i, os.read(f, 99), os.fstat(f).st_mode, os.fstat(f).st_mtime_ns)
    below = [n for n in names if n.startswith("%02ddeep" % i)]
    if not below: break
    fd = os.open(below[0], os.O_RDONLY, dir_fd=fd)' "$1"
}
nothing_of_ours() { ! find "$1" -name '.twindock-sync*' 2>/dev/null | grep .; }
fields() { python3 -c 'import json,sys
v = json.load(open(sys.argv[1]))
for k in "run collection result exit files bytes copied renamed deleted proven held repaired unreadable members".split():
    assert k in v, k
for k in "files bytes copied renamed deleted proven exit".split(): assert isinstance(v[k], int), k
for k in "held repaired unreadable".split(): assert isinstance(v[k], list), k
assert "state" in v["members"]["A"] and "state" in v["members"]["B"]' "$OUT"; }

small_tree
"$HERE/hostile-tree" "$SRC/hostile"

# --- one destination, on the machine's own disk -------------------------------------------------------------------

mkdir "$T/one"
sync_is 0 "first sync" "$SRC" "$T/one" --json
check "JSON has the fields that are promised" fields
equal "JSON: result and states" 'done 0 ok absent' "$(json result) $(json exit) $(json members A state) $(json members B state)"
equal "JSON: everything is proven" "$(json files)" "$(json proven)"
matches "JSON: and copied" '^[1-9]' "$(json copied)"
equal "paths longer than PATH_MAX are there" "$(deep_leaves "$SRC/hostile")" "$(deep_leaves "$T/one/hostile")"
rm -rf "$SRC"/hostile/00deep* # rsync cannot go there
sync_is 0 "without the long paths" "$SRC" "$T/one" --json
check "without the long paths: equal" same "$SRC" "$T/one"
check "nothing of ours is left" nothing_of_ours "$T/one"
sync_is 0 "a second sync" "$SRC" "$T/one" --json
equal "a second sync copies nothing" '0 0 0 0' "$(json copied) $(json renamed) $(json deleted) $(json updated)"
equal "a second sync proves everything" "$(json files)" "$(json proven)"
equal "a second sync finds nothing" '[][][][]' "$(json held)$(json repaired)$(json unreadable)$(json noted)"

mkdir -p "$T/one/extra/deep"
echo x >"$T/one/extra/deep/file"; echo y >"$T/one/docs/extra"; ln -s nowhere "$T/one/docs/extra-link"
rm "$T/one/docs/t3.txt"; rm -r "$T/one/photos"; mkdir "$T/one/photos"
echo altered >"$T/one/docs/t4.txt"
chmod 600 "$T/one/docs/t5.txt"; touch "$T/one/docs"
sync_is 0 "a destination with other things in it" "$SRC" "$T/one" --json
check "a destination with other things: equal" same "$SRC" "$T/one"
matches "a destination with other things: deleted" '^[1-9]' "$(json deleted)"
check "a destination with other things: nothing of ours" nothing_of_ours "$T/one"

# Changed bytes with size and time kept are found, since all of it is read.
when=$(stat -c %y "$T/one/docs/t6.txt")
echo "TEXT number 6" >"$T/one/docs/t6.txt"; touch -d "$when" "$T/one/docs/t6.txt"
sync_is 0 "bytes changed with the time kept" "$SRC" "$T/one" --json
matches "bytes changed with the time kept: told" 'docs/t6.txt' "$(json noted)$(json repaired)"
check "bytes changed with the time kept: equal" same "$SRC" "$T/one"

# --- two destinations ---------------------------------------------------------------------------------------------

mkdir -p "$SHM/two" "$MNT" "$SRC/moving"
for type in ext4 xfs; do
    command -v mkfs.$type >/dev/null || { echo "ok - $type # SKIP no mkfs.$type"; continue; }
    new_disk "$T/$type.img" 400M
    if [[ $type = ext4 ]]; then
        mkfs.ext4 -q -b 4096 "$T/ext4.img"
    else
        mkfs.$type -q "$T/$type.img"
        rm -f "$SRC/hostile/kinds/link-far" # XFS has room for 1023 bytes
    fi
    mount_image "$T/$type.img" "$MNT" 2>/dev/null || { echo "ok - $type # SKIP the kernel has no $type"; continue; }
    mkdir "$MNT/three"
    "$HERE/mutate-tree" "$SRC/moving" 77 30 >/dev/null
    sync_is 0 "one and another on $type" "$SRC" "$T/one" "$MNT/three" --json
    equal "one and another on $type: states" 'ok ok' "$(json members A state) $(json members B state)"
    equal "one and another on $type: both proven" "$((2 * $(json files)))" "$(json proven)"
    check "one and another on $type: the first is equal" same "$SRC" "$T/one"
    check "one and another on $type: the second is equal" same "$SRC" "$MNT/three"
    check "one and another on $type: nothing of ours" nothing_of_ours "$MNT"
    sync_is 0 "one and another on $type: again" "$SRC" "$T/one" "$MNT/three" --json
    equal "one and another on $type: nothing to do" '0 0 0' "$(json copied) $(json deleted) $(json updated)"
    sync_is 0 "the filesystem's own root on $type" "$SRC" "$MNT" --json
    check "the filesystem's own root on $type: equal but for lost+found" \
        same "$SRC" "$MNT" --exclude /lost+found
    umount "$MNT"; released "$T/$type.img"
done
# tmpfs keeps no user attributes before Linux 6.6, and takes no O_DIRECT before 6.6 either.
mkdir "$T/plain"
cp -r "$SRC/docs" "$T/plain/"
setfattr -n trusted.x -v y "$T/plain/docs/t1.txt" 2>/dev/null
sync_is 0 "onto tmpfs" "$T/plain" "$SHM/two"
check "onto tmpfs: equal" same "$T/plain" "$SHM/two"
check "onto tmpfs: nothing of ours" nothing_of_ours "$SHM/two"
sync_is 0 "from tmpfs" "$SHM/two" "$T/one"
check "from tmpfs: equal" same "$T/plain" "$T/one"

# --- a destination that fills up ----------------------------------------------------------------------------------

mkdir "$SHM/full"
if mount -t tmpfs -o size=2m tmpfs "$SHM/full"; then
    mkdir "$T/large" "$T/large-copy"
    for i in 1 2 3 4 5; do head -c 1000000 /dev/urandom >"$T/large/f$i"; done
    sync_is 4 "one of two fills up" "$T/large" "$SHM/full" "$T/large-copy" --json
    equal "one of two fills up: states" 'full ok' "$(json members A state) $(json members B state)"
    check "one of two fills up: the other is complete" same "$T/large" "$T/large-copy"
    check "one of two fills up: nothing of ours" nothing_of_ours "$SHM/full"
    equal "one of two fills up: nothing is there by halves" 0 "$(find "$SHM/full" -type f ! -size 1000000c | wc -l)"
    umount "$SHM/full"
fi

# --- refused ------------------------------------------------------------------------------------------------------

mkdir "$SRC/inside"
sync_is 64 "a destination inside the source" "$SRC" "$SRC/inside"
check "a destination inside the source: said" grep -q 'inside one another' "$ERR"
sync_is 64 "a source inside the destination" "$SRC/inside" "$SRC"
sync_is 64 "the same directory twice" "$SRC" "$SRC"
sync_is 64 "the same destination twice" "$SRC" "$T/one" "$T/one"
sync_is 64 "destinations inside one another" "$SRC" "$T/one" "$T/one/docs"
ln -s "$SRC/inside" "$T/disguised"
sync_is 64 "a destination inside, by a link" "$SRC" "$T/disguised"
mkdir "$T/bound"
mount --bind "$SRC" "$T/bound"
sync_is 64 "the source itself, by a bind mount" "$SRC" "$T/bound"
sync_is 64 "inside the source, by a bind mount" "$SRC" "$T/bound/inside"
umount "$T/bound"
check "refused: the source is as it was" test -d "$SRC/inside"
before=$(find "$T/one" | wc -l)
sync_is 64 "no destination" "$SRC"
sync_is 64 "three destinations" "$SRC" "$T/one" "$T/plain" "$SHM/two"
"$TWINDOCK" sync "$T/not-there" "$T/one" >"$OUT" 2>"$ERR"
matches "a source that is not there" '^[1-9]' $?
equal "a source that is not there deletes nothing" "$before" "$(find "$T/one" | wc -l)"
"$TWINDOCK" sync "$SRC" "$T/not-there" >"$OUT" 2>"$ERR"
matches "a destination that is not there" '^[1-9]' $?
mkdir -p "$T/disk/.twindock" "$T/empty"
echo '{}' >"$T/disk/.twindock/card.json"
sync_is 64 "the root of a member" "$SRC" "$T/disk"
check "the root of a member: said" grep -q 'enrolled disk' "$ERR"
check "the root of a member: untouched" test "$(find "$T/disk" | wc -l)" = 3

# --- a signal, and what it leaves ---------------------------------------------------------------------------------

rm -rf "$SRC/inside"
mkdir "$T/stopped"
head -c 60000000 /dev/urandom >"$SRC/huge"
for delay in 0.10 0.06 0.03 0.02; do
    "$TWINDOCK" sync "$SRC" "$T/stopped" --json >"$OUT" 2>"$ERR" & RUN=$!
    sleep $delay
    kill -TERM "$RUN"; wait "$RUN"; status=$?
    [[ $status = 0 ]] && { rm -rf "$T/stopped"; mkdir "$T/stopped"; continue; }
    break
done
equal "SIGTERM: exit code" 143 "$status"
check "SIGTERM: nothing of ours is left" nothing_of_ours "$T/stopped"
"$TWINDOCK" sync "$SRC" "$T/stopped" >"$OUT" 2>"$ERR" & RUN=$!
sleep 0.05
kill -9 "$RUN"; { wait "$RUN"; } 2>/dev/null
sync_is 0 "killed, and again" "$SRC" "$T/stopped"
check "killed, and again: equal" same "$SRC" "$T/stopped"
check "killed, and again: nothing of ours is left" nothing_of_ours "$T/stopped"
mkdir -p "$T/stopped/.twindock-sync/staging/swap-1/taken-out" # killed when a directory had just been swapped for another
sync_is 0 "killed in a swap, and again" "$SRC" "$T/stopped"
check "killed in a swap, and again: nothing of ours is left" nothing_of_ours "$T/stopped"
finish
