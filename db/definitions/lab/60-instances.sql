-- Parameters of the scripts, k=v,k=v. The web server is set up by its own files.

INSERT INTO SERVICE_INSTANCES (SERVICE_NAME, INSTANCE_NAME, INSTANCE_PARAMETERS) VALUES
  ('lab-ip',     'lab-ip',     'ip=10.77.2.100,cidr_netmask=24,nic=link1'),
  ('lab-disk',   'lab-disk',   'device=tmpfs,directory=/run/lab-disk,fstype=tmpfs'),
  ('lab-dummy',  'lab-dummy',  ''),
  ('lab-web',    'lab-web',    ''),
  ('lab-worker', 'lab-worker', 'SM_WORKER_DAEMON=/usr/lib/sm/demo/sm-stamp,SM_WORKER_PIDFILE=/run/sm-demo/lab-worker.pid,SM_WORKER_STAMPS=/run/sm-demo/lab-worker.stamps'),
  ('lab-status', 'lab-status', 'SM_WORKER_DAEMON=/usr/lib/sm/demo/sm-stamp,SM_WORKER_PIDFILE=/run/sm-demo/lab-status.pid,SM_WORKER_STAMPS=/run/sm-demo/lab-status.stamps');
