/** Checks of groups: their place in the domain, their counts, their members. Pure. */
import { LIMITS } from '../kernel/limits.ts';
import type { RedundancyModel, Severity } from '../kernel/names.ts';
import { checkPlacement } from './check-placement.ts';
import { type CheckedRow, type Draft, lose } from './draft.ts';
import type { GroupDefinition, MemberDefinition } from './model.ts';
import { tableOf } from './rows.ts';

export function checkGroups(draft: Draft, domain: string, nodeCount: number): void {
  const members = draft.rows('SERVICE_DOMAIN_MEMBERS');
  for (const row of members) checkDomainMember(draft, row, domain, nodeCount);
  checkPlacement(draft, members);
  const names = draft.names('SERVICE_DOMAIN_MEMBERS', 'SERVICE_GROUP_NAME');
  for (const row of draft.rows('SERVICE_GROUPS')) {
    if (names.has(row.text('NAME'))) continue;
    const sentence = 'SERVICE_DOMAIN_MEMBERS has no row for the group: no node would run it';
    if (row.provisioned) lose(draft, row, 'no-domain-member', sentence);
    else draft.problems.warning('no-domain-member', row.table, row.raw, sentence);
  }
  checkMembers(draft);
}

function checkDomainMember(draft: Draft, row: CheckedRow, domain: string, nodeCount: number): void {
  const group = row.text('SERVICE_GROUP_NAME');
  if (!draft.names('SERVICE_DOMAINS', 'NAME').has(row.text('NAME'))) {
    lose(draft, row, 'unknown-domain', `SERVICE_DOMAINS has no domain ${row.text('NAME')}`);
  }
  if (!draft.names('SERVICE_GROUPS', 'NAME').has(group)) {
    lose(draft, row, 'unknown-group', `SERVICE_GROUPS has no group ${group}`);
    return;
  }
  const groupRow = draft.rows('SERVICE_GROUPS').find((each) => each.text('NAME') === group);
  if (groupRow !== undefined && groupRow.provisioned !== row.provisioned) {
    lose(
      draft,
      row,
      'provisioned-differs',
      'PROVISIONED differs from that of the group in SERVICE_GROUPS: set both alike',
    );
  }
  if (!row.provisioned || row.text('NAME') !== domain) return;
  checkModel(draft, row);
  const active = row.number('N_ACTIVE');
  const wanted = active + row.number('M_STANDBY');
  if (active === 0) lose(draft, row, 'bad-count', 'N_ACTIVE is 0: the group would never be active');
  if (wanted <= nodeCount || nodeCount === 0) return;
  // One node of a pair may be configured alone (simplex): the group runs there as far as it can.
  if (wanted <= 2) {
    draft.problems.warning(
      'bad-count',
      row.table,
      row.raw,
      `N_ACTIVE + M_STANDBY = ${wanted}, but the domain has one node`,
    );
  } else {
    lose(draft, row, 'bad-count', `N_ACTIVE + M_STANDBY = ${wanted}, but the domain has ${nodeCount} nodes`);
  }
}

/** What is done follows the counts; a model that promises something else is refused rather than not kept. */
const MODELS_WITHOUT_MEANING: Readonly<Partial<Record<RedundancyModel, string>>> = {
  none: 'write N + M: with M_STANDBY 1 for a node that stands by, with 0 for none',
  'N to 1': 'write N + M, with N_ACTIVE 1 and M_STANDBY 1: the other node of a pair is the one standby',
  'N to N':
    'write N, with N_ACTIVE 2 and M_STANDBY 0, for both nodes active; N + M, with N_ACTIVE 1 and M_STANDBY 1, for one',
};

function checkModel(draft: Draft, row: CheckedRow): void {
  const model = row.word<RedundancyModel>('REDUNDANCY_MODEL');
  const instead = MODELS_WITHOUT_MEANING[model];
  if (instead !== undefined)
    lose(draft, row, 'unsupported-model', `REDUNDANCY_MODEL ${model} is not supported: ${instead}`);
}

