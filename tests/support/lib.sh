# Shared by the integration tests: a dock of two loop devices, disks as image files, a mailer that keeps its mails, and
# the counting of what holds and what does not. Source it; end with `finish`.
#
#   TWINDOCK    the program (made by `make`)
#   $T          this test's own directory, removed at the end
#   $SRC        the source tree of collection M
#   $A $B       images of the pair's disks
#   $SLOT1 $SLOT2  the two slots: links to device nodes

set -u
export LC_ALL=C TZ=UTC
: "${TWINDOCK:?the program under test}"
TWINDOCK=$(realpath "$TWINDOCK")
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[[ $(id -u) = 0 ]] || { echo "# skipped: needs root for loop devices and mounts"; exit 77; }
# A mount namespace of its own: no other program's namespace comes to hold a copy of what is mounted here. As long as one
# does, mount(8) shows the disk as it was then, whatever has been written to it since. (A chroot's root may be no mount,
# and cannot be made private.)
if [[ ${OWN_MOUNTS:-} != "$$" ]]; then
    OWN_PROPAGATION=private
    unshare --mount --propagation private true 2>/dev/null || OWN_PROPAGATION=unchanged
    OWN_MOUNTS=$$ exec unshare --mount --propagation "$OWN_PROPAGATION" "$BASH" "$0" "$@"
fi

T=$(mktemp -d "${TMPDIR:-/var/tmp}/twindock-test.XXXXXX")
SRC=$T/src A=$T/a.img B=$T/b.img CONF=$T/twindock.conf MAILS=$T/mails OUT=$T/out ERR=$T/err
SLOT1='' SLOT2='' PASSED=0 FAILED=0
mkdir "$SRC" "$MAILS"

