#!/usr/bin/env bash
# A run that is killed at any moment, or ended by a power cut, leaves every path whole and nothing mounted, and the next
# run goes on from there.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

KILLS=${KILLS:-${SANITIZE:+25}} # each takes several times as long there
KILLS=${KILLS:-${SHORT:+100}}
KILLS=${KILLS:-200}
SEED=${SEED:-1}
RANDOM=$SEED
export MNT=$T/mnt/m
REC=$T/record

start() { "$TWINDOCK" run -c "$CONF" "$@" >"$OUT" 2>"$ERR" & RUN=$!; }
now() { date +%s%3N; }
nap() { sleep "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"; } # milliseconds
change() { # change N: of the N-th kind; what comes of it is on record
    "$HERE/mutate-tree" "$SRC" $((SEED * 1000 + $1)) 4 small >>"$T/mutations"
    if [[ ! -f $SRC/large.bin || -L $SRC/large.bin ]]; then # mutate-tree may have made a pipe of it, which nobody reads
        rm -rf "$SRC/large.bin"
        head -c 2000000 /dev/urandom >"$SRC/large.bin"
    fi
    case $(($1 % 5)) in
    0) printf '%s' "$1" | dd of="$SRC/large.bin" bs=1 seek=$(($1 * 90001 % 20000000)) conv=notrunc status=none ;;
    2) mv -T "$SRC/large.bin" "$SRC/large.other" && cp -p "$SRC/large.other" "$SRC/large.bin" ;;
    3) rm -f "$SRC/large.other" ;;
    esac
    "$HERE/tree-record" "$REC" note "$SRC"
}
whole() { # whole IMAGE: a copy of it, its journal replayed, holds nothing but good paths
    local status
    cp --sparse=always "$1" "$T/copy.img"
    e2fsck -p "$T/copy.img"
    [[ $? -lt 4 ]] || return 1
    mount_image "$T/copy.img" "$MNT" || return 1
    "$HERE/tree-record" "$REC" check "$MNT/M"; status=$?
    umount "$MNT"
    released "$T/copy.img"
    return $status
}
# What a power cut would leave on disks and machine: the disks as they are now, with nothing more of what the kernel still
# has to write for them, and the ledger. It takes the place of the real ones when the run has been killed.
cut_power() {
    kill -STOP "$RUN" 2>/dev/null
    sleep 0.02
    mkdir "$T/cut"
    cp --sparse=always "$A" "$T/cut/a.img"
    cp --sparse=always "$B" "$T/cut/b.img"
    cp -a "$T/ledger" "$T/cut/ledger"
}
exports() { find "$T/ledger" -name '*.export-*'; }
left_open() { ledger 'SELECT count(*) FROM run WHERE ended IS NULL'; }

mkdir -p "$MNT" "$SRC/photos/a/b" "$SRC/docs"
for i in $(seq 30); do head -c $((i * 3001)) /dev/urandom >"$SRC/photos/a/p$i"; echo "text $i" >"$SRC/docs/t$i"; done
head -c 20000000 /dev/urandom >"$SRC/large.bin"
claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
new_pair 128M
td_is 0 "first run" run
"$HERE/tree-record" "$REC" settled "$SRC"
LENGTH=9999
for i in 1000 1001 1002; do
    change $i
    began=$(now)
    td_is 0 "a run to measure" run
    took=$(($(now) - began))
    [[ $took -lt $LENGTH ]] && LENGTH=$took
done
"$HERE/tree-record" "$REC" settled "$SRC"
echo "# a run takes $LENGTH ms"

killed=0 held=0
for n in $(seq "$KILLS"); do
    change "$n"
    start
    nap $((RANDOM % LENGTH))
    [[ $((n % 10)) = 5 ]] && cut_power
    kill -9 "$RUN" 2>/dev/null
    { wait "$RUN"; } 2>/dev/null
    status=$?
    [[ $status = 137 ]] && killed=$((killed + 1))
    [[ $status = 137 || $status = 0 ]] || flunk "kill $n: the run ended by itself with $status"
    grep -qF "$T" /proc/self/mounts && held=$((held + 1))
    undock
    released "$A" && released "$B" || held=$((held + 1))
    if [[ -d $T/cut ]]; then
        mv "$T/cut/a.img" "$A"; mv "$T/cut/b.img" "$B"
        rm -r "$T/ledger"; mv "$T/cut/ledger" "$T/ledger"; rmdir "$T/cut"
        check "after power cut $n: every path on A is whole" whole "$A"
        check "after power cut $n: every path on B is whole" whole "$B"
    fi
    [[ $((n % 10)) = 0 ]] || { dock "$A" "$B"; continue; }

    before=$FAILED
    check "after kill $n: every path on A is whole" whole "$A"
    check "after kill $n: every path on B is whole" whole "$B"
    dock "$A" "$B"
    open=$(left_open)
    how=$([[ $((n % 20)) = 0 ]] && echo --json)
    td_is 0 "after kill $n: the next run ends well" run $how
    if [[ $open != 0 && -n $how ]]; then
        equal "after kill $n: and says what was before it, in JSON" true "$(json after_interrupted)"
    elif [[ $open != 0 ]]; then
        check "after kill $n: and says what was before it" grep -q 'cut off' "$OUT"
    fi
    equal "after kill $n: no run is left open in the ledger" 0 "$(left_open)"
    undock
    check "after kill $n: A equals the source" same_tree "$A"
    check "after kill $n: B equals the source" same_tree "$B"
    equal "after kill $n: no copy of the ledger is left beside it" '' "$(exports)"
    equal "after kill $n: no staging is left" '' "$(staged "$A")$(staged "$B")"
    check "after kill $n: A's history is what the ledger lists" mounted "$A" history_listed A
    check "after kill $n: B's history is what the ledger lists" mounted "$B" history_listed B
    "$HERE/tree-record" "$REC" settled "$SRC"
    dock "$A" "$B"
    [[ $FAILED = "$before" ]] || break
