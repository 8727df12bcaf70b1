/* Small helpers for sentences that people read. Pure. */
#ifndef TWINDOCK_REPORT_TEXT_H
#define TWINDOCK_REPORT_TEXT_H

#include "twindock/base/buf.h"
#include "twindock/model/verdict.h"

#include <stddef.h>
#include <stdint.h>

/* A sentence that may hold raw bytes from a disk, or names that are escaped already: td_escape() except that a
 * backslash stays one. One line; doing it twice changes nothing. NULL counts as "". */
void td_text_prose(struct td_buf *out, const char *text);

/* Make room for the next sentence: nothing at the beginning, " " after a full stop, else ". ". */
void td_text_next(struct td_buf *out);

/* "1 file", "3 files". */
void td_text_count(struct td_buf *out, uint64_t n, const char *one, const char *many);

/* "1.2M", "171 bytes". */
void td_text_size(struct td_buf *out, uint64_t bytes);

/* A file for a person, escaped: "M/photos/x.jpg"; without a collection ("") its path alone. */
void td_text_path(struct td_buf *out, const char *collection, const char *path);

/* A word for a shell (bash, zsh, ksh) to take literally: as it is, or as $'...', which keeps it ASCII whatever its
 * bytes. */
void td_text_shell(struct td_buf *out, const char *word);

/* "swapped. Member B is ...": the verdict's name and then the advice, which may begin with the name already. */
void td_text_refusal(struct td_buf *out, enum td_verdict verdict, const char *advice);

/* How many bytes of UTF-8 text fit into `columns` characters without cutting one. */
size_t td_text_fit(const char *text, size_t len, size_t columns);

/* Append words in lines of at most `width` columns, each ended by a newline; all lines but the first begin with
 * `indent`. A longer word stays whole, and so does a `command with arguments` in backquotes. */
void td_text_wrap(struct td_buf *out, const char *text, size_t width, const char *indent);
/* Have td_text_wrap() break no line inside `part`, wherever it stands in the text. */
void td_text_glue(struct td_buf *text, const char *part);

/* Why a signal came, in words: "Ctrl-C", "told to end", "the terminal went away", "signal 9". */
void td_text_signal(struct td_buf *out, int number);

#define TD_ISO_MAX 32
/* "2014-09-03T03:00:04Z" into out[TD_ISO_MAX]; returns it, or NULL for 0 (never). */
const char *td_text_iso(char *out, int64_t seconds);

#endif
