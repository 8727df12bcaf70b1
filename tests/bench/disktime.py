"""What the block requests of a command would take on a mechanical disk: a model, so that a table can be made on any
machine.

Every request that is issued to the devices while the command runs is traced (block:block_rq_issue) and priced for one
head at 5400 turns a minute:

  a gap of 0 to 1 MiB forward   is read over, at the media's rate
  any other gap                 costs 0.8 ms + 15.5 ms * sqrt(distance / capacity) + half a turn
  the data                      150 MB/s
  a flush without data          half a turn, and the head stays where it is: it is issued for no place

ratio: that time over the time of the data alone; 1.00 is a disk read from one end to the other without one seek. It
depends on the order of requests, not on the speed of the machine, and knows no command queueing.
"""
import math
import os
import re
import subprocess
import tempfile

RATE = 150e6
READ_OVER = 1 << 20
SETTLE, STROKE, HALF_TURN = 0.8e-3, 15.5e-3, 60 / 5400 / 2
ISSUE = re.compile(r"block_rq_issue: (\d+),(\d+) (\S+) \d+ \(.*?\) (\d+) \+ (\d+)")


class Disk:
    def __init__(self, name):
        self.name = name
        self.capacity = int(open(f"/sys/block/{name}/size").read()) * 512
        self.number = tuple(int(n) for n in open(f"/sys/block/{name}/dev").read().split(":"))
        self.head = self.data = self.requests = self.seeks = self.written = 0
        self.seconds = 0.0

    def request(self, at, length, write):
        self.requests += 1
        if length == 0:
            self.seconds += HALF_TURN
            return
        gap = at - self.head
        if 0 <= gap <= READ_OVER:
            self.seconds += gap / RATE
        else:
            self.seeks += 1
            self.seconds += SETTLE + STROKE * math.sqrt(min(1, abs(gap) / self.capacity)) + HALF_TURN
        self.seconds += length / RATE
        self.data += length
        self.written += length if write else 0
        self.head = at + length

    @property
    def ratio(self):
        return self.seconds / (self.data / RATE) if self.data else float("nan")

    def __str__(self):
        return (f"{self.name}: {self.requests} requests, {self.seeks} seeks, {self.data / 1e6:.0f} MB, "
                f"{self.seconds:.1f} s modelled, ratio {self.ratio:.2f}")


def trace(names, command):
    """Run the command (a function) from cold caches; the disks by name."""
    disks = {d.number: d for d in map(Disk, names)}
    tracefs = tempfile.mkdtemp()
    subprocess.run(["mount", "-t", "tracefs", "trace", tracefs], check=True)
    ours = f"{tracefs}/instances/twindock-{os.getpid()}"

    def put(name, text):
        with open(f"{ours}/{name}", "w") as f:
            f.write(text)

    try:
        os.mkdir(ours)
        put("tracing_on", "0")
        put("buffer_size_kb", "131072")
        put("events/block/block_rq_issue/filter", " || ".join(f"dev == {a << 20 | b}" for a, b in disks))
        put("events/block/block_rq_issue/enable", "1")
        os.sync()
        open("/proc/sys/vm/drop_caches", "w").write("3")
        put("tracing_on", "1")
        command()
        put("tracing_on", "0")
        with open(f"{ours}/trace") as lines:
            for line in lines:
                if "LOST" in line:
                    raise SystemExit("the trace lost events: choose a smaller SCALE")
                m = ISSUE.search(line)
                disk = m and disks.get((int(m[1]), int(m[2])))
                if disk and "N" not in m[3] and m[3] != "D":
                    disk.request(int(m[4]) * 512, int(m[5]) * 512, "W" in m[3])
    finally:
        if os.path.isdir(ours):
            os.rmdir(ours)
        subprocess.run(["umount", tracefs])
        os.rmdir(tracefs)
    return {d.name: d for d in disks.values()}
