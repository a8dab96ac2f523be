#include <string.h>

#include "base/log.h"
#include "kernels/kernels_impl.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Bits of XCR0: which register files the operating system saves. */
enum { XCR0_AVX = 0x6, XCR0_AVX512 = 0xe6, XCR0_AMX = 0x60000 };
/* Linux grants tile data only on request (arch/x86/include/uapi/asm/prctl.h). */
enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };

static uint64_t xcr0(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static bool has(uint32_t word, uint32_t bits)
{
    return (word & bits) == bits;
}

static unsigned detect(void)
{
    uint32_t a, b, c, d, a7, b7, c7, d7, a71 = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C)) return 0;
    if (!__get_cpuid_count(7, 0, &a7, &b7, &c7, &d7)) return 0;
    if (a7 >= 1) __get_cpuid_count(7, 1, &a71, &b, &c, &d);
    uint64_t os = xcr0();
    unsigned f = 0;
    if ((os & XCR0_AVX) != XCR0_AVX || !has(b7, bit_AVX2)) return 0;
    f |= CPU_AVX2;
    if ((os & XCR0_AVX512) != XCR0_AVX512 || !has(b7, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31)) return f;
    f |= CPU_AVX512;
    if (has(a71, 1u << 5)) f |= CPU_AVX512_BF16;
    if ((os & XCR0_AMX) == XCR0_AMX && has(d7, 1u << 22 | 1u << 24 | 1u << 25) &&
        !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA))
        f |= CPU_AMX;
    return f;
}

static void read_name(char name[64])
{
    uint32_t *word = (uint32_t[12]){0};
    for (uint32_t i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, &word[4 * i], &word[4 * i + 1], &word[4 * i + 2], &word[4 * i + 3])) break;
    memcpy(name, word, 48);
}
#else
static unsigned detect(void)
{
    return 0;
}

static void read_name(char name[64])
{
    strcpy(name, "unknown CPU");
}
#endif

unsigned cpu_features_present(void)
{
    static int known = -1;
    if (known < 0) known = (int)detect();
    return (unsigned)known;
}

/* CPU=ref|avx2|avx512|amx leaves that instruction set and the weaker ones. */
static unsigned env_mask(void)
{
    static const struct {
        const char *name;
        unsigned leaves;
    } MASK[] = {{"ref", 0},
                {"avx2", CPU_AVX2},
                {"avx512", CPU_AVX2 | CPU_AVX512 | CPU_AVX512_BF16},
                {"amx", CPU_AVX2 | CPU_AVX512 | CPU_AVX512_BF16 | CPU_AMX}};
    const char *want = getenv("CPU");
    if (!want || !*want) return ~0u;
    for (size_t i = 0; i < sizeof MASK / sizeof *MASK; i++)
        if (!strcmp(want, MASK[i].name)) return MASK[i].leaves;
    log_warn("CPU=%s is none of ref, avx2, avx512, amx; using all the machine has", want);
    return ~0u;
}

unsigned cpu_features(void)
{
    static int known = -1;
    if (known < 0) known = (int)(cpu_features_present() & env_mask());
    return (unsigned)known;
}

const char *cpu_name(void)
{
    static char name[64];
    if (!name[0]) read_name(name);
    return name + strspn(name, " ");
}
