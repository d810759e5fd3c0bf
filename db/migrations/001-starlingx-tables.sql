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