done
# Killed in the middle of copying the ledger, and not even the journal's name is there for another copy.
stale=$T/ledger/twindock.db.export-$(ledger 'SELECT id FROM pair')
head -c 100000 /dev/urandom >"$stale"; head -c 10000 /dev/urandom >"$stale-journal"
td_is 0 "a stale copy of the ledger: run" run
equal "a stale copy of the ledger is swept away" '' "$(exports)"
# Killed after files had become something else on the members, and before the ledger knew.
mkdir "$SRC/was-file"; mkfifo "$SRC/was-too"; ln -s x "$SRC/was-three"
td_is 0 "files of other kinds: run" run
ledger "UPDATE file SET mode = 33188, sha256 = (SELECT sha256 FROM file WHERE sha256 IS NOT NULL LIMIT 1)
         WHERE CAST(path AS TEXT) IN ('was-file', 'was-too', 'was-three')"
td_is 0 "files that became something else before a kill: the next run" run --json
equal "files that became something else before a kill: the ledger knows" 0 \
    "$(ledger "SELECT count(*) FROM file WHERE sha256 IS NOT NULL AND CAST(path AS TEXT) LIKE 'was-%'")"
equal "nothing was left mounted, no device held" 0 "$held"
check "many of the runs were really killed ($killed of $KILLS)" test $((killed * 3)) -gt "$KILLS"
check "the ledger calls them interrupted" test "$(ledger "SELECT count(*) FROM run WHERE result = 'interrupted'")" -gt $((KILLS / 5))
check "nothing was called rotten on the way" test "$(ledger "SELECT count(*) FROM incident WHERE cause IN ('backup-rot', 'source-rot')")" = 0
undock
check "the manifest holds on A" manifest_holds "$A"
check "the manifest holds on B" manifest_holds "$B"
dock "$A" "$B"

# --- signals ------------------------------------------------------------------------------------------------------

for signal in TERM INT HUP; do
    number=$(kill -l $signal)
    for try in 1 2 3 4 5 6 7 8 9 10; do # until it catches a run at work
        head -c 20000000 /dev/urandom >"$SRC/large.bin"
        start --json
        nap $((LENGTH / 2 / try))
        kill -$signal "$RUN" 2>/dev/null
        wait "$RUN"
        status=$?
        [[ $status = 0 ]] || break
    done
    equal "SIG$signal: exit code" $((128 + number)) "$status"
    [[ -s $OUT ]] && equal "SIG$signal: result" interrupted "$(json result)"
    equal "SIG$signal: in the ledger" "interrupted|$((128 + number))" "$(ledger 'SELECT result, exit FROM run ORDER BY id DESC LIMIT 1')"
    equal "SIG$signal: it is ended" 0 "$(left_open)"
    td info
    matches "SIG$signal: --info flags it" 'M *!' "$(sed -n 2p "$OUT")"
    td_is 0 "SIG$signal: the next run ends well" run --json
    undock
    check "SIG$signal: A equals the source" same_tree "$A"
    check "SIG$signal: B equals the source" same_tree "$B"
    equal "SIG$signal: no staging is left" '' "$(staged "$A")$(staged "$B")"
    dock "$A" "$B"
done

# Whoever stops a run is told at once that it was heard.
told=0
for try in 1 2 3 4 5; do
    head -c 20000000 /dev/urandom >"$SRC/large.bin"
    start --json
    for i in $(seq 400); do
        case $(ledger "SELECT phase FROM run WHERE ended IS NULL ORDER BY id DESC LIMIT 1" 2>/dev/null) in
        copying | proving) break ;;
        esac
        sleep 0.005
    done
    kill -INT "$RUN" 2>/dev/null
    wait "$RUN"
    [[ $? = 130 ]] && { told=$(grep -c '^Stopping: ' "$ERR"); break; }
done
equal "a run that is stopped says so, once" 1 "$told"
td_is 0 "and the next one ends well" run

# What was proven before the signal is not read again by the next run, unless it has changed since, however quietly.
mkdir "$SRC/quiet"
for i in $(seq 40); do echo "quiet $i" >"$SRC/quiet/q$i"; done
truncate -s 800M "$SRC/heavy" # a hole: no room, but time to read
td_is 0 "quiet edits: all is proven" run
PROVEN="SELECT CAST(path AS TEXT) FROM file JOIN pair ON pair.id = file.pair
         WHERE cycle <> 0 AND source_cycle = cycle AND a_cycle = cycle AND CAST(path AS TEXT) LIKE 'quiet/q%' LIMIT 1"
began=$(now)
td_is 0 "quiet edits: a run to measure" run
took=$(($(now) - began))
for try in $(seq 40); do
    start
    nap $((took * (try % 20 + 1) / 21))
    kill -TERM "$RUN" 2>/dev/null
    wait "$RUN"
    [[ $? = 143 && -n $(ledger "$PROVEN") ]] && break
done
quiet=$(ledger "$PROVEN")
if [[ $quiet ]]; then
    when=$(stat -c %y "$SRC/$quiet")
    tr a-z A-Z <"$SRC/$quiet" >"$T/edited"
    cat "$T/edited" >"$SRC/$quiet"
    touch -d "$when" "$SRC/$quiet"
    td_is 0 "quiet edits: a file that was proven before the signal" run
    undock
    check "quiet edits: A equals the source" same_tree "$A"
    check "quiet edits: B equals the source" same_tree "$B"
    check "quiet edits: the manifest holds on A" manifest_holds "$A"
else
    echo "ok - quiet edits # SKIP no run was caught in the midst of its proof"
fi
finish
