-- Address and mount are state of the kernel, a Dummy is a file, the others are processes with pid files.

INSERT INTO SERVICES (NAME, PID_FILE) VALUES
  ('lab-ip',     ''),
  ('lab-disk',   ''),
  ('lab-dummy',  ''),
  ('lab-web',    '/run/nginx.pid'),
  ('lab-worker', '/run/sm-demo/lab-worker.pid'),
  ('lab-status', '/run/sm-demo/lab-status.pid');

INSERT INTO SM_SERVICE_FACTS (SERVICE_NAME, KERNEL_STATE) VALUES
  ('lab-ip',   'yes'),
  ('lab-disk', 'yes');

INSERT INTO SERVICE_GROUP_MEMBERS (NAME, SERVICE_NAME, SERVICE_FAILURE_IMPACT) VALUES
  ('lab-services',   'lab-ip',     'critical'),
  ('lab-services',   'lab-disk',   'critical'),
  ('lab-services',   'lab-dummy',  'critical'),
  ('lab-services',   'lab-web',    'critical'),
  ('lab-services',   'lab-worker', 'critical'),
  ('lab-everywhere', 'lab-status', 'critical');
