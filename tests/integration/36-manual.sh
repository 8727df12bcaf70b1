#!/usr/bin/env bash
# The manual pages and the completion: well-formed, and complete against what the program itself says it takes.
# needs: nobody
set -u
export LC_ALL=C.UTF-8
: "${BUILD:?}" "${TWINDOCK:?}"
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
PASSED=0 FAILED=0
pass() { PASSED=$((PASSED + 1)); echo "ok - $1"; }
flunk() { FAILED=$((FAILED + 1)); echo "not ok - $1"; [[ ${2:-} ]] && printf '%s\n' "$2" | sed 's/^/#   /' | head -n 20; return 0; }
equal() { if [[ $2 == "$3" ]]; then pass "$1"; else flunk "$1" "expected: $2
got: $3"; fi; }
has() { if grep -qE -- "$2" "$3"; then pass "$1"; else flunk "$1" "no line matches: $2"; fi; }

# --- the pages ----------------------------------------------------------------------------------------------------

for page in twindock.8 twindock.conf.5; do
    MANWIDTH=100 man --warnings --encoding=UTF-8 --local-file --no-hyphenation --no-justification --prompt=- \
        "$BUILD/man/$page" 2>"$T/warnings" | col -b >"$T/$page"
    equal "$page: groff has nothing to complain of" '' "$(cat "$T/warnings")"
    equal "$page: no mark of the template is left" '' "$(grep -E '@[a-z-]+@' "$BUILD/man/$page")"
done
has "the page has the version" "$("$TWINDOCK" --version)" "$T/twindock.8"

commands=$("$TWINDOCK" --help | sed -n '/^Commands:/,/^$/p' | awk '/^  / { print $1 }')
equal "there are commands" 1 "$(grep -c '^run$' <<<"$commands")"
for command in $commands; do
    usage=$("$TWINDOCK" "$command" --help | sed -n '1s/^Usage: twindock \(.*\) \[OPTION\.\.\.\]$/\1/p')
    has "twindock(8) has $command as the program says it" "^ {7}$(sed 's/[].|*[]/\\&/g' <<<"$usage")( |\$)" "$T/twindock.8"
    for option in $("$TWINDOCK" "$command" --help | grep -oE -- '--[a-z-]+' | sort -u); do
        has "twindock(8) has $command's $option" "^ {7}(-., )?$option( |\$)" "$T/twindock.8"
    done
done
for code in $("$TWINDOCK" --help | sed -n '/^Exit codes:/,$p' | awk '/^  [0-9]/ { print $1 }'); do
    has "twindock(8) has exit code $code" "^ {7}${code/+/\\+}( |\$)" "$T/twindock.8"
done
equal "the last one is any signal's" '128+N' "$code"
# Words that are typed as they stand do not get a capital.
has "a value that begins a row stays as it is" '^[[:blank:]]+strict: member A' "$T/twindock.conf.5"
for verdict in $(sed -nE 's/^ *\[TD_[A-Z_]+\] = \{"([a-z-]+)",?.*/\1/p' "$ROOT/src/model/verdict.c"); do
    has "twindock(8) has the verdict $verdict" "^ {7}$verdict( |\$)" "$T/twindock.8"
done
# JSON: every field that is written somewhere, and every word of the tables that such a field may hold.
sed -n '/^JSON/,/^FILES/p' "$T/twindock.8" >"$T/json"
fields=$(grep -ohE '(td_json|td_field|set)_[a-z]+\([^"]*"[a-z0-9_]+"' "$ROOT"/src/{cli,report,run}/*.c | sed 's/.*"\(.*\)"/\1/' | sort -u)
equal "the fields of JSON are found" 'check 1 stored_b 1' "check $(grep -c '^last_drill$' <<<"$fields") stored_b $(grep -c '^stored_a$' <<<"$fields")"
for field in $fields held repaired unreadable noted members runs stored_b; do
    has "twindock(8), JSON has the field $field" "(^|[[:blank:](])$field([[:blank:],.;:)]|\$)" "$T/json"
done
words() { sed -nE 's/^ *[{]?(\[[A-Z_]+\] = "[a-z-]+".*)/\1/p' "$1" | grep -oE '"[a-z-]+"' | tr -d '"'; } # words FILE: of its tables
states=$(sed -n 's/.*per member .*: \(".*"\) \*\//\1/p' "$ROOT/include/twindock/model/outcome.h" | tr -d '"')
equal "the members' states are found" 1 "$(grep -c '\bunseen\b' <<<"$states")"
equal "results and causes are found" 2 "$(words "$ROOT/src/model/outcome.c" | grep -cxE 'done-unproven|edited-mtime-kept')"
for word in $(words "$ROOT/src/model/outcome.c") $(words "$ROOT/src/model/row.c" | grep -vx enter) $states; do
    has "twindock(8), JSON has the word $word" "(^|[[:blank:](])$word([[:blank:],.;:)]|\$)" "$T/json"
done
for word in $(words "$ROOT/src/model/identity.c"); do
    has "twindock(8) has the identity $word" "(^|[[:blank:](])$word([[:blank:],.;:)]|\$)" <(sed -n '/^[[:blank:]]*identity is /,/^[[:blank:]]*--full /p' "$T/twindock.8")
done
for key in $(grep -oE '^#?[a-z_]+ = ' "$ROOT/doc/twindock.conf.example" | tr -d '#= ' | sort -u); do
    has "twindock.conf(5) has $key" "^ {7}$key =" "$T/twindock.conf.5"
done
for file in twindock@.service 60-twindock.rules /etc/twindock/twindock.conf /var/lib/twindock; do
    has "twindock(8) has the file $file" "$file" "$T/twindock.8"
done

# --- the completion -----------------------------------------------------------------------------------------------

printf '[twindock]\n[dock attic]\n[dock cellar]\n [collection Music] ; all\n[collection M2]\n' >"$T/conf"
mkdir "$T/files" && : >"$T/files/one.conf" && mkdir "$T/files/sub"
source "$BUILD/completion/twindock" || flunk "the completion can be read"
# complete_ WORD...: what is offered for the last word, sorted.
complete_() {
    COMP_WORDS=(twindock "$@") COMP_CWORD=$# COMPREPLY=()
    _twindock 2>"$T/complaints"
    [[ -s $T/complaints ]] && flunk "completing $*" "$(cat "$T/complaints")"
    printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | tr '\n' ' ' | sed 's/ $//'
}
sorted() { printf '%s\n' "$@" | LC_ALL=C sort | tr '\n' ' ' | sed 's/ $//'; }

equal "completion: it is registered" "complete -F _twindock twindock" "$(complete -p twindock)"
# shellcheck disable=SC2086
equal "completion: all commands" "$(sorted $commands)" "$(complete_ '')"
equal "completion: one command" check "$(complete_ che)"
for command in $commands; do
    # shellcheck disable=SC2046
    equal "completion: the options of $command" "$(sorted $("$TWINDOCK" "$command" --help | grep -oE -- '--[a-z-]+' | sort -u))" \
        "$(complete_ "$command" --)"
done
equal "completion: options before a command" "--config --help --info --json --version" "$(complete_ --)"
equal "completion: collections" "M2 Music" "$(complete_ -c "$T/conf" run M)"
equal "completion: a second collection" "M2 Music" "$(complete_ -c "$T/conf" run M2 M)"
equal "completion: no second one where one is all" '' "$(complete_ -c "$T/conf" verify M2 '')"
equal "completion: docks" "attic cellar" "$(complete_ -c "$T/conf" format M2 --dock '')"
equal "completion: an option's value is not the command" "M2 Music" "$(complete_ --config "$T/conf" format M)"
equal "completion: files" "$T/files/one.conf $T/files/sub" "$(complete_ -c "$T/files/")"
equal "completion: directories" "$T/files/sub" "$(complete_ sync "$T/files/")"
equal "completion: what takes nothing" '' "$(complete_ check '')"
finish() { echo "1..$((PASSED + FAILED))"; [[ $FAILED = 0 ]]; exit; }
finish
