/*
 * pipeline_plan.h - what a pipeline would do, and what that would take.
 *
 * Stages that train or answer are planned by their own verb (`plan=true`), which times the kernels of this machine.  What
 * earlier stages have not made yet is stood in for: a model by the one it will be trained from, data by as many samples
 * of such a length as the stage's `expect` says.
 */
#ifndef OSLER_CMD_PIPELINE_PLAN_H
#define OSLER_CMD_PIPELINE_PLAN_H

#include "cmd/pipeline.h"

/* On stdout; fills key[0..stages). */
int pipeline_plan(Pipeline *p, char (*key)[SHA256_HEX], Err *err);

#endif
