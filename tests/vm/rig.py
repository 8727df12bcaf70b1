"""What scenarios are written with: disks and docks, a machine in a known state, and assertions that are printed.

A scenario begins from a state that an earlier one has left (a saved machine and the images of its pair), so none has to
wait for another boot. It asserts on what an owner has: the ledger, the mails, the journal, the disks' images.
"""

import os
import shlex
import subprocess
import time

import machine
from machine import Broken, Machine

SIZE = 160 << 20  # bytes of a dock's disk
PATIENCE = 3  # times what things take on a machine that has a processor to itself

# What a tree holds, one line for each entry; directories' sizes are the filesystem's affair.
LISTING = r"""
find . -type d ! -path './lost+found*' ! -name .twindock -printf '%y %m %U %G %T@ %p\n' | sort
find . ! -type d ! -path './.twindock/*' ! -name RESTORE.txt -printf '%y %m %U %G %n %s %T@ %l %p\n' | sort
find . -type f ! -path './.twindock/*' ! -name RESTORE.txt -print0 | sort -z | xargs -0r sha256sum
"""


class Disk:
    """A disk that can be put into a dock. throttle: bytes per second; debug: blkdebug's settings."""

    def __init__(self, name, image, serial, throttle=None, debug=None):
        self.name, self.image, self.serial, self.throttle, self.debug = name, image, serial, throttle, debug

    def node(self):
        node = machine.raw(self.image)
        if self.debug:
            node = {"driver": "blkdebug", "image": node, **self.debug}
        if self.throttle:
            node = {"driver": "throttle", "throttle-group": f"slow-{self.name}", "file": node}
        return node


class Dock:
    """Two bays. kind: "luns": USB, one bridge, a LUN for each bay; "bridges": USB, one bridge for each bay;
    "ports": one port for each bay, of a SCSI adapter; "sata": of AHCI, see scenarios/sata.py."""

    PATHS = {
        "luns": ("pci-0000:00:04.0-usb-0:1:1.0-scsi-0:0:0:0", "pci-0000:00:04.0-usb-0:1:1.0-scsi-0:0:0:1"),
        "bridges": ("pci-0000:00:04.0-usb-0:2:1.0-scsi-0:0:0:0", "pci-0000:00:04.0-usb-0:3:1.0-scsi-0:0:0:0"),
        "ports": ("pci-0000:00:05.0-scsi-0:0:1:0", "pci-0000:00:05.0-scsi-0:0:2:0"),
        "sata": ("pci-0000:00:1f.2-ata-1", "pci-0000:00:1f.2-ata-2"),
    }

    def __init__(self, vm, kind):
        self.vm, self.kind, self.inserted = vm, kind, {}
        self.paths = self.PATHS[kind]

    def _add_disk(self, disk, **where):
        if disk.throttle:
            limits = {"bps-total": disk.throttle}
            self.vm.qmp("object-add", **{"qom-type": "throttle-group", "id": f"slow-{disk.name}", "limits": limits})
        self.vm.add_node(disk.name, disk.node())
        self.vm.qmp("device_add", driver="scsi-hd", id=disk.name, drive=disk.name, serial=disk.serial, **where)

    def _bridge(self, name, port, disks):
        self.vm.qmp("device_add", driver="usb-bot", id=name, bus="usb.0", port=str(port), attached=False)
        for lun, disk in disks:
            self._add_disk(disk, bus=f"{name}.0", lun=lun)
        self.vm.qmp("qom-set", path=f"/machine/peripheral/{name}", property="attached", value=True)

    def insert(self, source=None, destination=None):
        """Puts disks into the bays. The two LUNs of one bridge can only come together."""
        disks = [(bay, disk) for bay, disk in enumerate((source, destination)) if disk]
        if self.kind == "luns":
            self._bridge("dock", 1, disks)
        for bay, disk in disks:
            if self.kind == "bridges":
                self._bridge(f"bay{bay}", 2 + bay, [(0, disk)])
            elif self.kind == "ports":
                self._add_disk(disk, bus="scsi.0", **{"scsi-id": bay + 1, "lun": 0})
            self.inserted[bay] = disk

    def pull(self, *bays):
        """Pulls the disks out of these bays, or of all."""
        bays = bays or tuple(self.inserted)
        if self.kind == "luns" and self.inserted:
            self.vm.unplug("dock")
        for bay in bays:
            disk = self.inserted.pop(bay)
            if self.kind != "luns":
                self.vm.unplug(f"bay{bay}" if self.kind == "bridges" else disk.name)
            self._forget(disk)

    def _forget(self, disk):
        for _ in range(100):
            try:
                self.vm.qmp("blockdev-del", **{"node-name": disk.name})
                break
            except Broken:  # the device is about to let go of it
                time.sleep(0.1)
        else:
            raise Broken(f"the image of disk {disk.name} stays in use")
        if disk.throttle:
            self.vm.qmp("object-del", id=f"slow-{disk.name}")


