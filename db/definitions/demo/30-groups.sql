-- A shop that runs on one node at a time, and a status page that runs on both.

INSERT INTO SERVICE_GROUPS (NAME, FAILURE_DEBOUNCE) VALUES
  ('shop-services', 5000),
  ('web-services',  5000);

INSERT INTO SERVICE_DOMAIN_MEMBERS (NAME, SERVICE_GROUP_NAME, REDUNDANCY_MODEL, N_ACTIVE, M_STANDBY) VALUES
  ('controller', 'shop-services', 'N + M', 1, 1),
  ('controller', 'web-services',  'N',     2, 0);
