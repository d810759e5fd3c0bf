/**
 * StarlingX's text messages, as its tools and its REST server send them to its daemon: fields with commas between them, and
 * no escaping. So a name can not hold a comma here: a message with a field too many is refused, never cut.
 * Source: docs/reference/compatibility-sockets.md.
 */

export const MESSAGE_BYTES_MAX = 2048;

export type Message =
  | {
      readonly kind: 'set-node';
      readonly sequence: string;
      readonly origin: string;
      readonly node: string;
      readonly action: string;
      readonly admin: string;
      readonly oper: string;
      readonly avail: string;
    }
  | { readonly kind: 'restart' | 'restart-safe' | 'audit'; readonly service: string; readonly origin: string }
  /** Known, and not done: why, as a sentence. */
  | { readonly kind: 'not-done'; readonly what: string; readonly why: string };

export type Parsed =
  | { readonly ok: true; readonly message: Message }
  | { readonly ok: false; readonly fault: string };

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$/;
const WORD = /^[A-Za-z0-9_-]{0,32}$/;
const SEQUENCE = /^[0-9]{1,10}$/;

const no = (fault: string): Parsed => ({ ok: false, fault });
const DEFINITIONS = 'definitions are changed with sm-provision; sm takes them up when it is started anew';

/** By the type: the fields behind it, and what they mean. */
const TYPES: Readonly<Record<string, (fields: readonly string[], sequence: string) => Parsed>> = {
  SET_NODE: ([origin = '', node = '', action = '', admin = '', oper = '', avail = '', ...more], sequence) => {
    if (more.length > 0) return no('it has too many fields');
    if (!NAME.test(node)) return no('the node has no name that a node can have');
    if (![origin, action, admin, oper, avail].every((word) => WORD.test(word)))
      return no('one of its words is none');
    return { ok: true, message: { kind: 'set-node', sequence, origin, node, action, admin, oper, avail } };
  },
  RESTART_SERVICE: ([origin = '', service = '', how = '', ...more]) => {
    if (more.length > 0) return no('it has too many fields');
    if (!['', 'skip-dep'].includes(how)) return no('its last word can only be skip-dep');
    return ofService(how === '' ? 'restart' : 'restart-safe', origin, service);
  },
  SERVICE_EVENT: ([origin = '', service = '', event = '', ...more]) => {
    if (more.length > 0) return no('it has too many fields');
    if (!['sync-start', 'sync-end'].includes(event))
      return no('its event is neither sync-start nor sync-end');
    return ofService('audit', origin, service);
  },
  ...Object.fromEntries(
    ['SERVICE', 'SERVICE_DOMAIN_INTERFACE'].flatMap((what) =>
      ['PROVISION', 'DEPROVISION'].map((verb) => [
        `${verb}_${what}`,
        (): Parsed => ({
          ok: true,
          message: { kind: 'not-done', what: `${verb}_${what}`, why: DEFINITIONS },
        }),
      ]),
    ),
  ),
};

function ofService(kind: 'restart' | 'restart-safe' | 'audit', origin: string, service: string): Parsed {
  if (!NAME.test(service)) return no('the service has no name that a service can have');
  return WORD.test(origin) ? { ok: true, message: { kind, service, origin } } : no('its origin is no word');
}

export function parseMessage(bytes: Buffer): Parsed {
  if (bytes.length > MESSAGE_BYTES_MAX) return no(`it has more than ${MESSAGE_BYTES_MAX} bytes`);
  // Some senders end it as a text of C, or as a line.
  const text = bytes.toString('latin1').replace(/[\0\n]+$/, '');
  if (!/^[\x20-\x7e]*$/.test(text)) return no('it is not plain text');
  const fields = text.split(',');
  // One comma more at the end is as good as none.
  if (fields.at(-1) === '') fields.pop();
  // Its notifier leaves the number out.
  if (fields[2] === 'SERVICE_EVENT') fields.splice(2, 0, '0');
  const [version, , sequence = '', type = '', ...rest] = fields;
  if (version !== '1') return no('its version is not 1');
  if (!SEQUENCE.test(sequence)) return no('its number is none');
  const parse = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  return parse === undefined ? no('its type is not known') : parse(rest, sequence);
}

/** The answer to a SET_NODE that was accepted. */
export function acknowledgement(message: Extract<Message, { kind: 'set-node' }>): string {
  const { sequence, node, action, admin, oper, avail } = message;
  return ['1', '1', sequence, 'SET_NODE_ACK', 'sm', node, action, admin, oper, avail].join(',');
}
