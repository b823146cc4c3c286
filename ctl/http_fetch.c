#include "ctl/http_fetch.h"

#include <curl/curl.h>
#include <stdio.h>

#include "common/check.h"

enum { WAIT_MS = 1000 };

static size_t on_bytes (char *bytes, size_t one, size_t count, void *arg)
{
    http_fetch_t *fetch = arg;
    if (fetch->text.size + count > HTTP_FETCH_BYTES_MAX)
        return 0;
    buffer_append (&fetch->text, bytes, one * count);
    return one * count;
}

static CURL *begin (CURLM *all, http_fetch_t *fetch, long timeout_ms)
{
    CURL *one = curl_easy_init ();
    CHECK (one);
    fetch->error[0] = '\0';
    curl_easy_setopt (one, CURLOPT_URL, fetch->url);
    curl_easy_setopt (one, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt (one, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt (one, CURLOPT_PRIVATE, fetch);
    curl_easy_setopt (one, CURLOPT_ERRORBUFFER, fetch->error);
    curl_easy_setopt (one, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt (one, CURLOPT_NOSIGNAL, 1L);
    /* These are addresses of this host or its network: a proxy of the environment is not meant. */
    curl_easy_setopt (one, CURLOPT_PROXY, "");
    curl_easy_setopt (one, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_multi_add_handle (all, one);
    return one;
}

static void finish (CURLM *all, const CURLMsg *message)
{
    CURL *one = message->easy_handle;
    http_fetch_t *fetch = NULL;
    curl_easy_getinfo (one, CURLINFO_PRIVATE, (char **)&fetch);
    if (message->data.result == CURLE_OK)
        curl_easy_getinfo (one, CURLINFO_RESPONSE_CODE, &fetch->code);
    else if (!fetch->error[0])
        snprintf (fetch->error, sizeof fetch->error, "%s",
                  curl_easy_strerror (message->data.result));
    buffer_append (&fetch->text, "", 1);
    fetch->text.size--;
    curl_multi_remove_handle (all, one);
    curl_easy_cleanup (one);
}

void http_fetch_all (http_fetch_t *fetches, size_t count, long timeout_ms)
{
    curl_global_init (CURL_GLOBAL_DEFAULT);
    CURLM *all = curl_multi_init ();
    size_t begun = 0, finished = 0;
    int running = 0, left;
    while (finished < count) {
        while (begun < count && begun - finished < HTTP_FETCH_AT_ONCE_MAX)
            begin (all, &fetches[begun++], timeout_ms);
        curl_multi_perform (all, &running);
        for (CURLMsg *message; (message = curl_multi_info_read (all, &left)) != NULL;) {
            if (message->msg == CURLMSG_DONE) {
                finish (all, message);
                finished++;
            }
        }
        if (running)
            curl_multi_poll (all, NULL, 0, WAIT_MS, NULL);
    }
    curl_multi_cleanup (all);
    curl_global_cleanup ();
}
