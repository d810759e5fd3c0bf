/**
 * Runs in namespaces and with files of its own (test-agents.ts makes them), where the packages are installed that the agents
 * drive: agents of Debian's package resource-agents, unchanged, by sm's runner, judged by the cases that the package has for
 * them. Tells on stderr how each ended; the one line of stdout is JSON. Words: only these files of cases.
 */
import { AgentJudge, type Finding } from '../../support/agent-judge.ts';
import type { OcftFailure } from '../../support/ocft.ts';
import { CASES } from './cases.ts';
import { CONTAINERS, judgeContainers } from './containers.ts';
import { furnish, TMP } from './namespace.ts';

/** Beside each other; what would be in each other's way (addresses, ports, the mail queue), one after the other. */
const LINES: readonly (readonly string[])[] = [
  ['postfix', 'MailTo', 'Xinetd'],
  ['apache', 'portblock', 'named', 'exportfs', 'exportfs-multidir'],
  ['mysql', 'pgsql', 'Filesystem'],
  ['IPaddr2v6', 'IPv6addr', 'SendArp', 'IPaddr2', 'IPaddr2v4', 'IPsrcaddr'],
];

const tell = (file: string, { case: name, step, found }: OcftFailure, words: string): void =>
  console.error(`ocft ${file} "${name}": ${step}: ${found.trim()}; ${words}`);

/** Answers how many cases failed that are not known to be the agent's own fault. */
function report(file: string, { agent, cases, stated, failures, own }: Finding): number {
  const known = CASES[file]!.own ?? {};
  const excused = own.filter(({ case: name }) => known[name] !== undefined);
  const failed = [...failures, ...own.filter((each) => !excused.includes(each))];
  for (const each of failures) tell(file, each, 'FAILED, but not by a plain shell');
  for (const each of own) tell(file, each, `by a plain shell too: ${known[each.case] ?? 'FAILED'}`);
  const name = file === agent ? agent : `${agent} (${file})`;
  const besides = excused.length === 0 ? '' : `, but ${excused.length} of the agent's own fault`;
  const verdict = failed.length === 0 ? `as stated${besides}` : `${failed.length} FAILED`;
  console.error(`ocft ${name}: ${cases} cases, ${stated} results, ${verdict}`);
  return failed.length;
}

const only = process.argv.slice(2);
const sum = { cases: 0, results: 0, failed: 0, own: 0 };
const agents = new Set<string>();
let podmanSteps = 0;
if (only.length === 0 || only.includes(CONTAINERS)) {
  // Before /run and /sys are others: podman looks for the machine's control groups.
  const { steps, failures } = await judgeContainers();
  for (const failure of failures) console.error(`container by podman: ${failure}`);
  console.error(
    `container by podman: ${steps} steps, ${failures.length === 0 ? 'as stated' : `${failures.length} FAILED`}`,
  );
  podmanSteps = steps;
  sum.failed += failures.length;
}
furnish();
const judge = new AgentJudge(TMP);

async function judgeLine(files: readonly string[]): Promise<void> {
  for (const file of files) {
    if (only.length > 0 && !only.includes(file)) continue;
    const { agent = file, before } = CASES[file]!;
    const finding = await judge.byCases(file, agent, before?.());
    const failed = report(file, finding);
    agents.add(agent);
    sum.cases += finding.cases;
    sum.results += finding.stated;
    sum.failed += failed;
    sum.own += finding.failures.length + finding.own.length - failed;
  }
}

await Promise.all(LINES.map(judgeLine));
await judge.close();
console.log(JSON.stringify({ agents: agents.size, podman_steps: podmanSteps, ...sum }));
process.exitCode = sum.failed === 0 ? 0 : 1;
