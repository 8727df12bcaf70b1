#!/usr/bin/env bash
# Every verdict but ok refuses: exit 2, a sentence that says which disk in which slot and what to do, one mail, a line in
# the ledger, and not one bit of any disk changed. `check` says the same and changes nothing at all.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

C=$T/c.img D=$T/d.img # a second pair, P
X=$T/x.img Y=$T/y.img # whatever else is put into a slot

copy() { cp --sparse=always "$1" "$2"; }
runs() { ledger 'SELECT count(*) FROM run'; }
last_run() { ledger "SELECT command, verdict, result, exit FROM run ORDER BY id DESC LIMIT 1"; }
# field PATH...: of the JSON last said, as one line. (There are hundreds of them: sqlite3 starts faster than python.)
field() {
    local path query=''
    for path in "$@"; do query+="${query:+ || ' ' || }coalesce(json_extract(j, '\$.$path'), 'null')"; done
    sqlite3 :memory: "SELECT $query FROM (SELECT readfile('$OUT') AS j)"
}
said() { field "docks[0].$1"; } # of check

# judged VERDICT NAME REGEX: what check says of the dock as it is, and that it changes nothing.
judged() {
    local images=("$IN1" "$IN2") before runs mails code
    before=$(sums_of_docked) runs=$(runs) mails=$(mails)
    code=2; [[ $1 = ok ]] && code=0
    dock "${images[@]}"
    td_is "$code" "$2: check" check --json
    equal "$2: check's verdict" "$1" "$(said verdict)"
    matches "$2: check's sentence" "$3" "$(said advice)"
    td check # for people
    matches "$2: check in words" "$1" "$(cat "$OUT")"
    undock
    SUMS=$(sums_of_docked)
    equal "$2: check changes no disk" "$before" "$SUMS"
    equal "$2: check records nothing and mails nothing" "$runs $mails" "$(runs) $(mails)"
}
sums_of_docked() { # of the two images that are to be docked
    local image
    for image in "$IN1" "$IN2"; do [[ -n $image ]] && sums "$image"; done
}
# stopped VERDICT NAME REGEX [RUN-OPTION...]: a run of the dock as it was judged is refused.
stopped() {
    local verdict=$1 name=$2 regex=$3 before runs; shift 3
    before=$SUMS runs=$(runs)
    no_mails
    ledger 'DELETE FROM mail' # so that none of these counts as told by the one before: 50-mail.sh is about that
    dock "$IN1" "$IN2"
    td_is 2 "$name: run" run --json "$@"
    equal "$name: run's verdict" "$verdict refused 2" "$(field verdict result exit)"
    matches "$name: run's sentence" "$regex" "$(field reason)"
    equal "$name: nothing was done" '0 0 0' "$(field copied deleted proven)"
    undock
    equal "$name: no disk is changed" "$before" "$(sums_of_docked)"
    equal "$name: one run more" $((runs + 1)) "$(runs)"
    equal "$name: its record" "run|$verdict|refused|2" "$(last_run)"
    matches "$name: its reason" "$regex" "$(ledger 'SELECT reason FROM run ORDER BY id DESC LIMIT 1')"
    equal "$name: one mail" 1 "$(mails)"
    matches "$name: the mail's subject" $'\nSubject: .*refused' $'\n'"$(cat "$MAILS"/* 2>/dev/null)"
}
# refused VERDICT NAME REGEX SOURCE-IMAGE DESTINATION-IMAGE: both
refused() {
    IN1=$4 IN2=$5
    judged "$1" "$2" "$3"
    stopped "$1" "$2" "$3"
}
# passes NAME [RUN-OPTION...]
passes() { local name=$1; shift; dock "$IN1" "$IN2"; td_is 0 "$name" run "$@"; undock; }

# --- two pairs, each backed up once -------------------------------------------------------------------------------

claim_slots
configure '' "

[collection P]
source = $T/src2"
small_tree
mkdir "$T/src2"
seq 2000 >"$T/src2/numbers"
for image in "$C" "$D"; do new_disk "$image" 32M; done
dock "$C" "$D"
td_is 0 "format P" format P --yes
td_is 0 "first backup of P" run
new_pair 32M
td_is 0 "first backup of M" run
undock
UUID=$(ledger "SELECT uuid FROM pair WHERE collection = 'M'")
IN1=$A IN2=$B
judged ok "the right disks" 'Member A of M .*is in the source slot and member B .*in the destination slot'

