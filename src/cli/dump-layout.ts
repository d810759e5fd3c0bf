/**
 * The text of sm-dump, byte for byte as StarlingX's operators and scripts know it: fixed columns, trailing blanks and
 * the footers that are shorter than their headings included.
 */
import type { ProcessFacts } from '../shell/process-facts.ts';
import type { GroupState, ServiceState } from '../shell/store/reader.ts';

export interface DumpFlags {
  readonly verbose: boolean;
  readonly impact: boolean;
  readonly pid: boolean;
  readonly pn: boolean;
  readonly pidFile: boolean;
}

export interface DumpedService extends ServiceState {
  readonly process: ProcessFacts;
}

const GROUPS_HEADING = '-Service_Groups';
const SERVICES_HEADING = '-Services';

export function dumpLines(
  groups: readonly GroupState[],
  services: readonly DumpedService[],
  flags: DumpFlags,
): string[] {
  const groupDashes = '-'.repeat(flags.verbose ? 92 : 72);
  const serviceDashes = '-'.repeat(
    (flags.verbose ? 98 : 78) +
      (flags.impact ? 10 : 0) +
      (flags.pid ? 9 : 0) +
      (flags.pn ? 22 : 0) +
      (flags.pidFile ? 28 : 0),
  );
  return [
    '',
    GROUPS_HEADING + groupDashes,
    ...groups.map((group) => groupLine(group, flags)),
    '-'.repeat(GROUPS_HEADING.length) + groupDashes,
    '',
    SERVICES_HEADING + serviceDashes,
    ...services.map((service) => serviceLine(service, flags)),
    serviceDashes,
  ];
}

function states(row: GroupState): string {
  return `${row.name.padEnd(32)} ${row.desired.padEnd(20)} ${row.state.padEnd(20)} `;
}

function groupLine(group: GroupState, flags: DumpFlags): string {
  const line = states(group) + group.status.padEnd(10);
  return flags.verbose ? `${line} ${group.condition.padEnd(20)}` : line;
}

/** The optional fields have no separator. */
function serviceLine(service: DumpedService, flags: DumpFlags): string {
  const fields = [
    states(service),
    flags.impact ? service.impact.padEnd(10) : '',
    flags.pid ? String(service.process.pid ?? '').padEnd(8) : '',
    flags.pn ? service.process.name.padEnd(20) : '',
    flags.pidFile ? service.pidFile.padEnd(25) : '',
    service.status.padEnd(10),
    ' ',
    flags.verbose ? service.condition.padStart(20) : '',
  ];
  return fields.join('');
}
