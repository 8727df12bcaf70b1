#!/usr/bin/env bash
# A file with two names is edited without a new time, the run is cut off, and then another of its names comes first: that
# is an edit all the same, and nothing has rotted.
#
#   EVERY=1      after each call (default: a few)
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$HERE/kill.sh"

edit_quietly() { # edit_quietly PATH: in its place
    local when
    when=$(stat -c %y "$1")
    printf QUIET | dd of="$1" bs=1 seek=100 conv=notrunc status=none
    touch -d "$when" "$1"
}
swap_names() { mv "$SRC/a" "$SRC/x"; mv "$SRC/z" "$SRC/a"; mv "$SRC/x" "$SRC/z"; }

export MNT=$T/mnt/m
mkdir -p "$MNT" "$SRC/a" "$SRC/m" "$SRC/z"
small_tree
head -c 30000 /dev/urandom >"$SRC/a/one"
ln "$SRC/a/one" "$SRC/m/two"
claim_slots
configure '' 'max_delete = 100%
max_change = 100%'
new_pair 64M
td_is 0 "first run" run
edit_quietly "$SRC/a/one"
save
dock "$A" "$B"
run_shimmed KILL_COUNT="$T/calls"
wait "$RUN"
equal "undisturbed: it is taken over" 0 $?
calls=$(cat "$T/calls")
echo "# $calls calls"
died=0
# Where the members have been read, and the source has not yet: some way into the proof.
for n in $(if [[ ${EVERY:-} ]]; then seq "$calls"; else seq $((calls / 6)) 2 $((calls / 6 + 14)); fi); do
    bring_back "$KEEP"
    dies_after "$n" || continue # the calls of one run are not those of another to the last
    died=$((died + 1))
    swap_names
    td_is 0 "killed after call $n: nothing has rotted" run
    swap_names
    td_is 0 "killed after call $n: nor has it with the names as they were" run
    undock
    check "killed after call $n: A is the source" same_tree "$A"
    check "killed after call $n: B is the source" same_tree "$B"
    [[ $FAILED -lt 20 ]] || finish
done
check "the runs really died ($died)" test "$died" -gt 0
finish
