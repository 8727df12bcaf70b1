/* The superblock's bytes, and what twindock thinks of a filesystem's features. Pure. */
#include "twindock/platform/ext4.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* Offsets of fields, super.rst */
enum {
    S_BLOCKS_LO = 0x04,
    S_LOG_BLOCK_SIZE = 0x18,
    S_MAGIC = 0x38,
    S_STATE = 0x3a,
    S_REV_LEVEL = 0x4c,
    S_INODE_SIZE = 0x58,
    S_COMPAT = 0x5c,
    S_INCOMPAT = 0x60,
    S_RO_COMPAT = 0x64,
    S_UUID = 0x68,
    S_LABEL = 0x78,
    S_JOURNAL_INODE = 0xe0,
    S_LAST_ORPHAN = 0xe8,
    S_DEFAULT_MOUNT_OPTS = 0x100,
    S_BLOCKS_HI = 0x150,
    S_CHECKSUM_TYPE = 0x175,
    S_ERROR_COUNT = 0x194,
    S_MOUNT_OPTS = 0x200,
    S_CHECKSUM = 0x3fc
};

#define MAGIC 0xef53
#define STATE_ERRORS 0x0002
#define DYNAMIC_REV 1
#define OLD_INODE_SIZE 128
#define LOG_BLOCK_SIZE_MAX 6 /* 64 KiB */
#define CHECKSUM_CRC32C 1
#define MOUNT_OPTS_LEN 64
#define DEFAULT_UID16 0x0010

/* Feature bits that are named in code; the others are in the tables below. */
#define COMPAT_HAS_JOURNAL 0x0004u
#define INCOMPAT_RECOVER 0x0004u
#define INCOMPAT_EXTENTS 0x0040u
#define INCOMPAT_64BIT 0x0080u
#define RO_COMPAT_METADATA_CSUM 0x0400u
#define RO_COMPAT_ORPHAN_PRESENT 0x10000u

static uint16_t get16(const uint8_t *super, size_t at) {
    return (uint16_t)(super[at] | super[at + 1] << 8);
}

static uint32_t get32(const uint8_t *super, size_t at) {
    return get16(super, at) | (uint32_t)get16(super, at + 2) << 16;
}

/* CRC-32C (Castagnoli, reflected 0x82f63b78), as ext4 uses it: initial value all ones, no final inversion. */
static uint32_t crc32c(const uint8_t *data, size_t len) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
    }
    return crc;
}

/*
 * Mount options stored in the superblock that td_mount_ext4 overrides, or that change nothing about what is stored and
 * when. Any other (noload, abort, nouid32, dax, journal_async_commit, ...) cannot be taken back by a mount.
 */
static const char *const harmless_options[] = {
    "acl",
    "auto_da_alloc",
    "barrier",
    "block_validity",
    "bsddf",
    "bsdgroups",
    "commit",
    "data",
    "delalloc",
    "dioread_lock",
    "dioread_nolock",
    "discard",
    "errors",
    "grpid",
    "grpquota",
    "init_itable",
    "inode_readahead_blks",
    "journal_checksum",
    "max_batch_time",
    "max_dir_size_kb",
    "min_batch_time",
    "minixdf",
    "nobarrier",
    "noblock_validity",
    "nodelalloc",
    "nodiscard",
    "nogrpid",
    "noinit_itable",
    "noquota",
    "prjquota",
    "quota",
    "stripe",
    "sysvgroups",
    "user_xattr",
    "usrquota",
};

static bool option_harmless(const char *option, size_t len) {
    const char *value = memchr(option, '=', len);
    if (value)
        len = (size_t)(value - option);
    for (size_t i = 0; i < sizeof harmless_options / sizeof harmless_options[0]; i++)
        if (strlen(harmless_options[i]) == len && memcmp(harmless_options[i], option, len) == 0)
            return true;
    return false;
}

static bool options_harmless(const char *options, size_t len) {
    const char *end = options + strnlen(options, len);
    while (options < end) {
        const char *comma = memchr(options, ',', (size_t)(end - options));
        const char *stop = comma ? comma : end;
        if (stop > options && !option_harmless(options, (size_t)(stop - options)))
            return false;
        options = comma ? comma + 1 : end;
    }
    return true;
}

static void format_uuid(char out[37], const uint8_t uuid[16]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = digits[uuid[i] >> 4];
        *out++ = digits[uuid[i] & 15];
    }
    *out = '\0';
}

/* Sizes and geometry. False where they make no sense. */
static bool parse_sizes(const uint8_t *super, struct td_ext4 *out) {
    uint32_t log = get32(super, S_LOG_BLOCK_SIZE);
    if (log > LOG_BLOCK_SIZE_MAX)
        return false;
    out->block_size = 1024u << log;
    bool dynamic = get32(super, S_REV_LEVEL) >= DYNAMIC_REV;
    out->inode_size = dynamic ? get16(super, S_INODE_SIZE) : OLD_INODE_SIZE;
    if (out->inode_size < OLD_INODE_SIZE || out->inode_size > out->block_size ||
        (out->inode_size & (out->inode_size - 1)) != 0)
        return false;
    out->blocks = get32(super, S_BLOCKS_LO);
    if (out->incompat & INCOMPAT_64BIT)
        out->blocks |= (uint64_t)get32(super, S_BLOCKS_HI) << 32;
    return out->blocks > 0 && out->blocks <= (uint64_t)INT64_MAX / out->block_size;
}

