/* The end of a pipeline: out/report.html over all stages, and what the evaluations found, on stdout. */
#ifndef OSLER_CMD_PIPELINE_REPORT_H
#define OSLER_CMD_PIPELINE_REPORT_H

#include "cmd/pipeline.h"

int pipeline_report(const Pipeline *p, Err *err);

#endif
