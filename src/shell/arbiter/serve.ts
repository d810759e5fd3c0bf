/** `sm-arbiter` at the end of the pipe to `sm-watchdog`, with which it ends. */
import type { Duplex } from 'node:stream';
import { EXIT_UNAVAILABLE } from '../exit-codes.ts';
import { Channel, nextMessage } from '../pair/channel.ts';
import { realTime } from '../time.ts';
import { endAgents } from './agent-process.ts';
import { startDisk } from './disk.ts';
import type { PipeFromArbiter, PipeToArbiter } from './messages.ts';
import { ArbiterService } from './service.ts';

/** Resolves when it serves; the process ends with the pipe. */
export async function serveArbiters(stream: Duplex, environment: NodeJS.ProcessEnv): Promise<void> {
  process.title = 'sm-arbiter';
  stream.on('error', () => {});
  const first = await nextMessage<PipeToArbiter>(stream);
  if (first?.type !== 'plan') process.exit(EXIT_UNAVAILABLE);
  const service: ArbiterService = new ArbiterService({
    plan: first.plan,
    tell: (message) => channel.send(message),
    environment,
    startDisk,
    time: realTime,
  });
  const channel: Channel<PipeToArbiter, PipeFromArbiter> = new Channel(stream, {
    message: (message) => {
      if (message.type === 'ping') channel.send({ type: 'pong' });
      else if (message.type !== 'plan') service.receive(message);
    },
    closed: () => {
      // A shot of which nobody would hear is not fired.
      endAgents();
      service.stop();
      process.exit(0);
    },
  });
  channel.send({ type: 'ready' });
  service.start();
}
