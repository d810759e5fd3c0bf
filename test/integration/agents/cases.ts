/**
 * Which of the cases of resource-agents are run, what they need besides, and where the agents do not satisfy them. A few
 * that need no further packages are in `make test`, all of them in `make test-agents`.
 */
import type { Environment } from '../../support/ocft.ts';
import { furnishForSourceAddress, shell } from './namespace.ts';

export interface Cases {
  /** Where the file has another name. */
  readonly agent?: string;
  /** Packages that the cases need and do not name. */
  readonly packages?: readonly string[];
  /** Makes what they take for granted. Answers what they leave open ("put here your IP"). */
  readonly before?: () => Environment;
  /** Cases that resource-agents 4.12 does not satisfy, whoever calls it, and why. A plain shell has to find the same. */
  readonly own?: Readonly<Record<string, string>>;
}

const making = (text: string) => (): Environment => {
  shell(text);
  return {};
};

/** By the name of the file. */
export const CASES: Readonly<Record<string, Cases>> = {
  IPaddr2: {},
  IPaddr2v4: { agent: 'IPaddr2' },
  IPaddr2v6: {
    agent: 'IPaddr2',
    own: {
      'params with force cidr_netmask (base netmask < assigned netmask)':
        'the agent takes the prefix that it is given',
    },
  },
  IPsrcaddr: {
    before: furnishForSourceAddress,
    own: {
      'double stop': 'a stop gives the default route another source address, and the next one refuses that',
    },
  },
  IPv6addr: {},
  SendArp: {},
  Filesystem: { packages: ['e2fsprogs'] },
  MailTo: {},
  portblock: {},
  // The agent can not read a file with two definitions, and Debian's has two.
  Xinetd: { before: making("sed -i '/udp version/,$d' /etc/xinetd.d/discard") },
  apache: { packages: ['curl'] },
  exportfs: {},
  'exportfs-multidir': { agent: 'exportfs' },
  named: { packages: ['bind9-host'] },
  postfix: {},
  // Made at boot.
  pgsql: { before: making('install -d -o postgres -g postgres -m 2775 /run/postgresql') },
  // Neither the directory of its log nor a script of this name is in MariaDB's package.
  mysql: {
    before: making(`
      install -d -o mysql -g adm -m 2750 /var/log/mysql
      ln -sf mariadb /etc/init.d/mysql`),
  },
};
