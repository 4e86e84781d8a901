/*
 * look.h: how the status page looks: light and dark, wide and narrow, on paper as well. The page's policy allows this
 * style and no other, by its hash.
 *
 * Thread: pure.
 */
#ifndef OBSERVE_LOOK_H
#define OBSERVE_LOOK_H

/* Of look_style; test_page computes it, and says what it is. */
#define LOOK_HASH "sha256-78lCi1kavG521y4As7MWFDdyShONqVpMfzACWYtUKXE="

extern const char look_style[];
/* An SVG without a size, for the patterns that the style refers to. */
extern const char look_patterns[];

#endif
