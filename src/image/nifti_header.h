/*
 * nifti_header.h - the header of NIfTI-1 and NIfTI-2 files, of either byte order, and the way to R, A, S.
 *
 * A NIfTI file stores voxels with the first index running fastest and an affine that says where the indices lead in the
 * patient.  Osler only needs to the nearest quarter turn: which stored axis runs along right, anterior, superior, and
 * in which direction.
 *
 *   NiftiHeader h;
 *   if (nifti_header_parse(&h, bytes, n, err)) ...          n >= NIFTI_HEADER_BYTES, or the whole file
 *   h.axis[AXIS_S], h.flip[AXIS_S]                          stored axis along superior, and whether it runs downwards
 *
 * The affine is the sform where sform_code > 0, else the qform where qform_code > 0, else the voxel sizes alone (x to
 * the right), as the standard says.
 */
#ifndef OSLER_IMAGE_NIFTI_HEADER_H
#define OSLER_IMAGE_NIFTI_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { NIFTI_HEADER_BYTES = 540 }; /* of the larger one */

typedef enum NiftiAxis { AXIS_R, AXIS_A, AXIS_S } NiftiAxis;

typedef enum NiftiType {
    NIFTI_U8 = 2,
    NIFTI_I16 = 4,
    NIFTI_I32 = 8,
    NIFTI_F32 = 16,
    NIFTI_F64 = 64,
    NIFTI_I8 = 256,
    NIFTI_U16 = 512,
    NIFTI_U32 = 768,
    NIFTI_I64 = 1024,
    NIFTI_U64 = 1280
} NiftiType;

typedef struct NiftiHeader {
    int64_t dim[3];  /* of the stored axes */
    int64_t volumes; /* product of the dimensions beyond the third */
    NiftiType type;
    size_t voxel_bytes;
    size_t offset; /* of the first voxel in the data file */
    bool big_endian, paired;
    double slope, inter; /* 1, 0 where the file does not scale */
    int axis[3];         /* stored axis along R, A, S */
    bool flip[3];        /* it runs to L, P, I */
} NiftiHeader;

/* True for the first bytes of a NIfTI header. */
bool nifti_header_match(const unsigned char *bytes, size_t n);
int nifti_header_parse(NiftiHeader *h, const unsigned char *bytes, size_t n, Err *err);

#endif
