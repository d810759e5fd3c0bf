-- Address and disk first, then the web server that listens there, then the worker; stopped the other way round.

-- Started only when these are active.
INSERT INTO SERVICE_DEPENDENCY (DEPENDENCY_TYPE, SERVICE_NAME, STATE, ACTION, DEPENDENT, DEPENDENT_STATE) VALUES
  ('action', 'lab-web',    'not-applicable', 'enable', 'lab-ip',    'enabled-active'),
  ('action', 'lab-web',    'not-applicable', 'enable', 'lab-disk',  'enabled-active'),
  ('action', 'lab-worker', 'not-applicable', 'enable', 'lab-dummy', 'enabled-active'),
  ('action', 'lab-worker', 'not-applicable', 'enable', 'lab-web',   'enabled-active');

-- Stopped only when these are stopped.
INSERT INTO SERVICE_DEPENDENCY (DEPENDENCY_TYPE, SERVICE_NAME, STATE, ACTION, DEPENDENT, DEPENDENT_STATE) VALUES
  ('action', 'lab-ip',    'not-applicable', 'disable', 'lab-web',    'disabled'),
  ('action', 'lab-disk',  'not-applicable', 'disable', 'lab-web',    'disabled'),
  ('action', 'lab-dummy', 'not-applicable', 'disable', 'lab-worker', 'disabled'),
  ('action', 'lab-web',   'not-applicable', 'disable', 'lab-worker', 'disabled');
