-- The shipped timing: a hello every 200 ms, dead after 800 ms of silence, stopped within 300 ms. See docs/LAB.md.

INSERT INTO SERVICE_DOMAINS (NAME, HELLO_INTERVAL, DEAD_INTERVAL, WAIT_INTERVAL, EXCHANGE_INTERVAL) VALUES
  ('controller', 200, 800, 1000, 500);

INSERT INTO SM_DOMAIN_NODES (SERVICE_DOMAIN, NODE_NAME, ORDINAL) VALUES
  ('controller', 'controller-0', 0),
  ('controller', 'controller-1', 1);

INSERT INTO SM_DOMAIN_SAFETY (SERVICE_DOMAIN, SILENCE_POLICY, STOP_BOUND, STOP_GRACE, KILL_VERIFY, LINK_DOWN_DETECT, MAIN_STALL_MAX) VALUES
  ('controller', 'takeover', 300, 100, 100, 100, 3000);
