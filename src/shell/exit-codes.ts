/** Exit codes of the daemons, from sysexits.h. */
export const EXIT_USAGE = 64;
export const EXIT_UNAVAILABLE = 69;
export const EXIT_SOFTWARE = 70;
export const EXIT_CONFIG = 78;
