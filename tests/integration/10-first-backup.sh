#!/usr/bin/env bash
# The first backup of a tree that holds everything real trees hold: what is on the members afterwards, by the word of
# rsync, sha256sum, sqlite3 and a walker of our own, and that nothing is left behind on the machine.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

COMPARE=$HERE/tree-compare
DEEP='00deep*' # rsync takes no path of more than PATH_MAX bytes

rsync_finds_nothing() { # rsync_finds_nothing DIR [RSYNC OPTION...]; run by `mounted`
    local said
    said=$(rsync -aHAXSc --numeric-ids --delete -n -i --exclude="/$DEEP" "${@:2}" "$SRC/" "$MNT/$1/" 2>&1) || said+=" (failed)"
    [[ -z $said ]] || { printf '%s\n' "$said"; return 1; }
}
walker_finds_nothing() { "$COMPARE" equal "$SRC" "$MNT/$1" "${@:2}"; }
manifest_lists_all() { "$COMPARE" manifest "$MNT" "$@"; }
sha256sum_passes() { # every file that has a name short enough, by coreutils alone
    (cd "$MNT" && sha256sum --strict -c .twindock/SHA256SUMS >"$T/sums.log") || { grep -v ': OK$' "$T/sums.log"; return 1; }
    echo "sha256sum: $(grep -c ': OK$' "$T/sums.log") of $NAMES" # all but the deep leaf
    [[ $(grep -c ': OK$' "$T/sums.log") = $((NAMES - 1)) ]]
}
deep_leaf_is_listed() { # the leaf at depth 69 holds "at depth 69"
    local sum
    sum=$(printf 'at depth 69' | sha256sum | cut -d' ' -f1)
    [[ $(wc -l <"$MNT/.twindock/SHA256SUMS.long") = 1 ]] && grep -Eq "^$sum  M/00(deep)+/.*/69(deep)+/leaf\$" "$MNT/.twindock/SHA256SUMS.long"
}
papers_are_there() { # papers_are_there DIR-OF-RESTORE
    local f
    for f in .twindock/card.json .twindock/SHA256SUMS .twindock/SHA256SUMS.long .twindock/ledger.db "$1/RESTORE.txt"; do
        [[ -s $MNT/$f ]] || { echo "$f is missing or empty"; return 1; }
    done
}
card_says() { # card_says MEMBER GENERATION
    python3 - "$MNT/.twindock/card.json" "$PAIR" "$@" <<'EOF'
import json, re, sys
card = json.load(open(sys.argv[1]))
want = {"pair": sys.argv[2], "collection": "M", "member": sys.argv[3], "layout": "twins", "generation": int(sys.argv[4])}
wrong = {k: (card.get(k), v) for k, v in want.items() if card.get(k) != v}
if wrong or not re.fullmatch("[0-9a-f]{32}", card["token"]) or not card["host"] or card["last_run"] < 1:
    sys.exit(f"{wrong} in {card}")
EOF
}
ledger_copy_holds() { # ledger_copy_holds FILES: regular files with a sum, in a copy that sqlite3 opens
    local said
    cp "$MNT/.twindock/ledger.db" "$T/copy.db" && chmod 600 "$T/copy.db" || return 1
    [[ $(sqlite3 "$T/copy.db" 'PRAGMA integrity_check') = ok ]] || return 1
    said=$(sqlite3 "$T/copy.db" "SELECT count(*), count(sha256), sum(a_proven > 0), sum(b_proven > 0) FROM file WHERE mode & 61440 = 32768")
    rm -f "$T/copy.db"*
    [[ $said = "$1|$1|$1|$1" ]] || { echo "$said"; return 1; }
}
nothing_staged() { [[ -z $(ls -A "$MNT/.twindock/staging" 2>/dev/null) ]]; }
nothing_kept() { [[ -z $(find "$MNT/.twindock/history" "$MNT/.twindock/quarantine" -mindepth 1 2>/dev/null) ]]; }
restore_names_the_disk() { grep -q "$PAIR" "$MNT/$1/RESTORE.txt" && LC_ALL=C grep -vqP '[^\x00-\x7F]' "$MNT/$1/RESTORE.txt"; }
stamped() { "$COMPARE" stamp "$MNT/M" >"$T/stamp.$1"; } # stamped NAME
no_mount_left() { ! grep -E "^($(readlink -f "$SLOT1")|$(readlink -f "$SLOT2")) " /proc/mounts; }
exclusively() { # the kernel lets a block device be opened so only when nothing holds it
    python3 -c 'import os, sys
for node in sys.argv[1:]:
    os.close(os.open(node, os.O_RDONLY | os.O_EXCL))' "$SLOT1" "$SLOT2"
}
filesystem_sound() { e2fsck -fn "$1"; }

on_both() { # on_both NAME FUNCTION [ARG...]
    local name=$1; shift
    mounted "$A" true && check "$name, member A" mounted "$A" "$@"
    mounted "$B" true && check "$name, member B" mounted "$B" "$@"
}

