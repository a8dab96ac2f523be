/* Where a benchmark's files are. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "eval/benchmark_impl.h"

void benchmark_files_release(BenchmarkFiles *files)
{
    for (int i = 0; i < files->n; i++) free(files->at[i].path);
    free(files->at);
    *files = (BenchmarkFiles){0};
}

static void names_free(char **names, int n)
{
    for (int i = 0; i < n; i++) free(names[i]);
    free(names);
}

static char *with_part(const char *pattern, const char *part)
{
    const char *at = strstr(pattern, "%s");
    return at ? xasprintf("%.*s%s%s", (int)(at - pattern), pattern, part, at + 2) : xstrdup(pattern);
}

/* The files of one pattern, sorted by name; no error where there are none. */
static void add_matching(BenchmarkFiles *files, const char *root, const char *pattern, const char *part)
{
    char *whole = with_part(pattern, part), *below = path_dirname(whole), **names;
    char *dir = strcmp(below, ".") ? path_join(root, below) : xstrdup(root);
    const char *last = path_basename(whole);
    int n;
    Err none = {0};
    if (!strchr(last, '*')) {
        char *path = path_join(root, whole);
        if (file_exists(path)) vec_push(files, ((BenchmarkFile){path, part}));
        else free(path);
    } else if (dir_exists(dir) && dir_list(dir, &names, &n, &none) == 0) {
        for (int i = 0; i < n; i++)
            if (fnmatch(last, names[i], FNM_PERIOD) == 0)
                vec_push(files, ((BenchmarkFile){path_join(dir, names[i]), part}));
        names_free(names, n);
    }
    free(whole);
    free(below);
    free(dir);
}

/* Names like test-00000-of-00003.parquet say how many they must be. */
static int check_shards(const BenchmarkFiles *files, int from, Err *err)
{
    for (int i = from; i < files->n; i++) {
        const char *name = path_basename(files->at[i].path), *of = strstr(name, "-of-");
        int want = of ? atoi(of + 4) : 0;
        if (want > 0 && want != files->n - from) {
            err_set(err, "%s is one of %d files, but %d are there", files->at[i].path, want, files->n - from);
            return err_hint(err, "put all parts of the split into one folder, and nothing else of that name");
        }
    }
    return 0;
}

/* The files of one layout: none, or those of every part. */
static int add_layout(BenchmarkFiles *files, const Benchmark *b, const char *root, const char *pattern, Err *err)
{
    static const char *const WHOLE[] = {"", NULL};
    const char *const *part = b->parts && strstr(pattern, "%s") ? b->parts : WHOLE, *missing = NULL;
    for (; *part; part++) {
        int before = files->n;
        add_matching(files, root, pattern, **part ? *part : NULL);
        if (files->n == before && !missing) missing = *part;
        if (check_shards(files, before, err)) return -1;
    }
    if (!files->n || !missing) return 0;
    err_set(err, "%s: there is no file of %s in %s, only of other subjects", b->title, missing, root);
    return err_hint(err, "\"%s\" is needed for every subject", pattern);
}

/* The part whose name the path's last two components hold, the longest where several do. */
static const char *part_of(const Benchmark *b, const char *path)
{
    const char *slash = strrchr(path, '/'), *best = NULL;
    while (slash && slash > path && slash[-1] != '/') slash--;
    for (const char *const *part = b->parts; part && *part; part++)
        if (strstr(slash ? slash : path, *part) && (!best || strlen(*part) > strlen(best))) best = *part;
    return best;
}

static int nothing_found(const Benchmark *b, const char *path, Err *err)
{
    Buf names = {0};
    for (int i = 0; i < MAX_LAYOUTS && b->files[i]; i++) buf_printf(&names, "%s%s", i ? "; " : "", b->files[i]);
    if (dir_exists(path)) err_set(err, "%s: none of its files is in %s", b->title, path);
    else err_set(err, "%s: there is no %s", b->title, path);
    err_hint(err, "it can be had as %s.  Looked for: %s%s", b->source, names.data,
             b->parts ? " (%s: each subject)" : "");
    buf_release(&names);
    return -1;
}

int benchmark_find_files(BenchmarkFiles *files, const Benchmark *b, const char *path, Err *err)
{
    *files = (BenchmarkFiles){0};
    if (!dir_exists(path) && file_exists(path)) {
        vec_push(files, ((BenchmarkFile){xstrdup(path), part_of(b, path)}));
        return 0;
    }
    for (int i = 0; i < MAX_LAYOUTS && b->files[i] && !files->n; i++)
        if (add_layout(files, b, path, b->files[i], err)) return -1;
    return files->n ? 0 : nothing_found(b, path, err);
}

char *reader_find_beside(const Reader *r, const char *const *names, int n)
{
    char *above = path_join(r->dir, "..");
    const char *const dirs[] = {r->root, r->dir, above};
    char *found = NULL;
    for (int d = 0; d < 3 && !found; d++) {
        for (int i = 0; i < n && !found; i++) {
            found = path_join(dirs[d], names[i]);
            if (file_exists(found)) break;
            free(found);
            found = NULL;
        }
    }
    free(above);
    return found;
}
