"""Trees to measure with: the same arguments give the same names, bytes and times."""
import os
import random
import shutil

EPOCH_NS = 1_409_000_000 * 10**9
NOISE = random.Random("noise").randbytes(8 << 20)  # file contents are cut from this: no two alike, none compressible


def entry(rng, path, least, most):
    return path, rng.randrange(least, most + 1), rng.randrange(len(NOISE) // 2), EPOCH_NS + rng.randrange(10**17)


def mixed(seed, small, photos, large=0, large_mib=128):
    """(path, size, offset into NOISE, mtime in ns) of documents, photos and films, in the order of their names."""
    rng = random.Random(seed)
    files = [entry(rng, f"docs/{i // 300:04d}/d{i:06d}.txt", 1 << 10, 32 << 10) for i in range(small)]
    files += [entry(rng, f"films/f{i:03d}.mkv", large_mib << 20, large_mib << 20) for i in range(large)]
    files += [entry(rng, f"photos/{i // 50:03d}/p{i:05d}.raw", 1 << 20, 4 << 20) for i in range(photos)]
    return files


def tiny(seed, count):
    rng = random.Random(seed)
    return (entry(rng, f"t/{i // 1000:04d}/{i % 1000:03d}", 60, 60) for i in range(count))


def put(root, made, file):
    path, size, at, mtime = file
    where = f"{root}/{path}"
    above = os.path.dirname(where)
    if above not in made:
        os.makedirs(above, exist_ok=True)
        made.add(above)
    fd = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    left = size
    stamp = f"{path}\n".encode()[:size]
    os.write(fd, stamp)
    left -= len(stamp)
    while left > 0:
        left -= os.write(fd, NOISE[at:at + min(left, len(NOISE) // 2)])
        at = (at + 4099) % (len(NOISE) // 2)
    os.close(fd)
    os.utime(where, ns=(mtime, mtime))


def date_directories(root):
    """Directories get one time, on all disks: what is measured is not the repair of that."""
    for above, _, _ in os.walk(root, topdown=False):
        os.utime(above, ns=(EPOCH_NS, EPOCH_NS))


def write(root, files):
    """In the order given, as a first copy lays them out."""
    made = set()
    for file in files:
        put(root, made, file)
    date_directories(root)
    os.sync()


def age(root, files, seed):
    """The same files as years of use lay them out: what is under 8 MiB comes in a random order, among others that come
    and go, so that names, inodes and blocks have nothing to do with one another."""
    rng = random.Random(seed)
    small = [f for f in files if f[1] < 8 << 20]
    rng.shuffle(small)
    made, passing = set(), []
    junk = f"{root}/passing"
    for i, file in enumerate(small):
        put(root, made, file)
        if i % 3 == 0:
            put(root, made, (f"passing/{i}", rng.randrange(4096, 65536), 0, EPOCH_NS))
            passing.append(f"{junk}/{i}")
        if len(passing) > 500:
            os.unlink(passing.pop(rng.randrange(len(passing))))
        if i % 2000 == 0:
            os.sync()
    if passing:
        shutil.rmtree(junk)
    for file in files:
        if file[1] >= 8 << 20:
            put(root, made, file)
    date_directories(root)
    os.sync()
