/**
 * The two sockets that StarlingX's tools send to. They are datagram sockets of the Unix kind, which node has not: perl, which
 * every Debian has, receives and sends for us, and knows nothing of what it carries.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const SERVER = '.sm_server_api';
export const CLIENT = '.sm_client_api';
export const NOTIFY = '.sm_notify_api';

/** Lines on its stdout are datagrams that came, those on its stdin go to the client; hexadecimal, so that none can lie. */
const RELAY = `
use strict; use Socket;
my ($client, @paths) = @ARGV;
umask 0177;
my @sockets = map {
  die "$_ is no socket\\n" if -e $_ && ! -S $_;
  unlink $_;
  socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die "$!\\n";
  bind($s, sockaddr_un($_)) or die "$_: $!\\n";
  $s
} @paths;
syswrite STDOUT, "ready\\n";
my $input = '';
while (1) {
  my $bits = '';
  vec($bits, fileno($_), 1) = 1 for (\\*STDIN, @sockets);
  next if select($bits, undef, undef, undef) < 0;
  for my $s (@sockets) {
    next unless vec($bits, fileno($s), 1);
    defined recv($s, my $datagram, 4096, 0) or next;
    syswrite STDOUT, unpack('H*', $datagram) . "\\n";
  }
  next unless vec($bits, fileno(STDIN), 1);
  sysread(STDIN, $input, 65536, length $input) or last;
  while ($input =~ s/^([0-9a-f]*)\\n//) { send($sockets[0], pack('H*', $1), MSG_DONTWAIT, sockaddr_un($client)) }
}
unlink @paths;
`;

export interface Sockets {
  /** To whoever waits for an answer; lost when nobody does. */
  send(text: string): void;
  close(): void;
}

export interface SocketPorts {
  /** Where the three sockets are: `/tmp` for StarlingX's programs. */
  readonly directory: string;
  readonly received: (bytes: Buffer) => void;
  /** The sockets were there and are gone, with the reason. */
  readonly ended: (reason: string) => void;
}

/** Resolves when both sockets are there. Rejects with the reason. */
export function openSockets({ directory, received, ended }: SocketPorts): Promise<Sockets> {
  const paths = [CLIENT, SERVER, NOTIFY].map((name) => join(directory, name));
  const child: ChildProcess = spawn('perl', ['-e', RELAY, ...paths], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  let ready = false;
  let closed = false;
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-500);
  });
  child.stdin?.on('error', () => {});
  const sockets: Sockets = {
    send: (text) => void child.stdin?.write(`${Buffer.from(text, 'latin1').toString('hex')}\n`),
    close: () => {
      closed = true;
      child.stdin?.end();
    },
  };
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`perl can not be started: ${error.message}`)));
    child.once('exit', (code, signal) => {
      const plainly = signal === null ? `perl ended with ${code}` : `perl was ended by ${signal}`;
      const reason = said.trim() === '' ? plainly : said.trim();
      reject(new Error(reason));
      if (ready && !closed) ended(reason);
    });
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      if (line === 'ready') {
        ready = true;
        resolve(sockets);
      } else received(Buffer.from(line, 'hex'));
    });
  });
}
