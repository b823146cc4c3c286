/*  crash_mark: remembers on what a process died. A store's pages are read through a memory map, so
 *  bytes that went bad on the disk can end the process (SIGBUS, SIGSEGV, or an abort of the
 *  library) before any check of ours sees them. While a thread works on such a file it names a path
 *  here; if it dies of a signal then, one byte is appended to the file at that path, by which the
 *  next life knows to look first. Being killed (SIGKILL, by hand or for want of memory) leaves no
 *  mark: it says nothing of the file.
 */
#ifndef HOTPATH_CRASH_MARK_H
#define HOTPATH_CRASH_MARK_H

/*  Takes the signals over, once in a process; whoever had them before still gets them. */
void crash_mark_install (void);
/*  From now on this thread works on what `path` stands for (borrowed until the end); never
 *  nested. */
void crash_mark_begin (const char *path);
void crash_mark_end (void);

#endif
