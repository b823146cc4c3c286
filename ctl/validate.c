#include "ctl/validate.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <yyjson.h>
#include "common/buffer.h"
#include "common/check.h"
#include "common/config_schema.h"
#include "common/json_text.h"
#include "common/scenario_config.h"
#include "common/settings.h"

enum { FILE_BYTES_MAX = 16 << 20, FILES_MAX = 65536 };

typedef struct {
    bool json, schema;
} validate_settings_t;

static const setting_t table[] = {
    {.name = "json", .type = SETTING_FLAG, .offset = offsetof (validate_settings_t, json),
     .help = "print JSON instead of lines"},
    {.name = "schema", .type = SETTING_FLAG, .offset = offsetof (validate_settings_t, schema),
     .help = "print the JSON Schema of realtime_compute, and check nothing"},
    {.name = NULL},
};

static const settings_program_t program = {
    "hotpath validate", "Checks scenario documents: files, or folders with *.json in them.", table,
    "PATH..."};

typedef struct {
    char *tenant, *scenario, *path;
} seen_t;

typedef struct {
    bool json;
    int code;
    uint32_t files, wrong;
    yyjson_mut_doc *document; /* of --json */
    yyjson_mut_val *list;
    seen_t *seen;
    size_t seen_count;
} run_t;

/*  ---- what is said ---- */

static void say (run_t *self, const char *path, const char *place, const char *pointer,
                 const char *reason)
{
    self->wrong++;
    if (!self->json) {
        printf ("%s: %s: %s\n", path, place, reason);
        return;
    }
    yyjson_mut_val *entry = yyjson_mut_arr_add_obj (self->document, self->list);
    CHECK (entry && yyjson_mut_obj_add_strcpy (self->document, entry, "file", path) &&
           yyjson_mut_obj_add_strcpy (self->document, entry, "path", place) &&
           yyjson_mut_obj_add_strcpy (self->document, entry, "pointer", pointer) &&
           yyjson_mut_obj_add_strcpy (self->document, entry, "detail", reason));
}

static void fail (run_t *self, const char *path)
{
    say (self, path, "file", "", strerror (errno));
    self->code = EX_NOINPUT;
}

static void say_errors (run_t *self, const char *path, span_t text, const config_errors_t *errors)
{
    yyjson_doc *document = yyjson_read (text.bytes, text.size, YYJSON_READ_NOFLAG);
    for (uint32_t i = 0; i < errors->count && i < CONFIG_ERRORS_MAX; i++) {
        buffer_t pointer = {0};
        if (strcmp (errors->list[i].path, "document") != 0)
            json_text_pointer (yyjson_doc_get_root (document), errors->list[i].path, &pointer);
        buffer_append (&pointer, "", 1);
        say (self, path, errors->list[i].path, (const char *)pointer.bytes,
             errors->list[i].reason);
        buffer_free (&pointer);
    }
    if (errors->count > CONFIG_ERRORS_MAX && !self->json)
        printf ("%s: and %u more\n", path, errors->count - CONFIG_ERRORS_MAX);
    yyjson_doc_free (document);
}

/*  ---- one file ---- */

/*  Notes whose document it is; takes the ids. */
static void note (run_t *self, const char *path, char **tenant, char **scenario)
{
    char reason[600];
    for (size_t i = 0; *tenant && *scenario && i < self->seen_count; i++) {
        const seen_t *other = &self->seen[i];
        if (strcmp (other->tenant, *tenant) != 0 || strcmp (other->scenario, *scenario) != 0)
            continue;
        snprintf (reason, sizeof reason, "%s is of the same scenario (%s of tenant %s)",
                  other->path, *scenario, *tenant);
        say (self, path, "scenario_id", "/scenario_id", reason);
    }
    if (*tenant && *scenario && self->seen_count < FILES_MAX) {
        self->seen = memory_resize (self->seen, (self->seen_count + 1) * sizeof *self->seen);
        self->seen[self->seen_count++] =
            (seen_t){*tenant, *scenario, memory_copy_string (path, strlen (path))};
        *tenant = *scenario = NULL;
    }
    free (*tenant);
    free (*scenario);
}