int td_ext4_parse(const uint8_t super[TD_EXT4_SUPER_SIZE], struct td_ext4 *out) {
    memset(out, 0, sizeof *out);
    if (get16(super, S_MAGIC) != MAGIC)
        return -EINVAL;
    if (get32(super, S_REV_LEVEL) >= DYNAMIC_REV) { /* before that these bytes have no meaning */
        out->compat = get32(super, S_COMPAT);
        out->incompat = get32(super, S_INCOMPAT);
        out->ro_compat = get32(super, S_RO_COMPAT);
    }
    if (!parse_sizes(super, out))
        return -EINVAL;
    out->state = get16(super, S_STATE);
    out->errors = (out->state & STATE_ERRORS) != 0 || get32(super, S_ERROR_COUNT) != 0;
    out->needs_recovery = (out->incompat & INCOMPAT_RECOVER) != 0;
    out->orphans = get32(super, S_LAST_ORPHAN) != 0 || (out->ro_compat & RO_COMPAT_ORPHAN_PRESENT) != 0;
    out->external_journal = (out->compat & COMPAT_HAS_JOURNAL) != 0 && get32(super, S_JOURNAL_INODE) == 0;
    out->uid16 = (get32(super, S_DEFAULT_MOUNT_OPTS) & DEFAULT_UID16) != 0;
    out->odd_options = !options_harmless((const char *)super + S_MOUNT_OPTS, MOUNT_OPTS_LEN);
    out->checksum_bad =
        (out->ro_compat & RO_COMPAT_METADATA_CSUM) != 0 &&
        (super[S_CHECKSUM_TYPE] != CHECKSUM_CRC32C || crc32c(super, S_CHECKSUM) != get32(super, S_CHECKSUM));
    format_uuid(out->uuid, super + S_UUID);
    memcpy(out->label, super + S_LABEL, sizeof out->label - 1);
    return 0;
}

/* One refused feature: the bit, and the words for the sentence. */
struct refusal {
    uint32_t bit;
    const char *words;
};

/* The bits accepted, below each table the refused ones; whatever is in neither is unknown and refused, too. */
static const uint32_t incompat_accepted = 0x0002 /* filetype */ | INCOMPAT_RECOVER | 0x0010 /* meta_bg */ |
                                          INCOMPAT_EXTENTS | INCOMPAT_64BIT | 0x0200 /* flex_bg */ |
                                          0x2000 /* metadata_csum_seed */ | 0x4000 /* large_dir */;

static const struct refusal incompat_refused[] = {
    {0x0001, "compression"},
    {0x0008, "journal_dev (it is a journal, not a filesystem)"},
    {0x0100, "mmp (multi-mount protection)"},
    {0x0400, "ea_inode"},
    {0x1000, "dirdata"},
    {0x8000, "inline_data"},
    {0x10000, "encrypt"},
    {0x20000, "casefold"},
    {0, NULL},
};

static const uint32_t ro_compat_accepted =
    0x0001 /* sparse_super */ | 0x0002 /* large_file */ | 0x0004 /* btree_dir */ | 0x0008 /* huge_file */ |
    0x0010 /* uninit_bg */ | 0x0020 /* dir_nlink */ | 0x0040 /* extra_isize */ | 0x0100 /* quota */ |
    0x0200 /* bigalloc */ | RO_COMPAT_METADATA_CSUM | 0x2000 /* project */ | RO_COMPAT_ORPHAN_PRESENT;

static const struct refusal ro_compat_refused[] = {
    {0x0080, "snapshot"},      {0x0800, "replica"}, {0x1000, "read-only"},
    {0x4000, "shared_blocks"}, {0x8000, "verity"},  {0, NULL},
};

static const char *first_refused(uint32_t bits, const struct refusal *table, uint32_t accepted, const char *unknown) {
    for (; table->words; table++)
        if (bits & table->bit)
            return table->words;
    return bits & ~accepted ? unknown : NULL;
}

const char *td_ext4_refused(const struct td_ext4 *fs) {
    if (fs->checksum_bad)
        return "a superblock whose checksum is wrong";
    const char *words =
        first_refused(fs->incompat, incompat_refused, incompat_accepted, "a feature unknown to twindock");
    if (!words)
        words = first_refused(fs->ro_compat, ro_compat_refused, ro_compat_accepted,
                              "a feature unknown to twindock that forbids writing");
    if (words)
        return words;
    if (!(fs->compat & COMPAT_HAS_JOURNAL))
        return "no journal";
    if (fs->external_journal)
        return "a journal on another device";
    if (!(fs->incompat & INCOMPAT_EXTENTS))
        return "no extents (an ext2 or ext3 filesystem)";
    if (fs->inode_size < 256)
        return "inodes of 128 bytes, which have no room for exact times";
    if (fs->uid16)
        return "the stored mount option uid16, which cuts owners to 16 bits";
    if (fs->odd_options)
        return "stored mount options that cannot be overridden (tune2fs -E mount_opts=)";
    return NULL;
}
