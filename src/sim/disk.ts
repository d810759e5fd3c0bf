/**
 * A node's store: the persist effects of a turn are committed together or not at all, and survive a power-off. Stands in
 * for SQLite with synchronous FULL.
 */
import type {
  AssignmentRow,
  Boot,
  EngineEffect,
  GroupNumbers,
  NodeRow,
  PersistEffect,
  Restored,
} from '../core/engine-interface.ts';
import type { GroupDesiredState, ServiceAction, ServiceDesiredState } from '../core/kernel/names.ts';
import type { LifeId, Operation } from '../core/link/types.ts';

interface Intent {
  readonly run: number;
  readonly service: string;
  readonly action: ServiceAction;
}

export function isPersist(effect: EngineEffect): effect is PersistEffect {
  return effect.type.startsWith('persist.');
}

export class Disk {
  number = 0;
  settled = false;
  led = false;
  kernelLife: LifeId = '';
  peerKernelLife: LifeId = '';
  /** Identity of the register that the record was seen in. */
  register = '';
  offTimes = '';
  readonly nodes = new Map<string, NodeRow>();
  readonly numbers = new Map<string, GroupNumbers>();
  readonly operations = new Map<string, Operation>();
  readonly groups = new Map<string, GroupDesiredState>();
  readonly services = new Map<string, ServiceDesiredState>();
  readonly managed = new Map<string, boolean>();
  readonly assignments = new Map<string, AssignmentRow>();
  readonly intents = new Map<number, Intent>();
  readonly boots = new Map<number, Boot>();
  /** Kernel life of the mark in the run directory that a word went out: in memory, so valid in that life only. */
  wordLife: LifeId = '';
  /** Commits fail while this is true: a full disk. */
  failing = false;
  /** Added to the time of each commit. */
  slowMs = 0;
  commits = 0;

  commit(effects: readonly PersistEffect[], kernelLife: LifeId): boolean {
    if (this.failing) return false;
    for (const effect of effects) this.#apply(effect);
    this.kernelLife = kernelLife;
    this.commits += 1;
    return true;
  }

  /** What there is now; what it returns puts it back, as from a backup or a snapshot of the machine. */
  snapshot(): () => void {
    const { number, settled, led, kernelLife, peerKernelLife, register, offTimes } = this;
    const maps = this.#maps.map((map) => ({ map, entries: [...map] }));
    return () => {
      Object.assign(this, { number, settled, led, kernelLife, peerKernelLife, register, offTimes });
      for (const { map, entries } of maps) {
        map.clear();
        for (const [key, value] of entries) map.set(key, value);
      }
    };
  }

  get #maps(): Map<unknown, unknown>[] {
    return [
      this.nodes,
      this.numbers,
      this.operations,
      this.groups,
      this.services,
      this.managed,
      this.assignments,
      this.intents,
      this.boots,
    ];
  }

  restored(): Restored {
    return {
      number: this.number,
      settled: this.settled,
      led: this.led,
      kernelLife: this.kernelLife,
      peerKernelLife: this.peerKernelLife,
      register: this.register,
      offTimes: this.offTimes,
      wordLife: this.wordLife,
      nodes: [...this.nodes.values()],
      numbers: [...this.numbers.values()],
      operations: [...this.operations.values()],
      groups: [...this.groups].map(([group, desired]) => ({ group, desired })),
      services: [...this.services].map(([service, desired]) => ({
        service,
        desired,
        managed: this.managed.get(service) ?? true,
      })),
      intents: [...this.intents.values()],
      boots: [...this.boots.values()],
    };
  }

  #apply(effect: PersistEffect): void {
    switch (effect.type) {
      case 'persist.domain':
        this.number = effect.number;
        this.settled = effect.settled;
        this.led = effect.led;
        return;
      case 'persist.register':
        this.register = effect.register;
        return;
      case 'persist.off-times':
        this.offTimes = effect.text;
        return;
      case 'persist.word':
        this.wordLife = '';
        return;
      case 'persist.neighbor':
        this.peerKernelLife = effect.kernelLife;
        return;
      case 'persist.node':
        this.nodes.set(effect.node.name, effect.node);
        return;
      case 'persist.numbers':
        this.numbers.set(effect.numbers.group, effect.numbers);
        return;
      case 'persist.operation':
        this.operations.set(effect.operation.id, effect.operation);
        return;
      case 'persist.group':
        this.groups.set(effect.group, effect.desired);
        return;
      case 'persist.service':
        this.services.set(effect.service, effect.desired);
        return;
      case 'persist.managed':
        this.managed.set(effect.service, effect.managed);
        return;
      case 'persist.assignment':
        this.assignments.set(`${effect.assignment.node}/${effect.assignment.group}`, effect.assignment);
        return;
      case 'persist.boot':
        this.boots.set(effect.boot.wallMs, effect.boot);
        return;
      case 'persist.intent':
        if (effect.ended) this.intents.delete(effect.run);
        else this.intents.set(effect.run, effect);
        return;
      default:
        return;
    }
  }
}