function checkMembers(draft: Draft): void {
  const groups = draft.names('SERVICE_GROUPS', 'NAME');
  const services = draft.names('SERVICES', 'NAME');
  const groupOf = new Map<string, string>();
  for (const row of draft.rows('SERVICE_GROUP_MEMBERS')) {
    const service = row.text('SERVICE_NAME');
    const group = row.text('NAME');
    if (!groups.has(group)) lose(draft, row, 'unknown-group', `SERVICE_GROUPS has no group ${group}`);
    if (!services.has(service)) {
      lose(draft, row, 'unknown-service', `SERVICES has no service ${service}`);
      continue;
    }
    const earlier = groupOf.get(service);
    if (earlier !== undefined) {
      lose(
        draft,
        row,
        'two-groups',
        `the service is in ${earlier} too: a service belongs to exactly one group`,
      );
    }
    groupOf.set(service, group);
    const serviceRow = draft.rows('SERVICES').find((each) => each.text('NAME') === service);
    if (serviceRow !== undefined && serviceRow.provisioned !== row.provisioned) {
      lose(
        draft,
        row,
        'provisioned-differs',
        'PROVISIONED differs from that of the service in SERVICES: set both alike',
      );
    }
  }
  const members = draft.names('SERVICE_GROUP_MEMBERS', 'SERVICE_NAME');
  for (const row of draft.rows('SERVICES')) {
    if (members.has(row.text('NAME'))) continue;
    const sentence = 'the service is in no group: add it to SERVICE_GROUP_MEMBERS';
    if (row.provisioned) lose(draft, row, 'no-group', sentence);
    else draft.problems.warning('no-group', row.table, row.raw, sentence);
  }
}

/** Provisioned group of each provisioned service, lost ones left out. */
export function placeServices(draft: Draft): ReadonlyMap<string, string> {
  const groups = new Set(
    draft
      .rows('SERVICE_GROUPS')
      .filter((row) => row.provisioned && !draft.lostGroups.has(row.text('NAME')))
      .map((row) => row.text('NAME')),
  );
  const place = new Map<string, string>();
  for (const row of draft.rows('SERVICE_GROUP_MEMBERS')) {
    if (row.provisioned && groups.has(row.text('NAME')))
      place.set(row.text('SERVICE_NAME'), row.text('NAME'));
  }
  return place;
}

export function groupsOf(
  draft: Draft,
  domain: string,
  services: ReadonlySet<string>,
): ReadonlyMap<string, GroupDefinition> {
  const groups = new Map<string, GroupDefinition>();
  for (const row of draft.rows('SERVICE_GROUPS')) {
    const name = row.text('NAME');
    if (!row.provisioned || draft.lostGroups.has(name)) continue;
    const member = draft
      .rows('SERVICE_DOMAIN_MEMBERS')
      .find((each) => each.text('SERVICE_GROUP_NAME') === name && each.text('NAME') === domain);
    if (member === undefined) continue;
    const members = membersOf(draft, name, services);
    if (members.length === 0) {
      draft.problems.warning(
        'no-services',
        tableOf('SERVICE_GROUPS'),
        row.raw,
        'no service of the group can run',
      );
    }
    groups.set(name, groupOf(row, member, members));
  }
  return groups;
}

function membersOf(draft: Draft, group: string, services: ReadonlySet<string>): readonly MemberDefinition[] {
  return draft
    .rows('SERVICE_GROUP_MEMBERS')
    .filter((row) => row.text('NAME') === group && services.has(row.text('SERVICE_NAME')))
    .map((row) => ({
      service: row.text('SERVICE_NAME'),
      failureImpact: row.word<Severity>('SERVICE_FAILURE_IMPACT'),
    }));
}

function groupOf(row: CheckedRow, member: CheckedRow, members: readonly MemberDefinition[]): GroupDefinition {
  const nActive = member.number('N_ACTIVE');
  return {
    name: row.text('NAME'),
    redundancyModel: member.word<RedundancyModel>('REDUNDANCY_MODEL'),
    nActive,
    mStandby: member.number('M_STANDBY'),
    aggregate: member.text('SERVICE_GROUP_AGGREGATE'),
    activeOnlyIfActive: member.text('ACTIVE_ONLY_IF_ACTIVE'),
    // Of a node alone too: it may get a peer while the group runs.
    exclusive: nActive < LIMITS.nodesMax,
    autoRecover: row.is('AUTO_RECOVER'),
    core: row.is('CORE'),
    failureDebounceMs: row.number('FAILURE_DEBOUNCE'),
    fatalErrorReboot: row.is('FATAL_ERROR_REBOOT'),
    members,
  };
}
