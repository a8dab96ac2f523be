/* osler chat: a conversation in the terminal, or line by line from a pipe. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/interrupt.h"
#include "cmd/model_opts.h"
#include "infer/conversation.h"
#include "weights/peft.h"

typedef struct ChatOpts {
    Common common;
    ModelOpts model;
    SamplingOpts sampling;
    StrList image;
    char *system;
    int decode_weights;
} ChatOpts;

#define AT(field) offsetof(ChatOpts, field)
static const Opt TABLE[] = {
    MODEL_ROWS(ChatOpts),
    {"system", OPT_TEXT, AT(system), .group = "Conversation", .help = "system prompt"},
    {"image", OPT_LIST, AT(image), .help = "images of the first message"},
    SAMPLING_ROWS(ChatOpts),
    COMPUTE_ROWS(ChatOpts),
    DECODE_ROW(ChatOpts),
    SEED_ROW(ChatOpts),
    GENERAL_ROWS(ChatOpts),
    {0},
};

static const char COMMANDS[] = "/image REF   attaches an image to the next message\n"
                               "/reset       starts a new conversation\n"
                               "/quit        ends (so does Ctrl-D); Ctrl-C ends an answer\n";

typedef struct Chat {
    Conversation *c;
    StrList image; /* attached to the next message */
    bool tty;
} Chat;

static void print_piece(void *arg, const char *bytes, size_t n)
{
    (void)arg;
    fwrite(bytes, 1, n, stdout);
    fflush(stdout);
}

/* Ctrl-C ends the answer; what was said so far stays part of the conversation. */
static Verdict verdict(void *arg, int prompt, int draw)
{
    (void)arg, (void)prompt, (void)draw;
    return interrupted() ? END_ANSWER : GO_ON;
}

/* The message with a marker in front for every attached image that it does not place itself. */
static int say(Chat *chat, const char *line, Err *err)
{
    Buf text = {0};
    const Message m = {(char[]){"user"}, (char *)(uintptr_t)line, false};
    for (int i = chat_count_images(&m, 1); i < chat->image.n; i++) buf_str(&text, IMAGE_MARKER);
    buf_str(&text, line);
    const char *reason = "";
    interrupt_begin();
    int rc = conversation_say(chat->c, text.data, chat->image.at, chat->image.n, print_piece, NULL, &reason, err);
    interrupt_end();
    buf_release(&text);
    if (rc) return -1;
    putchar('\n');
    if (!strcmp(reason, "cancelled")) fprintf(stderr, "(interrupted)\n");
    if (!strcmp(reason, "length")) fprintf(stderr, "(the answer was cut at max_new_tokens)\n");
    strlist_release(&chat->image);
    return 0;
}

static int attach(Chat *chat, const char *ref, Err *err)
{
    int w, h;
    if (image_size(&w, &h, ref, err)) return -1;
    strlist_add(&chat->image, ref);
    fprintf(stderr, "(%d x %d pixels, goes with the next message)\n", w, h);
    return 0;
}

/* 1: the user wants to go. */
static int obey(Chat *chat, const char *line, Err *err)
{
    if (!strcmp(line, "/quit") || !strcmp(line, "/exit")) return 1;
    if (!strncmp(line, "/image ", 7)) return attach(chat, line + 7 + strspn(line + 7, " "), err);
    if (!strcmp(line, "/reset")) {
        conversation_reset(chat->c);
        strlist_release(&chat->image);
        fprintf(stderr, "(a new conversation)\n");
        return 0;
    }
    if (strcmp(line, "/help")) fprintf(stderr, "unknown command '%s'\n", line);
    fputs(COMMANDS, stderr);
    return 0;
}

/* Reads lines until the end. A terminal gets another try after an error, a pipe does not. */
static int talk(Chat *chat, Err *err)
{
    char *line = NULL;
    size_t cap = 0;
    int rc = 0;
    while (rc == 0) {
        if (chat->tty) fputs("\n> ", stderr);
        ssize_t n = getline(&line, &cap, stdin);
        if (n < 0) break;
        while (n > 0 && strchr("\r\n ", line[n - 1])) line[--n] = 0;
        if (!line[0]) continue;
        rc = line[0] == '/' ? obey(chat, line, err) : say(chat, line, err);
        if (rc < 0 && chat->tty) {
            err_print(err);
            err_clear(err);
            rc = 0;
        }
    }
    free(line);
    return rc < 0 ? -1 : 0;
}

static int run(void *opts, const StrList *operands, Err *err)
{
    ChatOpts *o = opts;
    Engine e;
    if (no_operands(operands, err) || peft_resolve(&o->model.dir, &o->model.adapter, err)) return -1;
    EngineOptions eo = engine_options(&o->common, &o->model);
    eo.check_later = true;
    eo.decode_weights = (DecodeWeights)o->decode_weights;
    if (engine_open(&e, &eo, err)) return -1;
    GenerateOptions go = generate_options(&o->sampling, (uint64_t)o->common.seed);
    Chat chat = {.c = conversation_new(&e, o->system, &go, err), .tty = isatty(STDIN_FILENO)};
    if (chat.c) conversation_judge(chat.c, verdict);
    for (int i = 0; i < o->image.n; i++) strlist_add(&chat.image, o->image.at[i]);
    if (chat.tty) fputs(COMMANDS, stderr);
    int rc = chat.c ? talk(&chat, err) : -1;
    conversation_free(chat.c);
    strlist_release(&chat.image);
    engine_close(&e);
    return rc;
}

const Verb VERB_CHAT = {
    .name = "chat",
    .about = "a conversation about images, in the terminal or from a pipe",
    .usage = "osler chat --model DIR [--adapter DIR] [--image REF]",
    .details = "/image REF   attaches an image to the next message\n"
               "/reset       starts a new conversation\n"
               "/quit        ends (so does Ctrl-D); Ctrl-C ends an answer",
    .table = TABLE,
    .size = sizeof(ChatOpts),
    .run = run,
};
