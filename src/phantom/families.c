#include "phantom/families.h"

#include <string.h>

/* A new family is a file with a Family and a row here; a data set takes the families in turn, in this order. */
const Family *const FAMILIES[] = {
    &FAMILY_CHEST_HEART,
    &FAMILY_CHEST_HEART_NEWBORN,
    &FAMILY_ECG_ADULT,
    &FAMILY_ECG_INFANT,
    &FAMILY_PNEUMOTHORAX,
    &FAMILY_GROWTH,
    &FAMILY_VENTRICLES,
    &FAMILY_HAEMATOMA,
    &FAMILY_OPTIC_DISC,
    &FAMILY_NODULE,
    &FAMILY_RESPONSE,
    &FAMILY_THYROID,
    NULL,
};

const Family *family_find(const char *name)
{
    for (int i = 0; FAMILIES[i]; i++)
        if (!strcmp(FAMILIES[i]->name, name)) return FAMILIES[i];
    return NULL;
}

const char *family_name(int i)
{
    return FAMILIES[i] ? FAMILIES[i]->name : NULL;
}
