/* osler doctor: what this machine and this build can do. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/pool.h"
#include "cmd/cmd.h"
#include "kernels/ceilings.h"

typedef struct DoctorOpts {
    Common common;
    bool measure;
} DoctorOpts;

static const Opt TABLE[] = {
    {"measure", OPT_BOOL, offsetof(DoctorOpts, measure), .def = "true", .help = "time products and memory (seconds)"},
    GENERAL_ROWS(DoctorOpts),
    {0},
};

static const struct {
    const char *name, *use;
    bool here;
} LIBRARY[] = {
    {"libjpeg", "JPEG", HAVE_JPEG}, {"libpng", "PNG", HAVE_PNG},   {"libwebp", "WebP", HAVE_WEBP},
    {"libtiff", "TIFF", HAVE_TIFF}, {"zlib", "nii.gz", HAVE_ZLIB}, {"GDCM", "DICOM", HAVE_GDCM},
};

static void print_cpu(void)
{
    static const struct {
        unsigned bit;
        const char *name;
    } FEATURE[] = {{CPU_AVX2, "AVX2"}, {CPU_AVX512, "AVX-512"}, {CPU_AVX512_BF16, "AVX-512 BF16"}, {CPU_AMX, "AMX"}};
    unsigned have = cpu_features_present(), used = cpu_features();
    printf("processor  %s, %d thread%s\n           ", cpu_name(), pool_threads(), pool_threads() == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof FEATURE / sizeof *FEATURE; i++) {
        bool off = (have & FEATURE[i].bit) && !(used & FEATURE[i].bit);
        printf("%s%s %s", i ? ", " : "", have & FEATURE[i].bit ? "yes" : "no", FEATURE[i].name);
        if (off) printf(" (masked by CPU=)");
    }
    printf("\n");
}

static void print_memory(void)
{
    printf("memory     %.1f GiB can be used now\n", gib((double)memory_available()));
    struct statvfs fs;
    if (statvfs(".", &fs) == 0)
        printf("disk       %.1f GiB free here\n", gib((double)fs.f_bavail * (double)fs.f_frsize));
}

static void print_ceilings(void)
{
    Ceilings c;
    ceilings_measure(&c);
    printf("products   %.0f GFLOP/s in bf16, %.0f in f32\n", c.bf16_gflops, c.f32_gflops);
    printf("reading    %.1f GB/s\n", c.read_gbs);
}

static void print_libraries(void)
{
    printf("libraries\n");
    for (size_t i = 0; i < sizeof LIBRARY / sizeof *LIBRARY; i++)
        printf("  %-4s %-9s %s\n", LIBRARY[i].here ? "yes" : "no", LIBRARY[i].name, LIBRARY[i].use);
    printf("  %-4s %-9s %s\n", "no", "CUDA", "NVIDIA devices");
}

static int run(void *opts, const StrList *operands, Err *err)
{
    const DoctorOpts *o = opts;
    if (no_operands(operands, err)) return -1;
    printf("osler " OSLER_VERSION "\n");
    print_cpu();
    print_memory();
    if (o->measure) print_ceilings();
    print_libraries();
    return 0;
}

const Verb VERB_DOCTOR = {
    .name = "doctor",
    .about = "what this machine and this build can do",
    .usage = "osler doctor",
    .table = TABLE,
    .size = sizeof(DoctorOpts),
    .run = run,
};
