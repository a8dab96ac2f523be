/*
 * dicom_set.h - reading DICOM data sets (PS3.5, PS3.10) that lie in memory.
 *
 * A data set is a run of elements in ascending order of their tags; a sequence holds items, which are data sets again.
 * Nothing is copied: elements point into the file.  Every length is checked against what surrounds it.
 *
 *   DicomFile file;
 *   if (dicom_file_open(&file, bytes, n, err)) ...
 *   int rows;
 *   if (dicom_u16(&file.set, 0x00280010, 0, &rows)) ...           tag (0028,0010), first value
 *   DicomSet item;
 *   if (dicom_item(&file.set, 0x52009229, 0, &item)) ...          first item of a sequence
 *   dicom_file_close(&file);
 *
 * The coding is taken from what the elements look like rather than from what the file says (files lie): with or without
 * value representations.  The order of bytes is the file's word, or, in old files without a preamble, a guess.
 */
#ifndef OSLER_IMAGE_DICOM_SET_H
#define OSLER_IMAGE_DICOM_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct DicomSet {
    const unsigned char *bytes;
    size_t n;
    bool explicit_vr, big_endian;
} DicomSet;

typedef struct DicomElement {
    uint32_t tag; /* group << 16 | element */
    char vr[2];   /* zeros where the coding has none */
    const unsigned char *value;
    size_t n;       /* without the delimiter of an undefined length */
    bool undefined; /* the length: a sequence, or pixels in fragments */
} DicomElement;

typedef struct DicomFile {
    DicomSet set;
    char syntax[64];      /* transfer syntax UID; "" where the file names none */
    unsigned char *owned; /* what was inflated */
} DicomFile;

/* True for files with the "DICM" mark and for what begins like a data set. */
bool dicom_file_match(const unsigned char *bytes, size_t n);
int dicom_file_open(DicomFile *f, const unsigned char *bytes, size_t n, Err *err);
void dicom_file_close(DicomFile *f);

/* 1 found, 0 absent, -1 the data set is damaged before that tag. */
int dicom_find(const DicomSet *set, uint32_t tag, DicomElement *e);
/* Item k, from 0, of a sequence. */
bool dicom_item(const DicomSet *set, uint32_t tag, size_t k, DicomSet *item);
/* Fragment k of pixels of undefined length; fragment 0 is the table of offsets. */
bool dicom_fragment(const DicomSet *set, const DicomElement *pixels, size_t *at, DicomElement *fragment);

/* Number k of a run of 16-bit or 32-bit ones, which must be that long. */
unsigned dicom_word(const DicomSet *run, size_t k);
uint32_t dicom_long(const DicomSet *run, size_t k);

/* Values; false where absent or not readable. A US or SS as 0 .. 65535. */
bool dicom_u16(const DicomSet *set, uint32_t tag, size_t k, int *out);
/* The first number of a DS or IS. */
bool dicom_number(const DicomSet *set, uint32_t tag, double *out);
/* Text without the padding at its end. */
bool dicom_text(const DicomSet *set, uint32_t tag, char *out, size_t cap);

#endif
