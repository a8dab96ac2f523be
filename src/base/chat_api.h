/*
 * chat_api.h - a question to a language model behind an OpenAI-compatible address.
 *
 *   ChatApi api = {.url = "https://api.openai.com/v1", .model = "gpt-4o-mini", .max_tokens = 256};
 *   if (chat_api_ask(&reply, http, &api, "Is this right?", err)) ...
 *
 * Posts {"model", "messages": [{"role": "user", "content"}], "max_tokens", "temperature": 0} to URL/chat/completions
 * (the URL itself where it ends like that) and takes choices[0].message.content from what comes back.  OpenAI, vLLM,
 * llama.cpp, SGLang and Ollama understand it.  Retries, limits and keys: base/http.h.
 */
#ifndef OSLER_BASE_CHAT_API_H
#define OSLER_BASE_CHAT_API_H

#include "base/http.h"

typedef struct ChatApi {
    const char *url;
    const char *model; /* NULL: the field is left out, which servers of one model allow */
    int max_tokens;
} ChatApi;

/* The text of the answer replaces what *reply holds. A reply that is no such answer is an error. */
int chat_api_ask(Buf *reply, Http *h, const ChatApi *api, const char *text, Err *err);

#endif
