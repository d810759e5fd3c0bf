-- The one domain, its two nodes and its timing (ms).
-- From starlingx/ha (Apache-2.0, see NOTICE); what differs is in REPAIRS.md.

INSERT INTO SERVICE_DOMAINS (ID, PROVISIONED, NAME, ORCHESTRATION, PREEMPT, PRIORITY, HELLO_INTERVAL, DEAD_INTERVAL, WAIT_INTERVAL, EXCHANGE_INTERVAL, SPLIT_BRAIN_RECOVERY) VALUES
  (1, 'yes', 'controller', 'regional', 'no', 230, 200, 800, 5000, 2000, 'select-best-active');

INSERT INTO SM_DOMAIN_NODES (SERVICE_DOMAIN, NODE_NAME, ORDINAL) VALUES
  ('controller', 'controller-0', 0),
  ('controller', 'controller-1', 1);

INSERT INTO SM_DOMAIN_SAFETY (SERVICE_DOMAIN, SILENCE_POLICY, STOP_BOUND, STOP_GRACE, KILL_VERIFY, LINK_DOWN_DETECT, MAIN_STALL_MAX) VALUES
  ('controller', 'takeover', 300, 100, 100, 100, 3000);
