/**
 * The arbiters of a node put together: the keeper of the record, the fence devices, the gateways. It tells facts; what
 * they mean for permission is judged by whoever listens (docs/ARCHITECTURE.md, "Arbiters").
 */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DiskKeeper } from '../../core/arbiter/disk-keeper.ts';
import { proofOf } from '../../core/arbiter/fence-rules.ts';
import type {
  Answer,
  DiskReply,
  DiskRequest,
  KeeperOptions,
  PeerWord,
  Readiness,
  RegisterReply,
  RegisterRequest,
} from '../../core/arbiter/interface.ts';
import { RegisterKeeper } from '../../core/arbiter/register-keeper.ts';
import type {
  EtcdDefinition,
  GatewayDefinition,
  SharedDiskDefinition,
} from '../../core/definitions/arbiter-model.ts';
import type { Time } from '../ports.ts';
import { DiskArbiter } from './disk.ts';
import { EtcdRegister } from './etcd.ts';
import { FenceRunner } from './fence-runner.ts';
import type { TlsOptions } from './http.ts';
import { KeeperRunner } from './keeper-runner.ts';
import type { ArbiterPlan, FromArbiter, ToArbiter } from './messages.ts';
import { askGateway } from './ping.ts';
import { readSecret, type SecretPlace, secretPath } from './secret.ts';

/** Of a peer without power, in dead intervals: our own lateness may lengthen the first by as much. */
const SILENCES = 2;
/** After an audit that found a device of no use, where AUDIT_INTERVAL is longer. */
const AUDIT_AGAIN_MS = 5000;

export interface ArbiterServiceOptions {
  readonly plan: ArbiterPlan;
  readonly tell: (message: FromArbiter) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly time: Time;
  /** Starts the process that does the I/O of the shared disk. */
  readonly startDisk: (device: string, slot: 0 | 1, lockFile: string) => ChildProcess;
}

/** A keeper, and its arbiter. */
interface Keeping {
  readonly runner: Runner;
  /** Reads, and changes nothing. */
  readonly look: (limitMs: number) => Promise<Answer<unknown>>;
  readonly close: () => void;
}

type Runner = KeeperRunner<RegisterRequest, RegisterReply> | KeeperRunner<DiskRequest, DiskReply>;

export class ArbiterService {
  readonly #options: ArbiterServiceOptions;
  readonly #place: SecretPlace;
  readonly #keeper: Keeping | null;
  readonly #fences: FenceRunner;
  #word: PeerWord | null = null;
  #productUuid = '';
  #auditing: Promise<readonly Readiness[]> | null = null;
  #stopped = false;
  #cancelAudit: () => void = () => {};
  readonly #cancels = new Set<() => void>();

