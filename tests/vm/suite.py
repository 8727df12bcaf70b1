#!/usr/bin/env python3
"""The VM suite: twindock installed in a Debian, with docks that disks are plugged into and pulled out of.

    suite.py [-k] [NAME...]     all scenarios, or those named and what they build on; -k keeps the work directory

environment: TWINDOCK_VM_CACHE  where the machine's image is kept (/var/cache/twindock-vm)
             TWINDOCK_VM_ACCEL  QEMU's accelerator (tcg)
             TWINDOCK_VM_CUTS   power cuts (2)
             TWINDOCK_VM_LANES  scenarios at a time (as many as there are processors, but no more than 2)
             TWINDOCK_VM_SEED   of what is left to chance
"""

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True  # nothing is made beside the sources

import lanes
import machine
import scenarios
from rig import Broken, Rig, State

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CACHE = os.environ.get("TWINDOCK_VM_CACHE", "/var/cache/twindock-vm")
LANES = int(os.environ.get("TWINDOCK_VM_LANES", min(2, len(os.sched_getaffinity(0)))))


def libraries(build):
    """The packages that hold what the program is linked with, and those it may load."""
    files = subprocess.run(["ldd", f"{build}/twindock"], capture_output=True, text=True, check=True).stdout
    paths = [os.path.realpath(word) for word in files.split() if word.startswith("/")]
    owners = subprocess.run(["dpkg-query", "-S", *paths], capture_output=True, text=True).stdout
    return sorted({line.split(":")[0] for line in owners.splitlines()})


def image(build):
    """The directory of the machine's image, made when there is none that fits; of others the one used last is kept."""
    packages = libraries(build)
    key = subprocess.run([f"{HERE}/image", "key", *packages], capture_output=True, text=True, check=True).stdout.strip()
    directory = os.path.join(CACHE, key)
    os.makedirs(CACHE, exist_ok=True)
    lock = open(os.path.join(CACHE, "lock"), "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not os.path.exists(os.path.join(directory, "root.img")):
        others = [entry.path for entry in os.scandir(CACHE) if entry.is_dir()]
        for old in sorted(others, key=os.path.getmtime)[:-1]:
            machine.remove(old)
        with open(os.path.join(CACHE, "log"), "wb") as log:
            made = subprocess.run([f"{HERE}/image", "make", directory + ".new", *packages], stdout=log, stderr=log)
        if made.returncode != 0:
            with open(os.path.join(CACHE, "log"), errors="replace") as log:
                raise Broken("the image could not be made:\n" + log.read()[-4000:])
        os.rename(directory + ".new", directory)
    os.utime(directory)
    lock.close()
    return directory


def booted(base):
    """The machine after a first boot, as a state; made once for an image, a version of QEMU and a command line."""
    made_of = [machine.qemu_version(), *machine.Machine("", "").command({}, {}, [])]
    key = hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:16]
    directory = os.path.join(base, "booted-" + key)
    paths = {name: os.path.join(directory, name) for name in ("memory", "root.qcow2", "array.img")}
    state = State(directory, paths["memory"], paths["root.qcow2"], paths["array.img"], None)
    if os.path.exists(os.path.join(directory, "complete")):
        return state
    machine.remove(directory)
    os.makedirs(directory)
    vm = machine.Machine(directory, base)
    with open(paths["array.img"], "wb") as file:
        file.truncate(512 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "array", paths["array.img"]], check=True)
    try:
        vm.start(machine.overlay(paths["root.qcow2"], os.path.join(base, "root.img")), machine.raw(paths["array.img"]))
        vm.sh("systemctl is-system-running --wait")
        vm.sh("mountpoint -q /array; sync")
        vm.save(state.memory)
    finally:
        vm.cut_power()
    with open(os.path.join(directory, "complete"), "wb"):
        pass
    return state


def play(scenario, context):
    """Runs one scenario: how many assertions held and failed, and the state that it leaves for others."""
    state, left = context.states.get(scenario.begins), None
    if state is None:
        print(f"not ok - {scenario.name}: the state '{scenario.begins}' was not reached", flush=True)
        return 0, 1, None
    rig = Rig(context.base, context.work, state, scenario.name)
    rig.context = context
    try:
        left = scenario.play(rig)
        if rig.failed:
            rig.diagnose()
    except Exception as error:
        rig.ok("the scenario could be played", False, "".join(traceback.format_exception(error)[-3:]))
        rig.diagnose()
    finally:
        rig.vm.cut_power()
        if not context.keep and not scenario.leaves:
            machine.remove(rig.work)
    return rig.passed, rig.failed, left if scenario.leaves else None


def chosen(names):
    """The scenarios to play: all, or those named with the ones that they build on."""
    if not names:
        return scenarios.ALL
    wanted = set(names)
    unknown = wanted - {scenario.name for scenario in scenarios.ALL}
    if unknown:
        sys.exit(f"no such scenario: {' '.join(sorted(unknown))}")
    for scenario in reversed(scenarios.ALL):
        if scenario.name in wanted:
            wanted |= {other.name for other in scenarios.ALL if other.leaves and other.leaves == scenario.begins}
    return [scenario for scenario in scenarios.ALL if scenario.name in wanted]


class Context:
    pass


def main():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda got, _: sys.exit(128 + got))  # by way of what cleans up
    names = [word for word in sys.argv[1:] if word != "-k"]
    context = Context()
    context.keep = "-k" in sys.argv[1:]
    context.build = os.environ.get("BUILD", os.path.join(ROOT, "build"))
    passed, failed = 0, 0
    plays = chosen(names)
    started = time.monotonic()
    context.work = tempfile.mkdtemp(prefix="twindock-vm.", dir=os.environ.get("TMPDIR", "/var/tmp"))
    try:
        context.base = image(context.build)
        print(f"# the machine's image: {time.monotonic() - started:.0f} s", flush=True)
        context.states = {"booted": booted(context.base)}
        print(f"# the machine booted: {time.monotonic() - started:.0f} s", flush=True)
        passed, failed = lanes.play_all(plays, context.states, LANES, lambda scenario: play(scenario, context))
    except Broken as error:
        print(f"not ok - the machine: {error}")
        failed += 1
    finally:
        if context.keep:
            print(f"# kept: {context.work}")
        else:
            machine.remove(context.work)
    print(f"# {time.monotonic() - started:.0f} s in all")
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if passed and not failed else 1)


if __name__ == "__main__":
    main()