class State:
    """A saved machine: its memory, its own disks, the dock's images."""

    def __init__(self, directory, memory, root, array, images):
        self.directory, self.memory, self.root, self.array, self.images = directory, memory, root, array, images


class Rig:
    """One scenario's machine. Assertions print a line each and are counted; none ends the scenario."""

    def __init__(self, base, work, state, name):
        self.work, self.state, self.name = os.path.join(work, name), state, name
        machine.remove(self.work)
        os.makedirs(self.work)
        self.vm = Machine(self.work, base)
        self.passed, self.failed, self.told = 0, 0, False
        self.images = {letter: os.path.join(self.work, f"{letter}.img") for letter in "ab"}
        for letter, image in self.images.items():
            if state.images:
                machine.copy_sparse(state.images[letter], image)
            else:
                blank(image)
        self.disks = {letter: Disk(letter, self.images[letter], f"WD-{letter.upper()}0001") for letter in "ab"}
        self.root, self.array = os.path.join(self.work, "root.qcow2"), os.path.join(self.work, "array.qcow2")
        self.layers = machine.overlay(self.root, state.root), machine.overlay(self.array, state.array)

    # ---- counting --------------------------------------------------------------------------------------------------

    def ok(self, what, holds, detail=""):
        if holds:
            self.passed += 1
            print(f"ok - {self.name}: {what}", flush=True)
        else:
            self.failed += 1
            print(f"not ok - {self.name}: {what}", flush=True)
            for line in str(detail).splitlines()[:40]:
                print(f"#   {line}", flush=True)
        return bool(holds)

    def equal(self, what, wanted, got):
        return self.ok(what, wanted == got, f"expected: {wanted!r}\ngot:      {got!r}")

    def has(self, what, part, text):
        return self.ok(what, part in text, f"expected {part!r} in:\n{text}")

    def diagnose(self):
        """What a person needs to see why: the ledger's runs, mails, the journal; once."""
        if self.told or self.vm.qemu is None:
            return
        self.told = True
        print(f"---- {self.name}: the guest", flush=True)
        try:
            _, said = self.vm.run(
                "date; cd /var/lib/twindock; sqlite3 -readonly -header twindock.db 'SELECT id, command, started, ended,"
                " verdict, result, exit, phase, reason FROM run; SELECT * FROM mail;"
                " SELECT run, kind, cause, path, member, detail FROM incident';"
                "systemctl list-units --all --no-pager --plain 'twindock*'; lsblk -o NAME,SIZE,SERIAL,UUID,LABEL;"
                "grep -a -A 12 '^Subject' /var/mail/keeper | tail -n 60; "
                "journalctl -b --no-pager -o short-monotonic -p warning | tail -n 40; echo '-- and all:';"
                "journalctl -b --no-pager -o short-monotonic | tail -n 90",
                timeout=60,
            )
            print(said, flush=True)
        except (Broken, OSError) as error:
            print(f"the guest does not answer: {error}", flush=True)
            with open(os.path.join(self.work, "console"), encoding="utf-8", errors="replace") as console:
                print(console.read()[-3000:], flush=True)

    # ---- the machine -----------------------------------------------------------------------------------------------

    def wake(self, array=None):
        """Goes on from the state. array: what to put under the source's disk, a function from node to node."""
        root, data = self.layers
        self.vm.start(root, array(data) if array else data, state=self.state.memory)

    def boot(self, extra=()):
        self.vm.start(*self.layers, extra=extra)

    def save(self):
        """Keeps the machine as a state for other scenarios; the dock must be empty. Ends the machine."""
        if self.failed:
            self.diagnose()
        self.vm.sh("sync")
        memory = os.path.join(self.work, "memory")
        self.vm.save(memory)
        return State(self.work, memory, self.root, self.array, dict(self.images))

    def dock(self, kind, **settings):
        """A dock of that kind and a configuration for it."""
        dock = Dock(self.vm, kind)
        lines = "".join(f"{key} = {value}\n" for key, value in {"settle": "10s", **settings}.items())
        self.vm.sh(
            f"""cat >/etc/twindock/twindock.conf <<'END'
[twindock]
mail_to = root

[dock {kind}]
source = {dock.paths[0]}
destination = {dock.paths[1]}
{lines}
[collection M]
source = /array/music
source_mount = /array
END"""
        )
        return dock

    # ---- looking ---------------------------------------------------------------------------------------------------

    def ledger(self, query):
        return self.vm.sh(f'sqlite3 -readonly $ledger "{query}"')

    def runs(self):
        return int(self.ledger("SELECT count(*) FROM run WHERE command = 'run'"))

    def last_run(self, columns="result, exit, verdict"):
        return self.ledger(f"SELECT {columns} FROM run WHERE command = 'run' ORDER BY id DESC LIMIT 1")

    def until(self, script, seconds, every=0.2):
        """Waits until a script succeeds in the guest; longer where others keep the host busy."""
        patience = int(seconds * PATIENCE)
        return self.vm.run(f"await {patience} {every} {shlex.quote(script)}", patience + 120)[0] == 0

    def run_begun(self, number, seconds=60):
        """Waits for the ledger to hold that many runs."""
        query = f"SELECT count(*) >= {number} FROM run WHERE command = 'run'"
        return self.until(f"stirred && {self.says_yes(query)}", seconds, 0.1)

    def run_ended(self, number, seconds=240):
        """Waits until that many runs have ended and the services with them."""
        query = f"SELECT count(*) >= {number} AND count(*) = count(ended) FROM run WHERE command = 'run'"
        ended = f"{{ ((seen)) || {{ stirred && {self.says_yes(query)} && seen=1; }}; }}"
        return self.until(f"! busy && {ended} && {self.IDLE}", seconds)

    IDLE = "! systemctl list-units --no-legend --plain --state=active,activating,deactivating 'twindock@*' | grep -q ."

    @staticmethod
    def says_yes(query):
        """A condition of the guest's shell: the ledger answers 1."""
        return f'[ "$(sqlite3 -readonly $ledger "{query}")" = 1 ]'

    def idle(self, seconds=120):
        return self.until(f"! busy && {self.IDLE}", seconds)

    def pace(self):
        """Seconds that forty starts of a program take in the guest, and how many times as long as on the host."""
        script = "s=$(date +%s%N); for i in $(seq 40); do /usr/bin/true; done; e=$(date +%s%N); echo $((e - s))"
        here = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
        there = int(self.vm.sh(script))
        return there / 1e9, max(1.0, there / int(here))

    # What the MTA has taken it delivers at once, but by itself.
    DELIVERED = "await 60 0.1 '! running exim4';"

    def mails(self):
        return int(self.vm.sh(f"{self.DELIVERED} grep -c '^From ' /var/mail/keeper 2>/dev/null || true") or 0)

    def mailbox(self):
        return self.vm.sh(f"{self.DELIVERED} cat /var/mail/keeper 2>/dev/null || true")

    def failed_units(self):
        return self.vm.sh("systemctl --failed --no-legend --plain | cut -d' ' -f1")

    def source_listing(self):
        return self.vm.sh(f"cd /array/music && {{ {LISTING} }}")

    # ---- disks on the host -----------------------------------------------------------------------------------------

    def sums(self):
        return [digest(image) for image in self.images.values()]

    def images_equal_source(self, what, listing, letters="ab"):
        """Without twindock: the images are clean, mount, and hold what the source held."""
        for letter in letters:
            image, who = self.images[letter], f"{what}: member {letter.upper()}"
            check = subprocess.run(["e2fsck", "-f", "-n", image], capture_output=True, text=True)
            self.ok(f"{who} is a clean filesystem", check.returncode == 0, check.stdout)
            here = mounted(image, f"cd M && {{ {LISTING} }}")
            self.ok(f"{who} equals the source", here == listing, difference(listing, here))
            sums = mounted(image, "sha256sum --strict --quiet -c .twindock/SHA256SUMS && echo fine")
            self.equal(f"{who}: its checksums hold", "fine", sums)


def blank(image, size=SIZE):
    with open(image, "wb") as file:
        file.truncate(size)


# Not while the test of `slots` counts this host's loop devices.
ALONE = ["flock", "/run/lock/twindock-loops"]


def digest(image):
    return subprocess.run(["sha256sum", image], capture_output=True, text=True, check=True).stdout.split()[0]


def mounted(image, script):
    """Runs a script in the root of an image, mounted read-only in a mount namespace of its own."""
    place = image + ".mnt"
    os.makedirs(place, exist_ok=True)
    done = subprocess.run(
        [*ALONE, "unshare", "--mount", "bash", "-c", 'mount -o ro,loop "$1" "$2" && cd "$2" && eval "$3"', "mounted", image,
         place, script],
        capture_output=True, env={**os.environ, "LC_ALL": "C.UTF-8"}, check=False,
    )  # fmt: skip
    return (done.stdout + done.stderr).decode(errors="replace").rstrip("\n")


def difference(wanted, got):
    wanted, got = set(wanted.splitlines()), set(got.splitlines())
    return "\n".join(
        [f"missing: {line}" for line in sorted(wanted - got)] + [f"extra:   {line}" for line in sorted(got - wanted)]
    )
