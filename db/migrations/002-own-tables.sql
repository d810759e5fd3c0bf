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
