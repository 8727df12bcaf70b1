#!/usr/bin/env bash
# The end of a run for the disks, as far as disks without motors can show it; and the beginning without a source.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

set_key() { sed -i "s|^$1 = .*|$1 = $2|" "$CONF"; }
said() { td info; sed -n '/^$/,$p' "$OUT" | grep -v '^$'; } # what --info says below the table
start() { "$TWINDOCK" run -c "$CONF" "$@" >"$T/out.bg" 2>"$T/err.bg" & RUN=$!; }
waits() { local i; for i in $(seq 100); do [[ $(said) = 'M  running: waiting for the source' ]] && return 0; sleep 0.1; done; return 1; }

claim_slots
SRC=$T/mnt/array/src
configure '' "source_mount = $T/mnt/array"
mkdir -p "$T/mnt/array"
truncate -s 16M "$T/array.img"
mkfs.ext4 -q -F "$T/array.img"
arrive() { mount_image "$T/array.img" "$T/mnt/array"; }
leave() { umount "$T/mnt/array"; released "$T/array.img"; }
arrive
mkdir "$SRC"
echo "a song" >"$SRC/song"
new_pair 64M

# --- standby, power-off, no ---------------------------------------------------------------------------------------

for eject in standby power-off no; do
    set_key eject "$eject"
    td_is 0 "eject = $eject: run" run --json
    equal "eject = $eject: the report" 'Both disks are safe to remove.' "$(json safe)"
    equal "eject = $eject: --info" 'M  Both disks are safe to remove.' "$(said)"
    check "eject = $eject: nothing holds the disks" python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL)' "$SLOT1"
done
td info --json
equal "--info as JSON" 'Both disks are safe to remove.' "$(json collections 0 safe)"
mkdir -p "$T/mnt/m"
mount -o ro "$(readlink -f "$SLOT2")" "$T/mnt/m"
equal "somebody mounts one of them: nothing is said" '' "$(said)"
umount "$T/mnt/m"
take "$SLOT1"
equal "one is taken away" 'M  The disk that is still in the dock is safe to remove.' "$(said)"
take "$SLOT2"
equal "both are taken away: nothing is said" '' "$(said)"
dock "$A" "$B"
equal "put in again: no run has said anything of these" '' "$(said)"
td_is 0 "verify" verify
equal "after verify" 'M  Both disks are safe to remove.' "$(said)"
dock "$B" "$A"
td_is 2 "refused" run
matches "refused: nothing is said of taking them out" '^M +refused .*Swap the two disks[^.]*\.?$' "$(said)"

# --- another partition of a member's disk is in use -----------------------------------------------------------------

undock
# partitioned SLOT IMAGE: dock the first of its two partitions; the nodes of both are in /dev meanwhile. The second: $T/beside
partitioned() {
    local device name part node
    printf 'label: gpt\n,40M\n,40M\n' | sfdisk -q "$2" || return 1
    device=$(losetup -f --show "$2") || return 1
    partx -u "$device"
    name=${device#/dev/}
    for part in 1 2; do
        node=${device}p$part
        [[ -b $node ]] || { mknod "$node" b $(tr : ' ' <"/sys/block/$name/${name}p$part/dev") && echo "$node" >>"$T/nodes"; }
    done
    ln -sfn "${device}p1" "$1"; ln -sfn "${device}p2" "$T/beside"
    echo "$device"
}
away() { # take out what is partitioned
    rm -f "$SLOT1" "$SLOT2" "$T/beside"
    local device
    for device in "$@"; do forget_partitions "$device"; losetup -d "$device"; done
    [[ ! -e $T/nodes ]] || xargs rm -f <"$T/nodes"
    rm -f "$T/nodes"
}
cp -a "$T/ledger" "$T/ledger.whole"; cp --sparse=always "$A" "$T/a.whole"; cp --sparse=always "$B" "$T/b.whole"
td retire M --yes
new_disk "$A" 96M; new_disk "$B" 96M
two=$(partitioned "$SLOT2" "$B"); one=$(partitioned "$SLOT1" "$A")
td_is 0 "a pair on partitions" format M --yes
mkfs.ext4 -q -F "$T/beside"
mkdir -p "$T/mnt/beside"
WARNING='Another partition of the disk in the source slot is in use, mounted perhaps; unmount it before you take that disk out.'
GLANCE='M  Another partition of a disk in the dock is mounted; unmount it before you take that disk out.'
for eject in power-off standby no; do
    set_key eject "$eject"
    mount "$T/beside" "$T/mnt/beside"
    td_is 0 "eject = $eject, a partition beside A is mounted: run" run --json
    equal "eject = $eject: only B may be taken out" "Member B is safe to remove. $WARNING" "$(json safe)"
    equal "eject = $eject: so says --info" "$GLANCE" "$(said | tr '\n' ' ' | tr -s ' ' | sed 's/^M /M  /; s/ $//')"
    umount "$T/mnt/beside"
    equal "eject = $eject: it is unmounted" 'M  Member B is safe to remove.' "$(said)"
done
td_is 0 "verify" verify --json
equal "after verify" 'Both disks are safe to remove.' "$(json safe)"
mount "$T/beside" "$T/mnt/beside"
td_is 0 "verify while it is mounted" verify --json
equal "which says so" "The disk in the destination slot is safe to remove. $WARNING" "$(json safe)"
umount "$T/mnt/beside"
away "$one" "$two"
rm -rf "$T/ledger"; mv "$T/ledger.whole" "$T/ledger"; mv "$T/a.whole" "$A"; mv "$T/b.whole" "$B"
dock "$A" "$B"

# --- a source that comes later ------------------------------------------------------------------------------------

dock "$A" "$B"
leave
began=$SECONDS
td_is 2 "no source, by hand: refused" run
check "no source, by hand: at once" test $((SECONDS - began)) -lt 5
start --device "$(readlink "$SLOT1")"
check "no source, an inserted disk: waits, says --info" waits
check "no source: it says so" grep -q "^Waiting up to 5 min.* for the source of M, $SRC" "$T/err.bg"
arrive
wait "$RUN"
equal "the source comes: the run goes on" "0 done" "$? $(ledger 'SELECT result FROM run ORDER BY id DESC LIMIT 1')"
leave
start --nightly
check "no source, nightly: waits" waits
kill -TERM "$RUN"
wait "$RUN"
equal "told to end while it waits" '143 interrupted' "$? $(ledger 'SELECT result FROM run ORDER BY id DESC LIMIT 1')"
sed -i '/^\[collection/a source_wait = 2s' "$CONF"
no_mails
td_is 2 "source_wait = 2s: refused then" run
equal "source_wait = 2s: verdict" source-missing "$(ledger 'SELECT verdict FROM run ORDER BY id DESC LIMIT 1')"
undock
rm "$T/array.img"
finish
