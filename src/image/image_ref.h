/*
 * image_ref.h - `path[#key=value&key=value]` taken apart.
 *
 *   ImageRef ref;
 *   if (image_ref_parse(&ref, "t1.nii.gz#axial=90&window=40,80", err)) ...
 *   ref.path, ref.view.plane, ref.view.index ...
 *   image_ref_release(&ref);
 *
 * In a table (parquet, CSV, TSV, JSON) `row=K&column=NAME` and, in a list, `item=K` name the cell that the picture lies
 * in; in NAME '%', '&' and '#' are written %25, %26 and %23.
 *
 * A '#' may be part of a file's name: where a file of the whole text exists, that file is meant; otherwise the fragment
 * begins at the last '#'.
 */
#ifndef OSLER_IMAGE_IMAGE_REF_H
#define OSLER_IMAGE_IMAGE_REF_H

#include <stdbool.h>

#include "base/err.h"

typedef enum ImagePlane { PLANE_NONE, PLANE_AXIAL, PLANE_CORONAL, PLANE_SAGITTAL } ImagePlane;

enum { CELL_ROW = 1, CELL_COLUMN = 2, CELL_ITEM = 4 };
enum { VIEW_FRAME = 1, VIEW_WINDOW = 2, VIEW_PLANE = 4, VIEW_VOLUME = 8 };

typedef struct ImageView {
    unsigned given; /* VIEW_* of the keys that were there */
    int frame;      /* DICOM, from 0 */
    int volume;     /* NIfTI of four dimensions, from 0 */
    ImagePlane plane;
    int index;            /* of the plane */
    double centre, width; /* in the file's units, width >= 1 */
} ImageView;

/* A cell of a table, counted from 0. */
typedef struct ImageCell {
    char *column; /* NULL: the path is the picture's own */
    int row, item;
    unsigned given; /* CELL_* of the keys that were there */
} ImageCell;

typedef struct ImageRef {
    char *path;
    ImageView view;
    ImageCell cell;
} ImageRef;

int image_ref_parse(ImageRef *ref, const char *text, Err *err);
void image_ref_release(ImageRef *ref);

/* Parses what follows '#'; "" is an empty view. */
int image_view_parse(ImageView *view, const char *fragment, Err *err);
/* Fails, naming the key, where the view has one that is not in `allowed` (VIEW_*). */
int image_view_check(const ImageView *view, unsigned allowed, const char *format, Err *err);

#endif
