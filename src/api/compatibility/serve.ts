/** What StarlingX's messages ask for, done as by REST: the same checks, the same orders to `sm`, and on record. */
import { Problem } from '../problem.ts';
import type { ApiContext } from '../routes/context.ts';
import { order } from '../routes/operations.ts';
import { act } from '../routes/servicenode.ts';
import { acknowledgement, type Message, parseMessage } from './messages.ts';

/** Only root can write to the sockets. */
const CALLER = 'compatibility socket';

export interface CompatibilityPorts {
  readonly context: ApiContext;
  readonly send: (text: string) => void;
  /** For the log: what could not be understood or is not done. */
  readonly refused: (reason: string) => void;
}

/** A refusal is told to nobody but the log and the record: StarlingX's daemon does not answer it either. */
export async function handle(bytes: Buffer, ports: CompatibilityPorts): Promise<void> {
  const parsed = parseMessage(bytes);
  if (!parsed.ok) return ports.refused(parsed.fault);
  const { message } = parsed;
  if (message.kind === 'not-done') return ports.refused(`${message.what}: ${message.why}`);
  try {
    const operation = await carryOut(ports.context, message);
    record(ports.context, message, 200, 'accepted', operation);
    if (message.kind === 'set-node') ports.send(acknowledgement(message));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    record(ports.context, message, error.status, `${error.code} ${error.message}`, '');
    ports.refused(error.message);
  }
}

type Done = Exclude<Message, { kind: 'not-done' }>;

async function carryOut(context: ApiContext, message: Done): Promise<string> {
  if (message.kind === 'set-node') {
    const { origin, node, action, admin, oper, avail } = message;
    return (await act(context, CALLER, node, { origin, action, admin, oper, avail })).operation;
  }
  const { kind, service, origin } = message;
  const command = { kind, service, why: `${kind} by ${origin}`, forMs: 0 };
  return (await order(context, CALLER, command)).operation;
}

function record(
  { audit, wallMs }: ApiContext,
  message: Done,
  status: number,
  result: string,
  operation: string,
): void {
  const about =
    message.kind === 'set-node' ? `${message.action} ${message.node}` : `${message.kind} ${message.service}`;
  audit({
    time: new Date(wallMs()).toISOString(),
    who: CALLER,
    from: 'local',
    method: 'MESSAGE',
    path: '',
    action: about,
    status,
    result,
    operation,
    request: '',
  });
}
