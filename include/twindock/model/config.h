/* The configuration as plain data. config/config.h reads it from a file. */
#ifndef TWINDOCK_MODEL_CONFIG_H
#define TWINDOCK_MODEL_CONFIG_H

#include "twindock/model/pair.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum td_mode { TD_MODE_INDIVIDUAL, TD_MODE_MIRROR };
enum td_mail_on { TD_MAIL_FAILURE, TD_MAIL_CHANGE, TD_MAIL_ALWAYS };
enum td_files { TD_FILES_NORMAL, TD_FILES_LARGE, TD_FILES_SMALL };
enum td_eject { TD_EJECT_STANDBY, TD_EJECT_POWER_OFF, TD_EJECT_NO };

struct td_dock_config {
    char name[TD_NAME_MAX];
    enum td_mode mode;
    char *source;      /* ID_PATH, or a device node when it begins with '/' */
    char *destination; /* NULL in mirror mode, where the dock shows one disk */
    bool slots_any;
    bool single_allow;
    int64_t settle; /* seconds */
    enum td_eject eject;
};

struct td_collection_config {
    char name[TD_NAME_MAX];
    char *source;
    char *source_mount; /* NULL: not demanded */
    char *source_uuid;  /* NULL: not demanded */
    char *target;       /* below the member's root; the collection's name by default, "." for the root itself */
    char **exclude;     /* patterns in the file's order */
    size_t excludes;
    bool one_filesystem;
    int64_t source_wait;  /* seconds; -1, the default: some minutes, and not at all when run by hand */
    int64_t overdue;      /* seconds; default 21d */
    int64_t prove_within; /* seconds; default 30d */
    int64_t keep_history; /* seconds; default 90d */
    int history_reserve;  /* hundredths of a percent of the disk; default 5 % */
    int max_delete;       /* hundredths of a percent; default 10 % */
    int max_change;       /* hundredths of a percent; default 40 % */
    int prove_every;      /* runs; default 4 */
    enum td_files files;  /* how many inodes format makes */
};

struct td_config {
    char *file;    /* where it came from */
    char *ledger;  /* default /var/lib/twindock/twindock.db */
    char *mail_to; /* "" or NULL: no mail */
    enum td_mail_on mail_on;
    char *sendmail;
    int finish_by; /* seconds since midnight, -1: none */
    struct td_dock_config *docks;
    size_t dock_count;
    struct td_collection_config *collections;
    size_t collection_count;
};

#endif
