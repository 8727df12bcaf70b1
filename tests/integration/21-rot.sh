#!/usr/bin/env bash
# Bytes that change by themselves, on either disk and in the source, and changes made by hand: found, named, judged.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

export MNT=$T/mnt/m
ARRAY=$T/array.img # the source lies on a filesystem of its own, so that bits can be flipped below it
SRC=$T/mnt/array/src

mount_array() { mount_image "$ARRAY" "$T/mnt/array"; }
flip_source() { # flip_source PATH [BYTE]: no time, no size changes
    local before was
    before=$(stat -c '%s %y %z' "$SRC/$1")
    was=$(hash_in "$1")
    umount "$T/mnt/array"
    released "$ARRAY"
    flip "$ARRAY" "src/$1" "${2:-0}" || flunk "(finding the blocks of $1 in the source)"
    mount_array
    [[ $(hash_in "$1") != "$was" ]] || flunk "(a bit is flipped in the source's $1)"
    equal "(the flip in the source's $1 shows in no time)" "$before" "$(stat -c '%s %y %z' "$SRC/$1")"
}
hash_on() { mounted "$1" sha256sum "$MNT/M/$2" | cut -d' ' -f1; } # hash_on IMAGE PATH
hash_in() { sha256sum "$SRC/$1" | cut -d' ' -f1; }
flipped() { python3 -c 'import hashlib,sys; d=bytearray(open(sys.argv[1],"rb").read()); d[int(sys.argv[2])]^=1; print(hashlib.sha256(d).hexdigest())' "$@"; }
quarantined() { mounted "$1" sh -c 'sha256sum "$MNT"/.twindock/quarantine/*/"$1"' sh "$2" 2>/dev/null | cut -d' ' -f1 | tail -n 1; }
nothing_found() { equal "$1: nothing is found" '///' "$(found held)/$(found repaired)/$(found unreadable)/$(found noted)"; }
redock() { dock "$A" "$B"; }
settles() { # settles NAME: the next run is quiet, and both members equal the source
    redock
    td_is 0 "$1: the next run is content" run --json
    nothing_found "$1: the next run"
    undock
    check "$1: A equals the source" same_tree "$A"
    check "$1: B equals the source" same_tree "$B"
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
ln "$SRC/photos/2014/p4.raw" "$SRC/docs/p4-too.raw"
new_pair
td_is 0 "first run" run

# --- no false alarm -----------------------------------------------------------------------------------------------

no_mails
for i in 1 2 3; do
    td_is 0 "untouched, run $i" run --json
    nothing_found "untouched, run $i"
    equal "untouched, run $i: every copy is proven" "$((2 * $(json files)))" "$(json proven)"
done
equal "untouched: no mail" 0 "$(mails)"
undock

# --- rot on the disks ---------------------------------------------------------------------------------------------

flip "$A" M/docs/t1.txt
flip "$B" M/big.bin 1000
flip "$B" M/photos/2014/p4.raw 77
redock
td_is 5 "rot on both disks, in different files: run" run --json
equal "rot on both disks: what was repaired is named" \
    'big.bin B backup-rot;docs/p4-too.raw B backup-rot;docs/t1.txt A backup-rot' "$(found repaired)"
equal "rot on both disks: nothing is held" '' "$(found held)"
equal "rot on both disks: result" done "$(json result)"
equal "rot on both disks: one mail" 1 "$(mails)"
check "rot on both disks: the mail names file and member" grep -rq 'M/big.bin.*member B' "$MAILS"
check "rot on both disks: the mail's subject" grep -rqi '^Subject: .*M.*rot' "$MAILS"
td info
matches "rot on both disks: --info flags it" '^M *!' "$(sed -n 2p "$OUT")"
undock
equal "rot on both disks: the bad bytes are in A's quarantine" "$(flipped "$SRC/docs/t1.txt" 0)" "$(quarantined "$A" docs/t1.txt)"
equal "rot on both disks: and in B's" "$(flipped "$SRC/big.bin" 1000)" "$(quarantined "$B" big.bin)"
check "rot on both disks: the manifest holds on A" manifest_holds "$A"
check "rot on both disks: the manifest holds on B" manifest_holds "$B"
settles "rot on both disks"

flip "$A" M/docs/t2.txt
flip "$B" M/docs/t2.txt 3
echo "one more" >"$SRC/docs/one-more.txt"
redock
td_is 5 "the same file on both disks: run" run --json
equal "the same file on both disks: repaired on both" 'docs/t2.txt A backup-rot;docs/t2.txt B backup-rot' "$(found repaired)"
equal "the same file on both disks: only the new one is called copied" 1 "$(json copied)"
settles "the same file on both disks"

# --- rot in the source --------------------------------------------------------------------------------------------

good=$(hash_in photos/2014/p3.raw)
flip_source photos/2014/p3.raw 500
rotten=$(hash_in photos/2014/p3.raw)
redock
for i in 1 2 3; do
    no_mails
    td_is 5 "source rot, run $i" run --json
    equal "source rot, run $i: held" 'photos/2014/p3.raw - source-rot' "$(found held)"
    equal "source rot, run $i: nothing is repaired" '' "$(found repaired)"
    equal "source rot, run $i: one mail, the first time" "$((i == 1))" "$(mails)"
done
undock
equal "source rot: A keeps the good copy" "$good" "$(hash_on "$A" photos/2014/p3.raw)"
equal "source rot: B keeps the good copy" "$good" "$(hash_on "$B" photos/2014/p3.raw)"
check "source rot: the manifest holds on A" manifest_holds "$A"
equal "source rot: the source is left alone" "$rotten" "$(hash_in photos/2014/p3.raw)"
equal "source rot: the ledger keeps the good hash" "$good" \
    "$(ledger "SELECT sha256 FROM files WHERE path = 'photos/2014/p3.raw'")"

# What moves its ctime does not turn rot into an edit.
redock
chmod 600 "$SRC/photos/2014/p3.raw"
td_is 5 "source rot, then chmod" run --json
equal "source rot, then chmod: still held" 'photos/2014/p3.raw - source-rot' "$(found held)"
mv "$SRC/photos/2014/p3.raw" "$SRC/photos/moved.raw"
td_is 5 "source rot, then renamed" run --json
equal "source rot, then renamed: still held" 'photos/moved.raw - source-rot' "$(found held)"
undock
equal "source rot, then renamed: A has the good copy by the new name" "$good" "$(hash_on "$A" photos/moved.raw)"
equal "source rot, then renamed: B, too" "$good" "$(hash_on "$B" photos/moved.raw)"

# One member's copy goes bad, too: the other one mends it.
flip "$B" M/photos/moved.raw 9
redock
td_is 5 "source rot and rot on B" run --json
equal "source rot and rot on B: held" 'photos/moved.raw - source-rot' "$(found held)"
equal "source rot and rot on B: repaired on B" 'photos/moved.raw B backup-rot' "$(found repaired)"
undock
equal "source rot and rot on B: B has the good copy again" "$good" "$(hash_on "$B" photos/moved.raw)"
equal "source rot and rot on B: A has it still" "$good" "$(hash_on "$A" photos/moved.raw)"

# A good copy put back ends it, with its old time as with a new one.
mounted "$A" cp -p "$MNT/M/photos/moved.raw" "$T/rescued"
cp -p "$T/rescued" "$SRC/photos/moved.raw"
settles "source rot, good copy put back"
flip_source docs/t3.txt
redock
td_is 5 "source rot in a second file" run
echo "written anew" >"$SRC/docs/t3.txt"
settles "source rot, then written anew"

# Both at once, in a file that was never held before.
good=$(hash_in docs/t4.txt)
flip_source docs/t4.txt
flip "$A" M/docs/t4.txt 2
redock
td_is 5 "rot in the source and on A at once" run --json
equal "rot in the source and on A at once: held" 'docs/t4.txt - source-rot' "$(found held)"
equal "rot in the source and on A at once: repaired from B" 'docs/t4.txt A backup-rot' "$(found repaired)"
undock
equal "rot in the source and on A at once: A is good" "$good" "$(hash_on "$A" docs/t4.txt)"
equal "rot in the source and on A at once: B is good" "$good" "$(hash_on "$B" docs/t4.txt)"
mounted "$A" cp -p "$MNT/M/docs/t4.txt" "$SRC/docs/t4.txt"
settles "rot in the source and on A at once"

# A member's copy is missing or older, and the source has rotted meanwhile: rot must not travel to it, nor to the other.
for how in missing altered; do
    good=$(hash_in docs/t5.txt)
    flip_source docs/t5.txt
    if [[ $how = missing ]]; then
        on_disk "$B" rm "$MNT/M/docs/t5.txt"
    else
        on_disk "$B" sh -c 'echo by hand >"$MNT/M/docs/t5.txt"'
    fi
    redock
    td_is 5 "source rot, B's copy $how: run" run --json
    equal "source rot, B's copy $how: held" 'docs/t5.txt - source-rot' "$(found held)"
    undock
    equal "source rot, B's copy $how: A keeps the good copy" "$good" "$(hash_on "$A" docs/t5.txt)"
    redock
    td_is 5 "source rot, B's copy $how: the run after it" run --json
    undock
    equal "source rot, B's copy $how: A keeps it then, too" "$good" "$(hash_on "$A" docs/t5.txt)"
    equal "source rot, B's copy $how: B has the good copy" "$good" "$(hash_on "$B" docs/t5.txt)"
    mounted "$A" cp -p "$MNT/M/docs/t5.txt" "$SRC/docs/t5.txt"
    settles "source rot, B's copy $how"
done

# Nothing good is left anywhere: nothing is touched, and it is said.
flip_source docs/t6.txt 1
flip "$A" M/docs/t6.txt 2
flip "$B" M/docs/t6.txt 3
before="$(hash_on "$A" docs/t6.txt) $(hash_on "$B" docs/t6.txt)"
redock
td_is 5 "all three copies bad: run" run --json
matches "all three copies bad: no good copy" 'docs/t6.txt . no-good-copy' "$(found held)"
undock
equal "all three copies bad: nothing is touched" "$before" "$(hash_on "$A" docs/t6.txt) $(hash_on "$B" docs/t6.txt)"
echo "from the tape in the cellar" >"$SRC/docs/t6.txt"
settles "all three copies bad, then written anew"

# New since the last run, and rotten before its second: the first run's word counts.
head -c 100000 /dev/urandom >"$SRC/docs/new.bin"
redock
td_is 0 "a new file" run
undock
good=$(hash_in docs/new.bin)
flip_source docs/new.bin 4000
redock
td_is 5 "a new file, rotten soon" run --json
equal "a new file, rotten soon: held" 'docs/new.bin - source-rot' "$(found held)"
undock
equal "a new file, rotten soon: the copy is good" "$good" "$(hash_on "$A" docs/new.bin)"
rm "$SRC/docs/new.bin"
settles "a rotten file deleted"

# Its directory is renamed before anybody has noticed.
mkdir "$SRC/box"
head -c 50000 /dev/urandom >"$SRC/box/inside"
redock
td_is 0 "rot in a directory: the file" run
undock
good=$(hash_in box/inside)
flip_source box/inside
mv "$SRC/box" "$SRC/carton"
redock
td_is 5 "rot in a renamed directory: run" run --json
equal "rot in a renamed directory: held" 'carton/inside - source-rot' "$(found held)"
undock
equal "rot in a renamed directory: A has the good copy" "$good" "$(hash_on "$A" carton/inside)"
equal "rot in a renamed directory: B, too" "$good" "$(hash_on "$B" carton/inside)"
rm -r "$SRC/carton"
settles "rot in a renamed directory, then deleted"

# --- edits that keep the time -------------------------------------------------------------------------------------

old=$(cat "$SRC/docs/t7.txt") when=$(stat -c %y "$SRC/docs/t7.txt")
echo "TEXT number 7" >"$SRC/docs/t7.txt"
touch -d "$when" "$SRC/docs/t7.txt"
redock
td_is 0 "edited with its time kept: run" run --json
equal "edited with its time kept: noted" 'docs/t7.txt - edited-mtime-kept' "$(found noted)"
undock
for image in "$A" "$B"; do
    equal "edited with its time kept: the old version is in the history" "$old" \
        "$(mounted "$image" sh -c 'cat "$(ls -d "$MNT"/.twindock/history/*/docs/t7.txt | tail -n 1)"')"
done
settles "edited with its time kept"

# --- changes made on a disk by hand -------------------------------------------------------------------------------

on_disk "$A" sh -c 'echo by hand >"$MNT/M/docs/t8.txt"'
on_disk "$B" touch "$MNT/M/docs/t9.txt"
redock
td_is 0 "altered by hand: run" run --json
equal "altered by hand: reported" 'docs/t8.txt A altered;docs/t9.txt B altered' "$(found repaired)"
settles "altered by hand"
on_disk "$B" rm "$MNT/M/docs/t10.txt" "$MNT/M/docs/p4-too.raw"
on_disk "$B" rm -r "$MNT/M/photos/2014"
on_disk "$A" sh -c 'echo intruder >"$MNT/M/docs/intruder"'
redock
td_is 5 "deleted by hand: run" run --json
equal "deleted by hand: reported" "$(cd "$SRC" && printf '%s B read-error;' docs/p4-too.raw docs/t10.txt photos/2014/*)" "$(found repaired);"
settles "deleted by hand"
on_disk "$B" sh -c 'f=$MNT/M/docs/t11.txt; w=$(stat -c %y "$f"); echo "text NUMBER 11" >"$f"; touch -d "$w" "$f"'
redock
td_is 5 "altered by hand with its time kept: is rot" run --json
equal "altered by hand with its time kept: repaired" 'docs/t11.txt B backup-rot' "$(found repaired)"
settles "altered by hand with its time kept"

# --- verify -------------------------------------------------------------------------------------------------------

flip "$B" M/docs/t12.txt
umount "$T/mnt/array"
before=$(sums "$A" "$B")
redock
td_is 5 "verify: finds a flipped bit, without a source" verify --json
equal "verify: names it" 'docs/t12.txt B backup-rot' "$(found unreadable)$(found held)$(found repaired)"
equal "verify: as repaired it counts not" '' "$(found repaired)"
equal "verify: A is fine" ok "$(json members A state)"
equal "verify: B is not" unproven "$(json members B state)"
undock
equal "verify: writes to no disk" "$before" "$(sums "$A" "$B")"
redock
td_is 5 "verify: once more" verify
check "verify: says file and member" grep -q 'M/docs/t12.txt.*member B' "$OUT"
td_is 5 "verify: of the collection by name" verify M
mount_array
td_is 5 "verify: the next run finds it again" run --json
equal "verify: and repairs it" 'docs/t12.txt B backup-rot' "$(found repaired)"
td_is 0 "verify: is content then" verify --json
equal "verify: everything is proven" "$((2 * $(json files)))" "$(json proven)"
settles "verify"

# --- a member that lacks the collection altogether -----------------------------------------------------------------

FILES=$(find "$SRC" -type f | wc -l)
on_disk "$A" mv "$MNT/M" "$MNT/gone"
before=$(sums "$A" "$B")
redock
no_mails
td_is 5 "no tree on A: verify" verify --json
equal "no tree on A: the states" 'done unproven ok' "$(json result) $(json members A state) $(json members B state)"
equal "no tree on A: every file is named" "$FILES" "$(json unreadable | grep -o '"member": "A"' | wc -l)"
equal "no tree on A: the sentence" "$FILES files are missing on member A. \`twindock verify\` repairs nothing; \`twindock run\` does." "$(json reason)"
equal "no tree on A: a mail" 1 "$(mails)"
td info --json
equal "no tree on A: --info" '!' "$(json collections 0 flag)"
td_is 5 "no tree on A: check --full" check --full
undock
equal "no tree on A: nothing is written" "$before" "$(sums "$A" "$B")"
on_disk "$B" mv "$MNT/M" "$MNT/gone"
redock
td_is 5 "no tree on either: verify" verify --json
equal "no tree on either: the states" 'unproven unproven 0' "$(json members A state) $(json members B state) $(json proven)"
td_is 5 "no tree on either: a run puts it right" run --json
equal "no tree on either: and says so" 'All of M was missing on the disks and was copied again. Nothing needs to be done now; a disk that loses files again is not to be relied on.' "$(json reason)"
td_is 0 "no tree on either: verify after that" verify
undock
on_disk "$A" rm -r "$MNT/gone"
on_disk "$B" rm -r "$MNT/gone"
redock
settles "no tree"
finish