# --- which disks are in which slots -------------------------------------------------------------------------------

refused swapped swapped 'Member B of M.* is in the source slot and member A.* in the destination slot\. Swap the two disks' "$B" "$A"
refused mixed-pairs "mixed pairs" 'member A of M.* source slot.*member B of P.* destination slot' "$A" "$D"
refused missing-member "A alone" 'Member A of M.* is alone, in the source slot\. Put member B.* into the destination slot' "$A" ''
refused missing-member "B alone" 'Member B of M.* is alone, in the destination slot\. Put member A.* into the source slot' '' "$B"
refused missing-member "A alone in the wrong slot" 'Member A of M.* is alone, in the destination slot\. Move it to the source slot' '' "$A"

before=$(sums "$A" "$B")
no_mails
for slot in "$SLOT1" "$SLOT2"; do
    dock "$A" "$B"
    blockdev --setro "$(readlink "$slot")"
    name="write-protected in slot ${slot: -1}"
    td_is 2 "$name: check" check --json
    equal "$name: the verdict" unclean "$(said verdict)"
    matches "$name: the sentence" 'Member [AB] of M in the (source|destination) slot is write-protected.*Take the protection off' "$(said advice)"
    td_is 2 "$name: run" run --json
    equal "$name: it is refused before anything is done" 'unclean refused 0 0' "$(field verdict result copied proven)"
    td_is 0 "$name: it can be read" check --full
    check "$name: the protection is still there" [ "$(blockdev --getro "$(readlink "$slot")")" = 1 ]
    undock
done
equal "write-protected: neither disk was written to" "$before" "$(sums "$A" "$B")"

new_disk "$X" 32M
refused foreign-disk "a blank disk" 'The disk in the destination slot belongs to no enrolled pair: .*32M.* put in member B of M' "$A" "$X"
mkfs.ext4 -q -L holiday "$X"
refused foreign-disk "somebody's ext4" 'The disk in the source slot belongs to no enrolled pair: .*ext4.*holiday.* put in member A of M' "$X" "$B"
new_disk "$Y" 32M
mkfs.ext4 -q -L other "$Y"
refused foreign-disk "two strangers" 'source slot.*holiday.*destination slot.*other' "$X" "$Y"
mkfs.ext4 -q -F -U "$UUID" "$X"
refused unknown-member "a filesystem with the pair's UUID and no card" 'The disk in the destination slot.* has the UUID of M but is neither of its members' "$A" "$X"
copy "$B" "$X"
debugfs -w -R 'rm /.twindock/card.json' "$X" 2>/dev/null >/dev/null
refused unknown-member "a clone whose card is gone" 'The disk in the destination slot.* has the UUID of M' "$A" "$X"
copy "$A" "$X"
refused duplicate-identity "A and a clone of it" 'Both disks say that they are member A of M.*put in member B' "$A" "$X"
truncate -s 64M "$X"
refused dock-merged "one disk of twice the size" 'The only disk in dock test .*wrong size: 64M instead of 32M' "$X" ''

cp "$CONF" "$CONF.plain"
sed -i 's/^mode = individual/mode = mirror/; /^destination = /d' "$CONF"
refused wrong-layout "a twin in a dock that mirrors" 'M is a pair of independent twins and dock test mirrors' "$A" ''
mv "$CONF.plain" "$CONF"

no_mails
runs=$(runs)
dock "$B" "$A"
td_is 2 "--dry-run of swapped disks is refused as well" run --dry-run
undock
equal "it records and mails nothing" "$runs 0" "$(runs) $(mails)"
td_is 2 "nothing docked: check" check --json
equal "nothing docked: check's verdict" empty "$(said verdict)"
td_is 2 "nothing docked: run" run --json
equal "nothing docked: run's verdict" 'empty refused' "$(field verdict result)"
matches "nothing docked: a sentence" 'docked' "$(field reason)"
td_is 0 "nothing docked: the nightly run" run --nightly
equal "nothing docked: no mail and no record" "$runs 0" "$(runs) $(mails)"

