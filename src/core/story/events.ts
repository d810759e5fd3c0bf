/** The history as it is stored, and the few things that its readers have to agree on: what an event begins and ends. */

/** A row of SM_EVENTS, with the node whose database it is from. */
export interface RecordedEvent {
  readonly id: number;
  readonly node: string;
  /** Wall clock of that node, ms. */
  readonly wallMs: number;
  readonly entity: string;
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly cause: string;
  readonly actor: string;
  readonly reason: string;
}

/** All that one node still knows, in the order in which it happened: by id, for the clock may have been set. */
export interface NodeHistory {
  readonly node: string;
  readonly events: readonly RecordedEvent[];
  /** Group of each service. */
  readonly members: ReadonlyMap<string, string>;
}

/** `active-failed` is the state `active`, and the status `failed`. */
export function stateOf(shown: string): string {
  return shown.replace(/-(warn|degraded|failed)$/, '');
}

const GROUP_WAYS = ['go-active', 'go-standby', 'disabling'];
const SERVICE_WAYS = [
  'unknown',
  'enabling-throttle',
  'enabling',
  'enabled-go-active',
  'enabled-go-standby',
  'disabling',
];
const OPERATION_ENDS = ['done', 'failed-back', 'timed-out', 'refused'];

/** Events of a group that tell of its number or of its hooks, and not of its state. */
const NUMBER_CAUSES = ['grant', 'released', 'revoke', 'stopped', 'notification-failed', 'notification-late'];
/** Events of a service that change no state of it. */
const MANAGE_CHANGES = ['managed', 'unmanaged'];

export function isGroupState(event: RecordedEvent): boolean {
  return event.entity === 'group' && !NUMBER_CAUSES.includes(event.cause);
}

export function isServiceState(event: RecordedEvent): boolean {
  return event.entity === 'service' && !MANAGE_CHANGES.includes(event.to);
}

/** `sm` begins: what it did not tell the end of is over, or is found anew. */
export function isStart(event: RecordedEvent): boolean {
  return event.entity === 'daemon' && event.to === 'running';
}

export function isOperationEnd(event: RecordedEvent): boolean {
  return event.entity === 'operation' && OPERATION_ENDS.includes(event.to);
}

/** Something that has begun with this event and is not over: it has to lead somewhere. */
export function isUnderWay(event: RecordedEvent): boolean {
  switch (event.entity) {
    case 'group':
      return isGroupState(event) && GROUP_WAYS.includes(stateOf(event.to));
    case 'service':
      return SERVICE_WAYS.includes(stateOf(event.to));
    case 'operation':
      return !isOperationEnd(event);
    case 'domain':
      return event.to === 'announcing';
    default:
      return false;
  }
}

/** What a later event of the same thing ends. An operation is told apart by its id, which is its cause. */
export function thingOf(event: RecordedEvent): string {
  const { node, entity, name, cause } = event;
  if (entity === 'operation') return `operation ${cause}`;
  const apart =
    (entity === 'group' && !isGroupState(event)) || (entity === 'service' && !isServiceState(event));
  return `${node} ${entity} ${name}${apart ? ' apart' : ''}`;
}

/** Causes of a change of a service that nobody ordered. */
const DISTURBANCES =
  /^(process-failure|audit-mismatch|audit-failed|audit-timeout|transition-limit|shutdown|late)$|^(enable|go-active|go-standby|disable)-(failed|timeout)$/;

export function isDisturbance(event: RecordedEvent): boolean {
  return event.entity === 'service' && DISTURBANCES.test(event.cause);
}

/** How long a silent peer had been silent, ms, where the reason says so; null = it does not. */
export function silenceIn(reason: string): number | null {
  const match = /is silent for (\d+) ms/.exec(reason);
  return match === null ? null : Number(match[1]);
}
