/**
 * The pair: leadership, the leader's plan and what it takes to get there, obedience of the other node, take-over of a
 * silent peer, operations, and the report that tells the peer all of it. Level-triggered: every event changes facts, then
 * `evaluate` brings orders, numbers and report in line with them. Source of the rules: docs/SAFETY.md.
 */
import type { DefinitionSet, GroupDefinition } from '../definitions/model.ts';
import type {
  AssignmentRow,
  EngineEffect,
  EngineOptions,
  GuardFact,
  NodeRow,
  OperatorCommand,
} from '../engine-interface.ts';
import { assert } from '../kernel/assert.ts';
import type { DomainState, GroupDesiredState } from '../kernel/names.ts';
import { INTERFACE_ROLES } from '../kernel/names.ts';
import { type TimerEvent, Timers } from '../kernel/timers.ts';
import type { GroupReport, Operation, Report } from '../link/types.ts';
import { type Placement, plan, type Want } from '../plan/plan.ts';
import type { Wait } from '../service/interface.ts';
import type { LinkView, PeerView } from '../view.ts';
import { Alarms, definitionsAlarm, duplicateAlarm, POLICY_ALARMS } from './alarms.ts';
import type { ClusterContext, LocalPort } from './context.ts';
import { judgeLeadership } from './leadership.ts';
import { NodeRecords, newNode } from './node-records.ts';
import { Numbers } from './numbers.ts';
import { Operations } from './operations.ts';
import { PeerState } from './peer-state.ts';
import { grant, refusal, type Verdict } from './permission.ts';
import { OperationProgress } from './progress.ts';
import { linkScore, SteadyScores } from './survivor.ts';
import { assignmentRows, groupReports, isQuiet } from './telling.ts';

/** Rounds in which facts, numbers and orders have to settle; each one makes progress, so few are needed. */
const ROUNDS_MAX = 64;
/** A hung audit may not keep a freshly booted node from being counted as inactive: nothing of it can run yet. */
const FRESH_AUDIT_PATIENCE_MS = 2000;

interface Announcement {
  readonly number: number;
  readonly until: number;
  /** The wait is over and the groups were taken; it stays on the wire until the exchange. */
  done: boolean;
}

interface Wanted {
  readonly desired: GroupDesiredState | 'revoked';
  readonly activation: number;
}

