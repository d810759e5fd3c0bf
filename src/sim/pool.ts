/** Seeds spread over worker threads: each takes the next seed when it has finished one. */
import { Worker } from 'node:worker_threads';
import type { CampaignRequest } from './campaign.ts';
import type { SeedResult } from './run.ts';

export interface WorkerData {
  readonly request: CampaignRequest;
}

export async function runOnWorkers(
  program: URL,
  request: CampaignRequest,
  finished: (result: SeedResult) => void,
): Promise<SeedResult[]> {
  const results: SeedResult[] = [];
  let next = request.firstSeed;
  const end = request.firstSeed + request.seeds;
  const serve = (worker: Worker) =>
    new Promise<void>((resolve, reject) => {
      const give = () => {
        if (next >= end) worker.postMessage(null);
        else worker.postMessage(next++);
      };
      worker.on('message', (result: SeedResult) => {
        results.push(result);
        finished(result);
        give();
      });
      worker.on('error', reject);
      worker.on('exit', () => resolve());
      give();
    });
  const workerData: WorkerData = { request };
  const workers = Array.from({ length: request.workers }, () => startWorker(program, workerData));
  await Promise.all(workers.map(serve));
  return results;
}

/** Run from its sources, the program needs the loader that runs it in each of its threads too. */
function startWorker(program: URL, workerData: WorkerData): Worker {
  if (!program.pathname.endsWith('.ts')) return new Worker(program, { workerData });
  const load = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(program.href)})))`;
  return new Worker(load, { eval: true, workerData });
}
