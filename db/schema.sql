-- The whole schema, as all migrations together make it (a test proves that they agree). For reading, and for
-- sqlite3 new.db < db/schema.sql. Nothing here is newer than SQLite 3.40.

PRAGMA user_version = 4;

-- StarlingX's tables: the same names, the same columns in the same order, the same meaning, so that its tools and the
-- SQL that its operators know keep working. What StarlingX leaves open is closed here: nothing is NULL, every word and
-- every range is checked, every name is unique. The name of a constraint is the sentence that the sqlite3 shell prints.
-- Columns that hold '' where a number is not set do so in StarlingX too. docs/reference/database.md explains each one.

-- What a domain is: its timing and its leadership.
CREATE TABLE SERVICE_DOMAINS (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  PROVISIONED CHAR(32) NOT NULL DEFAULT 'yes'
    CONSTRAINT "PROVISIONED must be yes or no"
    CHECK (PROVISIONED IN ('yes', 'no')),
  NAME CHAR(32) NOT NULL
    CONSTRAINT "NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(NAME) BETWEEN 1 AND 31 AND NAME GLOB '[A-Za-z0-9]*' AND NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  ORCHESTRATION CHAR(32) NOT NULL DEFAULT 'regional'
    CONSTRAINT "ORCHESTRATION must be geographical, regional or hybrid"
    CHECK (ORCHESTRATION IN ('geographical', 'regional', 'hybrid')),
  DESIGNATION CHAR(32) NOT NULL DEFAULT 'unknown'
    CONSTRAINT "DESIGNATION must be unknown, leader, backup or other"
    CHECK (DESIGNATION IN ('unknown', 'leader', 'backup', 'other')),
  PREEMPT CHAR(32) NOT NULL DEFAULT 'no'
    CONSTRAINT "PREEMPT must be yes or no"
    CHECK (PREEMPT IN ('yes', 'no')),
  PRIORITY INT NOT NULL DEFAULT 230
    CONSTRAINT "PRIORITY must be a whole number from 0 to 1000000"
    CHECK (typeof(PRIORITY) = 'integer' AND PRIORITY BETWEEN 0 AND 1000000),
  HELLO_INTERVAL INT NOT NULL DEFAULT 200
    CONSTRAINT "HELLO_INTERVAL must be a whole number from 20 to 10000 ms"
    CHECK (typeof(HELLO_INTERVAL) = 'integer' AND HELLO_INTERVAL BETWEEN 20 AND 10000),
  DEAD_INTERVAL INT NOT NULL DEFAULT 800
    CONSTRAINT "DEAD_INTERVAL must be a whole number from 60 to 60000 ms"
    CHECK (typeof(DEAD_INTERVAL) = 'integer' AND DEAD_INTERVAL BETWEEN 60 AND 60000),
  WAIT_INTERVAL INT NOT NULL DEFAULT 5000
    CONSTRAINT "WAIT_INTERVAL must be a whole number from 0 to 86400000 ms"
    CHECK (typeof(WAIT_INTERVAL) = 'integer' AND WAIT_INTERVAL BETWEEN 0 AND 86400000),
  EXCHANGE_INTERVAL INT NOT NULL DEFAULT 2000
    CONSTRAINT "EXCHANGE_INTERVAL must be a whole number from 100 to 60000 ms"
    CHECK (typeof(EXCHANGE_INTERVAL) = 'integer' AND EXCHANGE_INTERVAL BETWEEN 100 AND 60000),
  STATE CHAR(32) NOT NULL DEFAULT 'initial'
    CONSTRAINT "STATE must be initial, waiting, leader, backup or other"
    CHECK (STATE IN ('initial', 'waiting', 'leader', 'backup', 'other')),
  SPLIT_BRAIN_RECOVERY CHAR(32) NOT NULL DEFAULT 'select-best-active'
    CONSTRAINT "SPLIT_BRAIN_RECOVERY must be disable-all-active or select-best-active"
    CHECK (SPLIT_BRAIN_RECOVERY IN ('disable-all-active', 'select-best-active')),
  LEADER CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "LEADER must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first, or empty"
    CHECK (LEADER = '' OR (length(LEADER) BETWEEN 1 AND 31 AND LEADER GLOB '[A-Za-z0-9]*' AND LEADER NOT GLOB '*[^A-Za-z0-9._:@-]*')),
  GENERATION INT NOT NULL DEFAULT 1
    CONSTRAINT "GENERATION must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(GENERATION) = 'integer' AND GENERATION BETWEEN 0 AND 9007199254740991),
  UNIQUE (NAME),
  CONSTRAINT "DEAD_INTERVAL must be at least 3 x HELLO_INTERVAL: less than three lost hellos would count as a death"
  CHECK (DEAD_INTERVAL >= 3 * HELLO_INTERVAL)
);

