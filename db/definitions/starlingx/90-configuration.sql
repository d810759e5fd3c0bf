-- Settings by key.
-- From starlingx/ha (Apache-2.0, see NOTICE); what differs is in REPAIRS.md.

INSERT INTO CONFIGURATION (ID, KEY, VALUE) VALUES
  (1, 'ENABLING_THROTTLE', '2'),
  (2, 'sm_client_port',    ''),
  (3, 'sm_server_port',    '');

INSERT INTO SCHEMA_VERSION (ID, MAJOR, MINOR) VALUES
  (2, 0, 0);
