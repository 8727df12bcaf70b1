#!/usr/bin/env bash
# Every kind of disk in each of the two slots, on real ext4 and loop devices: check --json gives exactly the verdict that
# the rules below demand, in strict docks and in lax ones, and at the end no byte of any image has changed.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

D=$T/d.img # A of another pair
claim_slots
configure '' "

[collection P]
source = $T/src2"
mkdir -p "$SRC" "$T/src2"
echo "a file" >"$SRC/file"
seq 2000 >"$T/src2/numbers"
for image in "$D" "$T/e.img"; do new_disk "$image" 16M; done
dock "$D" "$T/e.img"
td_is 0 "format P" format P --yes
new_pair 16M
td_is 0 "first backup of M" run
undock
UUID=$(ledger "SELECT uuid FROM pair WHERE collection = 'M'")

# --- the disks -----------------------------------------------------------------------------------------------------

# Loop devices say nothing of themselves, so all of these are disks without an identity of their own, known by their card.
declare -A IMAGE=([A]=$A [B]=$B [other]=$D)
disk() { IMAGE[$1]=$T/$1.img; [[ ${2:-} ]] && cp --sparse=always "$2" "${IMAGE[$1]}" || new_disk "${IMAGE[$1]}" 16M; }
disk blank
disk foreign; mkfs.ext4 -q -L holiday "${IMAGE[foreign]}"
disk vfat; mkswap -q "${IMAGE[vfat]}" 2>/dev/null
disk table; printf 'label: gpt\n,,\n' | sfdisk -q "${IMAGE[table]}"
disk clone "$A"
disk cardless "$B"; debugfs -w -R 'rm /.twindock/card.json' "${IMAGE[cardless]}" >/dev/null 2>&1
disk impostor; mkfs.ext4 -q -I 256 -b 4096 -U "$UUID" "${IMAGE[impostor]}"
disk errors "$A"; debugfs -w -R 'ssv state 2' "${IMAGE[errors]}" 2>/dev/null
disk rootless "$B"; debugfs -w -R 'clri <2>' "${IMAGE[rootless]}" 2>/dev/null
disk faulty "$B" # the directory with its card is damaged: only whoever reads it meets the fault
block=$(debugfs -R 'blocks /.twindock' "$B" 2>/dev/null | tr -d ' \n')
printf garbage | dd of="${IMAGE[faulty]}" bs=1 seek=$((block * 4096 + 40)) conv=notrunc status=none
disk torn "$B"; dd if=/dev/urandom of="${IMAGE[torn]}" bs=4096 seek=1 count=400 conv=notrunc status=none
disk grown "$A"; truncate -s 24M "${IMAGE[grown]}"
# Power cut while B was written: the journal is to be replayed, and a file that is gone from the directory is still open.
dirty() {
    local image=$1
    mkdir -p "$T/mnt/rw"
    mount_image "$image" "$T/mnt/rw" || return 1
    exec 9>"$T/mnt/rw/orphan"; head -c 100000 /dev/urandom >&9; sync
    rm "$T/mnt/rw/orphan"; echo intruder >"$T/mnt/rw/intruder"; sync "$T/mnt/rw/intruder" "$T/mnt/rw"
    cp --sparse=always "$image" "$image.cut"
    exec 9>&-
    umount "$T/mnt/rw"; released "$image"
    mv "$image.cut" "$image"
    dumpe2fs -h "$image" 2>/dev/null | grep -q needs_recovery
}
disk dirty "$B"
check "a disk with a dirty journal and orphans" dirty "${IMAGE[dirty]}"

# --- what is to be said of them: who it is, as a person would find out --------------------------------------------

declare -A WHO=([empty]=- [blank]=f [foreign]=f [vfat]=f [table]=f [A]=A [B]=B [other]=o [clone]=A [cardless]=u [impostor]=u
    [errors]=Ae [rootless]=u [faulty]=u [torn]=u [grown]=Ag [dirty]=B)

# expect SOURCE DESTINATION ANY SINGLE: the rules, in their order.
expect() {
    local s=${WHO[$1]} d=${WHO[$2]} any=$3 single=$4 both="${WHO[$1]}${WHO[$2]}"
    local sm=${s:0:1} dm=${d:0:1}
    [[ $both = -- ]] && { echo empty; return; }
    [[ $both = *g* ]] && { echo dock-merged; return; }
    [[ $sm = "$dm" && $sm = [ABo] ]] && { echo duplicate-identity; return; }
    [[ $both = *f* ]] && { echo foreign-disk; return; }
    [[ $both = *u* ]] && { echo unknown-member; return; }
    [[ $both = *o* && $both = *[AB]* ]] && { echo mixed-pairs; return; }
    [[ $both = *-* && $single = refuse ]] && { echo missing-member; return; }
    # A and the other pair's A belong into the source slot.
    [[ $any = strict && ( $sm = B || $dm = [Ao] ) ]] && { echo swapped; return; }
    [[ $both = *e* ]] && { echo unclean; return; }
    echo ok
}

# --- all of them ----------------------------------------------------------------------------------------------------

declare -A NODE
for name in "${!IMAGE[@]}"; do NODE[$name]=$(losetup -f --show "${IMAGE[$name]}"); done
for name in "${!IMAGE[@]}"; do sync "${IMAGE[$name]}"; sums "${IMAGE[$name]}" >"$T/sum.$name"; done
cp "$CONF" "$CONF.strict"
verdict() { sqlite3 :memory: "SELECT json_extract(readfile('$OUT'), '\$.docks[0].verdict')"; }
names=(empty "${!IMAGE[@]}")
(cd "$T" && ls) >"$T/files.before"
rows=0 wrong=0
for policy in "strict refuse" "any allow"; do
    read -r any single <<<"$policy"
    sed "s/^settle = 0s/&\nslots = $any\nsingle = $single/" "$CONF.strict" >"$CONF"
    for s in "${names[@]}"; do
        for d in "${names[@]}"; do
            [[ $s = "$d" && $s != empty ]] && continue # one disk cannot be in both
            want=$(expect "$s" "$d" "$any" "$single")
            [[ $any = any && $want = $(expect "$s" "$d" strict refuse) ]] && continue # was asked before
            rm -f "$SLOT1" "$SLOT2"
            [[ $s != empty ]] && ln -s "${NODE[$s]}" "$SLOT1"
            [[ $d != empty ]] && ln -s "${NODE[$d]}" "$SLOT2"
            code=2; [[ $want = ok ]] && code=0
            td check --json
            got="$? $(verdict)"
            rows=$((rows + 1))
            [[ $got = "$code $want" ]] && continue
            wrong=$((wrong + 1))
            echo "# [$s] [$d] slots=$any single=$single: $got, expected $code $want"
        done
    done
done
equal "every combination gets its verdict" 0 "$wrong"
check "there were some hundreds of them" [ "$rows" -gt 250 ]
rm -f "$SLOT1" "$SLOT2"
for name in "${!IMAGE[@]}"; do losetup -d "${NODE[$name]}"; done
for name in "${!IMAGE[@]}"; do
    released "${IMAGE[$name]}"
    equal "check has not changed a bit: $name" "$(cat "$T/sum.$name")" "$(sums "${IMAGE[$name]}")"
done
finish
