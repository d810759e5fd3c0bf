/** How each kind of fault is done to the site, and undone. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ip, type Machine, type MachineProcess } from '../../src/lab/machine.ts';
import { serviceScripts } from '../../src/lab/scripts.ts';
import type { Fault, Kind } from './schedule.ts';
import type { Controller, Program, Site } from './site.ts';
import { ALL_LINKS, type Obstacle } from './wires.ts';

export const LINK_NAMES = ['management', 'oam', 'cluster-host'] as const;
const LOOK_INTERVAL_MS = 15;
/** Longer than a script is stopped at once. */
const SCRIPT_STOP_MS = 1500;
/** Silence is noticed within the dead interval; the rest is for a machine that is busy. */
const CONFIRM_LIMIT_MS = 4000;
const FLAP_MS = { min: 100, more: 0.5 };

/** A fault that was done. */
export interface Done {
  /** Ends the sentence that begins with the kind and the node. */
  readonly words: string;
  readonly undo?: () => Promise<void> | void;
}

/** null = there is nothing that it could be done to. */
type Do = (site: Site, fault: Fault, target: Controller) => Promise<Done | null> | Done | null;

const other = (index: number): number => 1 - index;

/** Between the two nodes; what either says to a third machine gets through. */
function between(
  target: Controller,
  links: readonly number[],
  fault: Fault,
  both: boolean,
  percent: number,
): Obstacle[] {
  const own = target.node.index;
  const outward = links.map((link) => ({ link, from: own, to: other(own), percent }));
  const inward = links.map((link) => ({ link, from: other(own), to: own, percent }));
  if (both) return [...outward, ...inward];
  return fault.direction === 'from' ? outward : inward;
}

const obstructs =
  (links: 'one' | 'all', both: boolean, isLoss = false): Do =>
  async ({ wires }, fault, target) => {
    const concerned = links === 'one' ? [fault.link] : ALL_LINKS;
    const percent = isLoss ? fault.percent : 100;
    const undo = await wires.obstruct(between(target, concerned, fault, both, percent));
    const where = links === 'one' ? `the ${LINK_NAMES[fault.link]} network` : 'all networks';
    const directions = both ? 'from and to' : fault.direction;
    const words = isLoss
      ? `${percent} % of all frames ${directions} it are lost on ${where}`
      : `nothing ${directions} it gets through on ${where}`;
    return { words, undo };
  };

const relays =
  (duplicates: boolean): Do =>
  async ({ wires }, fault, target) => {
    const { node } = target;
    if (!node.hasPower) return null;
    const delays = {
      minMs: 0,
      maxMs: duplicates ? 5 : fault.beatMs,
      duplicates: duplicates ? fault.percent : 0,
      seed: fault.number,
    };
    const removals = await Promise.all(ALL_LINKS.map((link) => wires.relay(node.machine, link, delays)));
    const words = duplicates
      ? `${fault.percent} % of its datagrams come twice`
      : `its datagrams are late by up to ${fault.beatMs} ms and overtake each other`;
    return { words, undo: async () => void (await Promise.all(removals.map((remove) => remove()))) };
  };

/** Its switch port stays where it is, which may be behind a relay. Ends silently where the machine has lost its power, and its cables with it. */
async function setCable(machine: Machine, link: number, state: 'up' | 'unplugged'): Promise<void> {
  if (!machine.hasPower) return;
  await ip([`link set ${machine.port(link)} ${state === 'up' ? 'up' : 'down'}`]).catch(() => {});
}

const pull: Do = async (_site, { link }, { node }) => {
  if (!node.hasPower) return null;
  const { machine } = node;
  await setCable(machine, link, 'unplugged');
  return { words: `its ${LINK_NAMES[link]} cable is pulled`, undo: () => setCable(machine, link, 'up') };
};

const flap: Do = (_site, { link, beatMs }, { node }) => {
  if (!node.hasPower) return null;
  const { machine } = node;
  let isOver = false;
  const flapping = (async () => {
    for (let down = true; !isOver; down = !down) {
      await setCable(machine, link, down ? 'unplugged' : 'up');
      await sleep(FLAP_MS.min + FLAP_MS.more * beatMs);
    }
  })();
  const undo = async () => {
    isOver = true;
    await flapping;
    await setCable(machine, link, 'up');
  };
  return { words: `its ${LINK_NAMES[link]} cable has a loose contact`, undo };
};

/** The process may have ended meanwhile. */
function signal({ here }: MachineProcess, name: NodeJS.Signals): void {
  try {
    process.kill(here, name);
  } catch {
    // It has.
  }
}

