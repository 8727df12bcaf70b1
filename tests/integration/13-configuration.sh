#!/usr/bin/env bash
# What is wrong with a configuration is said in one line with file, line and what was expected, exit 78; what is wrong
# with a command line, exit 64; help and version go to standard output.
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

claim_slots
# Lines 1 to 12; a test changes some of them.
cat >"$T/good.conf" <<EOF
[twindock]
ledger = $T/ledger/twindock.db
mail_to = root
sendmail = /bin/true
[dock server]
mode = individual
source = $SLOT1
destination = $SLOT2
settle = 0s
[collection M]
source = $SRC
overdue = 21d
EOF

one_line() { [[ $(wc -l <"$ERR") = 1 && ! -s $OUT ]]; }
# complains CODE NAME REGEX: of the last command's $ERR.
complains() {
    check "$1: one line on standard error, nothing else" one_line
    matches "$1: what it says" "$2" "$(cat "$ERR")"
}
# bad NAME LINE EXPECTED SED-SCRIPT: with the script run over the good configuration, line LINE is complained of.
bad() {
    sed "$4" "$T/good.conf" >"$CONF"
    td_is 78 "$1: exit 78" check
    complains "$1" "$CONF:$2: .*expected .*$3"
}
# unusable NAME REGEX: the file itself.
unusable() {
    td_is 78 "$1: exit 78" check
    complains "$1" "$2"
}

cp "$T/good.conf" "$CONF"
td_is 2 "the good one is taken" check
check "nothing on standard error" [ ! -s "$ERR" ]
echo "[collection Tb-2_x] # remark" >>"$CONF"
printf '\xef\xbb\xbf; a remark\r\n\r\n' | cat - "$CONF" >"$CONF.1"
{ cat "$CONF.1"; printf 'source = %s ; remark\r\nexclude = *.tmp\nexclude = !keep.tmp\nmax_delete = 12.5%%\nfinish_by\n' "$SRC"; } >"$CONF"
td_is 78 "a line without ="  check
sed -i '$d' "$CONF"
td_is 2 "remarks, CR LF, a byte order mark, patterns more than once" check

sed "11s|.*|source = /$(printf '%0250d/%0250d' 0 0)|; \$a exclude = $(printf '%0300d' 0)" "$T/good.conf" >"$CONF"
td_is 2 "long paths and patterns" check

# --- keys, sections, values ---------------------------------------------------------------------------------------

bad "an unknown key" 12 "overdue" '12s/overdue/overdeu/'
matches "an unknown key: what was meant" "did you mean 'overdue'" "$(cat "$ERR")"
bad "a key of another section" 9 '\[collection NAME\]' '9s/.*/overdue = 3d/'
bad "a key before any section" 1 '\[twindock\]' '1s/.*/mail_to = root/'
bad "an unknown section" 10 '\[collection NAME\]' '10s/.*/[colection M]/'
bad "a section without a name" 10 '\[collection NAME\]' '10s/.*/[collection]/'
bad "a name of other characters" 10 'letters' '10s/.*/[collection M M]/'
bad "a section that is not closed" 10 "" '10s/.*/[collection M/'
bad "a line without =" 12 "key = value" '12s/.*/overdue/'
bad "a duration without a unit" 12 "21d" '12s/21d/21/'
bad "a duration that is none" 12 "21d" '12s/21d/soon/'
bad "a negative duration" 12 "21d" '12s/21d/-1d/'
bad "no time at all for overdue" 12 "above 0" '12s/21d/0s/'
bad "a percentage without %" 12 "0% to 100%" '12s/.*/max_delete = 10/'
bad "more than all" 12 "0% to 100%" '12s/.*/max_delete = 101%/'
bad "a time of day that is none" 4 "07:00" '4s/.*/finish_by = 24:00/'
bad "a choice that is none" 6 "individual or mirror" '6s/individual/combine/'
bad "a flag that is none" 12 "no or yes" '12s/.*/one_filesystem = true/'
bad "a relative path" 11 "absolute path" '11s/.*/source = array/'
bad "a target that climbs" 12 "relative path" '12s/.*/target = a\/..\/../'
bad "a target that is taken" 12 "taken" '12s/.*/target = .twindock/'
bad "a slot that follows a disk" 7 "a place" '7s/.*/source = \/dev\/disk\/by-uuid\/1234/'
bad "two mail addresses" 3 "one mail address" '3s/.*/mail_to = a, b/'
bad "an option for sendmail in place of an address" 3 "one mail address" '3s/.*/mail_to = -oQ\/tmp/'
bad "a key twice" 13 "the first is on line 12" '$a overdue = 22d'

