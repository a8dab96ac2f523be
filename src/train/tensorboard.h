/*
 * tensorboard.h - curves for TensorBoard: an event file of scalars.
 *
 *   TensorBoard tb;
 *   if (tb_open(&tb, output_dir, err)) return -1;
 *   tb_scalar(&tb, step, "train/loss", loss);              gathered
 *   if (tb_flush(&tb, err)) ...                            and written, once a step: a killed run leaves whole records
 *   tb_close(&tb);
 *
 * File: <dir>/events.out.tfevents.<seconds>.<host>.<pid>.  A file is a row of records (TFRecord):
 *   8 bytes length | 4 bytes masked CRC-32C of the length | the bytes of one Event | 4 bytes masked CRC-32C of those
 * with an Event in protocol-buffer encoding (tensorflow/core/util/event.proto, summary.proto).  A resumed run opens a
 * file of its own; tb_restart tells TensorBoard to forget what an earlier file said about the steps that are run again.
 */
#ifndef OSLER_TRAIN_TENSORBOARD_H
#define OSLER_TRAIN_TENSORBOARD_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

typedef struct TensorBoard {
    char *path;
    int fd;
    int64_t size; /* of the file: whole records */
    Buf pending;  /* whole records not written yet */
    Buf event;    /* the record under construction */
} TensorBoard;

/* Creates dir where it is missing, and a new event file in it. On error tb_close is still due. */
int tb_open(TensorBoard *tb, const char *dir, Err *err);
/* Of older files in the folder only what was before `step` counts from here on. */
void tb_restart(TensorBoard *tb, int64_t step);
void tb_scalar(TensorBoard *tb, int64_t step, const char *tag, double value);
int tb_flush(TensorBoard *tb, Err *err);
/* Writes what is left, as far as it can be. A zeroed TensorBoard may be closed, and a closed one again. */
void tb_close(TensorBoard *tb);

/* CRC-32C (Castagnoli, reflected 0x82f63b78) of n bytes. */
uint32_t crc32c(const void *bytes, size_t n);

#endif
