/**
 * What api/openapi.yaml says of requests and answers.
 * Made by `npx vitest run test/api/rest-types -u`; a test compares.
 */

export type Fault = { readonly error_message: string; readonly code: string };

export type Node = {
  readonly id: number;
  readonly name: string;
  readonly administrative_state: string;
  readonly operational_state: string;
  readonly availability_status: string;
  readonly ready_state: string;
};

export type Service = {
  readonly id: number;
  readonly name: string;
  readonly desired_state: string;
  readonly state: string;
  readonly status: string;
};

export type Assignment = {
  readonly id: number;
  readonly uuid: string;
  readonly name: string;
  readonly node_name: string;
  readonly service_group_name: string;
  readonly state: string;
  readonly desired_state: string;
  readonly status: string;
  readonly condition: string;
};

export type ServiceNode = {
  readonly origin: string;
  readonly hostname: string;
  readonly admin: string;
  readonly oper: string;
  readonly avail: string;
  readonly active_services: string;
  readonly swactable_services: string;
};

export type NodeAction = {
  readonly action: string;
  readonly origin?: string;
  readonly admin?: string;
  readonly oper?: string;
  readonly avail?: string;
};

export type NodeActionResult = {
  readonly origin: string;
  readonly hostname: string;
  readonly action: string;
  readonly admin?: string;
  readonly oper?: string;
  readonly avail?: string;
  readonly error_code: string;
  readonly error_details?: string | null;
  readonly impact_service_list?: readonly string[] | null;
};

export type OperationRequest = {
  readonly kind: 'swact' | 'swact-force' | 'lock' | 'unlock' | 'recover';
  readonly node?: string;
  readonly group?: string;
  readonly why?: string;
  readonly forMs?: number;
};

export type ServiceActionRequest = {
  readonly kind: 'restart' | 'restart-safe' | 'manage' | 'unmanage' | 'audit';
  readonly why?: string;
  readonly forMs?: number;
};

export type NodeActionRequest = {
  readonly kind: 'confirm-dead';
  readonly again: string;
  readonly why: string;
};

export type Accepted = { readonly message: string; readonly operation: string };

export type Operation = {
  readonly id: string;
  readonly kind: string;
  readonly node: string;
  readonly group: string;
  readonly step: string;
  readonly ended: boolean;
  readonly actor: string;
  readonly why: string;
  readonly reason: string;
  readonly requested_at: string;
};

export type Change = {
  readonly id: number;
  readonly time: string;
  readonly entity: string;
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly cause: string;
  readonly actor: string;
  readonly reason: string;
};

export type Alarm = {
  readonly id: string;
  readonly entity: string;
  readonly severity: string;
  readonly reason: string;
  readonly repair: string;
  readonly raised_at: string;
};

export type Interface = {
  readonly name: string;
  readonly domain: string;
  readonly state: string;
  readonly path_type: string;
  readonly auth_type: string;
  readonly interface_name: string;
  readonly network_type: string;
  readonly network_address: string;
  readonly network_port: number | '';
  readonly network_peer_address: string;
  readonly network_peer_port: number | '';
};

export type Neighbor = {
  readonly name: string;
  readonly domain: string;
  readonly state: string;
  readonly designation: string;
};

export type Domain = {
  readonly name: string;
  readonly state: string;
  readonly leader: string;
  readonly generation: number;
  readonly hello_interval: number;
  readonly dead_interval: number;
  readonly wait_interval: number;
  readonly exchange_interval: number;
  readonly policy: string;
  readonly stop_bound: number;
};

export type Definitions = {
  readonly digest: string;
  readonly tables: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
};

export type Explanation = {
  readonly kind: string;
  readonly name: string;
  readonly sentences: readonly string[];
};

export type Status = {
  readonly stale: string | null;
  readonly node: string;
  readonly domain: { readonly name: string; readonly leader: string; readonly number: number };
  readonly permission: string;
  readonly policy: string;
  readonly peer: string;
  readonly links: readonly { readonly role: string; readonly state: string; readonly good: boolean }[];
  readonly nodes: readonly {
    readonly name: string;
    readonly state: string;
    readonly ready: string;
    readonly lock: string;
    readonly lockedUntil: string | null;
  }[];
  readonly groups: readonly { readonly name: string; readonly on: Readonly<Record<string, string>> }[];
  readonly failures: readonly { readonly name: string; readonly state: string; readonly reason: string }[];
  readonly alone: readonly {
    readonly service: string;
    readonly reason: string;
    readonly until: string | null;
  }[];
  readonly pending: readonly {
    readonly what: string;
    readonly step: string;
    readonly actor: string;
    readonly why: string;
  }[];
  readonly alarms: readonly {
    readonly severity: string;
    readonly id: string;
    readonly entity: string;
    readonly reason: string;
    readonly repair: string;
    readonly since: string;
  }[];
  readonly dropped: readonly { readonly role: string; readonly cause: string; readonly total: number }[];
};

