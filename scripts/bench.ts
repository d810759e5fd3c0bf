/**
 * `make bench [ONLY=name] [REPEAT=n]`: measures real pairs on this machine. stdout: one line of JSON for each figure, and a
 * last one with all of them; stderr: progress. KEEP=1 keeps the directory with the nodes' files and logs.
 */
import { fileURLToPath } from 'node:url';
import { api } from './bench/api.ts';
import { idle } from './bench/idle.ts';
import { load, simulator } from './bench/programs.ts';
import { faultOf, missed } from './bench/result.ts';
import { coldStarts, cuts, loss } from './bench/steady.ts';
import { runSuite } from './bench/suite.ts';
import { failover, restart, start, swact } from './bench/times.ts';

await runSuite({
  name: 'bench',
  program: fileURLToPath(import.meta.url),
  limitMs: 30 * 60_000,
  benchmarks: {
    failover,
    swact,
    restart,
    idle,
    start,
    load,
    simulator,
    cuts,
    loss,
    'cold-starts': coldStarts,
    api,
  },
  fault: faultOf,
  conclude: missed,
});