export class Cluster {
  readonly #options: EngineOptions;
  readonly #definitions: DefinitionSet;
  readonly #me: string;
  readonly #emit: (effect: EngineEffect) => void;
  readonly #local: LocalPort;
  readonly #timers: Timers;
  readonly #numbers: Numbers;
  readonly #operations: Operations;
  readonly #alarms: Alarms;
  readonly #peer: PeerState | null;
  readonly #nodes: NodeRecords;
  readonly #context: ClusterContext;
  readonly #progress: OperationProgress;
  readonly #scores: SteadyScores;
  readonly #links = new Map<string, LinkView>();
  readonly #wanted = new Map<string, Wanted>();
  /** The leader's orders to the peer. */
  readonly #orders = new Map<string, GroupDesiredState>();
  readonly #assignments = new Map<string, string>();
  readonly #refusals = new Map<string, { reason: string; since: number }>();
  #placements: Placement[] = [];
  #state: DomainState = 'waiting';
  #stateSince = 0;
  #leader = '';
  #number: number;
  #settled: boolean;
  #guard = {
    connected: false,
    resumed: false,
    deadline: Number.NEGATIVE_INFINITY,
    lost: false,
    reason: 'sm-watchdog is not connected',
  };
  #announcement: Announcement | null = null;
  #duplicate = false;
  #storeFailed = '';
  #leaving: { actor: string; reason: string } | null = null;
  /** The peer was told, because of a failing store, that it may take what this node ran. */
  #yielded = false;
  #holding = false;
  #readyReason = '';
  #startedAt = 0;
  readonly #freshKernel: boolean;
  #changed = false;
  #published = '';
  #neighbor = '';
  #version = 0;

  constructor(options: EngineOptions, local: LocalPort, emit: (effect: EngineEffect) => void) {
    const { definitions, node, restored } = options;
    this.#options = options;
    this.#definitions = definitions;
    this.#me = node;
    this.#emit = emit;
    this.#local = local;
    this.#timers = new Timers(emit);
    const note = (effect: EngineEffect) => {
      this.#changed = true;
      emit(effect);
    };
    const exclusive = [...definitions.groups.values()]
      .filter((group) => group.exclusive)
      .map((group) => group.name);
    this.#numbers = new Numbers(exclusive, restored.numbers, note);
    this.#operations = new Operations(restored.operations, note);
    this.#alarms = new Alarms(emit);
    const peer = definitions.nodes.find((name) => name !== node);
    this.#peer =
      peer === undefined
        ? null
        : new PeerState(peer, restored.peerKernelLife, definitions.domain.stopBoundMs);
    this.#scores = new SteadyScores(definitions.failPendingMs);
    this.#freshKernel = restored.kernelLife !== options.kernelLife;
    this.#number = restored.number;
    this.#settled = restored.settled && !this.#freshKernel;
    this.#nodes = new NodeRecords(node, definitions.nodes, restored.nodes, note);
    this.#context = {
      me: node,
      definitions,
      local,
      peer: this.#peer,
      timers: this.#timers,
      numbers: this.#numbers,
      operations: this.#operations,
      nodes: this.#nodes,
      emit,
      history: ({ actor = 'engine', ...entry }) => emit({ type: 'history', ...entry, actor }),
      monotonic: (wallMs) => this.#startedAt + (wallMs - options.startedWallMs),
    };
    this.#progress = new OperationProgress(this.#context);
  }

  start(now: number): void {
    this.#startedAt = now;
    this.#stateSince = now;
    // A new kernel life voids what an earlier one held (rule 7): its processes are gone.
    if (this.#freshKernel)
      for (const { group, held } of this.#numbers.all()) if (held > 0) this.#numbers.giveUp(group, held);
    this.#nodes.set(this.#me, { ready: 'enabled', operational: 'enabled', availability: 'available' });
    this.#setState('waiting', 'start', now);
    this.#standingAlarms(now);
    if (this.#freshKernel) this.#timers.set('cluster/audit-patience', now + FRESH_AUDIT_PATIENCE_MS);
    this.evaluate(now);
  }

  // --- events --------------------------------------------------------------------------------------------------------

  onFact(fact: GuardFact, now: number): void {
    switch (fact.type) {
      case 'guard.hello':
        return this.#onHello(fact, now);
      case 'guard.link':
        return this.#onLink(fact, now);
      case 'guard.permission':
        return this.#onPermission(fact.deadline, now);
      case 'guard.lost':
        return this.#onLost(fact.reason, now);
      case 'guard.duplicate':
        this.#duplicate = true;
        this.#alarms.raise(duplicateAlarm(this.#me, fact.processLife), now);
        return this.evaluate(now);
      case 'guard.report':
        assert(this.#peer !== null, 'a report without a peer');
        this.#peer.apply(fact);
        this.#readReport(fact.report, now);
        return this.evaluate(now);
      case 'guard.peer':
        return this.#onPeer(fact, now);
      default:
        this.#peer?.apply(fact);
        return this.evaluate(now);
    }
  }

  onTimer(event: TimerEvent, now: number): void {
    if (!this.#timers.take(event)) return;
    if (event.key === 'cluster/lock-end') this.#endLock(now);
    this.evaluate(now);
  }

  onStore(failed: string, now: number): void {
    this.#storeFailed = failed;
    if (failed === '' && this.#yielded) this.#stepDown(now);
    this.evaluate(now);
  }

  /**
   * Whether the peer took this node at its word is not known yet, so it leads nothing until the peer has led: as after a
   * new kernel life, the settled one takes the number (rule 7).
   */
  #stepDown(now: number): void {
    this.#yielded = false;
    this.#unsettle();
    this.#leader = '';
    this.#placements = [];
    this.#orders.clear();
    this.#setState('waiting', 'the store works again, and the peer was told to take over', now);
  }

  /** A word that was given stands: who leaves and is back at once lets the peer lead, which may not have read it yet. */
  #unsettle(): void {
    if (this.#peer === null) return;
    this.#settled = false;
    this.#persistDomain();
  }

  onReady(ready: boolean, reason: string, now: number): void {
    this.#readyReason = ready ? '' : reason;
    this.#nodes.set(this.#me, { ready: ready ? 'enabled' : 'disabled' });
    this.#history(
      'node',
      this.#me,
      ready ? 'not ready' : 'ready',
      ready ? 'ready' : 'not ready',
      'node-ready',
      reason,
    );
    this.evaluate(now);
  }

  onShutdown(actor: string, reason: string, now: number): void {
    this.#leaving ??= { actor, reason };
    this.#history('daemon', 'sm', 'running', 'leaving', 'shutdown', reason, actor);
    this.evaluate(now);
  }

  /** An operator's wish for the cluster. Returns the refusal, or the operation's id. */
  onCommand(
    command: Extract<OperatorCommand, { node: string }>,
    actor: string,
    wallMs: number,
    now: number,
  ): { ok: boolean; message: string; operation: string } {
    if (this.#nodes.find(command.node) === undefined) {
      const known = this.#definitions.nodes.join(', ');
      return {
        ok: false,
        message: `no node ${command.node} in this domain; there are: ${known}`,
        operation: '',
      };
    }
    if (this.#state === 'waiting') {
      return {
        ok: false,
        message: 'nobody leads the domain yet, try again when smctl status shows a leader',
        operation: '',
      };
    }
    const id = this.#progress.request(command, actor, wallMs);
    this.evaluate(now);
    const result = this.#operations.find(id);
    if (result?.step === 'refused') return { ok: false, message: result.reason, operation: id };
    return { ok: true, message: `${command.kind} of ${command.node} accepted`, operation: id };
  }

  #onHello(fact: Extract<GuardFact, { type: 'guard.hello' }>, now: number): void {
    this.#peer?.forget();
    this.#guard = {
      connected: true,
      resumed: true,
      deadline: fact.deadline,
      lost: fact.lost,
      reason: fact.lost ? 'permission was lost' : '',
    };
    this.#holding = fact.holding;
    // What no watchdog guarded since is given up: it was killed, or nobody would stop it (rules 7, 10).
    for (const { group, held } of this.#numbers.all()) {
      if (held > 0 && !(fact.holding && !fact.fresh && !fact.lost))
        this.#revoke(group, 'nobody guarded it meanwhile', now);
    }
    this.#resume(now);
    this.evaluate(now);
  }

  /** The same kernel life goes on: what this node held, and what needs no permission, is driven on at once (rule 7). */
  #resume(now: number): void {
    if (this.#freshKernel) return;
    for (const { group, desired } of this.#options.restored.groups) {
      const definition = this.#definitions.groups.get(group);
      if (definition === undefined || this.#wanted.has(group)) continue;
      const active = definition.exclusive ? this.#numbers.of(group).held > 0 : desired === 'active';
      if (active) this.#want(definition, 'active', 'resumed after a restart of sm', now);
    }
  }

  #onLink(fact: Extract<GuardFact, { type: 'guard.link' }>, now: number): void {
    const old = this.#links.get(fact.role);
    const { role, up, heard, reason } = fact;
    this.#links.set(role, { role, up, heard, reason });
    if (old?.up !== up || old.heard !== heard) {
      this.#emit({ type: 'persist.interface', role, state: up ? 'enabled' : 'disabled', reason });
      this.#history('interface', role, linkWord(old), linkWord(fact), 'link', reason);
    }
    this.evaluate(now);
  }

  #onPermission(deadline: number, now: number): void {
    const waited = this.#guard.lost || now >= this.#guard.deadline || this.#refusals.size > 0;
    this.#guard.deadline = deadline;
    this.#guard.lost = false;
    if (waited) this.evaluate(now);
    this.#renewTokens(now);
  }

  /** A token lives as long as the permission it was made from: what is active gets a newer one with each renewal. */
  #renewTokens(now: number): void {
    for (const [name, wanted] of this.#wanted) {
      const group = this.#definitions.groups.get(name);
      if (wanted.desired !== 'active' || group?.exclusive !== true) continue;
      const { held, stopped } = this.#numbers.of(name);
      const verdict = grant({ group: name, exclusive: true, held, stopped }, this.#verdict(now));
      if (!verdict.ok) continue;
      const reason = 'permission was renewed';
      this.#local.step(
        { type: 'group.want', group: name, desired: 'active', token: verdict.token, reason },
        now,
      );
    }
  }

  #onLost(reason: string, now: number): void {
    this.#guard.lost = true;
    this.#guard.reason = reason;
    // Only a holder loses permission: if nothing is held here, it is told so again.
    this.#holding = true;
    this.#history('node', this.#me, 'may act', 'may not act', 'permission-lost', reason);
    for (const { group, held } of this.#numbers.all()) if (held > 0) this.#revoke(group, reason, now);
    this.evaluate(now);
  }

  #onPeer(fact: Extract<GuardFact, { type: 'guard.peer' }>, now: number): void {
    const peer = this.#peer;
    assert(peer !== null, 'a fact about a peer without a peer');
    const before = peer.heard ? 'heard' : 'not heard';
    const reborn = fact.heard && fact.newKernelLife;
    peer.apply(fact);
    const after = peer.heard ? 'heard' : 'not heard';
    if (before !== after) this.#history('node', peer.name, before, after, 'heartbeat', peer.reason);
    if (reborn) {
      this.#announcement = null;
      this.#history(
        'node',
        peer.name,
        'earlier kernel life',
        'dead',
        'new-kernel-life',
        'it says so itself, signed',
      );
      this.#releasePeer('a new kernel life of the peer proves that its earlier one is dead');
    }
    this.evaluate(now);
  }

  // --- the level-triggered heart -------------------------------------------------------------------------------------

  evaluate(now: number): void {
    for (let round = 0; ; round += 1) {
      assert(round < ROUNDS_MAX, 'the cluster does not settle');
      this.#changed = false;
      this.#upkeep(now);
      this.#judgeLeadership(now);
      this.#judgeTakeover(now);
      if (this.#leaving !== null || this.#storeFailed !== '') this.#yieldAll(now);
      else if (this.#state === 'leader') this.#lead(now);
      else this.#obey(now);
      this.#hold();
      if (!this.#changed) break;
    }
    this.#armLockEnd();
    this.#publish();
  }

  /** Facts about the groups of this node: what stopped is given up, what a rightful peer runs is stopped (rule 20). */
  #upkeep(now: number): void {
    for (const { group, held } of this.#numbers.all()) {
      const theirs = this.#peer?.group(group);
      if (theirs !== undefined) this.#numbers.see(group, Math.max(theirs.activationMax, theirs.runs));
      if (held === 0) continue;
      if (this.#peer !== null && this.#peer.announcement > 0)
        this.#revoke(group, `${this.#peer.name} does not hear this node and takes over`, now);
      const wanted = this.#wanted.get(group)?.desired;
      if (wanted !== 'active' && wanted !== undefined && this.#local.group(group).inactive) {
        this.#numbers.giveUp(group, held);
        this.#history(
          'group',
          group,
          `holds activation ${held}`,
          'stopped',
          'stopped',
          `gave activation ${held} up`,
        );
        // Now something new may be wanted of it, an activation under a new number too.
        if (wanted === 'revoked') this.#setWanted(group, { desired: 'disabled', activation: 0 });
        continue;
      }
      if (theirs === undefined || theirs.runs === 0 || wanted === 'revoked') continue;
      assert(this.#peer !== null, 'a report without a peer');
      const rightful = theirs.runs !== held ? theirs.runs > held : this.#peer.name > this.#me;
      if (rightful)
        this.#revoke(group, `${this.#peer.name} runs it under the higher number ${theirs.runs}`, now);
      else if (this.#local.group(group).inactive)
        this.#revoke(group, `${this.#peer.name} still runs it, and nothing has begun here`, now);
    }
  }

  #judgeLeadership(now: number): void {
    const peer = this.#peer;
    if (peer === null) {
      if (this.#state !== 'leader' && this.#guard.connected)
        this.#becomeLeader(this.#number + 1, 'the only node of the domain', now);
      return;
    }
    if (peer.announcement > 0) {
      if (peer.announcement > this.#number) this.#number = peer.announcement;
      if (this.#state === 'leader')
        this.#follow(this.#number, `${peer.name} does not hear this node and takes over`, now);
      return;
    }
    if (peer.leaving) {
      this.#releasePeer(`${peer.name} said that it leaves`);
      if (this.#state !== 'leader' && this.#leaving === null)
        this.#becomeLeader(this.#highestNumber() + 1, `${peer.name} leaves`, now);
      return;
    }
    if (!peer.exchanged || peer.report === null || !this.#guard.connected) return;
    const { domainState, number, settled } = peer.report;
    const mine = {
      node: this.#me,
      leads: this.#state === 'leader',
      number: this.#number,
      settled: this.#settled,
    };
    const verdict = judgeLeadership(mine, {
      node: peer.name,
      leads: domainState === 'leader',
      number,
      settled,
    });
    switch (verdict.kind) {
      case 'lead':
        if (!mine.leads) this.#becomeLeader(verdict.number, 'exchanged with the peer', now);
        else if (verdict.number !== this.#number) this.#setNumber(verdict.number);
        return;
      case 'follow':
        if (this.#state !== 'backup' || this.#number !== verdict.number || this.#leader !== peer.name) {
          this.#follow(verdict.number, `${peer.name} leads`, now);
        }
        return;
      case 'wait':
        return;
    }
  }

  #highestNumber(): number {
    return Math.max(this.#number, this.#peer?.report?.number ?? 0);
  }

  /** Take-over of a silent peer by policy (rule 14d): announce, wait S, then act; any sign of life ends it. */
  #judgeTakeover(now: number): void {
    const peer = this.#peer;
    if (peer === null) return;
    const silent = !peer.heard && peer.mayTake && peer.announcement === 0;
    const gain = this.#state !== 'leader' || this.#numbers.all().some(({ holder }) => holder !== this.#me);
    const able =
      this.#guard.connected &&
      !this.#guard.lost &&
      this.#leaving === null &&
      this.#storeFailed === '' &&
      !this.#duplicate;
    if (this.#announcement === null) {
      if (silent && gain && able) this.#announce(peer, now);
      return;
    }
    if (this.#announcement.done) {
      // It stays on the wire, and sm-watchdog lists nothing, until both know what the other runs, or we obey the peer's.
      if (peer.exchanged || peer.announcement > 0) this.#announcement = null;
      // What it took it has given up since, and stepped down.
      else if (silent && able && this.#state !== 'leader') this.#announce(peer, now);
      return;
    }
    if (!silent || !able) {
      this.#announcement = null;
      this.#timers.clear('cluster/announce');
      this.#changed = true;
      this.#history(
        'domain',
        this.#definitions.domain.name,
        'announcing',
        this.#state,
        'silence-broken',
        peer.reason,
      );
      return;
    }
    if (now < this.#announcement.until) return;
    this.#announcement.done = true;
    const silence = Math.round(now - (peer.silentSince ?? now));
    this.#releasePeer(`policy takeover: ${peer.name} is silent for ${silence} ms`);
    this.#becomeLeader(this.#announcement.number, `${peer.name} is silent for ${silence} ms`, now);
  }

  #announce(peer: PeerState, now: number): void {
    const number = this.#highestNumber() + 1;
    const waitMs =
      this.#options.breaks?.has('announce-wait') === true
        ? 0
        : Math.max(peer.stopBoundMs, this.#definitions.domain.stopBoundMs);
    this.#announcement = { number, until: now + waitMs, done: false };
    this.#setNumber(number);
    this.#timers.set('cluster/announce', now + waitMs);
    this.#history('domain', this.#definitions.domain.name, this.#state, 'announcing', 'silence', peer.reason);
  }

  /** Nothing that the peer held can be active any more; whoever leads assigns it anew. */
  #releasePeer(reason: string): void {
    for (const { group, holder, holderActivation } of this.#numbers.all()) {
      if (holder === '' || holder === this.#me) continue;
      this.#numbers.record(group, '', holderActivation);
      this.#history('group', group, `held by ${holder}`, 'held by nobody', 'released', reason);
    }
  }

  // --- leading -------------------------------------------------------------------------------------------------------

  #lead(now: number): void {
    this.#progress.drive(now);
    this.#placements = plan(this.#definitions, this.#picture(now));
    for (const group of this.#definitions.groups.values()) {
      const placements = this.#placements.filter((placement) => placement.group === group.name);
      if (group.exclusive) this.#move(group, placements, now);
      else
        for (const placement of placements)
          this.#order(group, placement.node, placement.want, placement.reasons.join('; '), now);
    }
  }

  /** One step on the way to where the plan wants an exclusive group: reconcile, stop first, then give it a new number. */
  #move(group: GroupDefinition, placements: readonly Placement[], now: number): void {
    this.#reconcile(group.name);
    const target = placements.find((placement) => placement.want === 'active')?.node ?? '';
    const numbers = this.#numbers.of(group.name);
    const stopFirst = this.#options.breaks?.has('stop-before-start') !== true;
    if (target !== '' && (numbers.holder === '' || (!stopFirst && numbers.holder !== target))) {
      const obstacle = stopFirst ? this.#obstacle(group, target) : '';
      if (obstacle === '') this.#give(group.name, target, now);
      else this.#setRefusal(group.name, obstacle, now);
    }
    const { holder } = this.#numbers.of(group.name);
    for (const placement of placements) {
      const mayHave = placement.want !== 'active' || holder === placement.node;
      const reason = placement.reasons.join('; ');
      this.#order(group, placement.node, mayHave ? placement.want : 'standby', reason, now);
    }
  }

  /** The leader's record follows what both nodes say they run (store and audit together). */
  #reconcile(name: string): void {
    const numbers = this.#numbers.of(name);
    const { held, holder, holderActivation, stopped } = numbers;
    const theirs = this.#peer?.group(name);
    if (held > 0 && (holder === '' || holder === this.#me || held > holderActivation)) {
      return this.#numbers.record(name, this.#me, held);
    }
    if (holder === this.#me && held === 0)
      return this.#numbers.record(name, '', Math.max(holderActivation, stopped));
    if (theirs === undefined || this.#peer === null) return;
    if (theirs.runs > 0 && (holder === '' || theirs.runs > holderActivation)) {
      return this.#numbers.record(name, this.#peer.name, theirs.runs);
    }
    if (
      holder === this.#peer.name &&
      theirs.runs === 0 &&
      theirs.inactive &&
      theirs.stopped >= holderActivation
    ) {
      this.#numbers.record(name, '', holderActivation);
    }
  }

  /** Why a group that nobody holds can not be given to the target yet; '' = it can. */
  #obstacle(group: GroupDefinition, target: string): string {
    if (target === this.#me && this.#peerMayHaveTakenOver())
      return `${this.#peer?.name} is silent and may have taken over: what is active stays, nothing is added`;
    if (target !== this.#me && !this.#inactiveHere(group.name))
      return `${this.#me} has not yet verified that it does not run it`;
    const theirs = this.#peer?.group(group.name);
    if (target === this.#me && theirs !== undefined && !theirs.inactive) {
      return `${this.#peer?.name} has not yet verified that it does not run it`;
    }
    const first = group.activeOnlyIfActive;
    if (first === '' || !this.#definitions.groups.has(first)) return '';
    const state =
      target === this.#me ? this.#local.group(first).state : (this.#peer?.group(first)?.state ?? 'unknown');
    return state === 'active' ? '' : `waits until ${first} is active on ${target}: it is ${state} there`;
  }

  /**
   * Where a silent peer may take over by time, it may have done so whenever our permission was gone, and being the leader
   * of before says nothing: only the exchange with it, its word, or a take-over of our own tells that it has not. Its word that
   * it leaves is worth nothing in a later silence: it may be back.
   */
  #peerMayHaveTakenOver(): boolean {
    const peer = this.#peer;
    if (peer === null || peer.exchanged || (peer.heard && peer.leaving)) return false;
    return this.#definitions.domain.silencePolicy === 'takeover' && this.#announcement?.done !== true;
  }

  #give(group: string, target: string, now: number): void {
    if (target === this.#me) {
      const reason = refusal(this.#verdict(now));
      if (reason !== null) return this.#setRefusal(group, reason, now);
    }
    const activation = this.#numbers.of(group).max + 1;
    this.#numbers.record(group, target, activation);
    if (target === this.#me) this.#numbers.hold(group, activation);
    this.#refusals.delete(group);
    this.#history('group', group, 'held by nobody', `held by ${target}`, 'grant', `activation ${activation}`);
  }

  #order(group: GroupDefinition, node: string, want: Want, reason: string, now: number): void {
    if (node === this.#me) return this.#want(group, want, reason, now);
    // To somebody who can not be asked nothing is said: it would obey a verdict about its absence when it comes back.
    const order = this.#peer?.absence === '' ? want : 'initial';
    if (this.#orders.get(group.name) === order) return;
    this.#orders.set(group.name, order);
    this.#changed = true;
  }

  #picture(now: number): Parameters<typeof plan>[1] {
    const holders = new Map(this.#numbers.all().map(({ group, holder }) => [group, holder] as const));
    const avoided = new Set<string>();
    for (const { kind, node, step } of this.#operations.pending()) {
      if ((kind === 'swact' || kind === 'swact-force') && step !== 'requested') avoided.add(node);
    }
    const score = this.#linkScores(now);
    const nodes = this.#definitions.nodes.map((name) => {
      const row = this.#nodes.find(name) ?? newNode(name);
      const mine = name === this.#me;
      const groups = mine
        ? this.#local.groups()
        : this.#peer?.exchanged === true
          ? (this.#peer.report?.groups ?? [])
          : [];
      return {
        name,
        absent: mine ? '' : (this.#peer?.absence ?? 'unknown node'),
        administrative: row.administrative,
        ready: row.ready === 'enabled',
        notReadyReason: mine ? this.#readyReason : 'it says so',
        linkScore: mine ? score.mine : score.theirs,
        groups: new Map(groups.map((group) => [group.name, group] as const)),
      };
    });
    return { nodes, holders, avoided };
  }

  #linkScores(now: number): { mine: number; theirs: number } {
    if (this.#peer?.exchanged !== true) return { mine: 0, theirs: 0 };
    const { interfaces } = this.#definitions;
    let bits = 0;
    for (const { role, up } of this.#links.values()) if (up) bits |= 1 << INTERFACE_ROLES.indexOf(role);
    const next = this.#scores.measure(
      linkScore(interfaces, bits),
      linkScore(interfaces, this.#peer.linkBits),
      now,
    );
    if (next === null) this.#timers.clear('cluster/links');
    else if (this.#timers.armed.get('cluster/links')?.at !== next) this.#timers.set('cluster/links', next);
    return this.#scores.steady;
  }

  // --- obeying -------------------------------------------------------------------------------------------------------

  #obey(now: number): void {
    const { report } = this.#peer ?? {};
    if (this.#peer?.exchanged !== true || report === undefined || report === null) return;
    if (report.domainState !== 'leader' || report.number < this.#number || this.#peer.announcement > 0)
      return;
    for (const theirs of report.groups) {
      const group = this.#definitions.groups.get(theirs.name);
      if (group === undefined || theirs.order === 'initial') continue;
      const reason = `order of ${this.#peer.name}: ${theirs.reason}`;
      if (group.exclusive) this.#obeyExclusive(group, theirs, reason, now);
      else this.#want(group, theirs.order, reason, now);
    }
  }

  #obeyExclusive(group: GroupDefinition, theirs: GroupReport, reason: string, now: number): void {
    const { name } = group;
    this.#numbers.record(name, theirs.holder, theirs.holderActivation);
    const { held, stopped } = this.#numbers.of(name);
    const granted = theirs.holder === this.#me && theirs.holderActivation > stopped;
    if (theirs.order === 'active') {
      if (!granted) return;
      if (held < theirs.holderActivation) this.#numbers.hold(name, theirs.holderActivation);
      return this.#want(group, 'active', reason, now);
    }
    // A grant that never became activity here is given up, so that the leader can give it to somebody else.
    if (granted && held === 0) this.#numbers.giveUp(name, theirs.holderActivation);
    this.#want(group, theirs.order, reason, now);
  }

  // --- this node's groups --------------------------------------------------------------------------------------------

  #want(group: GroupDefinition, desired: GroupDesiredState, reason: string, now: number): void {
    const { name } = group;
    const activation = group.exclusive && desired === 'active' ? this.#numbers.of(name).held : 0;
    const wanted = this.#wanted.get(name);
    if (wanted?.desired === desired && wanted.activation === activation) return;
    // What lost its permission is stopped and given up before anything new is wanted of it.
    if (wanted?.desired === 'revoked' && group.exclusive && this.#numbers.of(name).held > 0) return;
    if (desired !== 'active') {
      if (desired === 'initial') return;
      this.#setWanted(name, { desired, activation: 0 });
      this.#refusals.delete(name);
      return this.#local.step({ type: 'group.want', group: name, desired, reason }, now);
    }
    const { held, stopped } = group.exclusive ? this.#numbers.of(name) : { held: 0, stopped: 0 };
    const verdict = grant({ group: name, exclusive: group.exclusive, held, stopped }, this.#verdict(now));
    if (!verdict.ok) return this.#setRefusal(name, verdict.reason, now);
    this.#refusals.delete(name);
    this.#setWanted(name, { desired, activation });
    this.#hold();
    this.#local.step({ type: 'group.want', group: name, desired, token: verdict.token, reason }, now);
  }

  #setWanted(group: string, wanted: Wanted): void {
    this.#wanted.set(group, wanted);
    this.#changed = true;
  }

  #setRefusal(group: string, reason: string, now: number): void {
    if (this.#refusals.get(group)?.reason !== reason) this.#refusals.set(group, { reason, since: now });
  }

  #revoke(group: string, reason: string, now: number): void {
    if (this.#wanted.get(group)?.desired === 'revoked') return;
    this.#setWanted(group, { desired: 'revoked', activation: 0 });
    this.#history('group', group, 'active', 'revoked', 'revoke', reason);
    this.#local.step({ type: 'group.revoke', group, reason }, now);
  }

  #yieldAll(now: number): void {
    const reason = this.#leaving?.reason ?? `the database does not accept commits: ${this.#storeFailed}`;
    for (const group of this.#definitions.groups.values()) {
      if (this.#storeFailed === '') this.#want(group, 'disabled', reason, now);
      else if (group.exclusive && this.#numbers.of(group.name).held > 0)
        this.#revoke(group.name, reason, now);
    }
  }

  #verdict(now: number): Verdict {
    return {
      now,
      deadline: this.#guard.deadline,
      lost: this.#guard.lost,
      guarded: this.#guard.connected,
      announcementHeard: (this.#peer?.announcement ?? 0) > 0,
      duplicate: this.#duplicate,
      storeFailed: this.#storeFailed !== '',
    };
  }

  #inactiveHere(group: string): boolean {
    const view = this.#local.group(group);
    if (view.inactive) return true;
    // Nothing of a fresh kernel life was started by us yet, and an audit that hangs says nothing else.
    return this.#freshKernel && !this.#wanted.has(group) && !this.#timers.armed.has('cluster/audit-patience');
  }

  /** Before its greeting sm-watchdog is not told anything: it says first whether it guards what the store names. */
  #hold(): void {
    const holding = this.#numbers.anyHeld();
    if (!this.#guard.connected || holding === this.#holding) return;
    this.#holding = holding;
    this.#emit({ type: 'guard.hold', holding });
  }

  // --- nodes ---------------------------------------------------------------------------------------------------------

  #armLockEnd(): void {
    const { administrative, lockedUntil } = this.#nodes.own;
    const at = this.#context.monotonic(lockedUntil);
    if (administrative !== 'locked' || lockedUntil === 0) this.#timers.clear('cluster/lock-end');
    else if (this.#timers.armed.get('cluster/lock-end')?.at !== at) this.#timers.set('cluster/lock-end', at);
  }

  #endLock(now: number): void {
    const { administrative, lockedUntil } = this.#nodes.own;
    if (administrative !== 'locked' || lockedUntil === 0) return;
    if (now < this.#context.monotonic(lockedUntil)) return;
    const reason = 'the time of the lock is over';
    this.#nodes.setAdministrative(this.#me, 'unlocked', 0, reason);
    this.#history('node', this.#me, administrative, 'unlocked', 'unlock', reason);
  }

  #readReport(report: Report, now: number): void {
    this.#nodes.merge(report.nodes);
    this.#progress.merge(report.operations, now);
    if (report.definitionDigest !== this.#definitions.digest) {
      this.#alarms.raise(definitionsAlarm(this.#peer?.name ?? ''), now);
    } else this.#alarms.clear('definitions-differ', now);
  }

  // --- domain state --------------------------------------------------------------------------------------------------

  #becomeLeader(number: number, reason: string, now: number): void {
    this.#number = number;
    this.#leader = this.#me;
    this.#settled = true;
    this.#orders.clear();
    this.#setState('leader', reason, now);
  }

  #follow(number: number, reason: string, now: number): void {
    this.#number = number;
    this.#leader = this.#peer?.name ?? '';
    this.#settled = true;
    this.#placements = [];
    this.#orders.clear();
    this.#setState('backup', reason, now);
  }

  #setState(state: DomainState, reason: string, now: number): void {
    const old = this.#state;
    this.#state = state;
    if (old !== state) this.#stateSince = now;
    this.#changed = true;
    this.#persistDomain();
    const text = state === 'leader' ? `leader, number ${this.#number}` : state;
    this.#history('domain', this.#definitions.domain.name, old, text, 'leadership', reason);
  }

  #setNumber(number: number): void {
    this.#number = number;
    this.#changed = true;
    this.#persistDomain();
  }

  #persistDomain(): void {
    const designation = this.#state === 'leader' || this.#state === 'backup' ? this.#state : 'unknown';
    this.#emit({
      type: 'persist.domain',
      state: this.#state,
      designation,
      leader: this.#leader,
      number: this.#number,
      settled: this.#settled,
    });
  }

  #persistNeighbor(): void {
    const peer = this.#peer;
    if (peer === null) return;
    const state = peer.exchanged ? 'full' : peer.heard ? 'exchange' : 'down';
    const designation =
      peer.report?.domainState === 'leader'
        ? 'leader'
        : peer.report?.domainState === 'backup'
          ? 'backup'
          : 'unknown';
    const { name, kernelLife } = peer;
    const key = `${state}/${designation}/${kernelLife}`;
    if (key === this.#neighbor) return;
    this.#neighbor = key;
    this.#emit({ type: 'persist.neighbor', name, state, designation, kernelLife });
  }

  // --- telling -------------------------------------------------------------------------------------------------------

  #publish(): void {
    const leading = this.#state === 'leader' ? { placements: this.#placements, orders: this.#orders } : null;
    const report: Report = {
      definitionDigest: this.#definitions.digest,
      domainState: this.#state,
      leader: this.#leader,
      number: this.#number,
      settled: this.#settled,
      nodes: this.#nodes.all(),
      groups: groupReports(this.#context, leading, (group) => this.#inactiveHere(group)),
      operations: this.#operations.all(),
      basedOn: 0,
    };
    const gone = this.#leaving !== null;
    const leaving = (gone || this.#storeFailed !== '') && !this.#holding && isQuiet(this.#context, gone);
    const announceNumber = this.#announcement?.number ?? 0;
    this.#persistNeighbor();
    this.#persistAssignments();
    const text = JSON.stringify([report, leaving, announceNumber]);
    if (text === this.#published) return;
    this.#published = text;
    if (leaving && this.#leaving === null && this.#peer !== null) this.#yielded = true;
    this.#version += 1;
    if (leaving && this.#leaving !== null) this.#unsettle();
    this.#emit({
      type: 'guard.send',
      report: { ...report, basedOn: this.#peer?.reportVersion ?? 0 },
      version: this.#version,
      announceNumber,
      leaving,
    });
    if (leaving && this.#leaving !== null) this.#emit({ type: 'exit', reason: this.#leaving.reason });
  }

  #persistAssignments(): void {
    for (const assignment of this.assignments()) {
      const key = `${assignment.node}/${assignment.group}`;
      const text = JSON.stringify(assignment);
      if (this.#assignments.get(key) === text) continue;
      this.#assignments.set(key, text);
      this.#emit({ type: 'persist.assignment', assignment });
    }
  }

  assignments(): AssignmentRow[] {
    return assignmentRows(this.#context);
  }

  #standingAlarms(now: number): void {
    const { silencePolicy, name } = this.#definitions.domain;
    if (this.#peer !== null) this.#alarms.raise(POLICY_ALARMS[silencePolicy](name), now);
  }

  #history(
    entity: 'group' | 'node' | 'interface' | 'domain' | 'operation' | 'daemon',
    name: string,
    from: string,
    to: string,
    cause: string,
    reason: string,
    actor = 'engine',
  ): void {
    this.#context.history({ entity, name, from, to, cause, reason, actor });
  }

  // --- views ---------------------------------------------------------------------------------------------------------

  domainView(): {
    name: string;
    state: DomainState;
    leader: string;
    number: number;
    settled: boolean;
    policy: string;
  } {
    const { name, silencePolicy } = this.#definitions.domain;
    return {
      name,
      state: this.#state,
      leader: this.#leader,
      number: this.#number,
      settled: this.#settled,
      policy: silencePolicy,
    };
  }

  permissionView(now: number): { deadline: number; lost: boolean; reason: string } {
    const { deadline, lost, reason } = this.#guard;
    return { deadline, lost, reason: refusal(this.#verdict(now)) ?? (lost ? reason : '') };
  }

  peerView(): PeerView | null {
    const peer = this.#peer;
    if (peer === null) return null;
    const { name, heard, silentSince, managerDownMs, leaving, exchanged } = peer;
    return { name, heard, silentSince, managerDownMs, leaving, exchanged };
  }

  links(): LinkView[] {
    return [...this.#links.values()];
  }

  nodes(): NodeRow[] {
    return this.#nodes.all();
  }

  numbers(): Numbers {
    return this.#numbers;
  }

  placements(): readonly Placement[] {
    return this.#placements;
  }

  operations(): readonly Operation[] {
    return this.#operations.all();
  }

  alarms(): ReturnType<Alarms['all']> {
    return this.#alarms.all();
  }

  waits(): Wait[] {
    const waits: Wait[] = [...this.#refusals].map(([name, { reason, since }]) => ({
      entity: 'group',
      name,
      reason,
      since,
      until: null,
    }));
    if (this.#announcement !== null && !this.#announcement.done) {
      const reason = `announced take-over number ${this.#announcement.number}; the peer has its stop bound to stop`;
      const since = this.#announcement.until - this.#definitions.domain.stopBoundMs;
      waits.push({
        entity: 'domain',
        name: this.#definitions.domain.name,
        reason,
        since,
        until: this.#announcement.until,
      });
    }
    if (this.#state === 'waiting') {
      const reason =
        this.#peer === null ? 'sm-watchdog is awaited' : this.#peer.absence || 'the peer is about to lead';
      waits.push({
        entity: 'domain',
        name: this.#definitions.domain.name,
        reason,
        since: this.#stateSince,
        until: null,
      });
    }
    return waits;
  }
}

function linkWord(link: { readonly up: boolean; readonly heard: boolean } | undefined): string {
  if (link === undefined) return 'unknown';
  return link.up ? (link.heard ? 'up, peer heard' : 'up, peer not heard') : 'down';
}
