/*  openapi_text: docs/openapi.json, as it was when this was built.
 */
#ifndef HOTPATH_OPENAPI_TEXT_H
#define HOTPATH_OPENAPI_TEXT_H

#include "common/span.h"

span_t openapi_text (void);

#endif
