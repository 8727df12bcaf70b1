/* What stands on a member in a place that is ours, and cannot be what belongs there: neither cable nor disk is at
 * fault, and no other run would fare better. */
#include "twindock/base/beneath.h"
#include "twindock/dock/card.h"
#include "twindock/run/backup.h"
#include "twindock/sync/manifest.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    bool directory;
} places[] = {
    {TD_DIR "/staging", true},
    {TD_DIR "/history", true},
    {TD_DIR "/quarantine", true},
    {TD_DIR "/history/" TD_MANIFEST_NAME, false},
    {TD_DIR "/" TD_MANIFEST_NAME, false},
    {TD_DIR "/." TD_MANIFEST_NAME ".new", false},
    {TD_DIR "/" TD_MANIFEST_LONG_NAME, false},
    {TD_DIR "/." TD_MANIFEST_LONG_NAME ".new", false},
    {TD_DIR "/ledger.db", false},
    {TD_DIR "/ledger.db.new", false},
    {TD_DIR "/." TD_CARD_NAME ".new", false},
    {TD_DIR "/RESTORE.txt", false},
    {TD_DIR "/.RESTORE.txt.new", false},
    {"RESTORE.txt", false}, /* a collection at the root of the disk may have one of its own */
    {".RESTORE.txt.new", false},
};

/* Whatever is in the place of a file is replaced, but a directory. */
static bool is_in_the_way(int root, const char *path, bool directory) {
    struct stat st;
    int fd = td_open_beneath(root, path, O_PATH | O_NOFOLLOW, 0);
    bool there = fd >= 0 && fstat(fd, &st) == 0;
    if (fd >= 0)
        close(fd);
    return there && S_ISDIR(st.st_mode) != directory;
}

void td_backup_find_in_the_way(struct td_backup *backup, enum td_side side) {
    bool at_root = strcmp(backup->collection->target, ".") == 0;
    int root = backup->docking.mounted[side].root;
    for (size_t i = 0; root >= 0 && td_docking_is_there(&backup->docking, side) && i < sizeof places / sizeof *places;
         i++) {
        if ((at_root && strchr(places[i].name, '/') == NULL) ||
            !is_in_the_way(root, places[i].name, places[i].directory))
            continue;
        backup->in_the_way[side] = places[i].name;
        backup->is_no_directory[side] = places[i].directory;
        return;
    }
}