const kills =
  (...programs: readonly Program[]): Do =>
  (site, _fault, target) => {
    const found = programs.flatMap((program) => site.programs(target, program));
    if (found.length === 0) return null;
    for (const each of found) signal(each, 'SIGKILL');
    return { words: 'SIGKILL' };
  };

const killBoth: Do = async (site, _fault, target) => {
  const find = () => [...site.programs(target, 'sm'), ...site.programs(target, 'sm-watchdog')];
  const found = find();
  if (found.length === 0) return null;
  // Each starts the other again: what comes up between two signals is ended too, also what is not yet what it will be.
  for (let rest = found, looks = 0; looks < 3; rest = find()) {
    looks = rest.length === 0 ? looks + 1 : 0;
    for (const each of rest) signal(each, 'SIGKILL');
    await sleep(2);
  }
  return {
    words: 'SIGKILL to sm and sm-watchdog; the service manager starts them again',
    undo: () => {
      if (target.node.hasPower && find().length === 0) target.node.startProgram();
    },
  };
};

const stops =
  (...programs: readonly Program[]): Do =>
  (site, { forMs }, target) => {
    const found = programs.flatMap((program) => site.programs(target, program));
    if (found.length < programs.length) return null;
    for (const each of found) signal(each, 'SIGSTOP');
    return {
      words: `SIGSTOP for ${forMs} ms`,
      undo: () => {
        for (const each of found) signal(each, 'SIGCONT');
      },
    };
  };

/** A paused virtual machine: it is mute meanwhile. */
const stopNode: Do = async (site, { forMs }, target) => {
  const { node } = target;
  if (!node.hasPower) return null;
  const { machine } = node;
  const stopped = new Map<number, MachineProcess>();
  for (let before = -1; before < stopped.size; ) {
    before = stopped.size;
    for (const each of machine.processes()) {
      signal(each, 'SIGSTOP');
      stopped.set(each.here, each);
    }
  }
  for (const link of ALL_LINKS) await machine.setLoss(link, 100, 100);
  site.observer.interrupted(node.name);
  return {
    words: `paused for ${forMs} ms, with all that runs on it`,
    undo: async () => {
      for (const link of ALL_LINKS) await machine.setLoss(link, 0, 0).catch(() => {});
      for (const each of stopped.values()) signal(each, 'SIGCONT');
    },
  };
};

/** An operator gives the scripts a reason to run. */
const meetsScripts =
  (name: 'SIGKILL' | 'SIGSTOP'): Do =>
  (site, _fault, target) => {
    if (!target.node.hasPower) return null;
    const met = new Set<number>();
    const look = setInterval(() => {
      if (!target.node.hasPower) return;
      for (const { process: each } of serviceScripts(target.node.machine)) {
        if (met.has(each.here)) continue;
        met.add(each.here);
        signal(each, name);
        if (name === 'SIGSTOP') setTimeout(() => signal(each, 'SIGCONT'), SCRIPT_STOP_MS);
      }
    }, LOOK_INTERVAL_MS);
    void site.order(target.node, 'swact', site.controller('active').node);
    return { words: `${name} to every script that runs there, and a swact`, undo: () => clearInterval(look) };
  };

const killService: Do = (_site, { on, direction }, { node }) => {
  if (!node.hasPower) return null;
  const name = on === 'standby' ? 'lab-status' : direction === 'from' ? 'nginx' : 'lab-worker';
  const mark = name === 'nginx' ? 'nginx: master' : `${name}.stamps`;
  const found = node.machine.processes().filter(({ words }) => words.some((word) => word.includes(mark)));
  if (found.length === 0) return null;
  for (const each of found) signal(each, 'SIGKILL');
  return { words: `SIGKILL to ${name}` };
};

const powerOff: Do = async (site, { forMs }, target) => {
  if (!target.node.hasPower) return null;
  await site.powerOff(target);
  return { words: `loses its power for ${forMs} ms`, undo: () => site.powerOn(target) };
};

const powerOffBoth: Do = async (site, { forMs }) => {
  const concerned = site.controllers.filter(({ node }) => node.hasPower);
  await Promise.all(concerned.map((each) => site.powerOff(each)));
  const undo = async () => void (await Promise.all(concerned.map((each) => site.powerOn(each))));
  return { words: `both lose their power for ${forMs} ms`, undo };
};

const fillDisk: Do = (_site, { forMs }, { disk }) => {
  disk.fill();
  return { words: `its disk is full for ${forMs} ms`, undo: () => disk.mend() };
};

const slowDisk: Do = (_site, { beatMs, forMs }, { disk }) => {
  disk.slow(beatMs, forMs);
  return { words: `every access to its disk waits for up to ${beatMs} ms`, undo: () => disk.mend() };
};

const hangDisk: Do = (_site, { forMs }, { disk }) => {
  disk.hang(forMs);
  return { words: `its disk hangs for ${forMs} ms`, undo: () => disk.mend() };
};