dock "$C" "$D"
runs=$(runs)
td_is 2 "another collection than the one asked for" run M --json
equal "another collection: the verdict" 'empty refused' "$(field verdict result)"
matches "another collection: the sentence" 'M is not docked' "$(field reason)"
td_is 2 "verify of another collection than the one docked" verify M --json
matches "verify of another collection: the sentence" 'M is not docked' "$(field reason)"
undock
equal "another collection: no mail and no record" "$runs 0" "$(runs) $(mails)"

# --- what the configuration allows --------------------------------------------------------------------------------

cp "$CONF" "$CONF.strict"
sed -i 's/^settle = 0s/&\nslots = any\nsingle = allow/' "$CONF"
IN1=$B IN2=$A
passes "slots = any: swapped disks are backed up"
echo "written while B was away" >"$SRC/alone"
IN1=$A IN2=''
passes "single = allow: A alone is backed up"
mv "$CONF.strict" "$CONF"
IN1=$A IN2=$B
passes "then both again"
check "B has caught up" same_tree "$B"

# --- the state of a member's filesystem ---------------------------------------------------------------------------

copy "$B" "$T/b.good"
debugfs -w -R 'ssv state 2' "$B" 2>/dev/null
refused unclean "recorded errors" 'The filesystem of member B of M.* in the destination slot is not sound: errors are recorded in it\. Repair it with .e2fsck -f ' "$A" "$B"
copy "$T/b.good" "$B"
copy "$A" "$T/a.good"
debugfs -w -R 'feature mmp' "$A" >/dev/null 2>&1
refused unclean "a feature that is refused" 'The filesystem of member A of M.* in the source slot has a feature that twindock refuses: .*mmp' "$A" "$B"
copy "$T/a.good" "$A"
copy "$T/b.good" "$B"

# A power cut: the image as it is on the medium while a mount's last changes are in the journal alone.
cut_power() { # cut_power IMAGE
    mkdir -p "$T/mnt/rw"
    mount_image "$1" "$T/mnt/rw" || return 1
    rm "$T/mnt/rw/M/docs/t1.txt" && echo intruder >"$T/mnt/rw/M/docs/intruder" &&
        sync "$T/mnt/rw/M/docs/intruder" "$T/mnt/rw/M/docs" && cp --sparse=always "$1" "$1.cut"
    umount "$T/mnt/rw"
    mv "$1.cut" "$1"
    dumpe2fs -h "$1" 2>/dev/null | grep -q needs_recovery
}
check "the power is cut while A is written" cut_power "$A"
check "the journal alone has it" sh -c "! debugfs -R 'stat /M/docs/intruder' '$A' 2>&1 | grep -q Inode:"
IN1=$A IN2=$B
judged ok "a journal left by a power cut" 'Member A of M'
dock "$A" "$B"
td_is 5 "a run after a power cut finds what is gone" run --json
equal "a run after a power cut says what" 'docs/t1.txt A' "$(json repaired 0 path) $(json repaired 0 member)"
undock
check "the journal was replayed" sh -c "! dumpe2fs -h '$A' 2>/dev/null | grep -q needs_recovery"
check "the filesystem is sound" e2fsck -fn "$A"
check "what the journal brought back was made right on A" same_tree "$A"
check "and B is right" same_tree "$B"
copy "$A" "$T/a.good"

# What e2fsck -p cannot put in order: two files that share their blocks, found because a full check is due. Only the run
# finds it, when everything else is ok. All that e2fsck did until then is undone, on both disks.
make_inconsistent() { # make_inconsistent IMAGE
    mkdir -p "$T/mnt/rw"
    mount_image "$1" "$T/mnt/rw" && echo one >"$T/mnt/rw/one" && echo two >"$T/mnt/rw/two"
    umount "$T/mnt/rw"
    debugfs -w -R 'copy_inode /one /two' "$1" && tune2fs -c 1 -C 9 "$1" && debugfs -w -R 'feature needs_recovery' "$1"
}
copy "$B" "$T/b.good"
check "A is made inconsistent" make_inconsistent "$A"
IN1=$A IN2=$B
for name in "more than e2fsck -p mends" "the same again"; do
    judged ok "$name" 'Member A of M'
    stopped unclean "$name" 'The filesystem of member A of M.* in the source slot is not sound: e2fsck -p .*Repair it with'