tear_down() {
    local status=$?
    trap - EXIT INT TERM
    local left
    left=$(jobs -p) # what the test has started itself
    [[ $left ]] && kill -9 $left 2>/dev/null && wait 2>/dev/null
    [[ -d $T/mnt ]] && umount "$T"/mnt/* 2>/dev/null
    undock 2>/dev/null
    for left in $(losetup -nlO NAME,BACK-FILE | awk -v t="$T/" 'index($2, t) == 1 { print $1 }'); do
        forget_partitions "$left"
        losetup -d "$left"
    done
    rm -rf "$T"
    exit "$status"
}
trap tear_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- counting -----------------------------------------------------------------------------------------------------

pass() { PASSED=$((PASSED + 1)); echo "ok - $*"; }
flunk() {
    FAILED=$((FAILED + 1))
    echo "not ok - $*"
    [[ -s $OUT ]] && sed 's/^/#   out: /' "$OUT" | head -n 40
    [[ -s $ERR ]] && sed 's/^/#   err: /' "$ERR" | head -n 20
    return 0
}
# check NAME COMMAND...: the command must succeed.
check() { local name=$1; shift; if "$@" >"$T/check.log" 2>&1; then pass "$name"; else flunk "$name"; sed 's/^/#   /' "$T/check.log" | head -n 20; fi; }
# equal NAME EXPECTED GOT
equal() { if [[ $2 == "$3" ]]; then pass "$1"; else flunk "$1"; printf '#   expected: %s\n#   got:      %s\n' "$2" "$3"; fi; }
# matches NAME REGEX TEXT
matches() { if [[ $3 =~ $2 ]]; then pass "$1"; else flunk "$1"; printf '#   expected to match: %s\n#   got: %s\n' "$2" "$3"; fi; }
finish() { echo "1..$((PASSED + FAILED))"; [[ $FAILED = 0 ]]; exit; }

# --- disks and the dock -------------------------------------------------------------------------------------------

new_disk() { rm -f "$1"; truncate -s "${2:-256M}" "$1"; } # new_disk IMAGE [SIZE]

# The slots are links to the loop devices that hold the disks, there while a disk is in. (Loop devices that were let go
# may be taken by another program at any moment, so none is kept.)
claim_slots() { SLOT1=$T/slot1 SLOT2=$T/slot2; }
put() { # put SLOT IMAGE
    local device
    device=$(losetup -f --show "$2") || return 1
    forget_partitions "$device"
    ln -sfn "$device" "$1"
}
# Partitions that the kernel was told of stay with the loop device when its image goes, for whoever takes it next.
forget_partitions() { # forget_partitions LOOP-DEVICE
    local name=${1#/dev/}
    if compgen -G "/sys/block/$name/${name}p*" >/dev/null; then partx -d "$1"; fi
}
take() { # take the disk out of SLOT
    [[ -L $1 ]] || return 0
    blockdev --setrw "$(readlink "$1")" # what a killed run may leave, and a real disk would take with it
    losetup -d "$(readlink "$1")"
    rm "$1"
}
undock() { take "$SLOT1"; take "$SLOT2"; } # take both disks out
dock() { # dock SOURCE-IMAGE DESTINATION-IMAGE; '' leaves a slot empty
    undock
    if [[ -n ${1:-} ]]; then put "$SLOT1" "$1"; fi
    if [[ -n ${2:-} ]]; then put "$SLOT2" "$2"; fi
}
sums() { sha256sum "$@" | cut -d' ' -f1 | tr '\n' ' '; } # of images; undock first

# mount_image IMAGE DIRECTORY, to be written to, whatever the loop device's last user has left it as; umount frees it.
mount_image() {
    local device status
    device=$(losetup -f --show "$1") || return 1
    blockdev --setrw "$device"
    mount "$device" "$2"; status=$?
    losetup -d "$device"
    return $status
}

# mounted IMAGE COMMAND...: run a command with $MNT at the image, read-only, without the program under test. Undock first.
mounted() {
    local image=$1 status; shift
    mkdir -p "$T/mnt/m"
    MNT=$T/mnt/m
    mount -o ro,loop "$image" "$MNT" || return 99
    "$@"; status=$?
    umount "$MNT"
    released "$image" || { echo "$image is not let go; it is docked, or somebody else has a copy of its mount" >&2; return 98; }
    return $status
}
# on_disk IMAGE COMMAND...: with $MNT at the image, writable, as somebody does it by hand. Undock first.
on_disk() {
    local image=$1 status; shift
    mkdir -p "$MNT"
    mount_image "$image" "$MNT" || return 99
    "$@"; status=$?
    umount "$MNT"
    released "$image"
    return $status
}
# Wait until an unmounted image is let go: the kernel may take a moment.
released() { local i; for i in $(seq 200); do [[ -z $(losetup -j "$1") ]] && return 0; sleep 0.05; done; return 1; }

# --- configuration and the program --------------------------------------------------------------------------------

# configure [LINES for the dock] [LINES for the collection]
configure() {
    cat >"$T/sendmail" <<EOF
#!/bin/sh
exec cat >"$MAILS/\$(date +%s.%N)"
EOF
    chmod 755 "$T/sendmail"
    cat >"$CONF" <<EOF
[twindock]
ledger = $T/ledger/twindock.db
mail_to = root
sendmail = $T/sendmail

[dock test]
mode = individual
source = $SLOT1
destination = $SLOT2
settle = 0s
eject = no
${1:-}

[collection M]
source = $SRC
${2:-}
EOF
}
td() { "$TWINDOCK" "$1" -c "$CONF" "${@:2}" >"$OUT" 2>"$ERR"; } # td COMMAND [ARG...]; output in $OUT, $ERR
# td_is CODE NAME COMMAND [ARG...]: the exit code must be CODE.
td_is() { local want=$1 name=$2 got; shift 2; td "$@"; got=$?; if [[ $got = "$want" ]]; then pass "$name"; else flunk "$name (exit $got, expected $want)"; fi; }
json() { python3 -c 'import json,sys
v=json.load(open(sys.argv[1]))
for k in sys.argv[2:]:
    v=v[int(k)] if k.lstrip("-").isdigit() and isinstance(v,list) else v[k]
print(v if isinstance(v,str) else json.dumps(v))' "$OUT" "$@"; } # json KEY...: from the last output
found() { # found KIND: "path member cause" of the last run's JSON, lines joined by ";"
    python3 -c 'import json,sys
v=json.load(open(sys.argv[1]))[sys.argv[2]]
print(";".join(sorted("%s %s %s" % (i["path"], i["member"] or "-", i["cause"]) for i in v)))' "$OUT" "$1"
}
ledger() { sqlite3 "$T/ledger/twindock.db" "$1"; }
# Wait until the run with the pid $RUN has begun to plan, and hold it (SIGSTOP). It is held for each look at it, too: to
# plan takes no longer than a look on a fast machine.
planned() {
    local i
    for i in $(seq 400); do
        kill -STOP "$RUN" 2>/dev/null || return 1
        [[ $(ledger "SELECT phase FROM run WHERE ended IS NULL ORDER BY id DESC LIMIT 1" 2>/dev/null) = planning ]] && return 0
        kill -CONT "$RUN"
        sleep 0.003
    done
    return 1
}
# Let the held run $RUN go on until it does not write to the ledger: nobody else could while it is held.
lets_others_write() {
    until ledger 'BEGIN IMMEDIATE; ROLLBACK' 2>/dev/null; do
        kill -CONT "$RUN" && sleep 0.003 && kill -STOP "$RUN" || return 1
    done
    [[ $(ledger 'SELECT count(*) FROM run WHERE ended IS NULL') = 1 ]]
}
mails() { find "$MAILS" -type f | wc -l; }
no_mails() { rm -f "$MAILS"/*; }

# A fresh pair in the dock, enrolled.
new_pair() { # new_pair [SIZE]
    new_disk "$A" "${1:-256M}"; new_disk "$B" "${1:-256M}"
    dock "$A" "$B"
    td format M --yes || { flunk "format"; return 1; }
}

# --- trees --------------------------------------------------------------------------------------------------------

# same_tree IMAGE [DIR]: is the member's collection exactly the source, by rsync's word, contents included?
same_tree() { mounted "$1" compare_mounted "${2:-M}"; }
compare_mounted() {
    local said
    said=$(rsync -aHAXSc --numeric-ids --delete -n -i "$SRC/" "$MNT/$1/" 2>&1)
    [[ -z $said ]] || { printf '%s\n' "$said"; return 1; }
}
manifest_holds() { mounted "$1" check_manifest; }
staged() { mounted "$1" sh -c 'find "$1/.twindock/staging" -mindepth 1' sh "$T/mnt/m"; } # staged IMAGE: what lies in its staging
# history_listed LETTER: at $MNT, is the history of that member what the ledger lists, whole and once?
history_listed() { "$HERE/ledger-compare" history "$T/ledger/twindock.db" "$MNT/.twindock" "$1"; }
check_manifest() { (cd "$MNT" && sha256sum --strict --quiet -c .twindock/SHA256SUMS); }

# flip IMAGE PATH [BYTE]: flip one bit of a file's data on an unmounted image.
flip() {
    local block size at byte
    block=$(debugfs -R "blocks \"/$2\"" "$1" 2>/dev/null | tr ' ' '\n' | grep -m1 '^[1-9]') || return 1
    size=$(dumpe2fs -h "$1" 2>/dev/null | awk '/^Block size:/ { print $3 }')
    at=$((block * size + ${3:-0}))
    byte=$(od -An -tu1 -j "$at" -N 1 "$1" | tr -d ' ')
    printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$at" conv=notrunc status=none
}
small_tree() { # a few files of every size that matters, in $SRC
    mkdir -p "$SRC/photos/2014" "$SRC/docs"
    local i
    for i in 1 2 3 4 5 6 7 8; do head -c $((i * 70001)) /dev/urandom >"$SRC/photos/2014/p$i.raw"; done
    for i in $(seq 40); do echo "text number $i" >"$SRC/docs/t$i.txt"; done
    : >"$SRC/docs/empty"
    head -c 3000000 /dev/urandom >"$SRC/big.bin"
}
