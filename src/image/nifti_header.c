#include "image/nifti_header.h"

#include <math.h>
#include <string.h>

/* Where the fields lie: NIfTI-1 (348 bytes) and NIfTI-2 (540 bytes). */
typedef struct NiftiLayout {
    int version, bytes;
    size_t dim, type, pixdim, offset, slope, inter, qform, sform, quatern, srow, magic;
} NiftiLayout;

static const NiftiLayout LAYOUTS[2] = {
    {1, 348, 40, 70, 76, 108, 112, 116, 252, 254, 256, 280, 344},
    {2, 540, 16, 12, 104, 168, 176, 184, 344, 348, 352, 400, 4},
};

enum { MAX_DIM = 1 << 20 };

typedef struct Fields {
    const unsigned char *at;
    bool big;
    const NiftiLayout *layout;
} Fields;

static uint64_t read_bits(const Fields *f, size_t at, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | f->at[at + (size_t)(f->big ? i : bytes - 1 - i)];
    return v;
}

/* Integer k of a field that has `narrow` bytes in NIfTI-1 and `wide` in NIfTI-2. */
static int64_t read_int(const Fields *f, size_t at, int narrow, int wide, int k)
{
    int bytes = f->layout->version == 1 ? narrow : wide, shift = 64 - 8 * bytes;
    return (int64_t)(read_bits(f, at + (size_t)(bytes * k), bytes) << shift) >> shift;
}

