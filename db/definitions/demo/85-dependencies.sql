-- store first, then cache and queue, then worker, then web; stopped the other way round.

-- Started only when these are active.
INSERT INTO SERVICE_DEPENDENCY (DEPENDENCY_TYPE, SERVICE_NAME, STATE, ACTION, DEPENDENT, DEPENDENT_STATE) VALUES
  ('action', 'shop-cache',  'not-applicable', 'enable', 'shop-store',  'enabled-active'),
  ('action', 'shop-queue',  'not-applicable', 'enable', 'shop-store',  'enabled-active'),
  ('action', 'shop-worker', 'not-applicable', 'enable', 'shop-queue',  'enabled-active'),
  ('action', 'shop-web',    'not-applicable', 'enable', 'shop-cache',  'enabled-active'),
  ('action', 'shop-web',    'not-applicable', 'enable', 'shop-worker', 'enabled-active');

-- Demoted only when these are stopped.
INSERT INTO SERVICE_DEPENDENCY (DEPENDENCY_TYPE, SERVICE_NAME, STATE, ACTION, DEPENDENT, DEPENDENT_STATE) VALUES
  ('action', 'shop-store', 'not-applicable', 'go-standby', 'shop-cache', 'disabled'),
  ('action', 'shop-store', 'not-applicable', 'go-standby', 'shop-queue', 'disabled');

-- Stopped only when these are stopped.
INSERT INTO SERVICE_DEPENDENCY (DEPENDENCY_TYPE, SERVICE_NAME, STATE, ACTION, DEPENDENT, DEPENDENT_STATE) VALUES
  ('action', 'shop-store',  'not-applicable', 'disable', 'shop-cache',  'disabled'),
  ('action', 'shop-store',  'not-applicable', 'disable', 'shop-queue',  'disabled'),
  ('action', 'shop-queue',  'not-applicable', 'disable', 'shop-worker', 'disabled'),
  ('action', 'shop-cache',  'not-applicable', 'disable', 'shop-web',    'disabled'),
  ('action', 'shop-worker', 'not-applicable', 'disable', 'shop-web',    'disabled');
