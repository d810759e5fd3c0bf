/** A simulated wire between programs of different age: frames are bytes, unsigned, and some nodes speak version 1 alone. */
import { admit } from '../../src/core/link/admission.ts';
import { encodeFrame, HEADER_BYTES } from '../../src/core/link/frame.ts';
import { ReportAssembler } from '../../src/core/link/parts.ts';
import type { Frame } from '../../src/core/link/types.ts';
import type { Wire } from '../../src/sim/network.ts';
import * as frameV1 from './codec-v1/frame.ts';
import * as reportV1 from './codec-v1/report.ts';

const VERSION_OFFSET = 4;

export class MixedWire implements Wire {
  /** Frames sent, by sender and version: `controller-0 v2`. */
  readonly sent = new Map<string, number>();
  /** Datagrams that an old node could not read, and reports that its strict reader refused. */
  readonly unreadable: string[] = [];
  readonly #old: ReadonlySet<string>;
  readonly #assemblers = new Map<string, ReportAssembler>();

  constructor(old: readonly string[]) {
    this.#old = new Set(old);
  }

  seal(frame: Frame): Uint8Array {
    const { sender } = frame.header;
    const bytes = this.#old.has(sender)
      ? frameV1.encodeFrame({ ...frame, header: { ...frame.header, versionMin: 1, versionMax: 1 } })
      : encodeFrame(frame);
    const key = `${sender} v${bytes[VERSION_OFFSET]}`;
    this.sent.set(key, (this.sent.get(key) ?? 0) + 1);
    return bytes;
  }

  open(...[datagram, expected, replay]: Parameters<Wire['open']>): ReturnType<Wire['open']> {
    const isOld = this.#old.has(expected.ownName);
    if (isOld) {
      const decoded = frameV1.decodeFrame(datagram);
      if (!decoded.ok) {
        this.unreadable.push(decoded.cause);
        return { verdict: 'dropped', cause: decoded.cause };
      }
      this.#judgeReport(expected.ownName, decoded.frame);
    }
    const verdict = admit(datagram, { ...expected, authType: 'none' }, () => 'unknown-key', replay);
    if (!isOld || verdict.verdict === 'dropped') return verdict;
    // It speaks version 1 whatever the other one could: nothing that came later is in what it says.
    const { frame } = verdict;
    return { ...verdict, frame: { ...frame, header: { ...frame.header, versionMax: 1 } } };
  }

  #judgeReport(node: string, { header, part, parts, body }: Frame): void {
    if (parts === 0) return;
    const key = `${node} ${header.sender} ${header.processLife}`;
    const assembler = this.#assemblers.get(key) ?? new ReportAssembler();
    this.#assemblers.set(key, assembler);
    const { processLife: life, reportVersion: version } = header;
    const whole = assembler.add({ life, version, part, parts, body });
    if (whole.kind !== 'complete') return;
    const report = reportV1.decodeReport(whole.bytes);
    if (!report.ok) this.unreadable.push(report.reason);
  }
}

/** The first bytes of a datagram are the same in all versions: another one, with a layout that nobody here knows. */
export function ofTheFuture(datagram: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + 64).fill(0xee);
  bytes.set(datagram.subarray(0, VERSION_OFFSET));
  bytes.set([3, 3, 4], VERSION_OFFSET);
  return bytes;
}