const swact: Do = async (site, _fault, target) => {
  const answer = await site.order(target.node, 'swact', site.controller('active').node);
  return { words: `ordered there: ${answer}` };
};

const lock: Do = async (site, { forMs }, target) => {
  const answer = await site.order(target.node, 'lock', target.node);
  const undo = async () => void (await site.order(target.node, 'unlock', target.node));
  return { words: `ordered there for ${forMs} ms: ${answer}`, undo };
};

/** From one of the two. */
const cutArbiter: Do = async ({ arbiter }, { forMs }, { node }) => {
  if (arbiter === null || !node.hasPower) return null;
  await arbiter.cut(node);
  const undo = async () => {
    // A machine that was switched on meanwhile has whole cables.
    if (node.hasPower) await arbiter.heal(node);
  };
  return { words: `it does not reach ${arbiter.kind} for ${forMs} ms`, undo };
};

const cutAllAndArbiter: Do = async (site, fault, target) => {
  const first = await cutArbiter(site, fault, target);
  if (first === null) return null;
  const second = await obstructs('all', true)(site, fault, target);
  const undo = async () => {
    await second?.undo?.();
    await first.undo?.();
  };
  return { words: `${second?.words}, and ${first.words}`, undo };
};

const endArbiter: Do = async ({ arbiter }, { forMs }) => {
  if (arbiter === null) return null;
  await arbiter.end();
  return { words: `${arbiter.kind} is dead for ${forMs} ms`, undo: () => arbiter.resume() };
};

const restartArbiter: Do = async ({ arbiter }) => {
  if (arbiter === null) return null;
  await arbiter.end();
  await arbiter.resume();
  return { words: `${arbiter.kind} is restarted` };
};

const hangArbiter: Do = async ({ arbiter }, { forMs }) => {
  if (arbiter === null) return null;
  await arbiter.hang();
  return { words: `${arbiter.kind} answers nothing for ${forMs} ms`, undo: () => arbiter.wake() };
};

/** While the two do not hear each other, so that one has a reason to shoot. */
const lyingBmc: Do = async (site, fault, target) => {
  const { arbiter } = site;
  if (arbiter === null) return null;
  arbiter.lie(true);
  const cut = await obstructs('all', true)(site, fault, target);
  const undo = async () => {
    await cut?.undo?.();
    arbiter.lie(false);
  };
  return { words: `the BMCs say that they did it and do nothing; ${cut?.words}`, undo };
};

/** The false word of an operator, given to the one that does not hear it. */
const confirmAlive: Do = async (site, fault, target) => {
  const other = site.other(target).node;
  if (!target.node.hasPower || !other.hasPower) return null;
  const cut = await obstructs('all', true)(site, fault, target);
  const answer = await site.confirmDead(other, target.node, CONFIRM_LIMIT_MS);
  if (answer !== 'accepted') {
    await cut?.undo?.();
    throw new Error(`${other.name} does not take it for dead: ${answer}`);
  }
  const words = `${cut?.words}, and ${other.name} is told that it is dead`;
  return { words, ...(cut?.undo && { undo: cut.undo }) };
};

export const FAULTS: Readonly<Record<Kind, Do>> = {
  loss: obstructs('all', true, true),
  'cut-one-way': obstructs('one', false),
  'cut-one-way-all': obstructs('all', false),
  'cut-link': obstructs('one', true),
  'cut-all': obstructs('all', true),
  'delay-and-reorder': relays(false),
  duplicate: relays(true),
  'cable-pulled': pull,
  'cable-flaps': flap,
  'kill-sm': kills('sm'),
  'kill-watchdog': kills('sm-watchdog'),
  'kill-both': killBoth,
  'stop-sm': stops('sm'),
  'stop-watchdog': stops('sm-watchdog'),
  'kill-scripts': meetsScripts('SIGKILL'),
  'stop-scripts': meetsScripts('SIGSTOP'),
  'kill-service': killService,
  'power-off': powerOff,
  'power-off-both': powerOffBoth,
  'disk-full': fillDisk,
  'disk-slow': slowDisk,
  'disk-hangs': hangDisk,
  swact,
  lock,
  'arbiter-cut-from-one': cutArbiter,
  'cut-all-and-arbiter': cutAllAndArbiter,
  'arbiter-dead': endArbiter,
  'arbiter-restarts': restartArbiter,
  'arbiter-hangs': hangArbiter,
  'kill-arbiter': kills('sm-arbiter'),
  'bmc-lies': lyingBmc,
  'stop-both': stops('sm', 'sm-watchdog'),
  'stop-node': stopNode,
  'confirm-alive': confirmAlive,
};