# --- the whole ----------------------------------------------------------------------------------------------------

bad "a directory for a ledger" 2 "path of a file" '2s|.*|ledger = /etc|'
bad "the root for a ledger" 2 "path of a file" '2s|.*|ledger = /|'
bad "a device for a ledger" 2 "path of a file" '2s|.*|ledger = /dev/null|'
bad "a section twice" 13 "the first is on line 10" '$a [collection M]'
bad "a collection without a source" 10 "directory to back up" '11d'
bad "a dock without a source" 5 "source slot" '7d'
bad "a dock without a destination" 5 "destination slot" '8d'
bad "a mirroring dock with a destination" 8 "none with mode = mirror" '6s/individual/mirror/'
bad "one slot for both" 8 "a slot of its own" "8s|.*|destination = $SLOT1|"
bad "a slot in two docks" 14 "a slot of its own" "\$a [dock two]\\nsource = $SLOT2\\ndestination = /dev/null"
matches "a slot in two docks: where it is taken" 'destination of \[dock server\] on line 8' "$(cat "$ERR")"
bad "control bytes in a value are escaped" 12 "21d" '12s/21d/\x1b[2J/'
check "no escape sequence reaches the terminal" sh -c "! grep -q '$(printf '\033')' '$ERR'"

rm -f "$CONF"
unusable "no file" "$CONF: .*No such file"
mkdir "$CONF"
unusable "a directory" "$CONF: .*directory"
rmdir "$CONF"
ln -s nowhere "$CONF"
unusable "a link to nothing" "$CONF: .*No such file"
rm "$CONF"
if setpriv --help >/dev/null 2>&1; then
    cp "$T/good.conf" "$CONF" && chmod 600 "$CONF" && chmod 755 "$T" && cp "$TWINDOCK" "$T/twindock"
    setpriv --reuid 65534 --regid 65534 --clear-groups "$T/twindock" check -c "$CONF" >"$OUT" 2>"$ERR"
    equal "a file that may not be read: exit 78" 78 $?
    complains "a file that may not be read" "$CONF: .*Permission denied"
fi
head -c 100 /dev/urandom | tr -d '\n' >"$CONF"
td_is 78 "random bytes: exit 78" check
check "random bytes: one line" one_line
cp "$T/good.conf" "$CONF"
for command in --info check run verify "format M" "enroll M" mail-test; do
    # shellcheck disable=SC2086
    "$TWINDOCK" $command -c "$T/nowhere.conf" </dev/null >"$OUT" 2>"$ERR"
    equal "$command without a configuration: exit 78" 78 $?
done

# --- the command line ---------------------------------------------------------------------------------------------

# usage NAME REGEX ARGUMENT...: exit 64 and a line that says why.
usage() {
    local name=$1 regex=$2; shift 2
    "$TWINDOCK" "$@" </dev/null >"$OUT" 2>"$ERR"
    equal "$name: exit 64" 64 $?
    complains "$name" "$regex"
}
usage "an unknown option tells of its command" 'see twindock run --help' run --dry
usage "restore without a place" 'needs --to DIR' restore M a -c "$CONF"
usage "a collection that is not configured: which ones are" 'there is M$' run NOSUCH -c "$CONF"
usage "no command" 'see twindock --help'
usage "an unknown command" 'unknown command "backup"; see twindock --help' backup
usage "an unknown option" 'unknown option --frobnicate' run --frobnicate
usage "an unknown letter" 'unknown option -x' run -x
usage "an option of another command" 'check does not take --dry-run' check --dry-run -c "$CONF"
usage "an option without its value" '-c needs a value' check -c
usage "an argument too many" 'check does not take "M"' check M -c "$CONF"
usage "an argument too few" 'format needs COLLECTION' format -c "$CONF"
usage "sync with one directory" 'sync needs SRC DST' sync /tmp
usage "run of a collection that is not configured" 'no section \[collection NOSUCH\]' run NOSUCH -c "$CONF"
usage "format of a collection that is not configured" 'no section \[collection NOSUCH\]' format NOSUCH --yes -c "$CONF"
usage "enroll with an unknown layout" 'layout' enroll M --layout raid -c "$CONF"
usage "verify of a collection that is not configured" 'no section \[collection NOSUCH\]' verify NOSUCH -c "$CONF"
usage "format in a dock that is not configured" 'dock' format M --yes --dock nosuch -c "$CONF"

