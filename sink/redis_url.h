/*  redis_url: where Redis is, taken apart. Pure.
 *
 *      redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]
 *      unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE]
 *
 *  In user and password, % and two digits stand for a byte; in a unix URL's they must stand for / too.
 */
#ifndef HOTPATH_SINK_REDIS_URL_H
#define HOTPATH_SINK_REDIS_URL_H

#include <stdbool.h>

typedef struct {
    char *host;     /* a name or an address; NULL: a unix socket */
    int port;       /* default 6379 */
    char *path;     /* of the unix socket, or NULL */
    char *user;     /* NULL: the default user */
    char *password; /* NULL: none; percent-decoded */
    int database;
    char *place; /* for people: HOST:PORT or the path */
} redis_url_t;

/*  0, or -1 with *reason what is wrong (a fixed text; it never repeats the URL, which may hold a
 *  password); then *url is empty. The caller frees it with redis_url_free. */
int redis_url_parse (const char *text, redis_url_t *url, const char **reason);
bool redis_url_equal (const redis_url_t *a, const redis_url_t *b);
void redis_url_free (redis_url_t *url);

#endif