# --- the first backup ---------------------------------------------------------------------------------------------

claim_slots
configure
small_tree
"$HERE/hostile-tree" "$SRC"
sync -f "$SRC" # so that its blocks are allocated and can be compared
count_files() { # NAMES of regular files; FILES: the same with hard links counted once
    "$COMPARE" stamp "$SRC" | awk '$(NF - 3) ~ /^0o10....$/ { print $(NF - 7) }' >"$T/inodes"
    NAMES=$(wc -l <"$T/inodes") FILES=$(sort -u "$T/inodes" | wc -l)
}
count_files
new_pair 600M
PAIR=$(ledger 'SELECT uuid FROM pair')
matches "the pair has a UUID" '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' "$PAIR"
td_is 0 "the first run" run --json
equal "its verdict" ok "$(json verdict)"
equal "its result" "done" "$(json result)"
equal "files" "$FILES" "$(json files)"
equal "every copy of the source and both members was read and proven" $((FILES * 2)) "$(json proven)"
equal "nothing is left to prove" 0 "$(json left)"
equal "nothing was found wrong" '[] [] []' "$(json held) $(json repaired) $(json unreadable)"
equal "both members are good" 'ok ok' "$(json members A state) $(json members B state)"
matches "safe to remove" 'safe to remove' "$(json safe)"
equal "no mail" 0 "$(mails)"
check "nothing is mounted" no_mount_left
check "both devices are free" exclusively
undock
check "the slots' loop devices are gone" [ ! -e "$SLOT1" -a ! -e "$SLOT2" ]

on_both "rsync finds nothing to do" rsync_finds_nothing M
on_both "nor does a walker that compares everything, long paths too" walker_finds_nothing M
on_both "sha256sum -c passes" sha256sum_passes
on_both "the manifests list every regular file" manifest_lists_all M
on_both "SHA256SUMS.long has the deep leaf" deep_leaf_is_listed
on_both "card, manifests, ledger and RESTORE.txt" papers_are_there .
check "the card of A" mounted "$A" card_says A 1
check "the card of B" mounted "$B" card_says B 1
on_both "the copy of the ledger" ledger_copy_holds "$NAMES"
on_both "RESTORE.txt names the pair, in ASCII" restore_names_the_disk .
on_both "staging is empty" nothing_staged
on_both "no history, no quarantine" nothing_kept
check "the filesystem of A is sound" filesystem_sound "$A"
check "the filesystem of B is sound" filesystem_sound "$B"
equal "label of A" M-A "$(e2label "$A")"
equal "label of B" M-B "$(e2label "$B")"

# --- the second, with nothing changed -----------------------------------------------------------------------------

mounted "$A" stamped a1; mounted "$B" stamped b1
dock "$A" "$B"
td_is 0 "the second run" run --json
equal "it copied, renamed, deleted and updated nothing" '0 0 0 0' "$(json copied) $(json renamed) $(json deleted) $(json updated)"
equal "it proved everything again" $((FILES * 2)) "$(json proven)"
undock
mounted "$A" stamped a2; mounted "$B" stamped b2
check "the collection on A is untouched, inode by inode" cmp "$T/stamp.a1" "$T/stamp.a2"
check "the collection on B is untouched, inode by inode" cmp "$T/stamp.b1" "$T/stamp.b2"
check "the generation was raised on A" mounted "$A" card_says A 2
check "the generation was raised on B" mounted "$B" card_says B 2
on_both "no history was made" nothing_kept

# --- the collection at the root of the member ---------------------------------------------------------------------

rm -rf "$T/ledger"
configure '' 'target = .'
echo "a file of the collection" >"$SRC/RESTORE.txt"
echo "a name that sha256sum takes for standard input" >"$SRC/-"
count_files
new_pair 600M
PAIR=$(ledger 'SELECT uuid FROM pair')
td_is 0 "target = .: the first run" run --json
equal "target = .: files" "$FILES" "$(json files)"
undock
on_both "target = .: rsync finds nothing to do" rsync_finds_nothing . --exclude=/.twindock --exclude=/lost+found
on_both "target = .: nor does the walker" walker_finds_nothing . .twindock lost+found
on_both "target = .: sha256sum -c passes" sha256sum_passes
on_both "target = .: the manifests list every regular file" manifest_lists_all . .twindock lost+found
on_both "target = .: RESTORE.txt is in .twindock" papers_are_there .twindock
on_both "target = .: the copy of the ledger" ledger_copy_holds "$NAMES"
dock "$A" "$B"
td_is 0 "target = .: the second run" run --json
equal "target = .: it copied and deleted nothing" '0 0 0 0' "$(json copied) $(json renamed) $(json deleted) $(json updated)"
undock
on_both "target = .: still the same" walker_finds_nothing . .twindock lost+found
finish
