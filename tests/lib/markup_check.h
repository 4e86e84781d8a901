/*
 * markup_check.h: is a page what it was meant to be, whatever the names in it? A strict reader of the HTML that byway
 * writes: elements close in the order in which they began, attributes stand in quotes, and a `<`, `>`, `"` or `&` of
 * somebody else's would be seen. It shares no code with what it checks.
 */
#ifndef LIB_MARKUP_CHECK_H
#define LIB_MARKUP_CHECK_H

#include <stddef.h>

/* NULL: it is well-formed; else what is wrong. Elements that byway's pages have no use for, such as <script>, are. */
const char *markup_check(const char *text, size_t len);

#endif
