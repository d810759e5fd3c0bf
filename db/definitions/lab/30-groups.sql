-- A web site that is on one node at a time, and a process that runs on both.

INSERT INTO SERVICE_GROUPS (NAME, FAILURE_DEBOUNCE) VALUES
  ('lab-services',    5000),
  ('lab-everywhere',  5000);

INSERT INTO SERVICE_DOMAIN_MEMBERS (NAME, SERVICE_GROUP_NAME, REDUNDANCY_MODEL, N_ACTIVE, M_STANDBY) VALUES
  ('controller', 'lab-services',   'N + M', 1, 1),
  ('controller', 'lab-everywhere', 'N',     2, 0);