static double read_real(const Fields *f, size_t at, int k)
{
    if (f->layout->version == 1) {
        uint32_t bits = (uint32_t)read_bits(f, at + 4 * (size_t)k, 4);
        float v;
        memcpy(&v, &bits, sizeof v);
        return (double)v;
    }
    uint64_t bits = read_bits(f, at + 8 * (size_t)k, 8);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static bool fields_find(Fields *f, const unsigned char *bytes, size_t n)
{
    for (int i = 0; i < 4; i++) {
        *f = (Fields){bytes, i & 1, &LAYOUTS[i / 2]};
        if (n < (size_t)f->layout->bytes || (int)read_bits(f, 0, 4) != f->layout->bytes) continue;
        const unsigned char *m = bytes + f->layout->magic;
        if (m[0] == 'n' && (m[1] == '+' || m[1] == 'i') && m[2] == '0' + f->layout->version && m[3] == '\0')
            return true;
    }
    return false;
}

bool nifti_header_match(const unsigned char *bytes, size_t n)
{
    Fields f;
    return fields_find(&f, bytes, n);
}

/* ---- the affine -------------------------------------------------------------------------------------------------- */

/* Columns: where a step along each stored axis leads. From the unit quaternion (a, b, c, d) and the voxel sizes. */
static void affine_from_quaternion(double m[3][3], const Fields *f)
{
    double b = read_real(f, f->layout->quatern, 0), c = read_real(f, f->layout->quatern, 1);
    double d = read_real(f, f->layout->quatern, 2), rest = 1 - (b * b + c * c + d * d);
    double a = rest > 1e-7 ? sqrt(rest) : 0;
    if (rest <= 1e-7) {
        double len = sqrt(b * b + c * c + d * d);
        b /= len;
        c /= len;
        d /= len;
    }
    const double turn[3][3] = {
        {a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
        {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
        {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c},
    };
    for (int j = 0; j < 3; j++) {
        double size = fabs(read_real(f, f->layout->pixdim, j + 1));
        if (j == 2 && read_real(f, f->layout->pixdim, 0) < 0) size = -size;
        for (int i = 0; i < 3; i++) m[i][j] = turn[i][j] * size;
    }
}

static void affine_read(double m[3][3], const Fields *f)
{
    memset(m, 0, sizeof(double[3][3]));
    if (read_int(f, f->layout->sform, 2, 4, 0) > 0) {
        for (int i = 0; i < 3; i++) {
            for (int j = 0; j < 3; j++) m[i][j] = read_real(f, f->layout->srow, 4 * i + j);
        }
    } else if (read_int(f, f->layout->qform, 2, 4, 0) > 0) {
        affine_from_quaternion(m, f);
    } else {
        for (int i = 0; i < 3; i++) m[i][i] = 1;
    }
}

/* r = (m^-1)^T; false where m is singular. */
static bool inverse_transposed(double r[3][3], double m[3][3])
{
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            int a = (i + 1) % 3, b = (i + 2) % 3, c = (j + 1) % 3, d = (j + 2) % 3;
            r[i][j] = m[a][c] * m[b][d] - m[a][d] * m[b][c];
        }
    }
    double det = m[0][0] * r[0][0] + m[0][1] * r[0][1] + m[0][2] * r[0][2];
    if (!(fabs(det) > 1e-12)) return false;
    for (int i = 0; i < 9; i++) r[i / 3][i % 3] /= det;
    return true;
}

/* The rotation nearest to m with columns of length 1 (polar factor, by Newton's iteration m <- (m + m^-T) / 2). */
static void affine_to_rotation(double m[3][3])
{
    for (int j = 0; j < 3; j++) {
        double len = sqrt(m[0][j] * m[0][j] + m[1][j] * m[1][j] + m[2][j] * m[2][j]);
        for (int i = 0; i < 3 && len > 0; i++) m[i][j] /= len;
    }
    double r[3][3];
    for (int step = 0; step < 50 && inverse_transposed(r, m); step++) {
        for (int i = 0; i < 9; i++) m[i / 3][i % 3] = (m[i / 3][i % 3] + r[i / 3][i % 3]) / 2;
    }
}

/* Each stored axis in turn takes the free patient axis it follows most, as nibabel's io_orientation does. */
static void axes_assign(NiftiHeader *h, double m[3][3])
{
    bool taken[3] = {false, false, false};
    for (int j = 0; j < 3; j++) {
        int best = -1;
        for (int i = 0; i < 3; i++) {
            if (!taken[i] && (best < 0 || fabs(m[i][j]) > fabs(m[best][j]))) best = i;
        }
        taken[best] = true;
        h->axis[best] = j;
        h->flip[best] = m[best][j] < 0;
    }
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

static int type_read(NiftiHeader *h, const Fields *f, Err *err)
{
    int64_t type = read_int(f, f->layout->type, 2, 2, 0);
    switch (type) {
    case NIFTI_U8:
    case NIFTI_I8: h->voxel_bytes = 1; break;
    case NIFTI_I16:
    case NIFTI_U16: h->voxel_bytes = 2; break;
    case NIFTI_I32:
    case NIFTI_U32:
    case NIFTI_F32: h->voxel_bytes = 4; break;
    case NIFTI_I64:
    case NIFTI_U64:
    case NIFTI_F64: h->voxel_bytes = 8; break;
    default:
        err_set(err, "NIfTI data type %d is not supported", (int)type);
        return err_hint(err,
                        "integers of 8 to 64 bits, float32 and float64 are read; colours and complex numbers are not");
    }
    h->type = (NiftiType)type;
    return 0;
}

static int dims_read(NiftiHeader *h, const Fields *f, Err *err)
{
    int64_t used = read_int(f, f->layout->dim, 2, 8, 0);
    if (used < 1 || used > 7) return err_set(err, "broken NIfTI: %lld dimensions", (long long)used);
    h->volumes = 1;
    for (int i = 1; i <= 7; i++) {
        int64_t d = i <= used ? read_int(f, f->layout->dim, 2, 8, i) : 1;
        if (i > 3 && d == 0) d = 1;
        if (d < 1 || d > MAX_DIM) return err_set(err, "broken NIfTI: dimension %d is %lld", i, (long long)d);
        if (i <= 3) {
            h->dim[i - 1] = d;
        } else {
            if (h->volumes > MAX_DIM) return err_set(err, "broken NIfTI: too many volumes");
            h->volumes *= d;
        }
    }
    return 0;
}

int nifti_header_parse(NiftiHeader *h, const unsigned char *bytes, size_t n, Err *err)
{
    *h = (NiftiHeader){0};
    Fields f;
    if (!fields_find(&f, bytes, n)) return err_set(err, "not a NIfTI header");
    if (dims_read(h, &f, err) || type_read(h, &f, err)) return -1;
    h->big_endian = f.big;
    h->paired = bytes[f.layout->magic + 1] == 'i';
    double offset =
        f.layout->version == 1 ? read_real(&f, f.layout->offset, 0) : (double)read_int(&f, f.layout->offset, 8, 8, 0);
    double least = h->paired ? 0 : f.layout->bytes + 4; /* four bytes after the header say whether extensions follow */
    if (!(offset >= least)) offset = least;
    if (offset > 1e12) return err_set(err, "broken NIfTI: the data begin at byte %.0f", offset);
    h->offset = (size_t)offset;
    h->slope = read_real(&f, f.layout->slope, 0);
    h->inter = read_real(&f, f.layout->inter, 0);
    if (!isfinite(h->slope) || !isfinite(h->inter) || h->slope == 0) {
        h->slope = 1;
        h->inter = 0;
    }
    double m[3][3];
    affine_read(m, &f);
    for (int i = 0; i < 9; i++) {
        if (!isfinite(m[i / 3][i % 3])) return err_set(err, "broken NIfTI: the affine is not finite");
    }
    affine_to_rotation(m);
    axes_assign(h, m);
    return 0;
}
