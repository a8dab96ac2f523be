/*
 * interrupt.h - Ctrl-C as a question instead of the end: what is finished is kept.
 *
 *   interrupt_begin();                 from here the first SIGINT is only noted; a second one ends the program
 *   ... while (!interrupted()) ...
 *   bool early = interrupt_end();      as before; true where there was one
 */
#ifndef OSLER_CMD_INTERRUPT_H
#define OSLER_CMD_INTERRUPT_H

#include <stdbool.h>

void interrupt_begin(void);
bool interrupted(void);
bool interrupt_end(void);

#endif
