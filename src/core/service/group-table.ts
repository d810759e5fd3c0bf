/** The group machine, printed in docs/machines/group.md. */
import type { Table } from '../kernel/machine.ts';
import type { GroupState } from '../kernel/names.ts';

export const GROUP_EVENTS = ['go-active', 'go-standby', 'disable', 'members-changed'] as const;
export type GroupEvent = (typeof GROUP_EVENTS)[number];

export const GROUP_WORKS = {
  activate: 'go to active if all members are there, else to go-active',
  stand: 'go to standby if all members are there, else to go-standby',
  stop: 'go to disabled if all members are there, else to disabling',
  'check-active': 'go to active once every member is enabled-active',
  'check-standby': 'go to standby once no member is, or may be, active and none is being stopped',
  'check-disabled': 'go to disabled once every member is disabled',
} as const;
export type GroupWork = keyof typeof GROUP_WORKS;

/** Status, condition, health and reason are taken together anew at every change of a member, in every state. */
export const GROUP_TABLE: Table<GroupState, GroupEvent, GroupWork> = {
  'not-applicable': {
    'go-active': 'never',
    'go-standby': 'never',
    disable: 'never',
    'members-changed': 'never',
  },
  initial: {
    'go-active': 'activate',
    'go-standby': 'stand',
    disable: 'stop',
    'members-changed': 'ignore',
  },
  unknown: { 'go-active': 'never', 'go-standby': 'never', disable: 'never', 'members-changed': 'never' },
  disabled: {
    'go-active': 'activate',
    'go-standby': 'stand',
    disable: 'ignore',
    'members-changed': 'ignore',
  },
  disabling: {
    'go-active': 'activate',
    'go-standby': 'stand',
    disable: 'ignore',
    'members-changed': 'check-disabled',
  },
  standby: {
    'go-active': 'activate',
    'go-standby': 'ignore',
    disable: 'stop',
    'members-changed': 'ignore',
  },
  'go-active': {
    'go-active': 'ignore',
    'go-standby': 'stand',
    disable: 'stop',
    'members-changed': 'check-active',
  },
  'go-standby': {
    'go-active': 'activate',
    'go-standby': 'ignore',
    disable: 'stop',
    'members-changed': 'check-standby',
  },
  active: {
    'go-active': 'ignore',
    'go-standby': 'stand',
    disable: 'stop',
    'members-changed': 'ignore',
  },
  shutdown: { 'go-active': 'never', 'go-standby': 'never', disable: 'never', 'members-changed': 'never' },
};
