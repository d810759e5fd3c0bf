/**
 * Whether a device's address answers at all, asked when an agent failed: agents say the same for a wrong password and for
 * a cable that is out. UDP: the presence ping of ASF 2.0 (3.2.4.2), which every IPMI device answers before any login.
 */
import dgram from 'node:dgram';
import net from 'node:net';

export type Reach = 'answers' | 'refuses' | 'silent';

/** RMCP header, class ASF; IANA number of ASF; type 0x80, presence ping. */
const PRESENCE_PING = Buffer.from([0x06, 0x00, 0xff, 0x06, 0x00, 0x00, 0x11, 0xbe, 0x80, 0x00, 0x00, 0x00]);

export function reachTcp(host: string, port: number, limitMs: number): Promise<Reach> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    const end = (reach: Reach): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reach);
    };
    const timer = setTimeout(() => end('silent'), limitMs);
    socket.on('connect', () => end('answers'));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      end(error.code === 'ECONNREFUSED' ? 'refuses' : 'silent'),
    );
  });
}

export function reachRmcp(host: string, port: number, limitMs: number): Promise<Reach> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4');
    const end = (reach: Reach): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      // An error after the last word is nobody's.
      socket.on('error', () => {});
      socket.close();
      resolve(reach);
    };
    const timer = setTimeout(() => end('silent'), limitMs);
    socket.on('message', () => end('answers'));
    socket.on('error', () => end('refuses'));
    socket.connect(port, host, () => socket.send(PRESENCE_PING));
  });
}
