"""A machine under QEMU: started by booting or from a saved state, its disks plugged and pulled, its shell driven.

The guest is driven through a virtio serial port with an agent behind it (guest/agent). What a saved state can be loaded
into is decided by the command line alone: everything that scenarios differ in is added later, through QMP.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

MEMORY = 512  # MiB
CLOCK = "2031-03-03T12:00:00"  # what the guest's clock says when it is switched on, UTC: later than any package
KERNEL_LINE = (
    "root=/dev/vda rw console=ttyS0 quiet mitigations=off random.trust_cpu=on systemd.show_status=false "
    "audit=0 nowatchdog fsck.mode=skip"
)


class Broken(Exception):
    """The machine did not do what every machine must; no scenario can go on."""


def qemu_version():
    return subprocess.run(
        ["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[3]


def accelerator():
    return os.environ.get("TWINDOCK_VM_ACCEL", "tcg")


class Machine:
    def __init__(self, directory, base, processors=1):
        """directory: for this machine's files; base: that of the image (vmlinuz, initrd)."""
        self.directory, self.base, self.processors = directory, base, processors
        self.qemu = self.qmp_socket = self.agent_socket = None
        self.buffers, self.requests, self.events = {}, 0, []

    def path(self, name):
        return os.path.join(self.directory, name)

    # ---- power -----------------------------------------------------------------------------------------------------

    def command(self, root, array, extra):
        accel = "tcg,tb-size=256" if accelerator() == "tcg" else accelerator()
        return [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-M", "q35", "-accel", accel, "-cpu", "max", "-smp", str(self.processors), "-m", str(MEMORY),
            "-rtc", f"base={CLOCK},clock=vm",
            "-kernel", f"{self.base}/vmlinuz", "-initrd", f"{self.base}/initrd", "-append", KERNEL_LINE,
            "-serial", f"file:{self.path('console')}",
            "-chardev", f"socket,id=qmp,path={self.path('qmp')},server=on,wait=off", "-mon", "chardev=qmp,mode=control",
            "-chardev", f"socket,id=agent,path={self.path('agent')},server=on,wait=off",
            "-device", "virtio-serial-pci,addr=2", "-device", "virtserialport,chardev=agent,name=agent",
            "-device", "virtio-rng-pci,addr=3",
            "-device", "qemu-xhci,id=usb,addr=4", "-device", "virtio-scsi-pci,id=scsi,addr=5",
            "-blockdev", json.dumps(root), "-device", "virtio-blk-pci,drive=root,addr=6",
            "-blockdev", json.dumps(array), "-device", "virtio-blk-pci,drive=array,addr=7",
            *extra,
        ]  # fmt: skip

    def start(self, root, array, state=None, extra=()):
        """Boots, or goes on from a saved state. root and array: block nodes (see raw, overlay)."""
        os.makedirs(self.directory, exist_ok=True)
        for name in ("qmp", "agent"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        command = self.command({**root, "node-name": "root"}, {**array, "node-name": "array"}, list(extra))
        if state:
            command += ["-incoming", f"exec:cat '{state}'"]
        with open(self.path("qemu.log"), "ab") as log:
            self.qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.buffers, self.events = {}, []
        self.qmp_socket = self._connect("qmp")
        self._read_qmp(20)
        self.qmp("qmp_capabilities")
        self.agent_socket = self._connect("agent")
        if state:
            self.wait_for_status("paused", 60)  # it was stopped when it was saved
            self.qmp("cont")
        self.sh("true", timeout=900)  # a boot takes long where others are at work

    def _connect(self, name):
        for _ in range(200):
            if self.qemu.poll() is not None:
                break
            try:
                link = socket.socket(socket.AF_UNIX)
                link.connect(self.path(name))
                return link
            except OSError:
                time.sleep(0.05)
        with open(self.path("qemu.log"), encoding="utf-8", errors="replace") as log:
            raise Broken(f"QEMU did not start: {log.read()[-2000:]}")

    def wait_for_status(self, wanted, seconds):
        end = time.monotonic() + seconds
        while self.qmp("query-status")["status"] != wanted:
            if time.monotonic() > end:
                raise Broken(f"QEMU did not come to be {wanted}")
            time.sleep(0.05)

    def cut_power(self):
        """At once, as a fuse does."""
        if self.qemu is None:
            return
        self.qemu.send_signal(signal.SIGKILL)
        self.qemu.wait()
        for link in (self.qmp_socket, self.agent_socket):
            if link:
                link.close()
        self.qemu = self.qmp_socket = self.agent_socket = None

    def save(self, state):
        """Writes the machine's state to a file and ends it; its disks are as that state needs them."""
        self.qmp("stop")
        self.qmp("migrate-set-parameters", **{"max-bandwidth": 10**10})
        self.qmp("migrate", uri=f"exec:cat > '{state}'")
        end = time.monotonic() + 120
        while self.qmp("query-migrate").get("status") != "completed":
            if time.monotonic() > end or self.qmp("query-migrate").get("status") == "failed":
                raise Broken("the machine's state could not be saved")
            time.sleep(0.1)
        self.qmp("quit")
        self.qemu.wait()
        self.cut_power()

    # ---- talking ---------------------------------------------------------------------------------------------------

    def _receive(self, link, end):
        """More of what a link says, into its buffer."""
        link.settimeout(max(0.01, end - time.monotonic()))
        try:
            data = link.recv(1 << 16)
        except TimeoutError:
            raise Broken("no answer in time") from None
        if not data:
            raise Broken("QEMU is gone")
        self.buffers[link] += data

    def _line(self, link, seconds):
        end = time.monotonic() + seconds
        buffer = self.buffers.setdefault(link, bytearray())
        while (at := buffer.find(b"\n")) < 0:
            self._receive(link, end)
        line = bytes(buffer[:at])
        del buffer[: at + 1]
        return line

    def _bytes(self, link, count, seconds):
        end = time.monotonic() + seconds
        buffer = self.buffers.setdefault(link, bytearray())
        while len(buffer) < count:
            self._receive(link, end)
        data = bytes(buffer[:count])
        del buffer[:count]
        return data

    def _read_qmp(self, seconds):
        message = json.loads(self._line(self.qmp_socket, seconds))
        if "event" in message:
            self.events.append(message)
        return message

    def qmp(self, command, **arguments):
        self.qmp_socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            message = self._read_qmp(60)
            if "error" in message:
                raise Broken(f"QMP {command} {arguments}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]

    def run(self, script, timeout=300):
        """Runs a bash script in the guest: its exit status and its output, both streams together, without the newlines
        at its end."""
        self.requests += 1
        request = script.encode()
        self.agent_socket.sendall(b"%d %d\n%s" % (self.requests, len(request), request))
        end = time.monotonic() + timeout
        while True:
            words = self._line(self.agent_socket, max(0.01, end - time.monotonic())).split()
            if len(words) != 3:
                continue  # the agent's greeting
            said = self._bytes(self.agent_socket, int(words[2]), 60)
            if int(words[0]) == self.requests:
                return int(words[1]), said.decode(errors="replace")

    def sh(self, script, timeout=300):
        """As run, for what must succeed: the output."""
        status, said = self.run(script, timeout)
        if status != 0:
            raise Broken(f"in the guest, exit {status}: {script}\n{said}")
        return said.rstrip("\n")

    # ---- disks -----------------------------------------------------------------------------------------------------

    def add_node(self, name, node):
        self.qmp("blockdev-add", **{**node, "node-name": name})

    def wait_event(self, kind, seconds, **wanted):
        end = time.monotonic() + seconds
        seen = 0
        while True:
            for event in self.events[seen:]:
                if event["event"] == kind and all(event["data"].get(k) == v for k, v in wanted.items()):
                    return event
            seen = len(self.events)
            if time.monotonic() > end:
                raise Broken(f"no event {kind} {wanted}")
            try:
                self._read_qmp(max(0.01, end - time.monotonic()))
            except Broken as error:
                if self.qemu.poll() is not None:
                    raise
                raise Broken(f"no event {kind} {wanted}: {error}") from None

    def unplug(self, device):
        self.events.clear()
        self.qmp("device_del", id=device)
        self.wait_event("DEVICE_DELETED", 60, device=device)


def raw(path, **more):
    """An image file as a block node. Flushes cost nothing: no test cuts the power of this host."""
    return {"driver": "raw", "file": {"driver": "file", "filename": path, "locking": "off"},
            "cache": {"no-flush": True}, **more}  # fmt: skip


def overlay(path, backing):
    """A new qcow2 file over another one, as a block node."""
    kind = "raw" if backing.endswith(".img") else "qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", kind, path], check=True)
    return qcow2(path)


def qcow2(path):
    return {"driver": "qcow2", "file": {"driver": "file", "filename": path, "locking": "off"},
            "cache": {"no-flush": True}}  # fmt: skip


def copy_sparse(source, destination):
    subprocess.run(["cp", "--sparse=always", source, destination], check=True)


def remove(directory):
    shutil.rmtree(directory, ignore_errors=True)