-- The links between the two nodes. AUTH_KEY holds the name of a key file, never the key.
CREATE TABLE SERVICE_DOMAIN_INTERFACES (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  PROVISIONED CHAR(32) NOT NULL DEFAULT 'yes'
    CONSTRAINT "PROVISIONED must be yes or no"
    CHECK (PROVISIONED IN ('yes', 'no')),
  SERVICE_DOMAIN CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_DOMAIN must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_DOMAIN) BETWEEN 1 AND 31 AND SERVICE_DOMAIN GLOB '[A-Za-z0-9]*' AND SERVICE_DOMAIN NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  SERVICE_DOMAIN_INTERFACE CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_DOMAIN_INTERFACE must be management-interface, oam-interface, cluster-host-interface or admin-interface"
    CHECK (SERVICE_DOMAIN_INTERFACE IN ('management-interface', 'oam-interface', 'cluster-host-interface', 'admin-interface')),
  PATH_TYPE CHAR(32) NOT NULL DEFAULT 'secondary'
    CONSTRAINT "PATH_TYPE must be primary, secondary or status-only"
    CHECK (PATH_TYPE IN ('primary', 'secondary', 'status-only')),
  AUTH_TYPE CHAR(32) NOT NULL DEFAULT 'hmac-sha512'
    CONSTRAINT "AUTH_TYPE must be none or hmac-sha512"
    CHECK (AUTH_TYPE IN ('none', 'hmac-sha512')),
  AUTH_KEY CHAR(128) NOT NULL DEFAULT ''
    CONSTRAINT "AUTH_KEY must be 1 to 127 letters, digits or . _ : @ -, with a letter or digit first, or empty"
    CHECK (AUTH_KEY = '' OR (length(AUTH_KEY) BETWEEN 1 AND 127 AND AUTH_KEY GLOB '[A-Za-z0-9]*' AND AUTH_KEY NOT GLOB '*[^A-Za-z0-9._:@-]*')),
  INTERFACE_NAME CHAR(16) NOT NULL DEFAULT ''
    CONSTRAINT "INTERFACE_NAME must be 1 to 15 letters, digits or . _ : @ -, with a letter or digit first, or empty"
    CHECK (INTERFACE_NAME = '' OR (length(INTERFACE_NAME) BETWEEN 1 AND 15 AND INTERFACE_NAME GLOB '[A-Za-z0-9]*' AND INTERFACE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*')),
  INTERFACE_STATE CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "INTERFACE_STATE must be unknown, enabled, disabled, not-in-use or empty"
    CHECK (INTERFACE_STATE IN ('unknown', 'enabled', 'disabled', 'not-in-use', '')),
  NETWORK_TYPE CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "NETWORK_TYPE must be unknown, ipv4, ipv6, ipv4-udp, ipv6-udp or empty"
    CHECK (NETWORK_TYPE IN ('unknown', 'ipv4', 'ipv6', 'ipv4-udp', 'ipv6-udp', '')),
  NETWORK_MULTICAST CHAR(256) NOT NULL DEFAULT ''
    CONSTRAINT "NETWORK_MULTICAST must be at most 255 characters, none of them a control character"
    CHECK (length(NETWORK_MULTICAST) <= 255 AND NETWORK_MULTICAST NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  NETWORK_ADDRESS CHAR(256) NOT NULL DEFAULT ''
    CONSTRAINT "NETWORK_ADDRESS must be at most 255 characters, none of them a control character"
    CHECK (length(NETWORK_ADDRESS) <= 255 AND NETWORK_ADDRESS NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  NETWORK_PORT INT NOT NULL DEFAULT ''
    CONSTRAINT "NETWORK_PORT must be a whole number from 1 to 65535, or empty"
    CHECK (NETWORK_PORT = '' OR (typeof(NETWORK_PORT) = 'integer' AND NETWORK_PORT BETWEEN 1 AND 65535)),
  NETWORK_HEARTBEAT_PORT INT NOT NULL DEFAULT ''
    CONSTRAINT "NETWORK_HEARTBEAT_PORT must be a whole number from 1 to 65535, or empty"
    CHECK (NETWORK_HEARTBEAT_PORT = '' OR (typeof(NETWORK_HEARTBEAT_PORT) = 'integer' AND NETWORK_HEARTBEAT_PORT BETWEEN 1 AND 65535)),
  NETWORK_PEER_ADDRESS CHAR(256) NOT NULL DEFAULT ''
    CONSTRAINT "NETWORK_PEER_ADDRESS must be at most 255 characters, none of them a control character"
    CHECK (length(NETWORK_PEER_ADDRESS) <= 255 AND NETWORK_PEER_ADDRESS NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  NETWORK_PEER_PORT INT NOT NULL DEFAULT ''
    CONSTRAINT "NETWORK_PEER_PORT must be a whole number from 1 to 65535, or empty"
    CHECK (NETWORK_PEER_PORT = '' OR (typeof(NETWORK_PEER_PORT) = 'integer' AND NETWORK_PEER_PORT BETWEEN 1 AND 65535)),
  NETWORK_PEER_HEARTBEAT_PORT INT NOT NULL DEFAULT ''
    CONSTRAINT "NETWORK_PEER_HEARTBEAT_PORT must be a whole number from 1 to 65535, or empty"
    CHECK (NETWORK_PEER_HEARTBEAT_PORT = '' OR (typeof(NETWORK_PEER_HEARTBEAT_PORT) = 'integer' AND NETWORK_PEER_HEARTBEAT_PORT BETWEEN 1 AND 65535)),
  INTERFACE_CONNECT_TYPE CHAR(32) NOT NULL DEFAULT 'tor'
    CONSTRAINT "INTERFACE_CONNECT_TYPE must be tor or dc"
    CHECK (INTERFACE_CONNECT_TYPE IN ('tor', 'dc')),
  UNIQUE (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE),
  CONSTRAINT "AUTH_KEY names a key file: 'titanium-server' is StarlingX's built-in key, which is public and protects nothing; make one with smctl key new"
  CHECK (AUTH_KEY <> 'titanium-server'),
  CONSTRAINT "AUTH_KEY must name a key where AUTH_TYPE is hmac-sha512"
  CHECK (AUTH_TYPE <> 'hmac-sha512' OR AUTH_KEY <> '')
);

-- Which groups the domain runs, and on how many nodes. sm-configure inserts by position: exactly nine columns.
CREATE TABLE SERVICE_DOMAIN_MEMBERS (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  PROVISIONED CHAR(32) NOT NULL DEFAULT 'yes'
    CONSTRAINT "PROVISIONED must be yes or no"
    CHECK (PROVISIONED IN ('yes', 'no')),
  NAME CHAR(32) NOT NULL
    CONSTRAINT "NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(NAME) BETWEEN 1 AND 31 AND NAME GLOB '[A-Za-z0-9]*' AND NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  SERVICE_GROUP_NAME CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_GROUP_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_GROUP_NAME) BETWEEN 1 AND 31 AND SERVICE_GROUP_NAME GLOB '[A-Za-z0-9]*' AND SERVICE_GROUP_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  REDUNDANCY_MODEL CHAR(32) NOT NULL DEFAULT 'N + M'
    CONSTRAINT "REDUNDANCY_MODEL must be none, N, N + M, N to 1 or N to N"
    CHECK (REDUNDANCY_MODEL IN ('none', 'N', 'N + M', 'N to 1', 'N to N')),
  N_ACTIVE INT NOT NULL DEFAULT 1
    CONSTRAINT "N_ACTIVE must be a whole number from 0 to 1000"
    CHECK (typeof(N_ACTIVE) = 'integer' AND N_ACTIVE BETWEEN 0 AND 1000),
  M_STANDBY INT NOT NULL DEFAULT 1
    CONSTRAINT "M_STANDBY must be a whole number from 0 to 1000"
    CHECK (typeof(M_STANDBY) = 'integer' AND M_STANDBY BETWEEN 0 AND 1000),
  SERVICE_GROUP_AGGREGATE CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "SERVICE_GROUP_AGGREGATE must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first, or empty"
    CHECK (SERVICE_GROUP_AGGREGATE = '' OR (length(SERVICE_GROUP_AGGREGATE) BETWEEN 1 AND 31 AND SERVICE_GROUP_AGGREGATE GLOB '[A-Za-z0-9]*' AND SERVICE_GROUP_AGGREGATE NOT GLOB '*[^A-Za-z0-9._:@-]*')),
  ACTIVE_ONLY_IF_ACTIVE CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "ACTIVE_ONLY_IF_ACTIVE must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first, or empty"
    CHECK (ACTIVE_ONLY_IF_ACTIVE = '' OR (length(ACTIVE_ONLY_IF_ACTIVE) BETWEEN 1 AND 31 AND ACTIVE_ONLY_IF_ACTIVE GLOB '[A-Za-z0-9]*' AND ACTIVE_ONLY_IF_ACTIVE NOT GLOB '*[^A-Za-z0-9._:@-]*')),
  UNIQUE (NAME, SERVICE_GROUP_NAME)
);

-- The other node as this one knows it. Run-time only.
CREATE TABLE SERVICE_DOMAIN_NEIGHBORS (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  NAME CHAR(32) NOT NULL
    CONSTRAINT "NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(NAME) BETWEEN 1 AND 31 AND NAME GLOB '[A-Za-z0-9]*' AND NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  SERVICE_DOMAIN CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_DOMAIN must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_DOMAIN) BETWEEN 1 AND 31 AND SERVICE_DOMAIN GLOB '[A-Za-z0-9]*' AND SERVICE_DOMAIN NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  ORCHESTRATION CHAR(32) NOT NULL DEFAULT 'regional'
    CONSTRAINT "ORCHESTRATION must be geographical, regional or hybrid"
    CHECK (ORCHESTRATION IN ('geographical', 'regional', 'hybrid')),
  DESIGNATION CHAR(32) NOT NULL DEFAULT 'unknown'
    CONSTRAINT "DESIGNATION must be unknown, leader, backup or other"
    CHECK (DESIGNATION IN ('unknown', 'leader', 'backup', 'other')),
  PRIORITY INT NOT NULL DEFAULT 0
    CONSTRAINT "PRIORITY must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(PRIORITY) = 'integer' AND PRIORITY BETWEEN 0 AND 9007199254740991),
  HELLO_INTERVAL INT NOT NULL DEFAULT 0
    CONSTRAINT "HELLO_INTERVAL must be a whole number from 0 to 86400000 ms"
    CHECK (typeof(HELLO_INTERVAL) = 'integer' AND HELLO_INTERVAL BETWEEN 0 AND 86400000),
  DEAD_INTERVAL INT NOT NULL DEFAULT 0
    CONSTRAINT "DEAD_INTERVAL must be a whole number from 0 to 86400000 ms"
    CHECK (typeof(DEAD_INTERVAL) = 'integer' AND DEAD_INTERVAL BETWEEN 0 AND 86400000),
  WAIT_INTERVAL INT NOT NULL DEFAULT 0
    CONSTRAINT "WAIT_INTERVAL must be a whole number from 0 to 86400000 ms"
    CHECK (typeof(WAIT_INTERVAL) = 'integer' AND WAIT_INTERVAL BETWEEN 0 AND 86400000),
  EXCHANGE_INTERVAL INT NOT NULL DEFAULT 0
    CONSTRAINT "EXCHANGE_INTERVAL must be a whole number from 0 to 86400000 ms"
    CHECK (typeof(EXCHANGE_INTERVAL) = 'integer' AND EXCHANGE_INTERVAL BETWEEN 0 AND 86400000),
  STATE CHAR(32) NOT NULL DEFAULT 'down'
    CONSTRAINT "STATE must be down, exchange-start, exchange or full"
    CHECK (STATE IN ('down', 'exchange-start', 'exchange', 'full')),
  GENERATION INT NOT NULL DEFAULT 0
    CONSTRAINT "GENERATION must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(GENERATION) = 'integer' AND GENERATION BETWEEN 0 AND 9007199254740991),
  UNIQUE (NAME, SERVICE_DOMAIN)
);

-- Each group on each node: what is wanted of it there and how it is. Run-time only.
CREATE TABLE SERVICE_DOMAIN_ASSIGNMENTS (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  UUID CHAR(42) NOT NULL DEFAULT ''
    CONSTRAINT "UUID must be at most 41 characters, none of them a control character"
    CHECK (length(UUID) <= 41 AND UUID NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  NAME CHAR(32) NOT NULL
    CONSTRAINT "NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(NAME) BETWEEN 1 AND 31 AND NAME GLOB '[A-Za-z0-9]*' AND NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  NODE_NAME CHAR(32) NOT NULL
    CONSTRAINT "NODE_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(NODE_NAME) BETWEEN 1 AND 31 AND NODE_NAME GLOB '[A-Za-z0-9]*' AND NODE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  SERVICE_GROUP_NAME CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_GROUP_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_GROUP_NAME) BETWEEN 1 AND 31 AND SERVICE_GROUP_NAME GLOB '[A-Za-z0-9]*' AND SERVICE_GROUP_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  DESIRED_STATE CHAR(32) NOT NULL DEFAULT 'initial'
    CONSTRAINT "DESIRED_STATE must be not-applicable, initial, unknown, disabled, disabling, standby, go-active, go-standby, active or shutdown"
    CHECK (DESIRED_STATE IN ('not-applicable', 'initial', 'unknown', 'disabled', 'disabling', 'standby', 'go-active', 'go-standby', 'active', 'shutdown')),
  STATE CHAR(32) NOT NULL DEFAULT 'initial'
    CONSTRAINT "STATE must be not-applicable, initial, unknown, disabled, disabling, standby, go-active, go-standby, active or shutdown"
    CHECK (STATE IN ('not-applicable', 'initial', 'unknown', 'disabled', 'disabling', 'standby', 'go-active', 'go-standby', 'active', 'shutdown')),
  STATUS CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "STATUS must be empty, warn, degraded, failed or none"
    CHECK (STATUS IN ('', 'warn', 'degraded', 'failed', 'none')),
  CONDITION CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "CONDITION must be empty, data-consistent, data-syncing, data-outdated, data-standalone, data-inconsistent, FD-limit-reached, recovery-failure, action-failure, fatal-failure or none"
    CHECK (CONDITION IN ('', 'data-consistent', 'data-syncing', 'data-outdated', 'data-standalone', 'data-inconsistent', 'FD-limit-reached', 'recovery-failure', 'action-failure', 'fatal-failure', 'none')),
  UNIQUE (NAME, NODE_NAME, SERVICE_GROUP_NAME)
);

-- Groups of services that are active and standby together. The states are those of this node.
CREATE TABLE SERVICE_GROUPS (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  PROVISIONED CHAR(32) NOT NULL DEFAULT 'yes'
    CONSTRAINT "PROVISIONED must be yes or no"
    CHECK (PROVISIONED IN ('yes', 'no')),
  NAME CHAR(32) NOT NULL
    CONSTRAINT "NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(NAME) BETWEEN 1 AND 31 AND NAME GLOB '[A-Za-z0-9]*' AND NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  AUTO_RECOVER CHAR(32) NOT NULL DEFAULT 'no'
    CONSTRAINT "AUTO_RECOVER must be yes or no"
    CHECK (AUTO_RECOVER IN ('yes', 'no')),
  CORE CHAR(32) NOT NULL DEFAULT 'no'
    CONSTRAINT "CORE must be yes or no"
    CHECK (CORE IN ('yes', 'no')),
  DESIRED_STATE CHAR(32) NOT NULL DEFAULT 'initial'
    CONSTRAINT "DESIRED_STATE must be not-applicable, initial, unknown, disabled, disabling, standby, go-active, go-standby, active or shutdown"
    CHECK (DESIRED_STATE IN ('not-applicable', 'initial', 'unknown', 'disabled', 'disabling', 'standby', 'go-active', 'go-standby', 'active', 'shutdown')),
  STATE CHAR(32) NOT NULL DEFAULT 'initial'
    CONSTRAINT "STATE must be not-applicable, initial, unknown, disabled, disabling, standby, go-active, go-standby, active or shutdown"
    CHECK (STATE IN ('not-applicable', 'initial', 'unknown', 'disabled', 'disabling', 'standby', 'go-active', 'go-standby', 'active', 'shutdown')),
  STATUS CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "STATUS must be empty, warn, degraded, failed or none"
    CHECK (STATUS IN ('', 'warn', 'degraded', 'failed', 'none')),
  CONDITION CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "CONDITION must be empty, data-consistent, data-syncing, data-outdated, data-standalone, data-inconsistent, FD-limit-reached, recovery-failure, action-failure, fatal-failure or none"
    CHECK (CONDITION IN ('', 'data-consistent', 'data-syncing', 'data-outdated', 'data-standalone', 'data-inconsistent', 'FD-limit-reached', 'recovery-failure', 'action-failure', 'fatal-failure', 'none')),
  FAILURE_DEBOUNCE INT NOT NULL DEFAULT 300000
    CONSTRAINT "FAILURE_DEBOUNCE must be a whole number from 0 to 86400000 ms"
    CHECK (typeof(FAILURE_DEBOUNCE) = 'integer' AND FAILURE_DEBOUNCE BETWEEN 0 AND 86400000),
  FATAL_ERROR_REBOOT CHAR(32) NOT NULL DEFAULT 'no'
    CONSTRAINT "FATAL_ERROR_REBOOT must be yes or no"
    CHECK (FATAL_ERROR_REBOOT IN ('yes', 'no')),
  UNIQUE (NAME)
);

-- Which services a group is made of, and what the failure of one means for it.
CREATE TABLE SERVICE_GROUP_MEMBERS (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  PROVISIONED CHAR(32) NOT NULL DEFAULT 'yes'
    CONSTRAINT "PROVISIONED must be yes or no"
    CHECK (PROVISIONED IN ('yes', 'no')),
  NAME CHAR(32) NOT NULL
    CONSTRAINT "NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(NAME) BETWEEN 1 AND 31 AND NAME GLOB '[A-Za-z0-9]*' AND NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  SERVICE_NAME CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_NAME) BETWEEN 1 AND 31 AND SERVICE_NAME GLOB '[A-Za-z0-9]*' AND SERVICE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  SERVICE_FAILURE_IMPACT CHAR(32) NOT NULL DEFAULT 'critical'
    CONSTRAINT "SERVICE_FAILURE_IMPACT must be none, minor, major or critical"
    CHECK (SERVICE_FAILURE_IMPACT IN ('none', 'minor', 'major', 'critical')),
  UNIQUE (NAME, SERVICE_NAME)
);

-- The services: limits of patience, and the states on this node.
CREATE TABLE SERVICES (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  PROVISIONED CHAR(32) NOT NULL DEFAULT 'yes'
    CONSTRAINT "PROVISIONED must be yes or no"
    CHECK (PROVISIONED IN ('yes', 'no')),
  NAME CHAR(32) NOT NULL
    CONSTRAINT "NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(NAME) BETWEEN 1 AND 31 AND NAME GLOB '[A-Za-z0-9]*' AND NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  DESIRED_STATE CHAR(32) NOT NULL DEFAULT 'initial'
    CONSTRAINT "DESIRED_STATE must be not-applicable, initial, unknown, disabled, enabling-throttle, enabling, disabling, enabled-standby, enabled-go-active, enabled-go-standby, enabled-active or shutdown"
    CHECK (DESIRED_STATE IN ('not-applicable', 'initial', 'unknown', 'disabled', 'enabling-throttle', 'enabling', 'disabling', 'enabled-standby', 'enabled-go-active', 'enabled-go-standby', 'enabled-active', 'shutdown')),
  STATE CHAR(32) NOT NULL DEFAULT 'initial'
    CONSTRAINT "STATE must be not-applicable, initial, unknown, disabled, enabling-throttle, enabling, disabling, enabled-standby, enabled-go-active, enabled-go-standby, enabled-active or shutdown"
    CHECK (STATE IN ('not-applicable', 'initial', 'unknown', 'disabled', 'enabling-throttle', 'enabling', 'disabling', 'enabled-standby', 'enabled-go-active', 'enabled-go-standby', 'enabled-active', 'shutdown')),
  STATUS CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "STATUS must be empty, warn, degraded, failed or none"
    CHECK (STATUS IN ('', 'warn', 'degraded', 'failed', 'none')),
  CONDITION CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "CONDITION must be empty, data-consistent, data-syncing, data-outdated, data-standalone, data-inconsistent, FD-limit-reached, recovery-failure, action-failure, fatal-failure or none"
    CHECK (CONDITION IN ('', 'data-consistent', 'data-syncing', 'data-outdated', 'data-standalone', 'data-inconsistent', 'FD-limit-reached', 'recovery-failure', 'action-failure', 'fatal-failure', 'none')),
  MAX_FAILURES INT NOT NULL DEFAULT 2
    CONSTRAINT "MAX_FAILURES must be a whole number from 0 to 1000000"
    CHECK (typeof(MAX_FAILURES) = 'integer' AND MAX_FAILURES BETWEEN 0 AND 1000000),
  FAIL_COUNTDOWN INT NOT NULL DEFAULT 1
    CONSTRAINT "FAIL_COUNTDOWN must be a whole number from 0 to 1000000"
    CHECK (typeof(FAIL_COUNTDOWN) = 'integer' AND FAIL_COUNTDOWN BETWEEN 0 AND 1000000),
  FAIL_COUNTDOWN_INTERVAL INT NOT NULL DEFAULT 90000
    CONSTRAINT "FAIL_COUNTDOWN_INTERVAL must be a whole number from 0 to 86400000 ms"
    CHECK (typeof(FAIL_COUNTDOWN_INTERVAL) = 'integer' AND FAIL_COUNTDOWN_INTERVAL BETWEEN 0 AND 86400000),
  MAX_ACTION_FAILURES INT NOT NULL DEFAULT 4
    CONSTRAINT "MAX_ACTION_FAILURES must be a whole number from 1 to 1000000"
    CHECK (typeof(MAX_ACTION_FAILURES) = 'integer' AND MAX_ACTION_FAILURES BETWEEN 1 AND 1000000),
  MAX_TRANSITION_FAILURES INT NOT NULL DEFAULT 16
    CONSTRAINT "MAX_TRANSITION_FAILURES must be a whole number from 1 to 1000000"
    CHECK (typeof(MAX_TRANSITION_FAILURES) = 'integer' AND MAX_TRANSITION_FAILURES BETWEEN 1 AND 1000000),
  PID_FILE CHAR(256) NOT NULL DEFAULT ''
    CONSTRAINT "PID_FILE must be empty or an absolute path of at most 255 characters"
    CHECK (PID_FILE = '' OR (PID_FILE GLOB '/*' AND length(PID_FILE) <= 255 AND PID_FILE NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*')),
  UNIQUE (NAME)
);

-- Parameters of a service's scripts on this node. sm-configure inserts by position: exactly four columns.
CREATE TABLE SERVICE_INSTANCES (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  SERVICE_NAME CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_NAME) BETWEEN 1 AND 31 AND SERVICE_NAME GLOB '[A-Za-z0-9]*' AND SERVICE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  INSTANCE_NAME CHAR(32) NOT NULL
    CONSTRAINT "INSTANCE_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(INSTANCE_NAME) BETWEEN 1 AND 31 AND INSTANCE_NAME GLOB '[A-Za-z0-9]*' AND INSTANCE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  INSTANCE_PARAMETERS CHAR(1024) NOT NULL DEFAULT ''
    CONSTRAINT "INSTANCE_PARAMETERS must be at most 1023 characters, none of them a control character"
    CHECK (length(INSTANCE_PARAMETERS) <= 1023 AND INSTANCE_PARAMETERS NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  UNIQUE (SERVICE_NAME)
);

-- Which script is run for which action of a service, for how long and how often.
CREATE TABLE SERVICE_ACTIONS (
  SERVICE_NAME CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_NAME) BETWEEN 1 AND 31 AND SERVICE_NAME GLOB '[A-Za-z0-9]*' AND SERVICE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  ACTION CHAR(32) NOT NULL
    CONSTRAINT "ACTION must be enable, disable, go-active, go-standby, audit-enabled or audit-disabled"
    CHECK (ACTION IN ('enable', 'disable', 'go-active', 'go-standby', 'audit-enabled', 'audit-disabled')),
  PLUGIN_TYPE CHAR(32) NOT NULL
    CONSTRAINT "PLUGIN_TYPE must be lsb-script or ocf-script"
    CHECK (PLUGIN_TYPE IN ('lsb-script', 'ocf-script')),
  PLUGIN_CLASS CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "PLUGIN_CLASS must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first, or empty"
    CHECK (PLUGIN_CLASS = '' OR (length(PLUGIN_CLASS) BETWEEN 1 AND 31 AND PLUGIN_CLASS GLOB '[A-Za-z0-9]*' AND PLUGIN_CLASS NOT GLOB '*[^A-Za-z0-9._:@-]*')),
  PLUGIN_NAME CHAR(80) NOT NULL
    CONSTRAINT "PLUGIN_NAME must be 1 to 79 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(PLUGIN_NAME) BETWEEN 1 AND 79 AND PLUGIN_NAME GLOB '[A-Za-z0-9]*' AND PLUGIN_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  PLUGIN_COMMAND CHAR(80) NOT NULL
    CONSTRAINT "PLUGIN_COMMAND must be 1 to 79 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(PLUGIN_COMMAND) BETWEEN 1 AND 79 AND PLUGIN_COMMAND GLOB '[A-Za-z0-9]*' AND PLUGIN_COMMAND NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  PLUGIN_PARAMETERS CHAR(1024) NOT NULL DEFAULT ''
    CONSTRAINT "PLUGIN_PARAMETERS must be at most 1023 characters, none of them a control character"
    CHECK (length(PLUGIN_PARAMETERS) <= 1023 AND PLUGIN_PARAMETERS NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  MAX_FAILURE_RETRIES INT NOT NULL DEFAULT 2
    CONSTRAINT "MAX_FAILURE_RETRIES must be a whole number from 0 to 1000"
    CHECK (typeof(MAX_FAILURE_RETRIES) = 'integer' AND MAX_FAILURE_RETRIES BETWEEN 0 AND 1000),
  MAX_TIMEOUT_RETRIES INT NOT NULL DEFAULT 2
    CONSTRAINT "MAX_TIMEOUT_RETRIES must be a whole number from 0 to 1000"
    CHECK (typeof(MAX_TIMEOUT_RETRIES) = 'integer' AND MAX_TIMEOUT_RETRIES BETWEEN 0 AND 1000),
  MAX_TOTAL_RETRIES INT NOT NULL DEFAULT 2
    CONSTRAINT "MAX_TOTAL_RETRIES must be a whole number from 0 to 1000"
    CHECK (typeof(MAX_TOTAL_RETRIES) = 'integer' AND MAX_TOTAL_RETRIES BETWEEN 0 AND 1000),
  TIMEOUT_IN_SECS INT NOT NULL
    CONSTRAINT "TIMEOUT_IN_SECS must be a whole number from 1 to 86400 s"
    CHECK (typeof(TIMEOUT_IN_SECS) = 'integer' AND TIMEOUT_IN_SECS BETWEEN 1 AND 86400),
  INTERVAL_IN_SECS INT NOT NULL DEFAULT ''
    CONSTRAINT "INTERVAL_IN_SECS must be a whole number from 1 to 86400 s, or empty"
    CHECK (INTERVAL_IN_SECS = '' OR (typeof(INTERVAL_IN_SECS) = 'integer' AND INTERVAL_IN_SECS BETWEEN 1 AND 86400)),
  PRIMARY KEY (SERVICE_NAME, ACTION)
);

-- What the exit code of a script means.
CREATE TABLE SERVICE_ACTION_RESULTS (
  PLUGIN_TYPE CHAR(32) NOT NULL
    CONSTRAINT "PLUGIN_TYPE must be lsb-script or ocf-script"
    CHECK (PLUGIN_TYPE IN ('lsb-script', 'ocf-script')),
  PLUGIN_NAME CHAR(80) NOT NULL
    CONSTRAINT "PLUGIN_NAME must be 1 to 79 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(PLUGIN_NAME) BETWEEN 1 AND 79 AND PLUGIN_NAME GLOB '[A-Za-z0-9]*' AND PLUGIN_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  PLUGIN_COMMAND CHAR(80) NOT NULL
    CONSTRAINT "PLUGIN_COMMAND must be 1 to 79 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(PLUGIN_COMMAND) BETWEEN 1 AND 79 AND PLUGIN_COMMAND GLOB '[A-Za-z0-9]*' AND PLUGIN_COMMAND NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  PLUGIN_EXIT_CODE CHAR(32) NOT NULL
    CONSTRAINT "PLUGIN_EXIT_CODE must be a number from 0 to 255, plugin-failure, plugin-timeout or other"
    CHECK (PLUGIN_EXIT_CODE IN ('plugin-failure', 'plugin-timeout', 'other') OR (PLUGIN_EXIT_CODE GLOB '[0-9]*' AND CAST(PLUGIN_EXIT_CODE AS INTEGER) BETWEEN 0 AND 255 AND CAST(CAST(PLUGIN_EXIT_CODE AS INTEGER) AS TEXT) = PLUGIN_EXIT_CODE)),
  ACTION_RESULT CHAR(32) NOT NULL
    CONSTRAINT "ACTION_RESULT must be success, failed, timeout or fatal"
    CHECK (ACTION_RESULT IN ('success', 'failed', 'timeout', 'fatal')),
  SERVICE_STATE CHAR(32) NOT NULL DEFAULT 'unknown'
    CONSTRAINT "SERVICE_STATE must be not-applicable, initial, unknown, disabled, enabling-throttle, enabling, disabling, enabled-standby, enabled-go-active, enabled-go-standby, enabled-active or shutdown"
    CHECK (SERVICE_STATE IN ('not-applicable', 'initial', 'unknown', 'disabled', 'enabling-throttle', 'enabling', 'disabling', 'enabled-standby', 'enabled-go-active', 'enabled-go-standby', 'enabled-active', 'shutdown')),
  SERVICE_STATUS CHAR(32) NOT NULL DEFAULT 'unknown'
    CONSTRAINT "SERVICE_STATUS must be unknown, empty, warn, degraded, failed or none"
    CHECK (SERVICE_STATUS IN ('unknown', '', 'warn', 'degraded', 'failed', 'none')),
  SERVICE_CONDITION CHAR(32) NOT NULL DEFAULT 'unknown'
    CONSTRAINT "SERVICE_CONDITION must be unknown, empty, data-consistent, data-syncing, data-outdated, data-standalone, data-inconsistent, FD-limit-reached, recovery-failure, action-failure, fatal-failure or none"
    CHECK (SERVICE_CONDITION IN ('unknown', '', 'data-consistent', 'data-syncing', 'data-outdated', 'data-standalone', 'data-inconsistent', 'FD-limit-reached', 'recovery-failure', 'action-failure', 'fatal-failure', 'none')),
  PRIMARY KEY (PLUGIN_TYPE, PLUGIN_NAME, PLUGIN_COMMAND, PLUGIN_EXIT_CODE)
);

-- action: ACTION on SERVICE_NAME waits until DEPENDENT is in DEPENDENT_STATE. state: SERVICE_NAME in STATE implies it.
CREATE TABLE SERVICE_DEPENDENCY (
  DEPENDENCY_TYPE CHAR(32) NOT NULL DEFAULT 'action'
    CONSTRAINT "DEPENDENCY_TYPE must be action or state"
    CHECK (DEPENDENCY_TYPE IN ('action', 'state')),
  SERVICE_NAME CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_NAME) BETWEEN 1 AND 31 AND SERVICE_NAME GLOB '[A-Za-z0-9]*' AND SERVICE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  STATE CHAR(32) NOT NULL DEFAULT 'not-applicable'
    CONSTRAINT "STATE must be not-applicable, initial, unknown, disabled, enabling-throttle, enabling, disabling, enabled-standby, enabled-go-active, enabled-go-standby, enabled-active or shutdown"
    CHECK (STATE IN ('not-applicable', 'initial', 'unknown', 'disabled', 'enabling-throttle', 'enabling', 'disabling', 'enabled-standby', 'enabled-go-active', 'enabled-go-standby', 'enabled-active', 'shutdown')),
  ACTION CHAR(32) NOT NULL DEFAULT 'not-applicable'
    CONSTRAINT "ACTION must be not-applicable, enable, disable, go-active, go-standby, audit-enabled or audit-disabled"
    CHECK (ACTION IN ('not-applicable', 'enable', 'disable', 'go-active', 'go-standby', 'audit-enabled', 'audit-disabled')),
  DEPENDENT CHAR(32) NOT NULL
    CONSTRAINT "DEPENDENT must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(DEPENDENT) BETWEEN 1 AND 31 AND DEPENDENT GLOB '[A-Za-z0-9]*' AND DEPENDENT NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  DEPENDENT_STATE CHAR(32) NOT NULL
    CONSTRAINT "DEPENDENT_STATE must be not-applicable, initial, unknown, disabled, enabling-throttle, enabling, disabling, enabled-standby, enabled-go-active, enabled-go-standby, enabled-active or shutdown"
    CHECK (DEPENDENT_STATE IN ('not-applicable', 'initial', 'unknown', 'disabled', 'enabling-throttle', 'enabling', 'disabling', 'enabled-standby', 'enabled-go-active', 'enabled-go-standby', 'enabled-active', 'shutdown')),
  PRIMARY KEY (DEPENDENCY_TYPE, SERVICE_NAME, STATE, ACTION, DEPENDENT),
  CONSTRAINT "ACTION must name an action where DEPENDENCY_TYPE is action"
  CHECK (DEPENDENCY_TYPE <> 'action' OR ACTION <> 'not-applicable'),
  CONSTRAINT "DEPENDENT must be another service than SERVICE_NAME"
  CHECK (DEPENDENT <> SERVICE_NAME)
);

-- Heartbeats of services: what they are asked, and what their silence means. State columns are kept for tools.
CREATE TABLE SERVICE_HEARTBEAT (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  PROVISIONED CHAR(32) NOT NULL DEFAULT 'no'
    CONSTRAINT "PROVISIONED must be yes or no"
    CHECK (PROVISIONED IN ('yes', 'no')),
  NAME CHAR(32) NOT NULL
    CONSTRAINT "NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(NAME) BETWEEN 1 AND 31 AND NAME GLOB '[A-Za-z0-9]*' AND NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  TYPE CHAR(32) NOT NULL DEFAULT 'unknown'
    CONSTRAINT "TYPE must be unknown, unix or udp"
    CHECK (TYPE IN ('unknown', 'unix', 'udp')),
  SRC_ADDRESS CHAR(108) NOT NULL DEFAULT ''
    CONSTRAINT "SRC_ADDRESS must be at most 107 characters, none of them a control character"
    CHECK (length(SRC_ADDRESS) <= 107 AND SRC_ADDRESS NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  SRC_PORT INT NOT NULL DEFAULT ''
    CONSTRAINT "SRC_PORT must be a whole number from 0 to 65535, or empty"
    CHECK (SRC_PORT = '' OR (typeof(SRC_PORT) = 'integer' AND SRC_PORT BETWEEN 0 AND 65535)),
  DST_ADDRESS CHAR(108) NOT NULL DEFAULT ''
    CONSTRAINT "DST_ADDRESS must be at most 107 characters, none of them a control character"
    CHECK (length(DST_ADDRESS) <= 107 AND DST_ADDRESS NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  DST_PORT INT NOT NULL DEFAULT ''
    CONSTRAINT "DST_PORT must be a whole number from 0 to 65535, or empty"
    CHECK (DST_PORT = '' OR (typeof(DST_PORT) = 'integer' AND DST_PORT BETWEEN 0 AND 65535)),
  MESSAGE CHAR(256) NOT NULL DEFAULT ''
    CONSTRAINT "MESSAGE must be at most 255 characters, none of them a control character"
    CHECK (length(MESSAGE) <= 255 AND MESSAGE NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  INTERVAL_IN_MS INT NOT NULL DEFAULT 0
    CONSTRAINT "INTERVAL_IN_MS must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(INTERVAL_IN_MS) = 'integer' AND INTERVAL_IN_MS BETWEEN 0 AND 9007199254740991),
  MISSED_WARN INT NOT NULL DEFAULT 0
    CONSTRAINT "MISSED_WARN must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(MISSED_WARN) = 'integer' AND MISSED_WARN BETWEEN 0 AND 9007199254740991),
  MISSED_DEGRADE INT NOT NULL DEFAULT 0
    CONSTRAINT "MISSED_DEGRADE must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(MISSED_DEGRADE) = 'integer' AND MISSED_DEGRADE BETWEEN 0 AND 9007199254740991),
  MISSED_FAIL INT NOT NULL DEFAULT 0
    CONSTRAINT "MISSED_FAIL must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(MISSED_FAIL) = 'integer' AND MISSED_FAIL BETWEEN 0 AND 9007199254740991),
  STATE CHAR(32) NOT NULL DEFAULT 'stopped'
    CONSTRAINT "STATE must be unknown, started or stopped"
    CHECK (STATE IN ('unknown', 'started', 'stopped')),
  MISSED INT NOT NULL DEFAULT 0
    CONSTRAINT "MISSED must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(MISSED) = 'integer' AND MISSED BETWEEN 0 AND 9007199254740991),
  HEARTBEAT_TIMER_ID INT NOT NULL DEFAULT 0
    CONSTRAINT "HEARTBEAT_TIMER_ID must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(HEARTBEAT_TIMER_ID) = 'integer' AND HEARTBEAT_TIMER_ID BETWEEN 0 AND 9007199254740991),
  HEARTBEAT_SOCKET INT NOT NULL DEFAULT -1
    CONSTRAINT "HEARTBEAT_SOCKET must be a whole number from -1 to 9007199254740991"
    CHECK (typeof(HEARTBEAT_SOCKET) = 'integer' AND HEARTBEAT_SOCKET BETWEEN -1 AND 9007199254740991),
  UNIQUE (NAME)
);

-- The nodes as they were told to be and as they are. Run-time only.
CREATE TABLE NODES (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  NAME CHAR(32) NOT NULL
    CONSTRAINT "NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(NAME) BETWEEN 1 AND 31 AND NAME GLOB '[A-Za-z0-9]*' AND NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  ADMINISTRATIVE_STATE CHAR(32) NOT NULL DEFAULT 'unknown'
    CONSTRAINT "ADMINISTRATIVE_STATE must be unknown, locked or unlocked"
    CHECK (ADMINISTRATIVE_STATE IN ('unknown', 'locked', 'unlocked')),
  OPERATIONAL_STATE CHAR(32) NOT NULL DEFAULT 'unknown'
    CONSTRAINT "OPERATIONAL_STATE must be unknown, enabled or disabled"
    CHECK (OPERATIONAL_STATE IN ('unknown', 'enabled', 'disabled')),
  AVAILABILITY_STATUS CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "AVAILABILITY_STATUS must be unknown, empty, available, degraded or failed"
    CHECK (AVAILABILITY_STATUS IN ('unknown', '', 'available', 'degraded', 'failed')),
  READY_STATE CHAR(32) NOT NULL DEFAULT 'unknown'
    CONSTRAINT "READY_STATE must be unknown, enabled or disabled"
    CHECK (READY_STATE IN ('unknown', 'enabled', 'disabled')),
  STATE_UUID CHAR(42) NOT NULL DEFAULT ''
    CONSTRAINT "STATE_UUID must be at most 41 characters, none of them a control character"
    CHECK (length(STATE_UUID) <= 41 AND STATE_UUID NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  UNIQUE (NAME)
);

-- Former states of nodes, each as it was before the next. Run-time only, bounded.
CREATE TABLE NODE_HISTORY (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  NAME CHAR(32) NOT NULL
    CONSTRAINT "NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(NAME) BETWEEN 1 AND 31 AND NAME GLOB '[A-Za-z0-9]*' AND NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  ADMINISTRATIVE_STATE CHAR(32) NOT NULL DEFAULT 'unknown'
    CONSTRAINT "ADMINISTRATIVE_STATE must be unknown, locked or unlocked"
    CHECK (ADMINISTRATIVE_STATE IN ('unknown', 'locked', 'unlocked')),
  OPERATIONAL_STATE CHAR(32) NOT NULL DEFAULT 'unknown'
    CONSTRAINT "OPERATIONAL_STATE must be unknown, enabled or disabled"
    CHECK (OPERATIONAL_STATE IN ('unknown', 'enabled', 'disabled')),
  AVAILABILITY_STATUS CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "AVAILABILITY_STATUS must be unknown, empty, available, degraded or failed"
    CHECK (AVAILABILITY_STATUS IN ('unknown', '', 'available', 'degraded', 'failed')),
  READY_STATE CHAR(32) NOT NULL DEFAULT 'unknown'
    CONSTRAINT "READY_STATE must be unknown, enabled or disabled"
    CHECK (READY_STATE IN ('unknown', 'enabled', 'disabled')),
  STATE_UUID CHAR(42) NOT NULL DEFAULT ''
    CONSTRAINT "STATE_UUID must be at most 41 characters, none of them a control character"
    CHECK (length(STATE_UUID) <= 41 AND STATE_UUID NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*')
);

-- Settings of the whole domain, by key.
CREATE TABLE CONFIGURATION (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  KEY CHAR(32) NOT NULL
    CONSTRAINT "KEY must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(KEY) BETWEEN 1 AND 31 AND KEY GLOB '[A-Za-z0-9]*' AND KEY NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  VALUE CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "VALUE must be at most 31 characters, none of them a control character"
    CHECK (length(VALUE) <= 31 AND VALUE NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  UNIQUE (KEY)
);

-- Kept for tools that know it; the version of the schema is PRAGMA user_version.
CREATE TABLE SCHEMA_VERSION (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  MAJOR INTEGER NOT NULL DEFAULT 0,
  MINOR INTEGER NOT NULL DEFAULT 0
);

-- What StarlingX's tables have no place for: tables of our own, all named SM_. Extra columns there would break tools.

-- The one or two nodes of a domain.
CREATE TABLE SM_DOMAIN_NODES (
  SERVICE_DOMAIN CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_DOMAIN must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_DOMAIN) BETWEEN 1 AND 31 AND SERVICE_DOMAIN GLOB '[A-Za-z0-9]*' AND SERVICE_DOMAIN NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  NODE_NAME CHAR(32) NOT NULL
    CONSTRAINT "NODE_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(NODE_NAME) BETWEEN 1 AND 31 AND NODE_NAME GLOB '[A-Za-z0-9]*' AND NODE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  ORDINAL INT NOT NULL
    CONSTRAINT "ORDINAL must be a whole number from 0 to 1"
    CHECK (typeof(ORDINAL) = 'integer' AND ORDINAL BETWEEN 0 AND 1),
  PRIMARY KEY (SERVICE_DOMAIN, NODE_NAME),
  UNIQUE (SERVICE_DOMAIN, ORDINAL)
);

-- How soon a node that lost permission has stopped, and what is done about a silent peer.
CREATE TABLE SM_DOMAIN_SAFETY (
  SERVICE_DOMAIN CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_DOMAIN must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_DOMAIN) BETWEEN 1 AND 31 AND SERVICE_DOMAIN GLOB '[A-Za-z0-9]*' AND SERVICE_DOMAIN NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  SILENCE_POLICY CHAR(32) NOT NULL DEFAULT 'takeover'
    CONSTRAINT "SILENCE_POLICY must be takeover or stay"
    CHECK (SILENCE_POLICY IN ('takeover', 'stay')),
  STOP_BOUND INT NOT NULL DEFAULT 300
    CONSTRAINT "STOP_BOUND must be a whole number from 50 to 600000 ms"
    CHECK (typeof(STOP_BOUND) = 'integer' AND STOP_BOUND BETWEEN 50 AND 600000),
  STOP_GRACE INT NOT NULL DEFAULT 100
    CONSTRAINT "STOP_GRACE must be a whole number from 0 to 600000 ms"
    CHECK (typeof(STOP_GRACE) = 'integer' AND STOP_GRACE BETWEEN 0 AND 600000),
  KILL_VERIFY INT NOT NULL DEFAULT 100
    CONSTRAINT "KILL_VERIFY must be a whole number from 10 to 600000 ms"
    CHECK (typeof(KILL_VERIFY) = 'integer' AND KILL_VERIFY BETWEEN 10 AND 600000),
  LINK_DOWN_DETECT INT NOT NULL DEFAULT 100
    CONSTRAINT "LINK_DOWN_DETECT must be a whole number from 10 to 60000 ms"
    CHECK (typeof(LINK_DOWN_DETECT) = 'integer' AND LINK_DOWN_DETECT BETWEEN 10 AND 60000),
  MAIN_STALL_MAX INT NOT NULL DEFAULT 3000
    CONSTRAINT "MAIN_STALL_MAX must be a whole number from 100 to 600000 ms"
    CHECK (typeof(MAIN_STALL_MAX) = 'integer' AND MAIN_STALL_MAX BETWEEN 100 AND 600000),
  PRIMARY KEY (SERVICE_DOMAIN),
  CONSTRAINT "STOP_GRACE + KILL_VERIFY must be less than STOP_BOUND: the rest is the time of the self-fence"
  CHECK (STOP_GRACE + KILL_VERIFY < STOP_BOUND)
);

-- Exceptions of an interface. ALLOW_UNSIGNED is a standing alarm.
CREATE TABLE SM_INTERFACE_FACTS (
  SERVICE_DOMAIN CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_DOMAIN must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_DOMAIN) BETWEEN 1 AND 31 AND SERVICE_DOMAIN GLOB '[A-Za-z0-9]*' AND SERVICE_DOMAIN NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  SERVICE_DOMAIN_INTERFACE CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_DOMAIN_INTERFACE must be management-interface, oam-interface, cluster-host-interface or admin-interface"
    CHECK (SERVICE_DOMAIN_INTERFACE IN ('management-interface', 'oam-interface', 'cluster-host-interface', 'admin-interface')),
  ALLOW_UNSIGNED CHAR(32) NOT NULL DEFAULT 'no'
    CONSTRAINT "ALLOW_UNSIGNED must be yes or no"
    CHECK (ALLOW_UNSIGNED IN ('yes', 'no')),
  AUTH_KEY_PREVIOUS CHAR(128) NOT NULL DEFAULT ''
    CONSTRAINT "AUTH_KEY_PREVIOUS must be 1 to 127 letters, digits or . _ : @ -, with a letter or digit first, or empty"
    CHECK (AUTH_KEY_PREVIOUS = '' OR (length(AUTH_KEY_PREVIOUS) BETWEEN 1 AND 127 AND AUTH_KEY_PREVIOUS GLOB '[A-Za-z0-9]*' AND AUTH_KEY_PREVIOUS NOT GLOB '*[^A-Za-z0-9._:@-]*')),
  PRIMARY KEY (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE)
);

-- KERNEL_STATE yes: the service holds mounts, addresses, exports or the like, which outlive its processes.
CREATE TABLE SM_SERVICE_FACTS (
  SERVICE_NAME CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_NAME) BETWEEN 1 AND 31 AND SERVICE_NAME GLOB '[A-Za-z0-9]*' AND SERVICE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  KERNEL_STATE CHAR(32) NOT NULL DEFAULT 'no'
    CONSTRAINT "KERNEL_STATE must be yes or no"
    CHECK (KERNEL_STATE IN ('yes', 'no')),
  PRIMARY KEY (SERVICE_NAME)
);

-- Arbiters: what a node asks when it can not ask its peer.

-- The record of the domain in etcd. Secrets are named, never held.
CREATE TABLE SM_ETCD (
  SERVICE_DOMAIN CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_DOMAIN must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_DOMAIN) BETWEEN 1 AND 31 AND SERVICE_DOMAIN GLOB '[A-Za-z0-9]*' AND SERVICE_DOMAIN NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  ENDPOINTS CHAR(1024) NOT NULL DEFAULT ''
    CONSTRAINT "ENDPOINTS must be at most 1023 characters, none of them a control character"
    CHECK (length(ENDPOINTS) <= 1023 AND ENDPOINTS NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  USER_NAME CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "USER_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first, or empty"
    CHECK (USER_NAME = '' OR (length(USER_NAME) BETWEEN 1 AND 31 AND USER_NAME GLOB '[A-Za-z0-9]*' AND USER_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*')),
  PASSWORD_SECRET CHAR(80) NOT NULL DEFAULT ''
    CONSTRAINT "PASSWORD_SECRET must be 1 to 79 letters, digits or . _ : @ -, with a letter or digit first, or empty"
    CHECK (PASSWORD_SECRET = '' OR (length(PASSWORD_SECRET) BETWEEN 1 AND 79 AND PASSWORD_SECRET GLOB '[A-Za-z0-9]*' AND PASSWORD_SECRET NOT GLOB '*[^A-Za-z0-9._:@-]*')),
  CA_FILE CHAR(256) NOT NULL DEFAULT ''
    CONSTRAINT "CA_FILE must be empty or an absolute path of at most 255 characters"
    CHECK (CA_FILE = '' OR (CA_FILE GLOB '/*' AND length(CA_FILE) <= 255 AND CA_FILE NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*')),
  CERTIFICATE_FILE CHAR(256) NOT NULL DEFAULT ''
    CONSTRAINT "CERTIFICATE_FILE must be empty or an absolute path of at most 255 characters"
    CHECK (CERTIFICATE_FILE = '' OR (CERTIFICATE_FILE GLOB '/*' AND length(CERTIFICATE_FILE) <= 255 AND CERTIFICATE_FILE NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*')),
  CERTIFICATE_KEY_SECRET CHAR(80) NOT NULL DEFAULT ''
    CONSTRAINT "CERTIFICATE_KEY_SECRET must be 1 to 79 letters, digits or . _ : @ -, with a letter or digit first, or empty"
    CHECK (CERTIFICATE_KEY_SECRET = '' OR (length(CERTIFICATE_KEY_SECRET) BETWEEN 1 AND 79 AND CERTIFICATE_KEY_SECRET GLOB '[A-Za-z0-9]*' AND CERTIFICATE_KEY_SECRET NOT GLOB '*[^A-Za-z0-9._:@-]*')),
  STAMP_INTERVAL INT NOT NULL DEFAULT 200
    CONSTRAINT "STAMP_INTERVAL must be a whole number from 20 to 60000 ms"
    CHECK (typeof(STAMP_INTERVAL) = 'integer' AND STAMP_INTERVAL BETWEEN 20 AND 60000),
  REQUEST_LIMIT INT NOT NULL DEFAULT 200
    CONSTRAINT "REQUEST_LIMIT must be a whole number from 20 to 60000 ms"
    CHECK (typeof(REQUEST_LIMIT) = 'integer' AND REQUEST_LIMIT BETWEEN 20 AND 60000),
  PRIMARY KEY (SERVICE_DOMAIN)
);

-- The record of the domain on a disk that both nodes see.
CREATE TABLE SM_SHARED_DISK (
  SERVICE_DOMAIN CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_DOMAIN must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_DOMAIN) BETWEEN 1 AND 31 AND SERVICE_DOMAIN GLOB '[A-Za-z0-9]*' AND SERVICE_DOMAIN NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  DEVICE CHAR(256) NOT NULL DEFAULT ''
    CONSTRAINT "DEVICE must be empty or an absolute path of at most 255 characters"
    CHECK (DEVICE = '' OR (DEVICE GLOB '/*' AND length(DEVICE) <= 255 AND DEVICE NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*')),
  STAMP_INTERVAL INT NOT NULL DEFAULT 200
    CONSTRAINT "STAMP_INTERVAL must be a whole number from 20 to 60000 ms"
    CHECK (typeof(STAMP_INTERVAL) = 'integer' AND STAMP_INTERVAL BETWEEN 20 AND 60000),
  REQUEST_LIMIT INT NOT NULL DEFAULT 200
    CONSTRAINT "REQUEST_LIMIT must be a whole number from 20 to 60000 ms"
    CHECK (typeof(REQUEST_LIMIT) = 'integer' AND REQUEST_LIMIT BETWEEN 20 AND 60000),
  PRIMARY KEY (SERVICE_DOMAIN)
);

-- How nodes are fenced. A reading counts only as one of two that are VERIFY_GAP apart.
CREATE TABLE SM_FENCING (
  SERVICE_DOMAIN CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_DOMAIN must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_DOMAIN) BETWEEN 1 AND 31 AND SERVICE_DOMAIN GLOB '[A-Za-z0-9]*' AND SERVICE_DOMAIN NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  FENCE_DELAY INT NOT NULL DEFAULT 0
    CONSTRAINT "FENCE_DELAY must be a whole number from 0 to 600000 ms"
    CHECK (typeof(FENCE_DELAY) = 'integer' AND FENCE_DELAY BETWEEN 0 AND 600000),
  FENCE_THEN CHAR(32) NOT NULL DEFAULT 'off'
    CONSTRAINT "FENCE_THEN must be off or on"
    CHECK (FENCE_THEN IN ('off', 'on')),
  VERIFY_GAP INT NOT NULL DEFAULT 200
    CONSTRAINT "VERIFY_GAP must be a whole number from 200 to 60000 ms"
    CHECK (typeof(VERIFY_GAP) = 'integer' AND VERIFY_GAP BETWEEN 200 AND 60000),
  AUDIT_INTERVAL INT NOT NULL DEFAULT 60000
    CONSTRAINT "AUDIT_INTERVAL must be a whole number from 1000 to 86400000 ms"
    CHECK (typeof(AUDIT_INTERVAL) = 'integer' AND AUDIT_INTERVAL BETWEEN 1000 AND 86400000),
  PRIMARY KEY (SERVICE_DOMAIN)
);

-- What has the power of which node: a fence agent and its parameters. All devices of a level have to read off.
CREATE TABLE SM_FENCE_DEVICES (
  SERVICE_DOMAIN CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_DOMAIN must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_DOMAIN) BETWEEN 1 AND 31 AND SERVICE_DOMAIN GLOB '[A-Za-z0-9]*' AND SERVICE_DOMAIN NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  DEVICE_NAME CHAR(32) NOT NULL
    CONSTRAINT "DEVICE_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(DEVICE_NAME) BETWEEN 1 AND 31 AND DEVICE_NAME GLOB '[A-Za-z0-9]*' AND DEVICE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  NODE_NAME CHAR(32) NOT NULL
    CONSTRAINT "NODE_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(NODE_NAME) BETWEEN 1 AND 31 AND NODE_NAME GLOB '[A-Za-z0-9]*' AND NODE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  FENCE_LEVEL INT NOT NULL DEFAULT 1
    CONSTRAINT "FENCE_LEVEL must be a whole number from 1 to 9"
    CHECK (typeof(FENCE_LEVEL) = 'integer' AND FENCE_LEVEL BETWEEN 1 AND 9),
  AGENT CHAR(80) NOT NULL
    CONSTRAINT "AGENT must be 1 to 79 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(AGENT) BETWEEN 1 AND 79 AND AGENT GLOB '[A-Za-z0-9]*' AND AGENT NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  PARAMETERS CHAR(1024) NOT NULL DEFAULT ''
    CONSTRAINT "PARAMETERS must be at most 1023 characters, none of them a control character"
    CHECK (length(PARAMETERS) <= 1023 AND PARAMETERS NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  SECRETS CHAR(1024) NOT NULL DEFAULT ''
    CONSTRAINT "SECRETS must be at most 1023 characters, none of them a control character"
    CHECK (length(SECRETS) <= 1023 AND SECRETS NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  STATUS_LIMIT INT NOT NULL DEFAULT 5000
    CONSTRAINT "STATUS_LIMIT must be a whole number from 100 to 600000 ms"
    CHECK (typeof(STATUS_LIMIT) = 'integer' AND STATUS_LIMIT BETWEEN 100 AND 600000),
  OFF_LIMIT INT NOT NULL DEFAULT 20000
    CONSTRAINT "OFF_LIMIT must be a whole number from 100 to 600000 ms"
    CHECK (typeof(OFF_LIMIT) = 'integer' AND OFF_LIMIT BETWEEN 100 AND 600000),
  VERIFY_LIMIT INT NOT NULL DEFAULT 5000
    CONSTRAINT "VERIFY_LIMIT must be a whole number from 200 to 600000 ms"
    CHECK (typeof(VERIFY_LIMIT) = 'integer' AND VERIFY_LIMIT BETWEEN 200 AND 600000),
  PRIMARY KEY (SERVICE_DOMAIN, DEVICE_NAME)
);

-- A router that answers as long as this node is not cut off from an interface's network.
CREATE TABLE SM_GATEWAYS (
  SERVICE_DOMAIN CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_DOMAIN must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_DOMAIN) BETWEEN 1 AND 31 AND SERVICE_DOMAIN GLOB '[A-Za-z0-9]*' AND SERVICE_DOMAIN NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  SERVICE_DOMAIN_INTERFACE CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_DOMAIN_INTERFACE must be management-interface, oam-interface, cluster-host-interface or admin-interface"
    CHECK (SERVICE_DOMAIN_INTERFACE IN ('management-interface', 'oam-interface', 'cluster-host-interface', 'admin-interface')),
  ADDRESS CHAR(256) NOT NULL DEFAULT ''
    CONSTRAINT "ADDRESS must be at most 255 characters, none of them a control character"
    CHECK (length(ADDRESS) <= 255 AND ADDRESS NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
  PING_INTERVAL INT NOT NULL DEFAULT 1000
    CONSTRAINT "PING_INTERVAL must be a whole number from 100 to 60000 ms"
    CHECK (typeof(PING_INTERVAL) = 'integer' AND PING_INTERVAL BETWEEN 100 AND 60000),
  PING_LIMIT INT NOT NULL DEFAULT 500
    CONSTRAINT "PING_LIMIT must be a whole number from 50 to 60000 ms"
    CHECK (typeof(PING_LIMIT) = 'integer' AND PING_LIMIT BETWEEN 50 AND 60000),
  PRIMARY KEY (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE)
);

-- From here on: run-time facts, written by sm alone.

-- Activation numbers. They only ever rise, and are stored before anything is done with them.
CREATE TABLE SM_GROUP_NUMBERS (
  SERVICE_GROUP_NAME CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_GROUP_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_GROUP_NAME) BETWEEN 1 AND 31 AND SERVICE_GROUP_NAME GLOB '[A-Za-z0-9]*' AND SERVICE_GROUP_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  HELD INT NOT NULL DEFAULT 0
    CONSTRAINT "HELD must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(HELD) = 'integer' AND HELD BETWEEN 0 AND 9007199254740991),
  STOPPED INT NOT NULL DEFAULT 0
    CONSTRAINT "STOPPED must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(STOPPED) = 'integer' AND STOPPED BETWEEN 0 AND 9007199254740991),
  HIGHEST INT NOT NULL DEFAULT 0
    CONSTRAINT "HIGHEST must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(HIGHEST) = 'integer' AND HIGHEST BETWEEN 0 AND 9007199254740991),
  HOLDER CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "HOLDER must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first, or empty"
    CHECK (HOLDER = '' OR (length(HOLDER) BETWEEN 1 AND 31 AND HOLDER GLOB '[A-Za-z0-9]*' AND HOLDER NOT GLOB '*[^A-Za-z0-9._:@-]*')),
  HOLDER_ACTIVATION INT NOT NULL DEFAULT 0
    CONSTRAINT "HOLDER_ACTIVATION must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(HOLDER_ACTIVATION) = 'integer' AND HOLDER_ACTIVATION BETWEEN 0 AND 9007199254740991),
  PRIMARY KEY (SERVICE_GROUP_NAME)
);

-- Locks, swacts and other orders of operators, step by step. Finished ones are kept for a while.
CREATE TABLE SM_OPERATIONS (
  OPERATION CHAR(128) NOT NULL
    CONSTRAINT "OPERATION must be 1 to 127 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(OPERATION) BETWEEN 1 AND 127 AND OPERATION GLOB '[A-Za-z0-9]*' AND OPERATION NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  KIND CHAR(32) NOT NULL
    CONSTRAINT "KIND must be swact, swact-force, lock, unlock or recover"
    CHECK (KIND IN ('swact', 'swact-force', 'lock', 'unlock', 'recover')),
  NODE_NAME CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "NODE_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first, or empty"
    CHECK (NODE_NAME = '' OR (length(NODE_NAME) BETWEEN 1 AND 31 AND NODE_NAME GLOB '[A-Za-z0-9]*' AND NODE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*')),
  SERVICE_GROUP_NAME CHAR(32) NOT NULL DEFAULT ''
    CONSTRAINT "SERVICE_GROUP_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first, or empty"
    CHECK (SERVICE_GROUP_NAME = '' OR (length(SERVICE_GROUP_NAME) BETWEEN 1 AND 31 AND SERVICE_GROUP_NAME GLOB '[A-Za-z0-9]*' AND SERVICE_GROUP_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*')),
  STEP CHAR(32) NOT NULL
    CONSTRAINT "STEP must be requested, accepted, stopping, stopped, activating, done, failed-back, timed-out or refused"
    CHECK (STEP IN ('requested', 'accepted', 'stopping', 'stopped', 'activating', 'done', 'failed-back', 'timed-out', 'refused')),
  REQUESTED_AT INT NOT NULL DEFAULT 0
    CONSTRAINT "REQUESTED_AT must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(REQUESTED_AT) = 'integer' AND REQUESTED_AT BETWEEN 0 AND 9007199254740991),
  LIMIT_MS INT NOT NULL DEFAULT 0
    CONSTRAINT "LIMIT_MS must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(LIMIT_MS) = 'integer' AND LIMIT_MS BETWEEN 0 AND 9007199254740991),
  ACTOR TEXT NOT NULL DEFAULT '',
  WHY TEXT NOT NULL DEFAULT '',
  REASON TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (OPERATION)
);

-- Scripts that were started and have not ended. After a crash: unknown, audit first.
CREATE TABLE SM_INTENTS (
  SERVICE_NAME CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_NAME) BETWEEN 1 AND 31 AND SERVICE_NAME GLOB '[A-Za-z0-9]*' AND SERVICE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  RUN INT NOT NULL
    CONSTRAINT "RUN must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(RUN) = 'integer' AND RUN BETWEEN 0 AND 9007199254740991),
  ACTION CHAR(32) NOT NULL
    CONSTRAINT "ACTION must be enable, disable, go-active, go-standby, audit-enabled or audit-disabled"
    CHECK (ACTION IN ('enable', 'disable', 'go-active', 'go-standby', 'audit-enabled', 'audit-disabled')),
  STARTED_AT INT NOT NULL DEFAULT 0
    CONSTRAINT "STARTED_AT must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(STARTED_AT) = 'integer' AND STARTED_AT BETWEEN 0 AND 9007199254740991),
  PRIMARY KEY (SERVICE_NAME)
);

-- The administrative record of a node: its version, until when it is locked, and why.
CREATE TABLE SM_NODE_FACTS (
  NODE_NAME CHAR(32) NOT NULL
    CONSTRAINT "NODE_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(NODE_NAME) BETWEEN 1 AND 31 AND NODE_NAME GLOB '[A-Za-z0-9]*' AND NODE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  ADMINISTRATIVE_VERSION INT NOT NULL DEFAULT 0
    CONSTRAINT "ADMINISTRATIVE_VERSION must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(ADMINISTRATIVE_VERSION) = 'integer' AND ADMINISTRATIVE_VERSION BETWEEN 0 AND 9007199254740991),
  LOCKED_UNTIL INT NOT NULL DEFAULT 0
    CONSTRAINT "LOCKED_UNTIL must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(LOCKED_UNTIL) = 'integer' AND LOCKED_UNTIL BETWEEN 0 AND 9007199254740991),
  LOCK_REASON TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (NODE_NAME)
);

-- Services that are left alone by order of an operator.
CREATE TABLE SM_MANAGED (
  SERVICE_NAME CHAR(32) NOT NULL
    CONSTRAINT "SERVICE_NAME must be 1 to 31 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(SERVICE_NAME) BETWEEN 1 AND 31 AND SERVICE_NAME GLOB '[A-Za-z0-9]*' AND SERVICE_NAME NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  MANAGED CHAR(32) NOT NULL
    CONSTRAINT "MANAGED must be yes or no"
    CHECK (MANAGED IN ('yes', 'no')),
  MANAGED_AGAIN_AT INT NOT NULL DEFAULT 0
    CONSTRAINT "MANAGED_AGAIN_AT must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(MANAGED_AGAIN_AT) = 'integer' AND MANAGED_AGAIN_AT BETWEEN 0 AND 9007199254740991),
  CHANGED_AT INT NOT NULL DEFAULT 0
    CONSTRAINT "CHANGED_AT must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(CHANGED_AT) = 'integer' AND CHANGED_AT BETWEEN 0 AND 9007199254740991),
  REASON TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (SERVICE_NAME)
);

-- The history: every change of state with its cause, who asked, and the chain of reasons. Bounded.
CREATE TABLE SM_EVENTS (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  WALL_MS INTEGER NOT NULL,
  ENTITY TEXT NOT NULL DEFAULT '',
  NAME TEXT NOT NULL DEFAULT '',
  FROM_STATE TEXT NOT NULL DEFAULT '',
  TO_STATE TEXT NOT NULL DEFAULT '',
  CAUSE TEXT NOT NULL DEFAULT '',
  ACTOR TEXT NOT NULL DEFAULT '',
  REASON TEXT NOT NULL DEFAULT ''
);

-- Alarms that are raised now.
CREATE TABLE SM_ALARMS (
  ALARM CHAR(128) NOT NULL
    CONSTRAINT "ALARM must be 1 to 127 letters, digits or . _ : @ -, with a letter or digit first"
    CHECK (length(ALARM) BETWEEN 1 AND 127 AND ALARM GLOB '[A-Za-z0-9]*' AND ALARM NOT GLOB '*[^A-Za-z0-9._:@-]*'),
  SEVERITY CHAR(32) NOT NULL
    CONSTRAINT "SEVERITY must be minor, major or critical"
    CHECK (SEVERITY IN ('minor', 'major', 'critical')),
  RAISED_AT INT NOT NULL DEFAULT 0
    CONSTRAINT "RAISED_AT must be a whole number from 0 to 9007199254740991"
    CHECK (typeof(RAISED_AT) = 'integer' AND RAISED_AT BETWEEN 0 AND 9007199254740991),
  ENTITY TEXT NOT NULL DEFAULT '',
  REASON TEXT NOT NULL DEFAULT '',
  REPAIR TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (ALARM, ENTITY)
);

-- When this node's kernel was started, and when the node ended itself: it does not do that again soon. Bounded.
CREATE TABLE SM_BOOTS (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  WALL_MS INTEGER NOT NULL,
  KERNEL_LIFE TEXT NOT NULL DEFAULT '',
  CAUSE CHAR(32) NOT NULL
    CONSTRAINT "CAUSE must be boot or reboot"
    CHECK (CAUSE IN ('boot', 'reboot')),
  REASON TEXT NOT NULL DEFAULT ''
);

-- Single facts: kernel life, settled, peer's kernel life, digest of the definitions, heartbeat of the daemon...
CREATE TABLE SM_STATE (
  KEY TEXT NOT NULL PRIMARY KEY,
  VALUE TEXT NOT NULL DEFAULT ''
);

-- Definition rows that are not in use, with the reason. seed: could not be stored (CONTENT keeps them). load: stored.
CREATE TABLE SM_QUARANTINE (
  ID INTEGER PRIMARY KEY AUTOINCREMENT,
  STAGE CHAR(32) NOT NULL
    CONSTRAINT "STAGE must be seed or load"
    CHECK (STAGE IN ('seed', 'load')),
  TABLE_NAME TEXT NOT NULL,
  ROW_KEY TEXT NOT NULL,
  PROBLEM TEXT NOT NULL,
  CONTENT TEXT NOT NULL DEFAULT '',
  WALL_MS INTEGER NOT NULL
);

-- Rules that look at more than one row.

CREATE TRIGGER SM_INTERFACES_MAX_INSERT AFTER INSERT ON SERVICE_DOMAIN_INTERFACES
WHEN NEW.PROVISIONED = 'yes'
BEGIN
  SELECT RAISE(ABORT, 'At most three interfaces may be provisioned at once: set PROVISIONED to no on another one first')
  WHERE (SELECT count(*) FROM SERVICE_DOMAIN_INTERFACES WHERE PROVISIONED = 'yes') > 3;
END;

CREATE TRIGGER SM_UNSIGNED_INSERT BEFORE INSERT ON SERVICE_DOMAIN_INTERFACES
WHEN NEW.AUTH_TYPE = 'none'
BEGIN
  SELECT RAISE(ABORT, 'AUTH_TYPE none lets anyone on that network command the cluster: set ALLOW_UNSIGNED to yes in SM_INTERFACE_FACTS first if that is meant')
  WHERE NOT EXISTS (
    SELECT 1 FROM SM_INTERFACE_FACTS
    WHERE SERVICE_DOMAIN = NEW.SERVICE_DOMAIN
      AND SERVICE_DOMAIN_INTERFACE = NEW.SERVICE_DOMAIN_INTERFACE
      AND ALLOW_UNSIGNED = 'yes'
  );
END;

CREATE TRIGGER SM_INTERFACES_MAX_UPDATE AFTER UPDATE OF PROVISIONED ON SERVICE_DOMAIN_INTERFACES
WHEN NEW.PROVISIONED = 'yes'
BEGIN
  SELECT RAISE(ABORT, 'At most three interfaces may be provisioned at once: set PROVISIONED to no on another one first')
  WHERE (SELECT count(*) FROM SERVICE_DOMAIN_INTERFACES WHERE PROVISIONED = 'yes') > 3;
END;

CREATE TRIGGER SM_UNSIGNED_UPDATE BEFORE UPDATE OF AUTH_TYPE, SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE ON SERVICE_DOMAIN_INTERFACES
WHEN NEW.AUTH_TYPE = 'none'
BEGIN
  SELECT RAISE(ABORT, 'AUTH_TYPE none lets anyone on that network command the cluster: set ALLOW_UNSIGNED to yes in SM_INTERFACE_FACTS first if that is meant')
  WHERE NOT EXISTS (
    SELECT 1 FROM SM_INTERFACE_FACTS
    WHERE SERVICE_DOMAIN = NEW.SERVICE_DOMAIN
      AND SERVICE_DOMAIN_INTERFACE = NEW.SERVICE_DOMAIN_INTERFACE
      AND ALLOW_UNSIGNED = 'yes'
  );
END;

CREATE TRIGGER SM_UNSIGNED_FACT_DELETE AFTER DELETE ON SM_INTERFACE_FACTS
WHEN OLD.ALLOW_UNSIGNED = 'yes'
BEGIN
  SELECT RAISE(ABORT, 'ALLOW_UNSIGNED is in use: set AUTH_TYPE of that interface to hmac-sha512 first')
  FROM SERVICE_DOMAIN_INTERFACES AS I
  WHERE I.SERVICE_DOMAIN = OLD.SERVICE_DOMAIN
    AND I.SERVICE_DOMAIN_INTERFACE = OLD.SERVICE_DOMAIN_INTERFACE
    AND I.AUTH_TYPE = 'none'
    AND NOT EXISTS (
      SELECT 1 FROM SM_INTERFACE_FACTS AS F
      WHERE F.SERVICE_DOMAIN = I.SERVICE_DOMAIN
        AND F.SERVICE_DOMAIN_INTERFACE = I.SERVICE_DOMAIN_INTERFACE
        AND F.ALLOW_UNSIGNED = 'yes'
    );
END;

CREATE TRIGGER SM_UNSIGNED_FACT_UPDATE AFTER UPDATE ON SM_INTERFACE_FACTS
WHEN OLD.ALLOW_UNSIGNED = 'yes'
BEGIN
  SELECT RAISE(ABORT, 'ALLOW_UNSIGNED is in use: set AUTH_TYPE of that interface to hmac-sha512 first')
  FROM SERVICE_DOMAIN_INTERFACES AS I
  WHERE I.SERVICE_DOMAIN = OLD.SERVICE_DOMAIN
    AND I.SERVICE_DOMAIN_INTERFACE = OLD.SERVICE_DOMAIN_INTERFACE
    AND I.AUTH_TYPE = 'none'
    AND NOT EXISTS (
      SELECT 1 FROM SM_INTERFACE_FACTS AS F
      WHERE F.SERVICE_DOMAIN = I.SERVICE_DOMAIN
        AND F.SERVICE_DOMAIN_INTERFACE = I.SERVICE_DOMAIN_INTERFACE
        AND F.ALLOW_UNSIGNED = 'yes'
    );
END;
