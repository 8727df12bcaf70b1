#!/usr/bin/env bash
# heal puts the disks' good copy in the place of a file that has rotted in the source; accept says that the source is right.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

export MNT=$T/mnt/m
ARRAY=$T/array.img
SRC=$T/mnt/array/src
REC=$T/record
KILLS=${KILLS:-0} # of heal, after each of its calls: 0 is a sample

mount_array() { mount -o loop"${1:-}" "$ARRAY" "$T/mnt/array"; }
flip_source() { # flip_source PATH BYTE [PATH BYTE]...: no time, no size changes
    umount "$T/mnt/array"; released "$ARRAY"
    while [[ $# -gt 0 ]]; do
        flip "$ARRAY" "src/$1" "$2" || flunk "(finding the blocks of $1 in the source)"
        shift 2
    done
    mount_array
}
hash_in() { sha256sum "$SRC/$1" | cut -d' ' -f1; }
hash_on() { mounted "$1" sha256sum "$MNT/M/$2" | cut -d' ' -f1; } # hash_on IMAGE PATH
content() { # content NAME: the next run is quiet, and both members equal the source
    dock "$A" "$B"
    td_is 0 "$1: the next run is content" run --json
    equal "$1: and finds nothing" '///' "$(found held)/$(found repaired)/$(found unreadable)/$(found noted)"
    undock
    check "$1: A equals the source" same_tree "$A"
    check "$1: B equals the source" same_tree "$B"
    dock "$A" "$B"
}
look() { stat -c '%a %u %g %s %Y %y %h' "$1"; getfattr -d -m - --absolute-names "$1" 2>/dev/null | tail -n +2; }
held() { ledger "SELECT count(*) FROM file WHERE held = 1"; }
litter() { find "$SRC" -name '.twindock-heal*'; }
pasted() { # pasted COMMAND N: the N-th such line of the last report, as a shell takes it
    local line
    line=$(sed -n "s/^    twindock $1 //p" "$OUT" | sed -n "${2:-1}p")
    [[ $line ]] || return 99
    eval "td $1 $line"
}

mkdir -p "$T/mnt/array"
truncate -s 64M "$ARRAY"
mkfs.ext4 -q -F -b 4096 "$ARRAY"
mount_array
mkdir "$SRC"
claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
small_tree
odd=$'docs/it\'s $HOME `id`\n-\xff\t"x"'
echo "oddly named" >"$SRC/$odd"
echo "first" >"$SRC/-n"
mkdir "$SRC/links" "$SRC/many"
head -c 9000 /dev/urandom >"$SRC/links/one"; ln "$SRC/links/one" "$SRC/docs/two"; ln "$SRC/links/one" "$SRC/links/three"
truncate -s 3M "$SRC/sparse"; head -c 5000 /dev/urandom | dd of="$SRC/sparse" bs=4096 seek=300 conv=notrunc status=none
for i in 1 2 3 4 5; do echo "many $i" >"$SRC/many/m$i"; done
chmod 4711 "$SRC/docs/t1.txt"; chown 12:34 "$SRC/docs/t1.txt"; chmod 4711 "$SRC/docs/t1.txt"
setfattr -n user.note -v kept "$SRC/docs/t1.txt"; setfacl -m u:12:r "$SRC/docs/t1.txt"
touch -d '1999-12-31 23:59:59.123456789' "$SRC/docs/t1.txt"
new_pair
td_is 0 "first run" run
undock

# --- nothing to do ------------------------------------------------------------------------------------------------

dock "$A" "$B"
td_is 2 "nothing is held: heal" heal M docs/t1.txt
matches "nothing is held: heal says so" 'No file of M is held' "$(cat "$ERR")"
td_is 2 "nothing is held: accept" accept M .
td_is 64 "heal without a path" heal M
td_is 64 "heal of an unknown collection" heal X docs/t1.txt
undock

# --- heal ---------------------------------------------------------------------------------------------------------

good=$(hash_in docs/t1.txt) before=$(look "$SRC/docs/t1.txt")
flip_source docs/t1.txt 0
rotten=$(hash_in docs/t1.txt)
check "(a bit is flipped)" test "$good" != "$rotten"
dock "$A" "$B"
td_is 5 "rot: run" run
check "rot: the report names heal" grep -qx '    twindock heal M docs/t1.txt' "$OUT"
check "rot: and accept" grep -qx '    twindock accept M docs/t1.txt' "$OUT"
check "rot: so does the mail" grep -rqx '    twindock heal M docs/t1.txt' "$MAILS"
td info
check "rot: --info says what to do" grep -q 'twindock heal M docs/t1.txt' "$OUT"
td_is 2 "heal of a file that is not held" heal M docs/t2.txt
matches "heal of a file that is not held: says so" 'Nothing was done' "$(cat "$ERR")"
equal "heal of a file that is not held: nothing is touched" "$rotten" "$(hash_in docs/t1.txt)"
undock
td_is 2 "heal without a disk" heal M docs/t1.txt
matches "heal without a disk: says so" 'M is not docked' "$(cat "$ERR")"
umount "$T/mnt/array"; mount_array ,ro
dock "$A" "$B"
td_is 2 "heal in a source that is read-only" heal M docs/t1.txt
matches "heal in a source that is read-only: says so" 'mounted read-only' "$(cat "$ERR")"
umount "$T/mnt/array"; mount_array
undock
before_disks=$(sums "$A" "$B")
dock "$A" ''
td_is 0 "heal, with one disk docked" heal M docs/t1.txt
check "heal: says so" grep -q '1 file in the source is put right from member A' "$OUT"
check "heal: names it" grep -q 'M/docs/t1.txt: had rotted in the source and was put right' "$OUT"
undock
equal "heal: the source is good" "$good" "$(hash_in docs/t1.txt)"
equal "heal: owner, mode, attributes and times are as they were" "$before" "$(look "$SRC/docs/t1.txt")"
equal "heal: nothing is left in the source" '' "$(litter)"
equal "heal: writes to no disk" "$before_disks" "$(sums "$A" "$B")"
equal "heal: it is on record" 'heal|done|0|docs/t1.txt|repaired|source-rot' \
    "$(ledger "SELECT command, result, exit, CAST(path AS TEXT), kind, cause FROM run JOIN incident ON incident.run = run.id ORDER BY incident.id DESC LIMIT 1")"
equal "heal: nothing is held any more" 0 "$(held)"
content "heal"

# Names as reports write them, hard links, holes, a directory for all below it.
one=$(hash_in links/one) sparse=$(hash_in sparse) odd_good=$(hash_in "$odd") n_good=$(hash_in -n)
blocks=$(stat -c %b "$SRC/sparse")
undock
flip_source links/three 100 sparse 7 -n 0 many/m1 0 many/m2 1 many/m3 2
python3 - "$ARRAY" "oddly named" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    data = f.read(); at = data.index(sys.argv[2].encode() + b"\n")
    f.seek(at); f.write(b"O")
END
umount "$T/mnt/array"; released "$ARRAY"; mount_array
dock "$A" "$B"
td_is 5 "many: run" run
cp "$OUT" "$T/report"
equal "many: all are held" 9 "$(held)"
heals=$(grep -c '^    twindock heal' "$OUT")
equal "many: each has its command, one for a group" 7 "$heals"
line=$(grep -n '^    twindock heal.*HOME' "$OUT" | cut -d: -f1)
check "an odd name: its command is printed" test -n "$line"
pasted heal "$(sed -n "1,${line}p" "$T/report" | grep -c '^    twindock heal')"
equal "an odd name: its command as it was pasted" 0 $?
equal "an odd name: is good" "$odd_good" "$(hash_in "$odd")"
cp "$T/report" "$OUT"
pasted heal "$(sed -n '/^    twindock heal M .\/-n$/=;/^    twindock heal/!d' "$T/report" >/dev/null; grep '^    twindock heal' "$T/report" | grep -n 'M ./-n$' | cut -d: -f1)"
equal "a name like an option: its command as it was pasted" 0 $?
equal "a name like an option: is good" "$n_good" "$(hash_in -n)"
td_is 0 "hard links: heal by one of the names" heal M docs/two --json
equal "hard links: all names are told" 'docs/two - source-rot;links/one - source-rot;links/three - source-rot' "$(found repaired)"
equal "hard links: JSON says the command" heal "$(json command)"
equal "hard links: all names are good" "$one $one $one" "$(hash_in links/one) $(hash_in docs/two) $(hash_in links/three)"
equal "hard links: they are one file" 3 "$(stat -c %h "$SRC/links/one")"
td_is 0 "by its path in the source: heal" heal M "$SRC/sparse"
equal "holes: is good" "$sparse" "$(hash_in sparse)"
check "holes: are kept" test "$(stat -c %b "$SRC/sparse")" -le $((blocks + 16))
td_is 0 "a directory, named as in the report: heal" heal M M/many/
for i in 1 2 3; do equal "a directory: file $i is good" "many $i" "$(cat "$SRC/many/m$i")"; done
equal "many: nothing is held any more" 0 "$(held)"
equal "many: nothing is left in the source" '' "$(litter)"
content "many"

# A bad copy is never put into the source; the other one is.
undock
good=$(hash_in docs/t3.txt)
flip_source docs/t3.txt 1
dock "$A" "$B"
td_is 5 "rot on A, too: run" run
undock
flip "$A" M/docs/t3.txt 2
dock "$A" ''
rotten=$(hash_in docs/t3.txt)
td_is 5 "rot on A, too: heal from A alone" heal M docs/t3.txt --json
equal "rot on A, too: is found" 'docs/t3.txt A backup-rot' "$(found unreadable)"
equal "rot on A, too: the source is left alone" "$rotten" "$(hash_in docs/t3.txt)"
equal "rot on A, too: it is still held" 1 "$(held)"
dock "$A" "$B"
td_is 5 "rot on A, too: heal from B" heal M docs/t3.txt
equal "rot on A, too: the source is good" "$good" "$(hash_in docs/t3.txt)"
td_is 5 "rot on A, too: the next run repairs it" run --json
equal "rot on A, too: and says so" 'docs/t3.txt A backup-rot' "$(found repaired)"
content "rot on A, too"

# An edit since then is nobody's to undo; neither is a name that the ledger does not know.
undock
flip_source docs/t4.txt 0 docs/t5.txt 0
dock "$A" "$B"
td_is 5 "edited since: run" run
echo "edited by somebody" >"$SRC/docs/t4.txt"
ln "$SRC/docs/t5.txt" "$SRC/another"
td_is 3 "edited since: heal" heal M docs --json
equal "edited since: says why" 'docs/t4.txt - changing;docs/t5.txt - write-error' "$(found unreadable)"
equal "edited since: is left alone" "edited by somebody" "$(cat "$SRC/docs/t4.txt")"
rm "$SRC/another"
td_is 0 "edited since: the other one, alone again" heal M docs/t5.txt
content "edited since"

# Killed after any of its calls the source's file is old or new, and the next heal goes on.
if command -v gcc >/dev/null; then
    gcc -shared -fPIC -O1 -o "$T/kill.so" "$(dirname "${BASH_SOURCE[0]}")/kill-after.c" -ldl || flunk "compiling"
    undock
    good=$(hash_in photos/2014/p3.raw) one=$(hash_in links/one)
    flip_source photos/2014/p3.raw 500 links/one 5
    rotten=$(hash_in photos/2014/p3.raw) one_rotten=$(hash_in links/one)
    dock "$A" "$B"
    td_is 5 "killed: run" run
    for n in $(if [[ $KILLS = 0 ]]; then echo 3 8 11 14; else seq "$KILLS"; fi); do
        { KILL_AFTER=$n LD_PRELOAD=$T/kill.so ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
            "$TWINDOCK" heal -c "$CONF" M . >"$OUT" 2>"$ERR"; } 2>/dev/null
        status=$?
        [[ $status = 137 || $status = 0 || $status = 2 ]] || flunk "killed after call $n: ended with $status"
        matches "killed after call $n: the file is old or new" "^($good|$rotten)$" "$(hash_in photos/2014/p3.raw)"
        for name in links/one links/three docs/two; do
            matches "killed after call $n: $name is old or new" "^($one|$one_rotten)$" "$(hash_in "$name")"
        done
        check "killed after call $n: nothing is mounted" sh -c "! grep -F '$T' /proc/self/mounts | grep -v '$T/mnt/array'"
    done
    [[ $(held) = 0 ]] || td_is 0 "killed: heal goes on" heal M .
    equal "killed: nothing is left in the source" '' "$(litter)"
    equal "killed: all are good" "$good $one $one $one" "$(hash_in photos/2014/p3.raw) $(hash_in links/one) $(hash_in links/three) $(hash_in docs/two)"
    equal "killed: the group is one file" 3 "$(stat -c %h "$SRC/links/one")"
    content "killed"
fi

# --- accept -------------------------------------------------------------------------------------------------------

undock
old=$(hash_in docs/t6.txt) group=$(hash_in links/one)
flip_source docs/t6.txt 0 links/one 2
new=$(hash_in docs/t6.txt)
dock "$A" "$B"
td_is 5 "accept: a run before" run
undock
td_is 0 "accept: no disk is docked" accept M docs/t6.txt --json
equal "accept: names it" 'docs/t6.txt - accepted' "$(found noted)"
equal "accept: JSON says the command" accept "$(json command)"
td_is 0 "accept: a group by one of its names" accept M docs/two
equal "accept: nothing is held any more" 0 "$(held)"
equal "accept: the source is left alone" "$new" "$(hash_in docs/t6.txt)"
equal "accept: the disks still have the old one" "$old" "$(hash_on "$A" docs/t6.txt)"
td_is 2 "accept: twice" accept M docs/t6.txt
td info
matches "accept: --info flags the run before it still" '^M *!' "$(sed -n 2p "$OUT")"
dock "$A" "$B"
td_is 0 "accept: the plan" run --dry-run
check "accept: the plan says that it is copied" grep -qE '^AB +copy +edited +M/docs/t6.txt$' "$OUT"
td_is 0 "accept: the next run" run --json
equal "accept: the next run finds nothing" '///' "$(found held)/$(found repaired)/$(found unreadable)/$(found noted)"
undock
for image in "$A" "$B"; do
    equal "accept: the disks have it" "$new" "$(hash_on "$image" docs/t6.txt)"
    equal "accept: the old one is in the history" "$old" "$(mounted "$image" sh -c 'sha256sum "$MNT"/.twindock/history/*/docs/t6.txt' | cut -d' ' -f1 | tail -n 1)"
    equal "accept: so is the group's" "$group" "$(mounted "$image" sh -c 'sha256sum "$MNT"/.twindock/history/*/links/one' | cut -d' ' -f1 | tail -n 1)"
done
content "accept"

# What rots after it was accepted is held again, and not copied.
undock
old=$(hash_in docs/t7.txt)
flip_source docs/t7.txt 1
dock "$A" "$B"
td_is 5 "rot after accept: a run before" run
td_is 0 "rot after accept: accept" accept M docs/t7.txt
undock
flip_source docs/t7.txt 2
dock "$A" "$B"
td_is 5 "rot after accept: run" run --json
matches "rot after accept: is held" 'docs/t7.txt - ' "$(found held)"
undock
equal "rot after accept: A keeps what it has" "$old" "$(hash_on "$A" docs/t7.txt)"
td_is 0 "rot after accept: accepted once more" accept M docs/t7.txt
# A disk that was away when it was accepted and copied catches up.
configure 'single = allow' 'max_delete = 100%
max_change = 100%'
dock "$A" ''
td_is 0 "one disk alone after accept" run
dock "$A" "$B"
td_is 0 "the other one after it" run
content "accept, one disk after the other"

# No good copy is left anywhere: accept ends that, too.
undock
flip_source docs/t8.txt 1; flip "$A" M/docs/t8.txt 2; flip "$B" M/docs/t8.txt 3
dock "$A" "$B"
td_is 5 "no good copy: run" run
check "no good copy: accept is named" grep -qx '    twindock accept M docs/t8.txt' "$OUT"
check "no good copy: heal is not" sh -c "! grep -q 'heal M docs/t8.txt' '$OUT'"
td_is 5 "no good copy: heal finds none" heal M docs/t8.txt
td_is 0 "no good copy: accept" accept M docs/t8.txt
td_is 0 "no good copy: the next run" run
content "no good copy"
umount "$T/mnt/array"
finish