# Without a dock no command says that nothing is docked; what starts by itself leaves such a machine in peace.
sed '/^\[dock/,/^settle/d' "$T/good.conf" >"$CONF"
for command in check run verify "format M" "enroll M" "restore M --all --to $T/back" "restore --drill" watch; do
    # shellcheck disable=SC2086
    td_is 78 "$command without a dock" $command
    complains "$command without a dock" 'no section \[dock NAME\]'
done
td_is 0 "run --nightly without a dock" run --nightly
td_is 0 "run --device without a dock" run --device /dev/null
rm -r "$T/ledger"
cp "$T/good.conf" "$CONF"

# With --json there is an object whatever happens.
for case in "78 $T/nowhere.conf info" "64 $CONF run NOSUCH" "2 $CONF heal M x" "2 $CONF format M"; do
    read -r code file command <<<"$case"
    # shellcheck disable=SC2086
    "$TWINDOCK" -c "$file" $command --json </dev/null >"$OUT" 2>"$ERR"
    equal "$command --json that fails: exit $code, here too" "$code $code" "$? $(json exit)"
    matches "$command --json that fails: it is said twice" "^twindock: $(json reason | sed 's/[][\.]/./g')\$" "$(cat "$ERR")"
done
rm -r "$T/ledger"

# Files that are opened must not take the place of standard streams that are closed: what is said would go into them.
"$TWINDOCK" watch -c "$CONF" <&- >&- 2>&- &
watch=$!
for i in $(seq 100); do [[ $(readlink /proc/$watch/exe) = "$TWINDOCK" && -e /proc/$watch/fd/3 ]] && break; sleep 0.05; done
sleep 0.2
equal "closed standard streams go nowhere" '/dev/null /dev/null /dev/null' \
    "$(readlink /proc/$watch/fd/0) $(readlink /proc/$watch/fd/1) $(readlink /proc/$watch/fd/2)"
kill "$watch"; wait "$watch"

# shown NAME REGEX ARGUMENT...: exit 0, on standard output alone.
shown() {
    local name=$1 regex=$2; shift 2
    "$TWINDOCK" "$@" </dev/null >"$OUT" 2>"$ERR"
    equal "$name: exit 0" 0 $?
    check "$name: nothing on standard error" [ ! -s "$ERR" ]
    matches "$name: text" "$regex" "$(cat "$OUT")"
}
shown "--version" '^twindock [0-9]+\.[0-9]+\.[0-9]+$' --version
shown "--help" 'Usage: twindock .*Commands:.*check .*run .*Options:.*Exit codes:.*11 .*64 .*78 ' --help
shown "-h" 'Usage: twindock ' -h
for command in info check run verify format enroll mail-test sync; do
    shown "$command --help" "^Usage: twindock $command.*Options:.*--help" "$command" --help
    "$TWINDOCK" --help | grep -q "^  $command " || flunk "--help lists $command"
done
shown "--info --help" 'Usage: twindock info' --info --help
"$TWINDOCK" run --help >"$OUT"
for option in --config --json --dry-run --device --nightly --accept-changes --accept-ahead; do
    matches "run --help has $option" "$option" "$(cat "$OUT")"
done
"$TWINDOCK" --help >/dev/full 2>/dev/null
matches "standard output that is full is no success" '^[1-9]' $?
"$TWINDOCK" verify -c "$T/good.conf" >/dev/full 2>"$ERR"
matches "standard output that is full is told, also when it was wanted early" 'standard output cannot be written' "$(cat "$ERR")"
rm -r "$T/ledger"
matches "standard output that is full is told" 'standard output cannot be written' "$("$TWINDOCK" --help 2>&1 >/dev/full)"
check "none of all this made a ledger" [ ! -e "$T/ledger/twindock.db" ]
finish