done
copy "$T/a.good" "$A"
check "B is made inconsistent" make_inconsistent "$B"
check "and A has a journal, and is sound" cut_power "$A"
judged ok "the other disk has a journal too" 'Member A of M'
stopped unclean "the other disk has a journal too" \
    '^The filesystem of member B of M.* in the destination slot is not sound: e2fsck -p .*Repair it with'
equal "what e2fsck kept to undo its work is gone" '' "$(find "$T/ledger" -name '*undo*')"
copy "$T/a.good" "$A"
copy "$T/b.good" "$B"

# A disk with a journal is exchanged while the run plans: e2fsck would be the first to write to the newcomer.
copy "$T/a.good" "$A"; copy "$T/b.good" "$B"
rm -rf "$T/ledger.good" && cp -a "$T/ledger" "$T/ledger.good"
new_disk "$T/foreign.img" "$(stat -c %s "$B")"
mkfs.ext4 -q -L holiday "$T/foreign.img"
mkdir -p "$T/mnt/rw"
mount_image "$T/foreign.img" "$T/mnt/rw"; mkdir -p "$T/mnt/rw/M/docs"; echo 1 >"$T/mnt/rw/M/docs/t1.txt"; umount "$T/mnt/rw"
released "$T/foreign.img"
check "a foreign disk has a journal" cut_power "$T/foreign.img"
foreign=$(sums "$T/foreign.img")
gcc -shared -fPIC -O1 -o "$T/exchange.so" "$HERE/../integration/exchange.c" -ldl || flunk "compiling"
for also in '' 'A, too, '; do
    copy "$T/a.good" "$A"; copy "$T/b.good" "$B"
    rm -rf "$T/ledger" && cp -a "$T/ledger.good" "$T/ledger"
    check "B has a journal" cut_power "$B"
    [[ -z $also ]] || check "${also}has one" cut_power "$A"
    echo "new ${also}file" >"$SRC/new"
    dock "$A" "$B"
    EXCHANGE="touch '$T/exchanged'; dd if='$T/foreign.img' of='$B' bs=1M conv=notrunc,nocreat status=none &&
        blockdev --flushbufs '$(readlink "$SLOT2")'" LD_PRELOAD="$T/exchange.so" \
        ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" "$TWINDOCK" run -c "$CONF" >"$OUT" 2>"$ERR"
    equal "${also}exchanged meanwhile: B is lost" 4 $?
    matches "${also}exchanged meanwhile: it says so" 'Member B.*another disk than the one that was judged; nothing was written to it.*Member A is complete' \
        "$(tr -s ' \n' ' ' <"$OUT")"
    undock
    check "${also}it was exchanged" rm "$T/exchanged"
    equal "${also}exchanged meanwhile: not a byte of the newcomer is changed" "$foreign" "$(sums "$B")"
    check "${also}exchanged meanwhile: A is finished" same_tree "$A"
done
rm "$SRC/new"
copy "$T/a.good" "$A"; copy "$T/b.good" "$B"
rm -rf "$T/ledger" && mv "$T/ledger.good" "$T/ledger"

# --- the source ---------------------------------------------------------------------------------------------------

