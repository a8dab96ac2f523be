/*
 * data_uri.h - a picture as text, for pages and for servers.
 *
 *   Buf uri = {0};
 *   if (image_data_uri(&uri, "scan.dcm#frame=3", 64 << 10, 448, err)) ...       data:image/png;base64,...
 */
#ifndef OSLER_IMAGE_DATA_URI_H
#define OSLER_IMAGE_DATA_URI_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the picture that `ref` shows (image.h): a PNG or JPEG file of at most `as_it_is` bytes by its own bytes, all
   else as PNG with at most `longest` pixels a side. */
int image_data_uri(Buf *out, const char *ref, size_t as_it_is, int longest, Err *err);

#endif
