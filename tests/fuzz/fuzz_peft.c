/* An adapter_config.json of any bytes: refused, or it can be asked about modules, and every target has a usable scale. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/log.h"
#include "weights/peft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const MODULE[] = {"model.language_model.layers.0.self_attn.q_proj",
                                         "model.visual.blocks.31.mlp.down_proj", "visual.merger.mlp.0", "lm_head", ""};
    PeftConfig cfg;
    Err err = {0};
    log_level(LOG_QUIET);
    if (peft_config_parse(&cfg, (const char *)data, size, &err)) {
        CHECK(err.msg[0], "an error without a message");
        return 0;
    }
    for (size_t i = 0; i < sizeof MODULE / sizeof *MODULE; i++) {
        PeftTarget t;
        err = (Err){0};
        int hit = peft_target(&t, &cfg, MODULE[i], &err);
        CHECK((hit < 0) == (err.msg[0] != 0), "%d with message \"%s\"", hit, err.msg);
        if (hit == 1) CHECK(t.r > 0 && isfinite(t.scale), "r %d, scale %g", t.r, t.scale);
    }
    peft_config_release(&cfg);
    return 0;
}
