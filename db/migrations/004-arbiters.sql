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