mv "$SRC" "$T/away"
refused source-missing "the source is absent" 'The source of M, .*/src, ' "$A" "$B"
mkdir "$SRC"
refused source-missing "the source is empty" 'The source of M, .*/src, is empty' "$A" "$B"
mkdir "$SRC/lost+found"
refused source-missing "the source holds lost+found alone" 'The source of M, .*/src, is empty' "$A" "$B"
rmdir "$SRC/lost+found" "$SRC"
echo "a file" >"$SRC"
refused source-missing "the source is a file" 'The source of M, .*/src, ' "$A" "$B"
rm "$SRC"
mv "$T/away" "$SRC"
cp "$CONF" "$CONF.plain"
sed -i "s|^source = $SRC\$|&\nsource_mount = $SRC|" "$CONF"
refused source-missing "the source is not mounted" 'The source of M, .*, is not mounted: .*/src is not a mount point' "$A" "$B"
mkdir "$T/under"
mv "$SRC" "$T/under/src" && mkdir "$SRC" && mount --bind "$T/under/src" "$SRC"
IN1=$A IN2=$B
passes "the source is mounted"
umount "$SRC"
refused source-missing "the mount is gone" 'is not mounted' "$A" "$B"
rmdir "$SRC" && mv "$T/under/src" "$SRC"
cp "$CONF.plain" "$CONF"
sed -i "s|^source = $SRC\$|&\nsource_uuid = 01234567-89ab-cdef-0123-456789abcdef|" "$CONF"
refused source-missing "the source is on another filesystem" 'The source of M, .*01234567-89ab-cdef-0123-456789abcdef' "$A" "$B"
mv "$CONF.plain" "$CONF"

# --- the brake ----------------------------------------------------------------------------------------------------

braked() { # braked NAME REGEX
    IN1=$A IN2=$B
    judged ok "$1: check stops short of it" 'Member A'
    before=$(sums "$A" "$B") runs=$(runs)
    dock "$A" "$B"
    td_is 2 "$1: run --dry-run shows it" run --dry-run --json
    equal "$1: its verdict" brake "$(field verdict)"
    undock
    equal "$1: --dry-run changes and records nothing" "$before $runs" "$(sums "$A" "$B") $(runs)"
    stopped brake "$1" "$2"
    matches "$1: the sentence says what to do" 'accept-changes' "$(ledger 'SELECT reason FROM run ORDER BY id DESC LIMIT 1')"
}
rm "$SRC"/docs/t1*.txt # 11 of 52 files
braked "a fifth is gone" 'The run would delete 11 of 5[0-9] files'
passes "a fifth is gone: --accept-changes" --accept-changes
check "A has followed" same_tree "$A"
passes "and the next run needs no leave"
for f in "$SRC"/docs/t2*.txt "$SRC"/docs/t3*.txt; do echo changed >>"$f"; done # 22 of 41
braked "half is changed" 'The run would change 22 of 4[0-9] files'
passes "half is changed: --accept-changes" --accept-changes
check "B has followed" same_tree "$B"
: >"$SRC/docs/t4.txt"
braked "a file in forty turned empty" 'The run would turn 1 of 4[0-9] files empty'
passes "a file in forty turned empty: --accept-changes" --accept-changes
rm -rf "${SRC:?}"/* && echo new >"$SRC/new"
braked "all is gone" 'The run would delete 4[0-9] of 4[0-9] files'

# --- a ledger older than the disks --------------------------------------------------------------------------------

rm -rf "$SRC" && mkdir "$SRC" && small_tree
passes "a new beginning" --accept-changes
cp -a "$T/ledger" "$T/ledger.old"
echo more >"$SRC/more"
passes "a run that the old ledger has not seen"
rm -rf "$T/ledger" && mv "$T/ledger.old" "$T/ledger"
refused ahead-of-ledger "an old ledger" 'Both disks of M were written by a run that this ledger does not know.*--accept-ahead' "$A" "$B"
passes "an old ledger: --accept-ahead" --accept-ahead
check "A is right" same_tree "$A"
passes "and the next run needs no leave"

# --- a pair that the configuration knows no more ------------------------------------------------------------------

sed -i '/^\[collection P\]/,$d' "$CONF"
before=$(sums "$C" "$D")
dock "$C" "$D"
td_is 78 "a pair without its section: check" check
matches "a pair without its section: check's sentence" 'P is enrolled but has no section \[collection P\]' "$(tr -s ' \n' ' ' <"$OUT"; cat "$ERR")"
td_is 78 "a pair without its section: run" run
matches "a pair without its section: run's sentence" 'P is enrolled but has no section \[collection P\]' "$(tr -s ' \n' ' ' <"$OUT"; cat "$ERR")"
td_is 78 "a pair without its section: verify" verify
matches "a pair without its section: verify's sentence" 'P is enrolled but has no section \[collection P\]' "$(cat "$ERR")"
undock
equal "a pair without its section: no disk is changed" "$before" "$(sums "$C" "$D")"
finish
