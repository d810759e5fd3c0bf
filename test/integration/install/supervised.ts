/**
 * One fresh machine under the init script, then under something that listens like systemd: `supervised.ts DIRECTORY
 * PACKAGE`, as process 1 of a rack. Prints one line of JSON.
 */
import { bootMachines } from './fresh.ts';

const [, , directory = '', packageFile = ''] = process.argv;
const [machine] = await bootMachines(directory, packageFile, ['controller-0']);
const shell = (script: string): Promise<string> => machine!.shell(script);
const codes: [string, number][] = [];

function tell(what: string, code: string): void {
  console.log(`${what}: ${code.trim()}`);
  codes.push([what, Number(code)]);
}

async function init(action: string): Promise<void> {
  const out = await shell(`code=0; /etc/init.d/sm ${action} >&2 || code=$?; echo $code`);
  tell(action, out);
}

async function note(what: string, script: string): Promise<void> {
  tell(what, await shell(`code=0; { ${script}; } >/dev/null || code=$?; echo $code`));
}

const HOLDER = `sed -n 's/.*"pid":\\([0-9]*\\).*/\\1/p'`;
const WATCHDOG = `$(${HOLDER} /run/sm/sm-watchdog.lock)`;
const ENGINE = `$(${HOLDER} /run/sm/sm.lock)`;
const GONE = 'flock --wait 20 /run/sm/sm-watchdog.lock true; flock --wait 20 /run/sm/sm.lock true';
/** Waits until a condition holds. */
const until = (condition: string) => `timeout 30 sh -c 'until ${condition}; do sleep 0.1; done'`;

await shell('dpkg --install /tmp/sm-pair_*.deb');
await shell('install -m 755 /usr/lib/sm/demo/sm-worker /etc/init.d/sm-worker');
await init('status');
await init('start');
await shell(
  'smctl init --node controller-0 --peer controller-1 --interface oam-interface=10.77.1.1,10.77.1.2 2>&1',
);
await init('start');
await init('start');
await init('status');
await init('force-reload');
await init('restart');
await init('dance');
// The engine first: a watchdog would be started by it again.
await shell(`kill -STOP ${ENGINE}; watchdog=${WATCHDOG}; kill -KILL $watchdog ${ENGINE}; ${GONE}`);
await init('status');
await init('start');
await note('the lock file of a dead sm is no hindrance', 'smctl status');
await init('stop');
await init('stop');
await init('status');
await init('force-reload');
await shell('echo "nonsense: 1" >>/etc/sm/sm.yaml');
await init('start');
await shell('sed -i /nonsense/d /etc/sm/sm.yaml');

// A listener in the place of systemd: writes down one word a line.
const LISTENER = `perl -MIO::Socket::UNIX -e '
  my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "/run/notify") or die; $| = 1;
  while (defined $socket->recv(my $word, 4096)) { print join(" ", split /\\n/, $word), "\\n" }'`;
await shell(`setsid ${LISTENER} >>/run/words 2>&1 </dev/null & ${until('test -S /run/notify')}`);
const UNDER = 'NOTIFY_SOCKET=/run/notify WATCHDOG_USEC=3000000 setsid sm --foreground';
await shell(`${UNDER} >/run/first.log 2>&1 </dev/null & ${until('grep -q READY=1 /run/words')}`);
await note('the watchdog is the main process', `grep -q "^MAINPID=${WATCHDOG} READY=1" /run/words`);
await shell(until('grep -q WATCHDOG=1 /run/words'));
await note(
  'scripts do not know of systemd',
  '! grep -lz NOTIFY_SOCKET $(grep -lz SM_RUN= /proc/[0-9]*/environ)',
);
await shell(`watchdog=${WATCHDOG}; kill -KILL $watchdog; : >/run/words
  ${until('grep -q READY=1 /run/words')}; test ${WATCHDOG} != $watchdog`);
await note('a new watchdog is the main process', `grep -q "^MAINPID=${WATCHDOG} READY=1" /run/words`);
await shell(`: >/run/words; { code=0; ${UNDER} >/run/second.log 2>&1 </dev/null || code=$?; echo $code >/run/code; } >/dev/null 2>&1 &
  ${until('grep -q READY=1 /run/words')}`);
await note('systemd gets a stand-in', `! grep -q "^MAINPID=${WATCHDOG} " /run/words`);
await shell(
  `main=$(sed -n 's/^MAINPID=\\([0-9]*\\) .*/\\1/p' /run/words); kill -TERM $main; ${until('test -s /run/code')}; ${GONE}`,
);
tell('the stand-in after an orderly stop', await shell('cat /run/code'));
await note('the stop was told', 'grep -q STOPPING=1 /run/words');
await init('status');
await machine!.powerOff();
console.log(JSON.stringify(codes));
