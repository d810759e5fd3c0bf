/** The fastest timing of failure detection that the checks of the definitions accept. */
import { join } from 'node:path';
import { buildDefinitions } from '../../src/core/definitions/build.ts';
import { loadRows } from '../../src/shell/store/source.ts';
import { FIVE, SHIPPED, type Timing, writeSet } from './definitions.ts';

const STOP_BOUND_MS = 150;
const DEAD_STEP_MS = 10;

/** With the least dead interval for this hello interval. `root`: a directory for the sets that are tried. */
export function fastestTiming(root: string, hello: number): Timing {
  for (let dead = 3 * hello; ; dead += DEAD_STEP_MS) {
    const timing = { ...SHIPPED, hello, dead, stopBound: STOP_BOUND_MS };
    const folder = join(root, `timing-${hello}-${dead}`);
    writeSet(folder, FIVE, timing);
    const loaded = loadRows(folder);
    if (!loaded.ok) throw new Error(loaded.error.message);
    if (buildDefinitions(loaded.value.rows).set !== null) return timing;
  }
}