export type Activity = {
  readonly name: string;
  readonly desired_state: string;
  readonly state: string;
  readonly status: string;
  readonly condition: string;
  readonly reason: string;
  readonly managed: boolean;
  readonly running: string;
  readonly waits_for: string;
  readonly settled: boolean;
};

export type Health = { readonly live: boolean; readonly ready: boolean; readonly reasons: readonly string[] };

export type Identity = { readonly name: string; readonly role: 'reader' | 'operator' | 'admin' | null };

export interface Operations {
  getVersions: {
    params: Record<never, never>;
    query: Record<never, never>;
    body: undefined;
    answer: {
      readonly name: string;
      readonly description: string;
      readonly version: readonly {
        readonly id: string;
        readonly links: readonly { readonly href: string; readonly rel: string }[];
      }[];
      readonly default_version: {
        readonly id: string;
        readonly links: readonly { readonly href: string; readonly rel: string }[];
      };
    };
  };
  getResources: {
    params: Record<never, never>;
    query: Record<never, never>;
    body: undefined;
    answer: {
      readonly id: string;
      readonly links: readonly { readonly href: string; readonly rel: string }[];
    } & Readonly<Record<string, unknown>>;
  };
  listNodes: {
    params: Record<never, never>;
    query: {
      readonly limit?: string;
      readonly marker?: string;
      readonly sort_key?: string;
      readonly sort_dir?: string;
    };
    body: undefined;
    answer: { readonly nodes: readonly Node[]; readonly next?: string };
  };
  getNode: { params: { readonly key: string }; query: Record<never, never>; body: undefined; answer: Node };
  listServiceGroups: {
    params: Record<never, never>;
    query: {
      readonly limit?: string;
      readonly marker?: string;
      readonly sort_key?: string;
      readonly sort_dir?: string;
    };
    body: undefined;
    answer: { readonly service_groups: readonly Assignment[]; readonly next?: string };
  };
  getServiceGroup: {
    params: { readonly key: string };
    query: Record<never, never>;
    body: undefined;
    answer: Assignment;
  };
  listServices: {
    params: Record<never, never>;
    query: {
      readonly limit?: string;
      readonly marker?: string;
      readonly sort_key?: string;
      readonly sort_dir?: string;
    };
    body: undefined;
    answer: { readonly services: readonly Service[]; readonly next?: string };
  };
  getService: {
    params: { readonly key: string };
    query: Record<never, never>;
    body: undefined;
    answer: Service;
  };
  changeService: {
    params: { readonly key: string };
    query: Record<never, never>;
    body: undefined;
    answer: undefined;
  };
  listAssignments: {
    params: Record<never, never>;
    query: {
      readonly limit?: string;
      readonly marker?: string;
      readonly sort_key?: string;
      readonly sort_dir?: string;
    };
    body: undefined;
    answer: { readonly sm_sda: readonly Assignment[]; readonly next?: string };
  };
  getAssignment: {
    params: { readonly key: string };
    query: Record<never, never>;
    body: undefined;
    answer: Assignment;
  };
  listServicegroup: {
    params: Record<never, never>;
    query: {
      readonly limit?: string;
      readonly marker?: string;
      readonly sort_key?: string;
      readonly sort_dir?: string;
    };
    body: undefined;
    answer: { readonly sm_servicegroup: readonly Assignment[]; readonly next?: string };
  };
  getServicegroup: {
    params: { readonly key: string };
    query: Record<never, never>;
    body: undefined;
    answer: Assignment;
  };
  listServicenodes: {
    params: Record<never, never>;
    query: {
      readonly limit?: string;
      readonly marker?: string;
      readonly sort_key?: string;
      readonly sort_dir?: string;
    };
    body: undefined;
    answer: { readonly nodes: readonly Node[]; readonly next?: string };
  };
  getServicenode: {
    params: { readonly key: string };
    query: Record<never, never>;
    body: undefined;
    answer: Node;
  };
  getNodeActivity: {
    params: { readonly hostname: string };
    query: Record<never, never>;
    body: undefined;
    answer: ServiceNode;
  };
  orderNode: {
    params: { readonly hostname: string };
    query: Record<never, never>;
    body: NodeAction;
    answer: NodeActionResult;
  };
  listOperations: {
    params: Record<never, never>;
    query: Record<never, never>;
    body: undefined;
    answer: { readonly operations: readonly Operation[]; readonly next?: string };
  };
  orderOperation: {
    params: Record<never, never>;
    query: Record<never, never>;
    body: OperationRequest;
    answer: Accepted;
  };
  getOperation: {
    params: { readonly key: string };
    query: Record<never, never>;
    body: undefined;
    answer: Operation;
  };
  orderService: {
    params: { readonly key: string };
    query: Record<never, never>;
    body: ServiceActionRequest;
    answer: Accepted;
  };
  confirmDead: {
    params: { readonly key: string };
    query: Record<never, never>;
    body: NodeActionRequest;
    answer: Accepted;
  };
  listAlarms: {
    params: Record<never, never>;
    query: Record<never, never>;
    body: undefined;
    answer: { readonly alarms: readonly Alarm[]; readonly next?: string };
  };
  listInterfaces: {
    params: Record<never, never>;
    query: Record<never, never>;
    body: undefined;
    answer: { readonly interfaces: readonly Interface[]; readonly next?: string };
  };
  listNeighbors: {
    params: Record<never, never>;
    query: Record<never, never>;
    body: undefined;
    answer: { readonly neighbors: readonly Neighbor[]; readonly next?: string };
  };
  listDomains: {
    params: Record<never, never>;
    query: Record<never, never>;
    body: undefined;
    answer: { readonly domains: readonly Domain[]; readonly next?: string };
  };
  getDefinitions: {
    params: Record<never, never>;
    query: Record<never, never>;
    body: undefined;
    answer: Definitions;
  };
  getIdentity: {
    params: Record<never, never>;
    query: Record<never, never>;
    body: undefined;
    answer: Identity;
  };
  listEvents: {
    params: Record<never, never>;
    query: {
      readonly about?: string;
      readonly entity?: string;
      readonly name?: string;
      readonly since?: string;
      readonly until?: string;
      readonly after?: string;
      readonly limit?: string;
    };
    body: undefined;
    answer: { readonly events: readonly Change[]; readonly next?: string };
  };
  explain: {
    params: { readonly kind: 'service' | 'group' | 'node' | 'daemon'; readonly name: string };
    query: Record<never, never>;
    body: undefined;
    answer: Explanation;
  };
  getStatus: { params: Record<never, never>; query: Record<never, never>; body: undefined; answer: Status };
  getServiceActivity: {
    params: { readonly key: string };
    query: Record<never, never>;
    body: undefined;
    answer: Activity;
  };
  getHealth: { params: Record<never, never>; query: Record<never, never>; body: undefined; answer: Health };
  getReadiness: {
    params: Record<never, never>;
    query: Record<never, never>;
    body: undefined;
    answer: Health;
  };
  getMetrics: {
    params: Record<never, never>;
    query: Record<never, never>;
    body: undefined;
    answer: undefined;
  };
  followEvents: {
    params: Record<never, never>;
    query: { readonly lastEventId?: string };
    body: undefined;
    answer: undefined;
  };
}