static void check_text (run_t *self, const char *path, span_t text)
{
    config_errors_t *errors = memory_new (sizeof *errors);
    char *tenant = NULL, *scenario = NULL;
    scenario_document_t *document = scenario_document_parse (text, errors, &tenant, &scenario);
    if (document) {
        tenant = document->tenant;
        scenario = document->scenario;
        document->tenant = document->scenario = NULL;
    } else
        say_errors (self, path, text, errors);
    note (self, path, &tenant, &scenario);
    scenario_document_destroy (&document);
    free (errors);
}

static void check_file (run_t *self, const char *path)
{
    buffer_t text = {0};
    FILE *file = strcmp (path, "-") == 0 ? stdin : fopen (path, "re");
    self->files++;
    if (!file) {
        fail (self, path);
        return;
    }
    for (size_t got = 1; got && text.size <= FILE_BYTES_MAX; text.size += got) {
        buffer_reserve (&text, 64 << 10);
        got = fread (text.bytes + text.size, 1, 64 << 10, file);
    }
    if (ferror (file))
        fail (self, path);
    else if (text.size > FILE_BYTES_MAX)
        say (self, path, "document", "", "is larger than 16 MiB");
    else
        check_text (self, path, (span_t){(const char *)text.bytes, text.size});
    if (file != stdin)
        fclose (file);
    buffer_free (&text);
}

static int is_document (const struct dirent *entry)
{
    size_t size = strlen (entry->d_name);
    return entry->d_name[0] != '.' && size > 5 && strcmp (entry->d_name + size - 5, ".json") == 0;
}

static void check_path (run_t *self, const char *path)
{
    struct stat status;
    struct dirent **names;
    if (strcmp (path, "-") == 0 || stat (path, &status) != 0 || !S_ISDIR (status.st_mode)) {
        check_file (self, path);
        return;
    }
    int count = scandir (path, &names, is_document, alphasort);
    if (count < 0) {
        fail (self, path);
        return;
    }
    for (int i = 0; i < count; i++) {
        char *file = NULL;
        CHECK (asprintf (&file, "%s/%s", path, names[i]->d_name) >= 0);
        check_file (self, file);
        free (file);
        free (names[i]);
    }
    free (names);
}

/*  ---- the command ---- */

static void finish (run_t *self)
{
    if (self->json) {
        yyjson_mut_val *root = yyjson_mut_obj (self->document);
        CHECK (yyjson_mut_obj_add_bool (self->document, root, "valid", !self->wrong) &&
               yyjson_mut_obj_add_uint (self->document, root, "files", self->files) &&
               yyjson_mut_obj_add_val (self->document, root, "errors", self->list));
        yyjson_mut_doc_set_root (self->document, root);
        char *text = yyjson_mut_write (self->document, YYJSON_WRITE_PRETTY_TWO_SPACES, NULL);
        CHECK (text);
        puts (text);
        free (text);
    } else if (!self->wrong)
        printf ("%u %s valid\n", self->files, self->files == 1 ? "document is" : "documents are");
    yyjson_mut_doc_free (self->document);
    for (size_t i = 0; i < self->seen_count; i++) {
        free (self->seen[i].tenant);
        free (self->seen[i].scenario);
        free (self->seen[i].path);
    }
    free (self->seen);
}

int validate_main (int argc, char **argv)
{
    validate_settings_t settings = {0};
    int first = settings_load (&program, argc, argv, &settings);
    if (settings.schema) {
        buffer_t text = {0};
        config_schema_write (&text);
        fwrite (text.bytes, 1, text.size, stdout);
        buffer_free (&text);
        return fflush (stdout) == 0 ? EX_OK : EX_IOERR;
    }
    if (first == argc)
        settings_fail (EX_USAGE, "a file or a folder is needed (see --help)");
    run_t self = {.json = settings.json, .document = yyjson_mut_doc_new (NULL)};
    self.list = yyjson_mut_arr (self.document);
    for (int i = first; i < argc; i++)
        check_path (&self, argv[i]);
    finish (&self);
    if (fflush (stdout) != 0)
        return EX_IOERR;
    return self.code ? self.code : self.wrong ? EX_CONFIG : EX_OK;
}
