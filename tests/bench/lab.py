"""Three disks as image files on loop devices, a dock made of two of them, and a program under test."""
import contextlib
import json
import mmap
import os
import shutil
import subprocess
import tempfile
import threading
import time

TWINDOCK = os.environ.get("TWINDOCK", "build/twindock")
QUIET = {"stdout": subprocess.DEVNULL}


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")


class Run:
    """A command, its wall time and what it needed."""

    def __init__(self, *argv, ok=(0,), cold=True):
        if cold:
            drop_caches()
        start = time.monotonic()
        child = subprocess.Popen(argv, stdout=subprocess.PIPE)
        self.said = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = status
        self.seconds = time.monotonic() - start
        self.cpu = usage.ru_utime + usage.ru_stime
        self.resident = usage.ru_maxrss * 1024
        if os.waitstatus_to_exitcode(status) not in ok:
            raise SystemExit(f"{' '.join(argv)}: {status}\n{self.said.decode(errors='replace')}")


class Disk:
    def __init__(self, lab, name, size):
        self.lab, self.image, self.mount = lab, f"{lab.dir}/{name}.img", f"{lab.dir}/{name}"
        with open(self.image, "wb") as f:
            f.truncate(size)
        self.node = subprocess.check_output(["losetup", "-f", "--show", self.image], text=True).strip()
        self.name = os.path.basename(self.node)
        subprocess.run(["blockdev", "--setrw", self.node], check=True)
        os.mkdir(self.mount)

    def __enter__(self):
        """Mounted."""
        subprocess.run(["mount", "-o", "noatime", self.node, self.mount], check=True)
        return self.mount

    def __exit__(self, *_):
        subprocess.run(["umount", self.mount], check=True)

    def written(self):
        os.sync()
        return int(open(f"/sys/block/{self.name}/stat").read().split()[6]) * 512

    def close(self):
        subprocess.run(["umount", self.mount], stderr=subprocess.DEVNULL)
        subprocess.run(["losetup", "-d", self.node])


class Lab:
    """Source S, members A and B. The source is mounted at .source; the pair is formatted and in the dock."""

    def __init__(self, size, inodes=None):
        self.dir = tempfile.mkdtemp(prefix="twindock-bench.", dir=os.environ.get("BENCH_DIR", "/var/tmp"))
        self.disks = []
        try:
            self.s, self.a, self.b = (self.disk(n, size) for n in "SAB")
            few = ["-N", str(inodes)] if inodes else []
            subprocess.run(["mke2fs", "-q", "-t", "ext4", *few, self.s.node], check=True)
            self.source = self.s.__enter__() + "/files"
            os.mkdir(self.source)
            self.conf = f"{self.dir}/twindock.conf"
            with open(self.conf, "w") as f:
                f.write(f"[twindock]\nledger = {self.dir}/ledger/twindock.db\nmail_to =\n"
                        f"[dock bench]\nmode = individual\nsource = {self.a.node}\ndestination = {self.b.node}\n"
                        f"settle = 0s\neject = no\n[collection M]\nsource = {self.source}\n")
            self.td("format", "M", "--yes", cold=False)
            if inodes:
                self.more_inodes(inodes)
        except BaseException:
            self.close()
            raise

    def disk(self, name, size):
        self.disks.append(Disk(self, name, size))
        return self.disks[-1]

    def more_inodes(self, count):
        """A disk of a million files of 60 bytes wants more inodes than a disk usually has."""
        for disk in (self.a, self.b):
            with disk as at:
                if os.statvfs(at).f_files < count:
                    raise SystemExit(f"{disk.image} has too few inodes for this row: choose a larger image")

    def td(self, *argv, **how):
        return Run(TWINDOCK, argv[0], "-c", self.conf, *argv[1:], **how)

    def run(self, **how):
        """`twindock run`, which proves everything anew; it must have had nothing to complain about."""
        run = self.td("run", "--json", "--accept-changes", **how)
        report = json.loads(run.said)
        run.report = report[0] if isinstance(report, list) else report
        return run

    def rsync(self, member, *options):
        """rsync from the source to one member, mounted for it."""
        with member as at:
            os.makedirs(f"{at}/M", exist_ok=True)
            return Run("rsync", "-aHAXS", "--numeric-ids", "--delete", *options, f"{self.source}/", f"{at}/M/")

    def check_members(self):
        """What was measured must also be right: by rsync's word both members are the source, contents included."""
        for member in (self.a, self.b):
            with member as at:
                said = subprocess.check_output(["rsync", "-aHAXSnic", "--numeric-ids", "--delete", f"{self.source}/",
                                                f"{at}/M/"])
                if said.strip():
                    raise SystemExit("a member is not what the source is:\n" + said.decode(errors="replace")[:2000])

    def close(self):
        for disk in self.disks:
            disk.close()
        shutil.rmtree(self.dir)


@contextlib.contextmanager
def laboratory(*args, **kwargs):
    lab = Lab(*args, **kwargs)
    try:
        yield lab
    finally:
        lab.close()


# --- disks of a given speed ---------------------------------------------------------------------------------------

V1 = "/sys/fs/cgroup/blkio"


@contextlib.contextmanager
def throttled(disks, rate):
    """The disks read and write no faster than `rate` bytes a second each, whoever asks: limits of the root group where
    the controller is that of cgroup v1, else io.max of a group that this program and its children join."""
    numbers = [open(f"/sys/block/{d.name}/dev").read().strip() for d in disks]
    if os.path.exists(f"{V1}/blkio.throttle.read_bps_device"):
        def limit(bps):
            for number in numbers:
                for way in ("read", "write"):
                    with open(f"{V1}/blkio.throttle.{way}_bps_device", "w") as f:
                        f.write(f"{number} {bps}")
        limit(rate)
        try:
            yield
        finally:
            limit(0)
        return
    root = "/sys/fs/cgroup"
    group = f"{root}/twindock-bench-{os.getpid()}"
    with open(f"{root}/cgroup.subtree_control", "w") as f:
        f.write("+io +memory")
    os.mkdir(group)
    back = open("/proc/self/cgroup").read().strip().split("::")[-1]
    try:
        for number in numbers:
            with open(f"{group}/io.max", "w") as f:
                f.write(f"{number} rbps={rate} wbps={rate}")
        open(f"{group}/cgroup.procs", "w").write(str(os.getpid()))
        yield
    finally:
        open(f"{root}{back}/cgroup.procs", "w").write(str(os.getpid()))
        os.rmdir(group)


# --- the limit ----------------------------------------------------------------------------------------------------

def plain_reader(roots):
    """Read every file below the roots, one thread a root, in the order of directories, with O_DIRECT, and do nothing
    with it: what no program that reads all of it can be much faster than. Seconds."""
    def read(root):
        buffer = mmap.mmap(-1, 1 << 20)
        for above, _, names in os.walk(root):
            for name in names:
                fd = os.open(f"{above}/{name}", os.O_RDONLY | os.O_DIRECT)
                at = 0
                while got := os.preadv(fd, [buffer], at):
                    at += got
                    if got % 4096:
                        break
                os.close(fd)
    drop_caches()
    start = time.monotonic()
    threads = [threading.Thread(target=read, args=(root,)) for root in roots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - start