/** Method and path of each operation. */
export const ROUTES = {
  getVersions: ['GET', '/'],
  getResources: ['GET', '/v1'],
  listNodes: ['GET', '/v1/nodes'],
  getNode: ['GET', '/v1/nodes/{key}'],
  listServiceGroups: ['GET', '/v1/service_groups'],
  getServiceGroup: ['GET', '/v1/service_groups/{key}'],
  listServices: ['GET', '/v1/services'],
  getService: ['GET', '/v1/services/{key}'],
  changeService: ['PATCH', '/v1/services/{key}'],
  listAssignments: ['GET', '/v1/sm_sda'],
  getAssignment: ['GET', '/v1/sm_sda/{key}'],
  listServicegroup: ['GET', '/v1/servicegroup'],
  getServicegroup: ['GET', '/v1/servicegroup/{key}'],
  listServicenodes: ['GET', '/v1/servicenodes'],
  getServicenode: ['GET', '/v1/servicenodes/{key}'],
  getNodeActivity: ['GET', '/v1/servicenode/{hostname}'],
  orderNode: ['PATCH', '/v1/servicenode/{hostname}'],
  listOperations: ['GET', '/v1/operations'],
  orderOperation: ['POST', '/v1/operations'],
  getOperation: ['GET', '/v1/operations/{key}'],
  orderService: ['POST', '/v1/services/{key}/actions'],
  confirmDead: ['POST', '/v1/nodes/{key}/actions'],
  listAlarms: ['GET', '/v1/alarms'],
  listInterfaces: ['GET', '/v1/interfaces'],
  listNeighbors: ['GET', '/v1/neighbors'],
  listDomains: ['GET', '/v1/domains'],
  getDefinitions: ['GET', '/v1/definitions'],
  getIdentity: ['GET', '/v1/whoami'],
  listEvents: ['GET', '/v1/events'],
  explain: ['GET', '/v1/explain/{kind}/{name}'],
  getStatus: ['GET', '/v1/status'],
  getServiceActivity: ['GET', '/v1/services/{key}/activity'],
  getHealth: ['GET', '/v1/health'],
  getReadiness: ['GET', '/v1/health/ready'],
  getMetrics: ['GET', '/metrics'],
  followEvents: ['GET', '/v1/stream'],
} as const;