  constructor(options: ArbiterServiceOptions) {
    this.#options = options;
    const { plan, environment, time } = options;
    this.#place = { directory: plan.secretsDirectory, environment };
    const { etcd, disk, fencing } = plan.arbiters;
    this.#keeper = etcd !== null ? this.#etcd(etcd) : disk !== null ? this.#disk(disk) : null;
    this.#fences = new FenceRunner({
      target: plan.peer,
      fencing,
      silenceMs: SILENCES * plan.domain.deadIntervalMs,
      heardUuid: () => (this.#word?.heard === true ? this.#productUuid : null),
      agentsDirectory: plan.agentsDirectory,
      secrets: this.#place,
      time,
    });
  }

  start(): void {
    const { arbiters } = this.#options.plan;
    this.#keeper?.runner.start();
    if (arbiters.fencing.devices.length > 0) void this.#auditAgain();
    for (const gateway of arbiters.gateways) this.#repeat(gateway.pingIntervalMs, () => this.#ping(gateway));
  }

  receive(message: ToArbiter): void {
    switch (message.type) {
      case 'peer':
        return this.#onPeer(message.word, message.productUuid);
      case 'fence':
        return this.#fence(message);
      case 'replaced':
        if (this.#options.plan.arbiters.fencing.afterwards === 'on') void this.#fences.powerOn();
        return;
      case 'retell':
        return this.#keeper?.runner.retell();
      default:
        return this.#keeper?.runner.step(message);
    }
  }

  /** Any frame shows that the peer lives, whether it hears us or not. */
  #onPeer(word: PeerWord, productUuid: string): void {
    const before = this.#word;
    this.#word = word;
    this.#productUuid = productUuid;
    if (word.lastReceiptAt > (before?.lastReceiptAt ?? Number.NEGATIVE_INFINITY)) this.#fences.alive();
    // Whose a device is shows only while the peer is heard: that is not put off to the next audit.
    if (word.heard && before?.heard !== true && this.#fences.isOpen) void this.#auditAgain();
    this.#keeper?.runner.step({ type: 'peer', word });
  }

  /** Whether every fence device could be used now; told too. A BMC has few sessions: never two audits at once. */
  audit(): Promise<readonly Readiness[]> {
    this.#auditing ??= this.#fences
      .audit()
      .then((all) => {
        for (const readiness of all) this.#options.tell({ type: 'readiness', readiness });
        return all;
      })
      .finally(() => {
        this.#auditing = null;
      });
    return this.#auditing;
  }

  /** One that begins now: what runs already began while the peer was not heard. Then the next one is due. */
  async #auditAgain(): Promise<void> {
    await this.#auditing;
    if (this.#stopped) return;
    await this.audit();
    this.#cancelAudit();
    if (!this.#stopped)
      this.#cancelAudit = this.#options.time.after(this.#auditAfterMs(), () => void this.#auditAgain());
  }

  /** A device that does not answer, or whose it is not known while the peer is heard, is asked again soon: it may be needed. */
  #auditAfterMs(): number {
    const { auditIntervalMs } = this.#options.plan.arbiters.fencing;
    const isOpen = this.#word?.heard === true && this.#fences.isOpen;
    return isOpen || !this.#fences.isReady ? Math.min(auditIntervalMs, AUDIT_AGAIN_MS) : auditIntervalMs;
  }

  /** Reads the record; null = none is kept. */
  async look(limitMs: number): Promise<Answer<unknown> | null> {
    return this.#keeper === null ? null : this.#keeper.look(limitMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelAudit();
    for (const cancel of this.#cancels) cancel();
    this.#keeper?.runner.stop();
    this.#keeper?.close();
  }

  #fence({ kernelLife, window, tied }: Extract<ToArbiter, { type: 'fence' }>): void {
    this.#fences.fence(window, tied, (result) => {
      const proof = proofOf(result, kernelLife, this.#word?.lastReceiptAt ?? Number.NEGATIVE_INFINITY);
      this.#options.tell({ type: 'fenced', result, proof });
      if (proof !== null) this.#keeper?.runner.step({ type: 'proof', proof });
    });
  }

  #keeperOptions(definition: EtcdDefinition | SharedDiskDefinition): KeeperOptions {
    const { node, peer, domain, kernelLife } = this.#options.plan;
    return {
      node,
      peer,
      kernelLife,
      permissionMs: domain.deadIntervalMs,
      stopBoundMs: domain.stopBoundMs,
      instance: randomBytes(8).toString('hex'),
      intervalMs: definition.stampIntervalMs,
      limitMs: definition.requestLimitMs,
    };
  }

  #etcd(definition: EtcdDefinition): Keeping {
    const { plan, time, tell } = this.#options;
    const { userName, passwordSecret } = definition;
    const register = new EtcdRegister({
      endpoints: definition.endpoints,
      prefix: `/sm/${plan.domain.name}/`,
      user:
        userName === '' ? null : { name: userName, password: () => readSecret(passwordSecret, this.#place) },
      tls: tlsOf(definition, this.#place),
      now: time.now,
    });
    const options = { ...this.#keeperOptions(definition), knownRegister: plan.knownRegister };
    const runner = new KeeperRunner<RegisterRequest, RegisterReply>({
      keeper: (emit, now) => new RegisterKeeper(options, now, emit),
      ask: (request, limitMs) => register.ask(request, limitMs),
      tell: (fact) => tell({ type: 'fact', fact }),
      time,
    });
    const look = (limitMs: number) => register.ask({ expect: [], put: [] }, limitMs);
    return { runner, look, close: () => register.close() };
  }

  #disk(definition: SharedDiskDefinition): Keeping {
    const { plan, time, tell, startDisk } = this.#options;
    const disk = new DiskArbiter({
      start: () => startDisk(definition.device, plan.ordinal, plan.diskLock),
      now: time.now,
    });
    const runner = new KeeperRunner<DiskRequest, DiskReply>({
      keeper: (emit, now) => new DiskKeeper(this.#keeperOptions(definition), now, emit),
      ask: (request, limitMs) => disk.ask(request, limitMs),
      tell: (fact) => tell({ type: 'fact', fact }),
      time,
    });
    const look = (limitMs: number) => disk.ask({ write: null }, limitMs);
    return { runner, look, close: () => disk.close() };
  }

  async #ping(gateway: GatewayDefinition): Promise<void> {
    const { role } = gateway;
    const answer = await askGateway(gateway, this.#options.plan, this.#options.time.now);
    const answers = answer.kind === 'known' && answer.value === 'answers';
    const reason = answer.kind === 'unknown' ? answer.detail : '';
    this.#options.tell({ type: 'gateway', role, answers, reason });
  }

  /** At once, and again so long after its end. */
  #repeat(intervalMs: number, work: () => Promise<unknown>): void {
    if (this.#stopped) return;
    const again = (): void => {
      const cancel = this.#options.time.after(intervalMs, () => {
        this.#cancels.delete(cancel);
        this.#repeat(intervalMs, work);
      });
      this.#cancels.add(cancel);
    };
    work().then(again, again);
  }
}

function tlsOf(
  { caFile, certificateFile, certificateKeySecret }: EtcdDefinition,
  place: SecretPlace,
): TlsOptions {
  const key = certificateKeySecret === '' ? null : secretPath(certificateKeySecret, place);
  if (key !== null && !key.ok) throw new Error(key.error.message);
  return {
    ...(caFile === '' ? {} : { ca: readFileSync(caFile, 'utf8') }),
    ...(certificateFile === '' ? {} : { cert: readFileSync(certificateFile, 'utf8') }),
    ...(key === null ? {} : { key: readFileSync(key.value, 'utf8') }),
  };
}
