# For tests that end a run in the middle: the program with tests/integration/kill-after.c before it, and everything put
# aside and brought back between one death and the next. Source it after lib.sh.
#
#   $KEEP       what save() has put aside

KEEP=$T/keep
command -v gcc >/dev/null || { echo "ok - kill after a call # SKIP needs a compiler"; finish; }
gcc -shared -fPIC -O1 -o "$T/kill.so" "$HERE/../integration/kill-after.c" -ldl || { flunk "compiling"; finish; }

run_shimmed() { # run_shimmed VAR=VALUE...: in the background, in $RUN
    env "$@" LD_PRELOAD="$T/kill.so" ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
        "$TWINDOCK" run -c "$CONF" >"$OUT" 2>"$ERR" &
    RUN=$!
}
stop_there() { # wait until the run has stopped itself, or has ended
    local state
    while state=$(sed 's/.*) //;s/ .*//' "/proc/$RUN/stat" 2>/dev/null); do
        [[ $state = [TZ] ]] && return
        sleep 0.01
    done
}
dies_after() { # dies_after N: a run is killed right after its call N; 1: it has ended before
    run_shimmed KILL_AFTER="$1"
    stop_there
    { wait "$RUN"; } 2>/dev/null
    [[ $? = 137 ]]
}
save() { undock; mkdir -p "$KEEP"; cp --sparse=always "$A" "$KEEP/a.img"; cp --sparse=always "$B" "$KEEP/b.img"; rm -rf "$KEEP/ledger"; cp -a "$T/ledger" "$KEEP/ledger"; }
bring_back() { # bring_back DIRECTORY
    undock
    cp --sparse=always "$1/a.img" "$A"; cp --sparse=always "$1/b.img" "$B"
    rm -rf "$T/ledger"; cp -a "$1/ledger" "$T/ledger"
    dock "$A" "$B"
}
