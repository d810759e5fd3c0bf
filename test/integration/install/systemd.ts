/**
 * One fresh machine whose process 1 is a real systemd: `systemd.ts DIRECTORY PACKAGE`, as process 1 of a rack. Prints one
 * line of JSON: what held, by name.
 */
import { join } from 'node:path';
import { removeGroup } from '../../../src/shell/exec/cgroup.ts';
import { bootMachines } from './fresh.ts';

const [, , directory = '', packageFile = ''] = process.argv;
const BECOMES = join(import.meta.dirname, 'systemd-machine');
const [machine] = await bootMachines(directory, packageFile, ['controller-0'], BECOMES);
await machine!.enterSystemd();
const shell = (script: string): Promise<string> => machine!.shell(script);
const held: Record<string, boolean> = {};

async function note(what: string, script: string): Promise<void> {
  const out = await shell(`code=0; out=$(set +e; { ${script}; } 2>&1) || code=$?; echo "$code"; echo "$out"`);
  const [code, ...said] = out.trimEnd().split('\n');
  held[what] = code === '0';
  console.log(`${what}: ${code}`);
  if (code === '0') return;
  said.push(await shell('{ systemctl status sm; journalctl --no-pager --unit sm -n 30; } 2>&1 || true'));
  console.log(said.join('\n').replace(/^/gm, '    '));
}

const pidIn = (lock: string) => `$(sed -n 's/.*"pid":\\([0-9]*\\).*/\\1/p' /run/sm/${lock}.lock)`;
const [WATCHDOG, ENGINE] = [pidIn('sm-watchdog'), pidIn('sm')];
const shown = (property: string) => `$(systemctl show --property ${property} --value sm)`;
const [MAIN, RESTARTS] = [shown('MainPID'), shown('NRestarts')];
/** The services' processes. */
const PROCESSES = "$(pgrep -f '[s]m-stamp --file' | tr '\\n' ' ')";
/** Waits until a condition has held once. */
const until = (condition: string) =>
  `(end=$(($(date +%s) + 40)); while test $(date +%s) -lt $end; do { ${condition}; } >/dev/null 2>&1 && exit 0; sleep 0.2; done; exit 1)`;
/** `status` fails where the node does not answer itself. */
const ACTIVE = until(
  'status=$(smctl status) && echo "$status" | grep "^shop-services.* active" && echo "$status" | grep "^web-services.* active"',
);
/** What a script changes, and that the services' processes are the same afterwards. */
const undisturbed = (script: string) =>
  `before=${PROCESSES}; test -n "$before" && ${script} && ${ACTIVE} && after=${PROCESSES} && echo "$before/ $after" && test "$before" = "$after"`;

async function life(): Promise<void> {
  await shell('dpkg --install /tmp/sm-pair_*.deb');
  await note(
    'nothing starts before there is a configuration',
    'systemctl start sm && ! systemctl is-active sm',
  );
  await shell('install -m 755 /usr/lib/sm/demo/sm-worker /etc/init.d/sm-worker');
  await shell(
    'smctl init --node controller-0 --peer controller-1 --definitions demo --interface oam-interface=10.77.3.1,10.77.3.2 2>&1',
  );
  await note('enable --now returns when the node answers', 'systemctl enable --now sm && smctl status');
  await note('it starts at boot', 'systemctl is-enabled sm');
  await note('the watchdog is the main process', `test "${MAIN}" = "${WATCHDOG}"`);
  await note('the groups become active', ACTIVE);
  await note('systemd hears signs of life', until(`test "${shown('WatchdogTimestampMonotonic')}" -gt 0`));
}

async function deaths(): Promise<void> {
  await note(
    'a dead sm is no event for systemd, nor for services',
    `main=${MAIN}; dead=${ENGINE}; ${undisturbed(`kill -KILL $dead && ${until(`test "${ENGINE}" != $dead`)}`)} && test "${MAIN}" = $main`,
  );
  // As in a life of more than some seconds: the next one is ready.
  await shell(until('test $(pgrep --count --exact sm-watchdog) -ge 2'));
  // systemd starts its program again at once, which finds the pair complete and stands in as the main process.
  await note(
    'a dead watchdog has a successor, and systemd a main process',
    `dead=${WATCHDOG}; ${undisturbed(`kill -KILL $dead && ${until(`test "${WATCHDOG}" != $dead && systemctl is-active sm`)}`)} && test "${MAIN}" != 0 && test "${MAIN}" != $dead`,
  );
  const again = `${until(`test "${RESTARTS}" -gt $restarts`)} && ${ACTIVE}`;
  await note(
    'both dead: systemd starts them again',
    `restarts=${RESTARTS}; kill -STOP ${ENGINE} && kill -KILL ${MAIN} ${WATCHDOG} ${ENGINE}; ${again}`,
  );
  await note(
    'both hang: systemd ends them after WatchdogSec, and starts them again',
    `restarts=${RESTARTS}; kill -STOP ${ENGINE} ${WATCHDOG}; ${again}`,
  );
}

async function orders(): Promise<void> {
  await note(
    'reload starts sm anew with the services untouched',
    `engine=${ENGINE}; ${undisturbed('systemctl reload sm')} && test "${ENGINE}" != "$engine"`,
  );
  await note('the journal has its log', 'journalctl --unit sm | grep -q sm-watchdog');
  await note('stop stops the services too', `systemctl stop sm && test -z "${PROCESSES}"`);
  await note('it did not fail', 'test "$(systemctl is-active sm)" = inactive');
  await note('start again', `systemctl start sm && ${ACTIVE}`);
}

/** The agent for units, with a systemctl that is one. */
async function unitAgent(): Promise<void> {
  await shell(
    "printf '[Service]\\nExecStart=/bin/sleep infinity\\n' >/etc/systemd/system/real.service; systemctl daemon-reload",
  );
  const agent = (action: string, code: number) =>
    `{ timeout 30 /usr/lib/ocf/resource.d/sm/systemd-unit ${action}; test $? = ${code}; }`;
  const steps = [
    'export OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=real OCF_RESKEY_unit=real OCF_RESKEY_pidfile=/run/real.pid',
    agent('monitor', 7),
    agent('start', 0),
    agent('monitor', 0),
    'systemctl is-active real',
    'test "$(cat /run/real.pid)" = "$(systemctl show --property MainPID --value real)"',
    'kill -KILL "$(cat /run/real.pid)"',
    until('! systemctl is-active real'),
    agent('monitor', 7),
    agent('start', 0),
    agent('stop', 0),
    agent('stop', 0),
    '! systemctl is-active real',
  ];
  await note('the agent for units of systemd', `set -x; ${steps.join(' && ')}`);
}

async function removal(): Promise<void> {
  await note('a purge ends it', `dpkg --purge sm-pair && test -z "${PROCESSES}" && ! systemctl is-active sm`);
  const links = "$(find /etc/systemd /etc/rc*.d -name 'sm.service*' -o -name '[SK]??sm')";
  await note('and leaves no link to it', `links=${links}; echo "$links"; test -z "$links"`);
}

try {
  for (const part of [life, deaths, orders, unitAgent, removal]) await part();
} finally {
  await machine!.powerOff();
  for (const mount of ['/sys/fs/cgroup', '/sys/fs/cgroup/unified']) removeGroup(join(mount, 'sm-install'));
}
console.log(JSON.stringify(held));
