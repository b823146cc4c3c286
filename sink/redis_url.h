/*  redis_url: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE] taken apart. Pure. */
#ifndef HOTPATH_SINK_REDIS_URL_H
#define HOTPATH_SINK_REDIS_URL_H

typedef struct {
    char *host;
    int port;       /* default 6379 */
    char *user;     /* NULL: the default user */
    char *password; /* NULL: none; percent-decoded */
    int database;
} redis_url_t;

/*  0, or -1 with *reason what is wrong (a fixed text; it never repeats the URL, which may hold a
 *  password); then *url is empty. The caller frees it with redis_url_free. */
int redis_url_parse (const char *text, redis_url_t *url, const char **reason);
void redis_url_free (redis_url_t *url);

#endif
