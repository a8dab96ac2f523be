/*
 * chat_api.h - a question to a language model behind an OpenAI-compatible address.
 *
 *   ChatApi api = {.url = "https://api.openai.com/v1", .model = "gpt-4o-mini", .max_tokens = 256, .top_p = 1};
 *   ChatPart part[] = {{.image = "data:image/png;base64,..."}, {.text = "What does the picture show?"}};
 *   ChatReply reply = {0};
 *   if (chat_api_ask(&reply, http, &api, part, 2, 0, err)) ...
 *   chat_reply_release(&reply);
 *
 * Posts {"model", "messages": [{"role": "user", "content"}], "max_tokens", "temperature"} to URL/chat/completions (the
 * URL itself where it ends like that), with "top_p" and "seed" where the answer is drawn, and takes
 * choices[0].message.content from what comes back.  Content that is text alone goes as a string, else as a list of
 * "text" and "image_url".  OpenAI, vLLM, llama.cpp, SGLang and Ollama understand it.  Retries, limits, keys: base/http.h.
 */
#ifndef OSLER_BASE_CHAT_API_H
#define OSLER_BASE_CHAT_API_H

#include <stdint.h>

#include "base/http.h"

typedef struct ChatApi {
    const char *url;
    const char *model; /* NULL: the field is left out, which servers of one model allow */
    int max_tokens;
    double temperature, top_p; /* temperature 0: the most likely answer */
} ChatApi;

/* A piece of what is asked: one of the two. */
typedef struct ChatPart {
    const char *text;
    const char *image; /* a data URI */
} ChatPart;

typedef struct ChatReply {
    Buf text;
    bool cut;                      /* ended by max_tokens */
    int64_t prompt_tokens, tokens; /* as the server counts; -1 where it does not say */
    int64_t sent, received;        /* bytes of the bodies */
} ChatReply;

void chat_reply_release(ChatReply *r);
/* The answer to part [n] replaces what *reply holds; seed names the draw. A reply that is no such answer is an error. */
int chat_api_ask(ChatReply *reply, Http *h, const ChatApi *api, const ChatPart *part, int n, uint64_t seed, Err *err);

#endif
