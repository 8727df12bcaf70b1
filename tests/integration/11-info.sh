#!/usr/bin/env bash
# The table of --info, to the character: what it shows of a pair that was never backed up, is fine, was refused, was cut
# off, is overdue, is running now. It reads the ledger alone and changes nothing.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

C=$T/c.img D=$T/d.img E=$T/e.img F=$T/f.img

info() { "$TWINDOCK" --info -c "$CONF" "$@" >"$OUT" 2>"$ERR"; }
# Without the line that is there while the disks are: 52-eject.sh is about it.
bare() { sed '/^$/N; /^\nM  Both disks are safe to remove\.$/d'; }
# shows NAME EXPECTED: the whole output, and exit 0.
shows() {
    local code
    info; code=$?
    equal "$1" "$(bare <<<"$2")" "$(bare <"$OUT")"
    [[ $code = 0 ]] || flunk "$1: exit $code"
}
header() { printf '   %-28s Used Free UUID' 'Last Backup'; }
date_of() { date -d "@$1" '+%a %b %e %T %Z %Y'; }
short_date_of() { date -d "@$1" '+%a %b %e %T'; }
last() { ledger "SELECT $1 FROM run ORDER BY id DESC LIMIT 1"; }
# row NAME FLAG DATE USED FREE UUID
row() { printf '%-2s%s%-28s %4s %4s %s' "$@"; }
# In at most four characters, as df(1) writes them where it can.
human() { python3 -c 'import sys
n, unit = int(sys.argv[1]), 0
if n >= 1024:
    units = " KMGTPE"
    while True:
        unit += 1
        whole, rest = divmod(n, 1024 ** unit)
        tenths = -(-n * 10 // 1024 ** unit)
        if tenths < 100:
            n = f"{tenths // 10}.{tenths % 10}{units[unit]}"
            break
        whole += rest > 0
        if whole < 1000:
            n = f"{whole}{units[unit]}"
            break
print(n)' "$1"; }

claim_slots
configure
small_tree

# --- nothing enrolled ---------------------------------------------------------------------------------------------

info
equal "no ledger: exit 0" 0 $?
matches "no ledger: how to begin" 'twindock format' "$(cat "$OUT")"
info --json
equal "no ledger: as JSON" '[]' "$(json collections)"
check "no ledger is made" [ ! -e "$T/ledger" ]

# --- never, then fine ---------------------------------------------------------------------------------------------

new_pair 64M
UUID=$(ledger 'SELECT uuid FROM pair')
shows "never backed up" "$(header)
$(row M '?' never - - "$UUID")

M  never backed up; dock it tonight"
info --json
equal "never: as JSON" "M $UUID null null null ?" "$(json collections 0 collection) $(json collections 0 pair) $(json collections 0 last_backup) $(json collections 0 used) $(json collections 0 free) $(json collections 0 flag)"
for command in verify 'check --full'; do
    td_is 2 "never: $command has nothing to read" $command
    matches "never: $command says so" 'M refused: There is no backup of M yet, so there is nothing to verify. Make one with `twindock run`.' "$(tr -s ' \n' ' ' <"$OUT")"
done
td_is 2 "never: check --full as JSON" check --full --json
equal "never: check --full as JSON: the fields" 'verify refused 2 0' "$(json docks 0 full command) $(json docks 0 full result) $(json docks 0 full exit) $(json docks 0 full files)"
equal "never: nothing is entered, nobody mailed" '0 0' "$(ledger 'SELECT count(*) FROM run') $(mails)"
shows "never, still" "$(header)
$(row M '?' never - - "$UUID")

M  never backed up; dock it tonight"
td_is 0 "the first backup" run
fine() { # what is shown of M when all is well
    local used free
    used=$(ledger "SELECT used FROM pair") free=$(ledger "SELECT free FROM pair")
    header; echo
    row M ' ' "$(date_of "$(last started)")" "$(human "$used")" "$(human "$free")" "$UUID"
}
shows "fine" "$(fine)"
cp "$OUT" "$T/table"
"$TWINDOCK" info -c "$CONF" >"$OUT"
check "info is the same as --info" cmp "$OUT" "$T/table"
undock
USED=$(ledger "SELECT used FROM pair") FREE=$(ledger "SELECT free FROM pair")
compare_space() { # the ledger's word against statfs(2)'s: some blocks of the last writes may lie between
    python3 -c 'import os, sys
fs = os.statvfs(sys.argv[1])
used, free = (fs.f_blocks - fs.f_bfree) * fs.f_frsize, fs.f_bfree * fs.f_frsize
print(used, free, *sys.argv[2:])
sys.exit(abs(used - int(sys.argv[2])) > 1 << 18 or abs(free - int(sys.argv[3])) > 1 << 18)' "$MNT" "$USED" "$FREE"
}
check "used and free are those of the member" mounted "$A" compare_space
started=$(last started)
info --json
matches "fine: as JSON" "^$(date -u -d "@$started" +%FT%TZ) $USED $FREE  null false$" \
    "$(json collections 0 last_backup) $(json collections 0 used) $(json collections 0 free) $(json collections 0 flag) $(json collections 0 reason) $(json collections 0 overdue)"
matches "fine: its members" '^null [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$' "$(json collections 0 members A serial) $(json collections 0 members A last_proven)"
equal "fine: both were proven then" "$(date -u -d "@$(ledger "SELECT last_proven FROM member WHERE letter = 'B'")" +%FT%TZ)" "$(json collections 0 members B last_proven)"

# --- it only reads ------------------------------------------------------------------------------------------------

before=$(sums "$T/ledger/twindock.db")
equal "the ledger is one file when nobody uses it" 'twindock.db ' "$(ls "$T/ledger" | grep -v '\.lock$' | tr '\n' ' ')"
mount --bind "$T/ledger" "$T/ledger" && mount -o remount,bind,ro "$T/ledger"
shows "on a read-only filesystem" "$(cat "$T/table")"
umount "$T/ledger"
shows "and on another again" "$(cat "$T/table")"
info --json
equal "the ledger is as it was" "$before" "$(sums "$T/ledger/twindock.db")"

# --- refused, cut off ---------------------------------------------------------------------------------------------

dock "$B" "$A"
td_is 2 "swapped disks" run
undock
shows "refused" "$(fine | sed "2s/^M  .\{28\}/M !$(date_of "$started")/")

M  refused $(short_date_of "$(last ended)"): swapped. $(last reason)"
info --json
equal "refused: as JSON" '! false' "$(json collections 0 flag) $(json collections 0 overdue)"
dock "$A" ''
td_is 2 "one disk missing" run
undock
matches "refused anew: the newest reason" $'\nM  refused .*: missing-member\\. Member A of M.* Put member B' "$(info; cat "$OUT")"
dock "$A" "$B"
td_is 0 "the right disks, only read" verify
matches "refused: reading the disks makes up for no backup" $'\nM  refused .*: missing-member\\. ' "$(info; cat "$OUT")"
td_is 0 "the right disks" run
shows "fine again" "$(fine)"

# A source that takes a while, so that the run can be stopped in the middle of it.
for i in $(seq 30); do head -c 8M /dev/urandom >"$SRC/big$i"; done
undock
rm -rf "$T/ledger"
new_pair 800M
UUID=$(ledger 'SELECT uuid FROM pair')
halt_run() { # start a run and hold it while --info calls it running; its id in $RUN
    local i
    "$TWINDOCK" run -c "$CONF" >"$T/run.out" 2>"$T/run.err" &
    RUN=$!
    for i in $(seq 2000); do
        info
        grep -q '^M *[*]' "$OUT" && kill -STOP "$RUN" && lets_others_write && return 0
        kill -0 "$RUN" 2>/dev/null || return 1
    done
    return 1
}
halt_run && pass "a run is going on" || flunk "a run was never seen going on"
info
equal "running: the row" "$(header)
$(row M '*' never - - "$UUID")" "$(head -n 2 "$OUT")"
matches "running: how far" '^M  running(: [a-z ]+(, [0-9]{1,3} % done)?)?$' "$(tail -n 1 "$OUT")"
info --json
equal "running: as JSON" '*' "$(json collections 0 flag)"
td_is 11 "another run meanwhile" run
kill -CONT "$RUN"
wait "$RUN"
equal "the run ends well" 0 $?
shows "fine afterwards" "$(fine)"
started=$(last started)

for i in $(seq 30); do head -c 8M /dev/urandom >"$SRC/big$i"; done
sed -i "/^source = .*src/a max_change = 100%" "$CONF"
halt_run && pass "a second run is going on" || flunk "the second run was never seen going on"
info
matches "running: the last backup still stands" "^M [*]$(date_of "$started") " "$(sed -n 2p "$OUT")"
kill -KILL "$RUN"
wait "$RUN" 2>/dev/null
info
matches "cut off: the flag and the last backup" "^M !$(date_of "$started") " "$(sed -n 2p "$OUT")"
equal "cut off: the reason" 'M  the last run was cut off; run it again' "$(tail -n 1 "$OUT")"
td_is 0 "cut off: verify" verify
matches "cut off: reading the disks makes up for no backup" "^M !$(date_of "$started") .*M  the last run was cut off; run it again" "$(info; tail -n +2 "$OUT" | tr '\n' ' ')"
td_is 0 "the run after it" run
shows "fine once more" "$(fine)"
undock

# --- overdue, unproven --------------------------------------------------------------------------------------------

started=$(($(date +%s) - 40 * 86400 - 100))
ledger "UPDATE run SET started = $started, ended = $started + 60"
shows "overdue" "$(fine | sed '2s/^M  /M ?/')

M  last backed up 40 days ago; dock it tonight"
info --json
equal "overdue: as JSON" '? true' "$(json collections 0 flag) $(json collections 0 overdue)"
sed -i "/^source = .*src/a overdue = 6w" "$CONF"
shows "within six weeks it is not overdue" "$(fine)"
sed -i "/^source = .*src/a prove_within = 1s" "$CONF"
sleep 2
shows "not proven lately" "$(fine | sed '2s/^M  /M ?/')

M  some copies have not been proven lately; dock it and let the run end"
sed -i 's/^overdue = 6w/overdue = 5w/' "$CONF"
shows "overdue and not proven lately" "$(fine | sed '2s/^M  /M ?/')

M  last backed up 40 days ago; dock it tonight. Some copies have not been proven lately"

# --- the table of the manual --------------------------------------------------------------------------------------

rm -rf "$T/ledger" "$SRC" && mkdir "$SRC" && small_tree
cat >"$CONF.long" <<EOF
prove_within = 10000d
overdue = 10000d
EOF
configure '' "$(cat "$CONF.long")
[collection Tb]
source = $SRC
$(cat "$CONF.long")
[collection S]
source = $SRC
$(cat "$CONF.long")"
for pair in "M $A $B" "S $C $D" "Tb $E $F"; do
    read -r name one two <<<"$pair"
    new_disk "$one" 64M; new_disk "$two" 64M
    dock "$one" "$two"
    td_is 0 "format $name" format "$name" --yes
    td_is 0 "back up $name" run
done
dock "$D" "$C"
td_is 2 "S swapped" run
undock
at() { TZ=America/Los_Angeles date -d "$1" +%s; }
ledger "UPDATE run SET started = $(at '2014-09-02 20:00:04'), ended = started WHERE collection = 'M';
        UPDATE run SET started = $(at '2014-09-07 20:00:06'), ended = started WHERE collection = 'Tb';
        UPDATE run SET started = $(at '2014-09-03 20:00:05'), ended = started WHERE collection = 'S' AND exit = 0;
        UPDATE run SET started = $(at '2014-09-10 18:00:00'), ended = $(at '2014-09-10 18:00:04'),
               reason = 'Member B (WD-WCC4N0) is in the source slot. Swap the two disks.' WHERE collection = 'S' AND exit = 2;
        UPDATE pair SET uuid = '18e61a61-6502-6510-8086-0065d1917f97', used = 1429365116108, free = 66 * 1073741824 WHERE collection = 'M';
        UPDATE pair SET uuid = 'c54d93c9-6502-6510-8086-7395b84d22d7', used = 2638827906662, free = 374 * 1073741824 - 1 WHERE collection = 'Tb';
        UPDATE pair SET uuid = '0cfdeff4-6502-6510-8086-145408f4e658', used = 1539316278886, free = 486 * 1073741824 + 1 WHERE collection = 'S'"
export TZ=America/Los_Angeles
shows "three pairs" '   Last Backup                  Used Free UUID
M  Tue Sep  2 20:00:04 PDT 2014 1.3T  66G 18e61a61-6502-6510-8086-0065d1917f97
S !Wed Sep  3 20:00:05 PDT 2014 1.4T 487G 0cfdeff4-6502-6510-8086-145408f4e658
Tb Sun Sep  7 20:00:06 PDT 2014 2.4T 374G c54d93c9-6502-6510-8086-7395b84d22d7

S  refused Wed Sep 10 18:00:04: swapped. Member B (WD-WCC4N0) is in the source slot. Swap the two disks.'
for sizes in '0 1 -    -' '1023 1024 1023 1.0K' '1024000 1023999 1000K 1000K' '10188 10239 10K 10K' '9523 9524 9.3K 9.4K' \
    '1072693248 1073741824 1.0G 1.0G' '1023410176 1022361600 976M 975M'; do
    read -r used free _ <<<"$sizes"
    ledger "UPDATE pair SET used = $used, free = $free WHERE collection = 'M'"
    info
    equal "sizes of $used and $free bytes" "$(printf '%4s %4s' "$(human "$used")" "$(human "$free")")" "$(sed -n 2p "$OUT" | cut -c 33-41)"
done

# Who may not read the ledger is told so; nothing is wrong with it.
if setpriv --help >/dev/null 2>&1; then
    chmod 755 "$T" && chmod 644 "$CONF" && cp "$TWINDOCK" "$T/twindock"
    for command in info "history M"; do
        # shellcheck disable=SC2086
        setpriv --reuid 65534 --regid 65534 --clear-groups "$T/twindock" $command -c "$CONF" >"$OUT" 2>"$ERR"
        equal "$command without root: exit 2" 2 $?
        matches "$command without root: what to do" "needs root for it; try sudo twindock ${command% M}" "$(cat "$ERR")"
    done
fi
finish
