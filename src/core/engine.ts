/**
 * The engine of `sm`: routes events to the local engine and to the cluster, and lets both settle before it returns.
 * Pure: the same facts and the same events give the same effects, on a controller and in the simulator.
 */
import { Cluster } from './cluster/cluster.ts';
import type { DefinitionSet } from './definitions/model.ts';
import type { EngineEffect, EngineEvent, EngineOptions, OperatorCommand } from './engine-interface.ts';
import { LIMITS } from './kernel/limits.ts';
import type { ServiceState } from './kernel/names.ts';
import type { LocalEffect, LocalEvent } from './service/interface.ts';
import { isLocalTimer, LocalEngine } from './service/local.ts';
import type { EngineView } from './view.ts';

/** In these states nothing of a service is active: it needs nobody to kill it when permission ends. */
const NOT_ACTIVE: ReadonlySet<ServiceState> = new Set(['disabled', 'enabled-standby']);

type ServiceCommand = Extract<OperatorCommand, { service: string }>;
type CommandEvent = Extract<EngineEvent, { type: 'command' }>;

export class Engine {
  readonly #definitions: DefinitionSet;
  readonly #node: string;
  readonly #emit: (effect: EngineEffect) => void;
  readonly #local: LocalEngine;
  readonly #cluster: Cluster;

  constructor(options: EngineOptions, emit: (effect: EngineEffect) => void) {
    this.#definitions = options.definitions;
    this.#node = options.node;
    this.#emit = emit;
    const local = {
      definitions: options.definitions,
      restored: options.restored,
      maxRunning: LIMITS.actionsRunningMax,
    };
    this.#local = new LocalEngine(local, (effect) => this.#onLocalEffect(effect));
    this.#cluster = new Cluster(options, this.#local, emit);
  }

  start(now: number): void {
    this.#local.start(now);
    this.#cluster.start(now);
  }

  step(event: EngineEvent, now: number): void {
    switch (event.type) {
      case 'guard.hello':
      case 'guard.link':
      case 'guard.peer':
      case 'guard.silence-broken':
      case 'guard.report':
      case 'guard.peer-links':
      case 'guard.announcement':
      case 'guard.permission':
      case 'guard.lost':
      case 'guard.duplicate':
        return this.#cluster.onFact(event, now);
      case 'timer':
        if (isLocalTimer(event.key)) return this.#stepLocal(event, now);
        return this.#cluster.onTimer(event, now);
      case 'command':
        return this.#onCommand(event, now);
      case 'store.failed':
        return this.#cluster.onStore(event.reason, now);
      case 'store.ok':
        return this.#cluster.onStore('', now);
      case 'node.ready':
        return this.#cluster.onReady(event.ready, event.reason, now);
      case 'shutdown':
        return this.#cluster.onShutdown(event.actor, event.reason, now);
      default:
        return this.#stepLocal(event, now);
    }
  }

  view(now: number): EngineView {
    const cluster = this.#cluster;
    return {
      now,
      node: this.#node,
      definitionDigest: this.#definitions.digest,
      domain: cluster.domainView(),
      permission: cluster.permissionView(now),
      peer: cluster.peerView(),
      links: cluster.links(),
      nodes: cluster.nodes(),
      assignments: cluster.assignments(),
      numbers: cluster.numbers().all(),
      groups: this.#local.groups(),
      services: this.#local.services(),
      placements: cluster
        .placements()
        .map(({ group, node, want, reasons }) => ({ group, node, wanted: want, reasons })),
      operations: cluster.operations(),
      waits: [...cluster.waits(), ...this.#local.waits()],
      alarms: cluster.alarms(),
    };
  }

  #stepLocal(event: LocalEvent, now: number): void {
    this.#local.step(event, now);
    this.#cluster.evaluate(now);
  }

  #onLocalEffect(effect: LocalEffect): void {
    this.#emit(effect);
    if (effect.type !== 'persist.service' || !NOT_ACTIVE.has(effect.state)) return;
    const group = this.#definitions.services.get(effect.service)?.group ?? '';
    if (this.#definitions.groups.get(group)?.exclusive === true)
      this.#emit({ type: 'guard.verified', service: effect.service });
  }

  #onCommand({ request, actor, wallMs, command }: CommandEvent, now: number): void {
    if ('node' in command) {
      const { ok, message, operation } = this.#cluster.onCommand(command, actor, wallMs, now);
      this.#emit({ type: 'reply', request, ok, code: ok ? '' : 'SM_ERR_REFUSED', message, operation });
      return;
    }
    const known = this.#definitions.services.has(command.service);
    if (!known) {
      const message = `no provisioned service ${command.service}; smctl status shows their names`;
      this.#emit({
        type: 'reply',
        request,
        ok: false,
        code: 'SM_ERR_NO_SUCH_SERVICE',
        message,
        operation: '',
      });
      return;
    }
    this.#stepLocal(serviceEvent(command, actor), now);
    this.#emit({
      type: 'reply',
      request,
      ok: true,
      code: '',
      message: `${command.kind} of ${command.service} accepted`,
      operation: '',
    });
  }
}

function serviceEvent({ kind, service, why }: ServiceCommand, actor: string): LocalEvent {
  const reason = why === '' ? `${kind} by ${actor}` : `${kind} by ${actor}: ${why}`;
  switch (kind) {
    case 'restart':
    case 'restart-safe':
      return { type: 'service.restart', service, safe: kind === 'restart-safe', reason };
    case 'manage':
    case 'unmanage':
      return { type: 'service.manage', service, managed: kind === 'manage', reason };
  }
}
