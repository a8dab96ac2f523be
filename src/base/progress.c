#include "base/progress.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

enum { BAR_WIDTH = 24 };
static const double REDRAW_SECONDS = 0.1, PLAIN_SECONDS = 30;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Progress *shown; /* the bar on the terminal, or NULL */

double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int terminal_columns(void)
{
    struct winsize w;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

static bool is_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

static void add_duration(Buf *b, double seconds)
{
    int64_t s = (int64_t)(seconds + 0.5);
    if (s >= 3600) buf_printf(b, "%d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
    else buf_printf(b, "%d:%02d", (int)(s / 60), (int)(s % 60));
}

/* "120/600 step, 3.2 step/s, 2:30 left, loss 0.532" */
static void add_state(Buf *b, const Progress *p, double now)
{
    double elapsed = now - p->started;
    double rate = elapsed > 0 ? (double)(p->done - p->first) / elapsed : 0;
    buf_printf(b, "%lld", (long long)p->done);
    if (p->total > 0) buf_printf(b, "/%lld", (long long)p->total);
    buf_printf(b, " %s", p->unit);
    if (rate > 0) {
        if (rate >= 0.1) buf_printf(b, ", %.*f %s/s", rate < 10 ? 2 : 0, rate, p->unit);
        else buf_printf(b, ", %.1f s/%s", 1 / rate, p->unit);
        if (p->done >= p->total) buf_str(b, ", in ");
        else buf_str(b, ", ");
        add_duration(b, p->done >= p->total ? elapsed : (double)(p->total - p->done) / rate);
        if (p->done < p->total) buf_str(b, " left");
    }
    if (p->tail[0]) buf_printf(b, ", %s", p->tail);
}

static void draw_bar(const Progress *p, double now)
{
    Buf b = {0};
    buf_printf(&b, "%s ", p->what);
    if (p->total > 0) {
        int64_t done = p->done < p->total ? p->done : p->total;
        int full = (int)((double)done / (double)p->total * BAR_WIDTH);
        buf_byte(&b, '[');
        for (int i = 0; i < BAR_WIDTH; i++) buf_byte(&b, i < full ? '#' : '.');
        buf_str(&b, "] ");
    }
    add_state(&b, p, now);
    fprintf(stderr, "\r%.*s\033[K", terminal_columns() - 1, b.data);
    fflush(stderr);
    buf_release(&b);
}

static void draw_line(const Progress *p, double now)
{
    Buf b = {0};
    add_state(&b, p, now);
    fprintf(stderr, "%s: %s\n", p->what, b.data);
    buf_release(&b);
}

void progress_start(Progress *p, const char *what, int64_t total, const char *unit)
{
    progress_start_at(p, what, 0, total, unit);
}

void progress_start_at(Progress *p, const char *what, int64_t done, int64_t total, const char *unit)
{
    double now = now_seconds();
    *p = (Progress){.what = what,
                    .unit = unit,
                    .total = total,
                    .done = done,
                    .first = done,
                    .started = now,
                    .drawn = now,
                    .quiet = !log_shows(LOG_NOTE)};
    p->tty = !p->quiet && is_terminal();
    if (!p->tty) return;
    pthread_mutex_lock(&lock);
    shown = p;
    draw_bar(p, now);
    pthread_mutex_unlock(&lock);
}

/* True where [from, to] holds the end of a tenth of the work. */
static bool passed_tenth(const Progress *p, int64_t from, int64_t to)
{
    return p->total > 0 && (double)from * 10 / (double)p->total < 10 &&
           (int)((double)to * 10 / (double)p->total) > (int)((double)from * 10 / (double)p->total);
}

void progress_update(Progress *p, int64_t done, const char *fmt, ...)
{
    pthread_mutex_lock(&lock);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->tail, sizeof p->tail, fmt, ap);
    va_end(ap);
    double now = now_seconds();
    int64_t before = p->done;
    p->done = done;
    if (p->tty && now - p->drawn >= REDRAW_SECONDS) {
        draw_bar(p, now);
        p->drawn = now;
    } else if (!p->tty && !p->quiet && (passed_tenth(p, before, done) || now - p->drawn >= PLAIN_SECONDS)) {
        draw_line(p, now);
        p->drawn = now;
    }
    pthread_mutex_unlock(&lock);
}

void progress_end(Progress *p)
{
    if (!p->tty) return;
    pthread_mutex_lock(&lock);
    draw_bar(p, now_seconds());
    fputc('\n', stderr);
    if (shown == p) shown = NULL;
    pthread_mutex_unlock(&lock);
}

void progress_hide(void)
{
    pthread_mutex_lock(&lock);
    if (shown) fputs("\r\033[K", stderr);
}

void progress_show(void)
{
    if (shown) draw_bar(shown, now_seconds());
    pthread_mutex_unlock(&lock);
}
