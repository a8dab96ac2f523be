/*
 * families.h - the families of phantom cases, one declaration each; families.c has the table.
 *
 * adult medicine       family_chest_heart.c, family_pneumothorax.c, family_ecg.c
 * paediatrics          family_chest_heart.c, family_ecg.c, family_growth.c
 * brain and senses     family_ventricles.c, family_haematoma.c, family_optic_disc.c
 * oncology and surgery family_nodule.c, family_response.c, family_thyroid.c
 */
#ifndef OSLER_PHANTOM_FAMILIES_H
#define OSLER_PHANTOM_FAMILIES_H

#include "phantom/family.h"

extern const Family FAMILY_CHEST_HEART, FAMILY_CHEST_HEART_NEWBORN;
extern const Family FAMILY_ECG_ADULT, FAMILY_ECG_INFANT;
extern const Family FAMILY_PNEUMOTHORAX, FAMILY_GROWTH;
extern const Family FAMILY_VENTRICLES, FAMILY_HAEMATOMA, FAMILY_OPTIC_DISC;
extern const Family FAMILY_NODULE, FAMILY_RESPONSE, FAMILY_THYROID;

#endif
